"""The catalog of models, ``models/catalog.yaml``: which GGUF file a name means, and what a pool needs to serve it."""
