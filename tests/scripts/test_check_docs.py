"""The documents' check finds what is not there, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import click
import pytest

from scripts.check_docs import Checker, Document, main, markdown_files


@click.group()
def command() -> None:
    """Stands for the router's command."""


@command.command()
@click.option("--once", is_flag=True)
def demo(once: bool) -> None: ...


@command.group()
def keys() -> None: ...


@keys.command("create")
@click.option("--name")
def create(name: str) -> None: ...


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Makefile").write_text(".PHONY: test\ntest:  ## run\n\techo\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "guide.md").write_text("# A guide, for `you`\n## Again\n## Again\n")
    return tmp_path


def problems(root: Path, text: str) -> list[str]:
    path = root / "README.md"
    path.write_text(text)
    return [problem for _, problem in Checker(root, command).problems(Document(path))]


@pytest.mark.parametrize(
    "text",
    [
        "[guide](docs/guide.md) and [part](docs/guide.md#a-guide-for-you)",
        "[second of two](docs/guide.md#again-1)",
        "[here](#title)\n# Title",
        "[elsewhere](https://example.org/none.md) or <mailto:a@example.org>",
        "`make test ARGS=-x` and `docs/guide.md:3`",
        "```sh\n$ make test  # make nothing\nllm-router demo --once | llm-router keys create --name=a\n```",
        "```yaml\nmake: nothing\nllm-router: --nothing\n```",
        "a `[link](none.md)` in code is none, and `text/event-stream` is no path",
        "`llm-router demo --help`",
    ],
)
def test_what_is_there_is_fine(root: Path, text: str) -> None:
    assert problems(root, text) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[gone](docs/gone.md)", "link to docs/gone.md, which is not there"),
        ("[part](docs/guide.md#gone)", "link to docs/guide.md#gone, which has no such heading"),
        ("[third of two](docs/guide.md#again-2)", "link to docs/guide.md#again-2, which has no such heading"),
        ("[here](#gone)", "link to #gone, which has no such heading"),
        ("see `docs/gone.md`", "docs/gone.md is not there"),
        ("`make gone`", "make has no target gone"),
        ("```bash\nmake test && make gone\n```", "make has no target gone"),
        ("`llm-router fly`", "llm-router has no command fly"),
        ("```sh\n.venv/bin/llm-router demo --twice\n```", "llm-router demo has no option --twice"),
        ("`llm-router keys create --once`", "llm-router keys create has no option --once"),
    ],
)
def test_what_is_not_there_is_told(root: Path, text: str, problem: str) -> None:
    assert problems(root, text) == [problem]


def test_the_line_is_told(root: Path) -> None:
    (root / "a.md").write_text("one\n\n`make gone`\n")
    assert list(Checker(root, command).problems(Document(root / "a.md"))) == [(3, "make has no target gone")]


def test_only_the_projects_own_documents_are_read(root: Path) -> None:
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / ".gitignore").write_text("build/\n")
    (root / "build").mkdir()
    (root / "build" / "made.md").write_text("[gone](gone.md)")
    assert markdown_files(root) == [root / "docs" / "guide.md"]


def test_problems_make_the_exit_code_1(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    subprocess.run(["git", "init", "-q", root], check=True)
    assert main([str(root)]) == 0
    (root / "README.md").write_text("[gone](gone.md)")
    assert main([str(root)]) == 1
    assert "README.md:1: link to gone.md, which is not there" in capsys.readouterr().out
