"""The benchmark of decisions measures real decisions of every strategy."""

from __future__ import annotations

import re

import pytest

from llm_router.routing.engine import decide
from llm_router.routing.strategies import STRATEGIES
from scripts.bench.decide import fleet, main, policy, requests


def test_it_prints_a_line_for_each_strategy_and_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--targets", "10,20", "--requests", "6"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = [re.fullmatch(r"(\w+) +(\d+) +[\d.]+ +[\d.]+", line) for line in lines[1:]]
    expected = [(name, size) for size in ("10", "20") for name in STRATEGIES]
    assert [(line[1], line[2]) for line in found if line] == expected


def test_its_requests_take_the_ways_that_it_says() -> None:
    plain, demanding, ruled = (decide(asked, fleet(10), policy()) for asked in requests("hybrid"))
    assert (len(plain.choices), plain.rule) == (10, None)
    assert 0 < len(demanding.choices) < 6
    assert ruled.rule == "gpt-4"
