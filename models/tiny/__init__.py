"""What ``tiny_models.py`` makes its two models with."""
