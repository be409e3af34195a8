"""Whole files: each fixture under ``valid`` loads, each under ``invalid`` is refused for the mistake it is named by.

A fixture states what is expected where it is expected: ``#! path | text`` on the line of a problem, ``#? path | text``
on the line of a warning.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.config.findings import Finding
from llm_router.config.load import load, load_for_reckoning, load_struct, parse
from llm_router.config.refused import MAX_PROBLEMS
from llm_router.config.scalars import FilePath, Seconds, Secret
from llm_router.config.schema import Base, Config
from llm_router.config.yaml_writer import dump
from llm_router.errors import ConfigError, Problem
from tests.router.config.environment import ENV

CONFIGS = Path(__file__).parents[1] / "fixtures" / "configs"
VALID = sorted((CONFIGS / "valid").glob("*.yaml"))
INVALID = sorted((CONFIGS / "invalid").glob("*.yaml"))


def expected(file: Path, mark: str) -> dict[tuple[int, str], str]:
    found = {}
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        for path, text in re.findall(rf"#{re.escape(mark)} (\S*) ?\| (.*?)(?= #[!?]|$)", line):
            found[number, path] = text
    return found


def told(problems: Iterable[Problem]) -> dict[tuple[int, str], str]:
    return {(p.line, p.path): p.message for p in problems}


def refusal(action: Callable[[], object]) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        action()
    return caught.value.problems


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_each_mistake_is_told_with_its_line_and_nothing_else_is(file: Path) -> None:
    problems = refusal(lambda: load(str(file), ENV))
    expectation = expected(file, "!")
    assert told(problems).keys() == expectation.keys(), "\n".join(map(str, problems))
    for place, text in expectation.items():
        assert text in told(problems)[place]
    assert all(p.file == str(file) for p in problems)


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_what_is_valid_loads_with_the_expected_warnings_only(file: Path) -> None:
    loaded = load(str(file), ENV)
    expectation = expected(file, "?")
    assert told(loaded.warnings).keys() == expectation.keys()
    for place, text in expectation.items():
        assert text in told(loaded.warnings)[place]


def test_secrets_and_references_are_in_place_after_loading() -> None:
    config = load(str(CONFIGS / "valid" / "references-everywhere.yaml"), ENV).config
    cluster = config.clusters[0]
    assert (config.server.port, config.server.host) == (8088, "localhost")
    assert (config.router.routing_strategy, config.router.enable_external_fallback) == ("cost", False)
    assert config.router.timeouts.total == Seconds(120)
    assert (cluster.name, cluster.endpoint) == ("aws-eu-west-1", "https://aws.eu-west-1.example.com")
    assert cluster.cost_per_hour == 0.25
    assert cluster.shared_secret == ENV["GATE_KEY"]
    assert isinstance(cluster.shared_secret, Secret)


def test_no_value_of_the_environment_is_shown_by_a_configuration_or_by_a_refusal() -> None:
    """Canaries: the values of all variables that stand for secrets."""
    secrets = [ENV[name] for name in ("GATE_KEY", "OTHER_KEY", "OPENAI_API_KEY", "SHORT_KEY", "NO_BASE64", "SHORT")]
    shown = [repr(load(str(file), ENV)) for file in VALID]
    for file in INVALID:
        shown += [str(p) for p in refusal(lambda file=file: load(str(file), ENV))]  # type: ignore[misc]
    assert len(shown) > 100
    assert not [secret for secret in secrets if any(secret in text for text in shown)]


def test_the_digest_is_that_of_the_file_and_changes_with_it(tmp_path: Path) -> None:
    text = (CONFIGS / "valid" / "smallest-provider.yaml").read_text()
    file = tmp_path / "router.yaml"
    file.write_text(text)
    first = load(str(file), ENV)
    assert first.digest == hashlib.sha256(text.encode()).hexdigest()
    assert first.path == str(file)
    file.write_text(text + "# changed\n")
    assert load(str(file), ENV).digest != first.digest
    assert load(str(file), ENV).config == first.config


def test_paths_count_from_the_directory_of_the_file_that_names_them() -> None:
    config = load(str(CONFIGS / "valid" / "public.yaml"), ENV).config
    assert config.access.api_keys_file == str(CONFIGS / "files" / "keys.yaml")


def test_defaults_are_those_of_the_schema() -> None:
    text = (CONFIGS / "valid" / "smallest-cluster.yaml").read_text()
    config = parse(text, env=ENV).config
    assert config.router == Config().router
    assert config.server == Config().server
    assert config.clusters[0].auth_type == "hmac"


EXPOSED_AND_WITHOUT_SECRETS = """
server: {host: 0.0.0.0}
access: {apiKeysFile: keys.yaml}
clusters:
  - {name: a, endpoint: "https://a.example.com", sharedSecret: "${NOT_SET}", models: [{name: m}]}
  - {name: b, endpoint: "https://b.example.com", sharedSecret: "${NOT_SET}", models: [{name: m}]}
