"""Importing the package stays quick: the embedded router is loaded when somebody asks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import llm_router
from llm_router import embedded


def test_importing_the_package_loads_nothing_else() -> None:
    code = "import llm_router, sys; print(sorted(m for m in sys.modules if m.startswith(('llm_router', 'aiohttp'))))"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.strip() == "['llm_router']"


@pytest.mark.parametrize("name", llm_router.__all__)
def test_each_name_is_that_of_the_embedded_room(name: str) -> None:
    assert getattr(llm_router, name) is getattr(embedded, name)


def test_other_names_are_missing_as_usual() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = llm_router.Nothing
