"""``python -m llm_router`` is ``llm-router``."""

from .cli import main

main()
