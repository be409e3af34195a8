"""What ``llm-router import`` writes, and when it writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_router.config.importing import import_file
from llm_router.config.load import load
from llm_router.errors import ConfigError, Problem
from tests.router.config.environment import ENV

LOOM = """
ai_gateway:
  providers:
    - {name: openai, type: openai, api_key: KEY, models: [gpt-5.4-mini]}
"""


def written(folder: Path, text: str, name: str = "loom.yaml") -> str:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return str(file)


def refusal(path: str, env: dict[str, str] = ENV, **options: object) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        import_file(path, env, **options)  # type: ignore[arg-type]
    return caught.value.problems


def test_the_text_says_where_it_comes_from_and_keeps_references(tmp_path: Path) -> None:
    done = import_file(written(tmp_path, LOOM.replace("KEY", "${OPENAI_API_KEY}")), {})
    assert done.text == (
        "# yaml-language-server: $schema=router.schema.json\n"
        '# Converted by llm-router import from Loom\'s configuration "loom.yaml".\n'
        "externalProviders:\n- name: openai\n  type: openai\n  apiKey: ${OPENAI_API_KEY}\n  models:\n  - gpt-5.4-mini\n"
    )
    assert not done.warnings


@pytest.mark.parametrize("name", ["a\nserver: {}\n#.yaml", "ü: *.yaml"])
def test_a_files_name_cannot_add_to_the_text(tmp_path: Path, name: str) -> None:
    done = import_file(written(tmp_path, LOOM.replace("KEY", "${OPENAI_API_KEY}"), name), ENV)
    assert done.text.splitlines()[2] == "externalProviders:"


@pytest.mark.parametrize("secret", ["sk-0123456789abcdefghij", "dummy", "prefix-${OPENAI_API_KEY}"])
def test_a_secret_in_the_file_is_written_only_where_that_is_allowed(tmp_path: Path, secret: str) -> None:
    path = written(tmp_path, LOOM.replace("KEY", f'"{secret}"'))
    if "${" in secret:
        assert secret in import_file(path, ENV).text
        return
    (problem,) = refusal(path)
    assert (problem.path, problem.line) == ("ai_gateway.providers[0].api_key", 4)
    assert secret not in str(problem)
    assert secret in import_file(path, ENV, allow_literal_secrets=True).text


def test_files_and_secrets_by_name_are_references_too_and_need_not_be_there(tmp_path: Path) -> None:
    for reference in ("file:/nowhere/key", "secret:openai"):
        assert reference in import_file(written(tmp_path, LOOM.replace("KEY", reference)), {}).text


def test_a_value_that_has_to_be_computed_with_must_be_there(tmp_path: Path) -> None:
    text = """
inter_cluster_routing:
  cluster_discovery:
    static_clusters:
      - {name: a, type: llama.cpp, endpoint: "http://127.0.0.1:1", cost_per_token: "${USD}"}
"""
    path = written(tmp_path, text)
    (problem,) = refusal(path, {})
    assert "USD is not set" in problem.message
    assert "costPer1kTokens: 0.002\n" in import_file(path, {"USD": "0.000002"}).text


def test_what_load_would_refuse_is_refused(tmp_path: Path) -> None:
    text = LOOM.replace("KEY", "${OPENAI_API_KEY}") + "  routing: {fallback: {provider: nobody}}\n"
    (problem,) = refusal(written(tmp_path, text), {})
    assert (problem.path, problem.line) == ("ai_gateway.routing.fallback.provider", 5)


@pytest.mark.parametrize(
    ("text", "dialect", "message"),
    [
        ("clusters: []\n", "auto", "none of the keys inter_cluster_routing, "),
        ("clusters: []\n", "loom", "none of the keys ai_gateway stands"),
        ("model_list: []\n", "loom", "this is LiteLLM's configuration, not one of loom"),
    ],
)
def test_a_file_that_is_not_of_the_dialect_is_refused(tmp_path: Path, text: str, dialect: str, message: str) -> None:
    (problem,) = refusal(written(tmp_path, text), dialect=dialect)
    assert message in problem.message


def test_relative_paths_would_mean_other_files_elsewhere(tmp_path: Path) -> None:
    written(tmp_path, "keys: []\n", "keys.yaml")
    text = LOOM.replace("KEY", "${OPENAI_API_KEY}") + "access: {apiKeysFile: keys.yaml}\n"
    path = written(tmp_path, text)
    beside, away = str(tmp_path / "router.yaml"), str(tmp_path / "away" / "router.yaml")
    (problem,) = refusal(path, out=away)
    assert "relative paths" in problem.message
    Path(beside).write_text(import_file(path, ENV, out=beside).text)
    assert load(beside, ENV).config == load(path, ENV).config


def test_weak_secrets_are_warned_of_where_they_stand(tmp_path: Path) -> None:
    done = import_file(written(tmp_path, LOOM.replace("KEY", "dummy")), ENV, allow_literal_secrets=True)
    assert [(w.path, w.line) for w in done.warnings] == [("ai_gateway.providers[0].api_key", 4)]
