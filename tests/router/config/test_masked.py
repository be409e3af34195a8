from __future__ import annotations

import json

import pytest

from llm_router.config.load import parse
from llm_router.config.masked import mask, masked
from llm_router.config.yaml_writer import dump
from tests.router.config.environment import ENV

TEXT = """
server: {maxBody: 1MiB}
router: {timeouts: {total: 90s}, latency: {window: 1500ms}}
clusters:
  - {name: c, endpoint: https://g.example.com, sharedSecret: ${GATE_KEY}, models: [{name: m}]}
externalProviders:
  - name: p
    type: openai-compatible
    baseUrl: https://p.example.com
    apiKey: ${SHORT}
    models: [m]
    headers: {X-Team: search, X-Gateway-Token: 0123456789abcdef-token-9876, Cookie-Free: "no"}
"""


def test_secrets_are_masked_and_everything_else_is_shown_as_written() -> None:
    shown = masked(parse(TEXT, env=ENV).config)
    assert shown["server"]["maxBody"] == "1MiB"
    assert shown["router"]["timeouts"] == {
        "connect": "2s",
        "firstToken": "30s",
        "betweenTokens": "30s",
        "total": "90s",
    }
    assert shown["router"]["latency"]["window"] == "1.5s"
    (cluster,), (provider,) = shown["clusters"], shown["externalProviders"]
    assert cluster["sharedSecret"] == "***" + ENV["GATE_KEY"][-4:]
    assert cluster["models"] == [{"name": "m"}]
    assert "apiKey" not in cluster
    assert provider["apiKey"] == "***"
    assert provider["headers"] == {"X-Team": "search", "X-Gateway-Token": "***9876", "Cookie-Free": "***"}


def test_no_secret_is_in_it_and_it_is_plain_json() -> None:
    text = json.dumps(masked(parse(TEXT, env=ENV).config))
    for secret in (ENV["GATE_KEY"], ENV["SHORT"], "0123456789abcdef-token"):
        assert secret not in text


def test_what_is_shown_is_a_configuration_again() -> None:
    config = parse(TEXT, env=ENV).config
    again = parse(dump(masked(config)), env=ENV).config
    assert (again.server, again.router, again.admin) == (config.server, config.router, config.admin)


@pytest.mark.parametrize(("secret", "shown"), [("", "***"), ("a" * 19, "***"), ("a" * 16 + "wxyz", "***wxyz")])
def test_the_last_four_are_shown_only_of_what_is_long_enough(secret: str, shown: str) -> None:
    assert mask(secret) == shown
