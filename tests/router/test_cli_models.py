"""``llm-router models`` as users type it."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from llm_router.catalog.files import read_catalog
from llm_router.cli import main
from tests.router.catalog.test_gguf_header import URI, written

CATALOG = Path(__file__).resolve().parents[2] / "models" / "catalog.yaml"


def models(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["models", *map(str, arguments)])
    return done.exit_code, done.output


def test_the_list_has_a_line_for_each_model_and_pool_and_marks_assumptions() -> None:
    code, said = models("list", "--catalog", CATALOG)
    assert code == 0
    lines = said.splitlines()
    assert len(lines) == 1 + sum(len(model.pools) for model in read_catalog(CATALOG).models)
    assert any(line.startswith("tinyllama-1.1b-chat") and "cpu" in line and "32?" in line for line in lines)


def test_the_list_as_json_is_the_whole_catalog() -> None:
    code, said = models("list", "--catalog", CATALOG, "--json")
    assert code == 0
    assert [entry["name"] for entry in json.loads(said)["models"]] == [m.name for m in read_catalog(CATALOG).models]


def test_a_model_is_added_and_verified(tmp_path: Path) -> None:
    catalog, file = tmp_path / "catalog.yaml", written(tmp_path / "model.gguf")
    catalog.write_text(CATALOG.read_text())
    code, said = models("add", file, "--catalog", catalog, "--uri", URI, "--name", "mine")
    assert (code, "mine is in" in said) == (0, True), said
    assert models("verify", "mine", file, "--catalog", catalog)[0] == 0
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    code, said = models("verify", "mine", file, "--catalog", catalog)
    assert code == 1
    assert "do not use it" in said


def test_an_unknown_model_is_a_refused_configuration() -> None:
    code, said = models("verify", "gpt-4", CATALOG, "--catalog", CATALOG)
    assert code == 78
    assert "there is no 'gpt-4'" in said
