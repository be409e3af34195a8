"""What tests of the charts share."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_router.demo.models import tiny_models


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """The small one of the tiny GGUF models, made once into the user's cache."""
    return tiny_models(print).small
