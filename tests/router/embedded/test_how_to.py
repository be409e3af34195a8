"""The program in the how-to runs as it stands there, and prints what it says there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.router.standins import running_standins

PAGE = Path(__file__).parents[3] / "docs/how-to/route-inside-your-own-program.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_programs_output_is_the_one_in_the_document(tmp_path: Path) -> None:
    [program], [output] = blocks("python"), blocks("text")
    (tmp_path / "route.py").write_text(program)
    with running_standins() as standins:
        settings = {
            "LLM_URL": standins.openai.url,
            "LLM_KEY": standins.openai.api_key,
            "LLM_MODEL": "gpt-5.4-mini",
        }
        done = subprocess.run(
            [sys.executable, "-W", "error", "route.py"],
            cwd=tmp_path,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.stderr == ""
    assert done.stdout == output
