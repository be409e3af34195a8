"""The configuration in the how-to does what the how-to says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from llm_router.config.load import parse
from llm_router.explaining import explain_request

PAGE = Path(__file__).parents[3] / "docs/how-to/route-by-kind-of-prompt.md"


@pytest.mark.parametrize(
    ("prompt", "categories", "simple_only_may"),
    [
        ("Is clause 7 enforceable under French law?", {"contracts"}, False),
        ("Check this agreement", set(), True),
        ("Good morning", {"greetings"}, True),
    ],
)
def test_prompts_go_where_the_document_says(prompt: str, categories: set[str], simple_only_may: bool) -> None:
    [text] = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    body = {"model": "auto", "messages": [{"role": "user", "content": prompt}]}
    decision = explain_request(parse(text, "router.yaml", {}), json.dumps(body).encode(), ())
    assert decision.facts.categories == categories
    assert "large" in [choice.target.name for choice in decision.choices]
    assert ("small" in [choice.target.name for choice in decision.choices]) == simple_only_may
    assert [rejection.code for rejection in decision.rejected] == ([] if simple_only_may else ["capability"])
