"""What a comparison says, to programs and to people."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from llm_router.simulate.comparison import STRATEGIES, Comparison, compare
from llm_router.simulate.report import as_json, render
from llm_router.simulate.trace import Request, Trace, trace_of
from tests.router.simulate.fleets import PRICES, cluster, config, provider

TRACE = Trace(trace_of(Request(5.0 * number, 100, 11) for number in range(60)).requests, ("a note",))


def compared(*clusters: dict[str, Any], **router: Any) -> Comparison:
    return compare(config(list(clusters), **router), TRACE, PRICES, time_limit_s=5)


def test_the_document_says_everything_of_every_strategy() -> None:
    document = as_json(compared(cluster(provider="aws", region="us-west-2")))
    assert set(document["strategies"]) == set(STRATEGIES)
    for figures in document["strategies"].values():
        assert figures.keys() >= {"usd", "usd_nodes", "usd_external", "usd_avoidable", "miss_rate", "share"}
        for times in ("ttft_s", "total_s"):
            assert figures[times]["p50"] <= figures[times]["p95"] <= figures[times]["p99"]
    assert document["optimum"]["status"] == "optimal"
    assert 0 < document["optimum"]["usd"] <= document["reached"]["usd"]
    assert document["reached"]["usd"] <= min(figures["usd"] for figures in document["strategies"].values())
    assert document["trace"] == {"requests": 60, "span_s": 295.0, "notes": ["a note"]}
    assert set(document["policies"]) == {"all_external", "all_cluster", "always_on"}


def test_fixed_costs_stand_beside_the_bill_once_a_place() -> None:
    here: dict[str, Any] = {"provider": "aws", "region": "us-west-2", "scaling": {"minNodes": 1}}
    one, two = compared(cluster(**here)), compared(cluster(**here), cluster("cpu", **here))
    assert one.fixed_usd == two.fixed_usd == pytest.approx(0.1725 * 295 / 3600)
    assert compared(cluster()).fixed_usd is None, "nobody knows which cloud that is"
    stated = compared(cluster(fixedCostPerHour=3.6), cluster("cpu", fixedCostPerHour=3.6))
    assert stated.fixed_usd == pytest.approx(2 * 0.295)


def test_a_table_of_all_with_the_bound_and_the_best_run(capsys: pytest.CaptureFixture[str]) -> None:
    render(compared(cluster(provider="aws", region="us-west-2")))
    shown = capsys.readouterr().out
    assert "60 requests in 0.08 h; first token within 5 s for all but 1%" in shown
    for line in (
        *STRATEGIES,
        "all external",
        "No run that keeps the limit costs less than",
        "The best run found costs",
    ):
        assert line in shown
    assert "control planes, NAT, load balancers, 0.0141 USD" in shown
    assert "a note" in shown


def test_it_says_where_nobody_keeps_the_limit(capsys: pytest.CaptureFixture[str]) -> None:
    slow = provider(latency={"timeToFirstToken": "9s", "tokensPerSecond": 100})
    render(compare(config([], [slow]), TRACE, PRICES, time_limit_s=5))
    assert "No run that was tried keeps the limit." in capsys.readouterr().out


def test_it_says_which_requests_nobody_here_may_answer(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [Request(5.0 * number, 100, 11, "gone" if number % 2 else "model-gpu") for number in range(10)]
    comparison = compare(config([cluster()], []), trace_of(asked), PRICES, time_limit_s=5)
    assert comparison.trace.notes == ("nobody here may answer 5 requests, of models gone: they count as late",)
    render(comparison)
    shown = capsys.readouterr().out
    assert comparison.trace.notes[0] in shown
    nobody = trace_of(Request(5.0 * number, 10**6, 11) for number in range(3))
    without = compare(config([cluster()], []), nobody, PRICES, time_limit_s=5)
    assert without.trace.notes == ("nobody here may answer 3 requests: they count as late",), "too long for the window"
    render(without)
    assert "│ nobody 3" in capsys.readouterr().out


def test_without_a_solver_there_is_a_bound_and_a_word_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    said: list[str] = []
    comparison = compare(config(), TRACE, PRICES, time_limit_s=5, report=said.append)
    assert comparison.optimum.usd is not None
    assert comparison.optimum.status == "no solver"
    assert any("pip install 'multicloud-llm-router[simulate]'" in line for line in said)