externalProviders:
  - {name: openai, type: openai, apiKey: "secret:NOT_THERE", models: [gpt-5.4-mini]}
"""


def test_whoever_only_reckons_needs_no_secrets(tmp_path: Path) -> None:
    file = tmp_path / "router.yaml"
    (tmp_path / "keys.yaml").write_text("keys: []\n")
    file.write_text(EXPOSED_AND_WITHOUT_SECRETS)
    assert [cluster.name for cluster in load_for_reckoning(str(file), {}).config.clusters] == ["a", "b"]
    with pytest.raises(ConfigError):
        load(str(file), {})


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_all_else_is_refused_to_those_who_only_reckon_too(file: Path) -> None:
    about_secrets = ("secret", "apikey", "token", "password", "credential", "ledger.url")
    expected_problems = [path for _, path in expected(file, "!") if not any(w in path.lower() for w in about_secrets)]
    if expected_problems:
        with pytest.raises(ConfigError):
            load_for_reckoning(str(file), ENV)


@pytest.mark.parametrize("path", ["/no/such/file.yaml", "/", "/etc/\0"])
def test_a_file_that_can_not_be_read_is_a_refusal(path: str) -> None:
    (problem,) = refusal(lambda: load(path, ENV))
    assert "can not be read" in problem.message
    assert problem.file == path


def test_more_problems_than_anybody_reads_are_counted() -> None:
    text = "server:\n" + "".join(f"  key{i}: 1\n" for i in range(500))
    problems = refusal(lambda: parse(text, env={}))
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1].message == "and 401 more problems"


def test_as_text_a_refusal_is_one_line_for_each_problem(tmp_path: Path) -> None:
    file = tmp_path / "router.yaml"
    file.write_text("server:\n  port: x\n  prot: 1\n")
    with pytest.raises(ConfigError) as caught:
        load(str(file), {})
    assert str(caught.value).splitlines() == [
        f'{file}:2: server.port: must be a whole number, not the text "x"',
        f'{file}:3: server.prot: unknown key; did you mean "port"?',
    ]


class Small(Base):
    listen: str
    secret: Secret
    wait: Seconds = Seconds(1)
    file: FilePath | None = None


def test_a_file_of_another_kind_is_read_alike(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    file = tmp_path / "small.yaml"
    file.write_text("listen: ${WHERE}\nsecret: file:key\nwait: 5m\nfile: key\n")
    small = load_struct(str(file), Small, {"WHERE": "127.0.0.1:1"})
    assert small == Small(
        listen="127.0.0.1:1", secret=Secret("s3cret"), wait=Seconds(300), file=FilePath(tmp_path / "key")
    )


def test_a_file_of_another_kind_is_refused_with_all_problems_and_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("listen: x\nsecret: ${GONE}\nfile: nowhere\n")
    problems = refusal(lambda: load_struct(str(file), Small, {}, lambda s: [Finding(("listen",), f"not {s.listen}")]))
    assert [(p.line, p.path) for p in problems] == [(1, "listen"), (2, "secret"), (3, "file")]


keys = st.sampled_from(
    ["server", "router", "clusters", "externalProviders", "rules", "name", "port", "type", "x", "<<"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("${GATE_KEY}")
garbage = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=25
)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_no_text_or_bytes_make_loading_fail_in_any_other_way(content: str | bytes) -> None:
    assert refusal(lambda: parse(content, env=ENV))


@given(st.dictionaries(keys, garbage, max_size=6))
def test_no_data_make_loading_fail_in_any_other_way(data: dict[str, object]) -> None:
    with contextlib.suppress(ConfigError):
        parse(dump(data), env=ENV)
