"""router/router.example.yaml: complete, loadable as it stands, and honest about what is not there yet."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llm_router.config.hints import Hint, keys_of, read
from llm_router.config.load import load, parse
from llm_router.config.schema import Config
from llm_router.errors import ConfigError
from tests.router.config.environment import ENV

EXAMPLE = Path(__file__).parents[3] / "router" / "router.example.yaml"


def test_it_passes_check_without_a_warning() -> None:
    assert load(str(EXAMPLE), ENV).warnings == ()


def test_all_its_secrets_are_references() -> None:
    loaded = load(str(EXAMPLE), ENV)
    without = {name: value for name, value in ENV.items() if not name.endswith("_KEY")}
    with pytest.raises(ConfigError) as caught:
        load(str(EXAMPLE), without)
    secrets = [c.shared_secret for c in loaded.config.clusters]
    secrets += [p.api_key for p in loaded.config.external_providers if p.enabled]
    assert len(caught.value.problems) == len(secrets) == 5
    assert all("is not set" in p.message for p in caught.value.problems)


def test_what_it_shows_as_default_is_the_default() -> None:
    config = load(str(EXAMPLE), ENV).config
    router = config.router
    assert config.server == Config().server
    assert config.admin == Config().admin
    assert (router.cost, router.latency, router.timeouts, router.failover) == (
        Config().router.cost,
        Config().router.latency,
        Config().router.timeouts,
        Config().router.failover,
    )
    assert (router.routing_strategy, router.max_queue_depth) == ("hybrid", Config().router.max_queue_depth)


def spellings(hint: Hint) -> set[str]:
    """Every key below a type."""
    found: set[str] = set()
    if hint.is_struct:
        for key in keys_of(hint.core):
            found |= {key.spelling} | spellings(read(key.annotation))
    for inner in hint.args:
        found |= spellings(read(inner))
    return found


RARE = {
    *("requiredRegion", "maxCostPer1kTokens", "capability", "minComplexity", "regions", "header", "value", "targets"),
    *("failoverTargets", "url", "latency", "timeToFirstToken"),
    *("tokensPerSecond", "decodeTokensPerSecondSingle", "category"),
}


def test_it_names_every_key_but_a_few_rare_ones() -> None:
    text = EXAMPLE.read_text()
    unnamed = {key for key in spellings(Hint(Config)) if not re.search(rf"\b{key}:", text)}
    assert unnamed - RARE == set()


def test_every_commented_provider_passes_check_when_uncommented(tmp_path: Path) -> None:
    account = tmp_path / "vertex.json"
    account.touch()
    text = EXAMPLE.read_text().replace("/etc/llm-router/vertex.json", str(account))
    entries = re.findall(r"^  # - name: .*\n(?:  #   .*\n)+", text, re.MULTILINE)
    assert [entry.split()[3] for entry in entries] == ["azure", "vertex"]
    for entry in entries:
        uncommented = text.replace(entry, re.sub(r"^  # ", "  ", entry, flags=re.MULTILINE))
        env = ENV | {"AZURE_OPENAI_API_KEY": ENV["OPENAI_API_KEY"]}
        assert parse(uncommented, str(tmp_path / "router.yaml"), env).warnings == ()
