"""The configuration in the how-to does what the how-to says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from llm_router.config.load import parse
from llm_router.explaining import explain_request

PAGE = Path(__file__).parents[3] / "docs/how-to/route-by-kind-of-prompt.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("prompt", "categories", "simple_only_may"),
    [
        ("Is clause 7 enforceable under French law?", {"contracts"}, False),
        ("Check this agreement", set(), True),
        ("Good morning", {"greetings"}, True),
    ],
)
def test_prompts_go_where_the_document_says(prompt: str, categories: set[str], simple_only_may: bool) -> None:
    text, _ = BLOCKS
    body = {"model": "auto", "messages": [{"role": "user", "content": prompt}]}
    decision = explain_request(parse(text, "router.yaml", {}), json.dumps(body).encode(), ())
    assert decision.facts.categories == categories
    assert "large" in [choice.target.name for choice in decision.choices]
    assert ("small" in [choice.target.name for choice in decision.choices]) == simple_only_may
    assert [rejection.code for rejection in decision.rejected] == ([] if simple_only_may else ["capability"])


def test_what_it_says_of_embeddings_joins_what_it_says_of_categories() -> None:
    plain, by_meaning = (yaml.safe_load(block) for block in BLOCKS)
    account = {
        "name": "openai",
        "type": "openai",
        "apiKey": "sk-0123456789abcdef0123456789",
        "models": ["gpt-5.4-mini"],
    }
    whole = plain | {"router": plain["router"] | by_meaning["router"], "externalProviders": [account]}
    embeddings = parse(yaml.safe_dump(whole), "router.yaml", {}).config.router.embeddings
    assert embeddings is not None
    assert embeddings.timeout == 0.3
