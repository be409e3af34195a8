"""Decisions as their readers see them, JSON and table, in situations that the documentation speaks of.

After a change that is meant to be seen: ``python -m tests.router.routing.test_golden`` writes the files anew; read the
difference before you keep it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from llm_router.config.load import load
from llm_router.errors import NoTarget
from llm_router.explaining import explain_request
from llm_router.model import Decision
from llm_router.routing.explain import COLUMNS, as_json, as_lines, as_table

GOLDEN = Path(__file__).parent / "golden"

LONG = "Analyse step by step, compare and prove: " + "why does the algorithm terminate, and at what cost? " * 40
SITUATIONS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "a-greeting-goes-to-the-cheap-cluster": ({"text": "Hi"}, {}),
    "gdpr-shows-why-each-other-was-refused": ({"text": "Hi"}, {"X-LLM-Compliance": "gdpr"}),
    "in-the-eu-and-cheap": ({"text": "Hi"}, {"X-LLM-Region": "eu", "X-LLM-Max-Cost-Per-1K": "0.001"}),
    "a-complex-task-leaves-the-simple-cluster": ({"text": LONG, "stream": True}, {}),
    "a-rule-says-who-alone-may-answer": ({"text": "Hi"}, {"X-Team": "legal"}),
    "a-rule-spreads-a-model-of-callers-abroad": ({"text": "Hi", "model": "gpt-4"}, {"X-Client-Region": "US"}),
    "the-model-strategy-goes-by-its-route": ({"text": "Hi", "model": "gpt-4"}, {"X-LLM-Strategy": "model"}),
    "nearest-to-the-caller": ({"text": "Hi"}, {"X-LLM-Strategy": "nearest", "X-Client-Region": "de"}),
    "cheap-is-a-model-name": ({"text": "Hi", "model": "cheap"}, {}),
    "nobody-is-compliant": ({"text": "Hi"}, {"X-LLM-Compliance": "hipaa,sox", "X-LLM-Region": "de"}),
}


def explained(name: str) -> tuple[dict[str, Any], str]:
    """JSON and table of one situation; where nobody is left, the refusal in the place of both."""
    asked, headers = SITUATIONS[name]
    request = {"model": "auto", "max_tokens": 100, **asked}
    request["messages"] = [{"role": "user", "content": request.pop("text")}]
    raw = [(header.lower().encode(), value.encode()) for header, value in headers.items()]
    try:
        decision = explain_request(load(str(GOLDEN / "config.yaml"), {}), json.dumps(request).encode(), raw)
    except NoTarget as refused:
        rejected = [{"target": r.target, "reason": r.reason} for r in refused.rejected]
        lines = [f"{refused.status} {refused.code}", *(f"  {r.target}: {r.reason}" for r in refused.rejected)]
        return {"status": refused.status, "code": refused.code, "rejected": rejected}, "\n".join(lines) + "\n"
    # To one digit: the weights of the measure may be trained anew.
    decision = replace(decision, facts=replace(decision.facts, complexity=round(decision.facts.complexity, 1)))
    return as_json(decision), table(decision)


def table(decision: Decision) -> str:
    rows = [COLUMNS, *as_table(decision)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = [f"{what:>14}  {value}" for what, value in as_lines(decision.facts)]
    lines += [f"strategy {decision.strategy}, rule {decision.rule}"]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines) + "\n"


def as_file(plain: dict[str, Any]) -> str:
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_explanation_is_what_it_was(name: str) -> None:
    plain, shown = explained(name)
    assert as_file(plain) == (GOLDEN / f"{name}.json").read_text()
    assert shown == (GOLDEN / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_target_is_explained_once(name: str) -> None:
    plain, _ = explained(name)
    told = [entry["target"] for entry in (*plain.get("targets", ()), *plain["rejected"])]
    assert sorted(told) == ["anthropic", "belgium", "openai/gpt-5.4", "openai/gpt-5.4-mini", "oregon"]


if __name__ == "__main__":
    for situation in SITUATIONS:
        written, seen = explained(situation)
        (GOLDEN / f"{situation}.json").write_text(as_file(written))
        (GOLDEN / f"{situation}.txt").write_text(seen)
