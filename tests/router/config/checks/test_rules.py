"""Rules in bulk: too many are refused at once, and as many as are taken are judged in bounded time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from llm_router.config.check import Verdict, check
from llm_router.config.checks.draft import Draft
from llm_router.config.checks.rules import MAX_PARTS, MAX_RULES
from llm_router.config.findings import show
from llm_router.config.load import parse
from llm_router.config.schema import Action, Cluster, Condition, Config, Rule
from llm_router.errors import ConfigError

LOCAL = Cluster(name="local", endpoint="http://127.0.0.1:1", auth_type="none", region="eu-west-1")
GO = (Action(type="route_to_cluster", target="local"),)


def drafted(*rules: Rule) -> Draft:
    return Draft(Config(clusters=(LOCAL,), rules=rules))


def model_rule(number: int, **fields: Any) -> Rule:
    condition = Condition(type="model", models=(f"m{number}",))
    return Rule(**{"name": f"r{number}", "conditions": (condition,), "actions": GO, **fields})


def test_too_many_rules_are_one_clear_error_sooner_than_the_most_are_judged() -> None:
    def judged(count: int) -> tuple[Verdict, float]:
        draft = drafted(*(model_rule(i) for i in range(count)))
        started = time.process_time()
        return check(draft), time.process_time() - started

    refused, refusing_s = judged(10_000)
    assert [(show(path), message) for path, message in refused.problems] == [
        ("rules", f"10000 rules are too many: at most {MAX_RULES}; join those that act alike")
    ]
    taken, judging_s = judged(MAX_RULES)
    assert taken == ((), ())
    assert refusing_s < judging_s


@pytest.mark.parametrize(
    ("rules", "refusal"), [(5_000, "5000 rules are too many"), (10_000, "more than 100000 values")]
)
def test_in_a_file_they_are_refused_with_one_line_too(rules: int, refusal: str) -> None:
    line = "  - {name: r%d, conditions: [{type: model, models: [m]}], actions: [{type: route_to_cluster, target: x}]}"
    text = "clusters: [{name: local, endpoint: 'http://127.0.0.1:1', authType: none}]\nrules:\n"
    with pytest.raises(ConfigError, match=refusal) as caught:
        parse(text + "\n".join(line % i for i in range(rules)), env={})
    assert len(caught.value.problems) == 1


def test_too_many_conditions_or_actions_of_one_rule_are_refused() -> None:
    many = (Condition(type="complexity", min_complexity=0.1),) * (MAX_PARTS + 1)
    verdict = check(drafted(model_rule(1, conditions=many, actions=GO * (MAX_PARTS + 1))))
    assert [show(path) for path, _ in verdict.problems] == ["rules[0].conditions", "rules[0].actions"]


def test_a_rule_without_conditions_takes_all_that_comes_after_it() -> None:
    verdict = check(drafted(model_rule(1, conditions=()), model_rule(2), model_rule(3, priority=1)))
    assert not verdict.problems
    assert [show(path) for path, _ in verdict.warnings] == ["rules[1]"]


@pytest.mark.parametrize(
    ("first", "second", "hidden"),
    [
        ({"type": "latency_requirement", "max_latency_ms": 500}, {"max_latency_ms": 500}, True),
        ({"type": "latency_requirement", "max_latency_ms": 500}, {"max_latency_ms": 501}, False),
        ({"type": "cost_sensitivity", "max_cost_per_1k_tokens": 0.1}, {"max_cost_per_1k_tokens": 0.01}, True),
        ({"type": "cost_sensitivity", "max_cost_per_1k_tokens": 0.1}, {"max_cost_per_1k_tokens": 0.2}, False),
        ({"type": "model", "models": ("a", "b")}, {"models": ("b",)}, True),
        ({"type": "model", "models": ("a", "b")}, {"models": ("b", "c")}, False),
        ({"type": "complexity", "min_complexity": 0.5}, {"min_complexity": 0.6}, True),
        ({"type": "complexity", "min_complexity": 0.5}, {"min_complexity": 0.4}, False),
        ({"type": "capability", "capability": "tools"}, {"capability": "tools"}, True),
        ({"type": "capability", "capability": "tools"}, {"capability": "vision"}, False),
        ({"type": "header", "header": "X-Team"}, {"header": "x-team", "value": "a"}, True),
        ({"type": "header", "header": "X-Team", "value": "a"}, {"header": "X-Team"}, False),
        ({"type": "data_residency", "required_region": "europe"}, {"required_region": "eu"}, True),
        ({"type": "data_residency", "required_region": "eu"}, {"required_region": "europe"}, False),
    ],
)
def test_a_rule_is_hidden_by_an_earlier_one_that_matches_all_that_it_matches(
    first: dict[str, Any], second: dict[str, Any], hidden: bool
) -> None:
    one = Condition(**first)
    other = Condition(**{"type": first["type"], **second})
    extra = Condition(type="model", models=("zz",))
    rules = (
        Rule(name="one", conditions=(one,), actions=GO),
        Rule(name="other", conditions=(other, extra) if one.type != "model" else (other,), actions=GO),
    )
    assert bool(check(drafted(*rules)).warnings) is hidden
