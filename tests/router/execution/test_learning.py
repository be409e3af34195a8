"""Complete answers teach the board, across generations; estimates are compared with what came."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from llm_router.execution.learning import Learning
from llm_router.model import Choice, Expected, Facts, Target, Usage
from llm_router.pricing.expectations import ENOUGH
from llm_router.routing.targets import DISCOVERED_MODEL
from llm_router.signals.snapshot import Board
from llm_router.telemetry.metrics import Metrics
from tests.router.routing.views import list_price

FACTS = Facts(model="auto", input_tokens=100)
ANSWER = Usage(input_tokens=120, output_tokens=300)


def target(name: str, model: str = "m") -> Target:
    return Target(name=name, kind="provider", owner=name, model=model, list_price=list_price(0.002))


def choice(of: Target, usd: float | None = 0.0005) -> Choice:
    return Choice(target=of, reason="", usd_per_1k_tokens=None, estimated_usd=usd)


def board(*targets: Target) -> Board:
    return Board(targets, lambda: 0.0)


def learning(on: Board) -> tuple[Learning, CollectorRegistry]:
    registry = CollectorRegistry()
    return Learning(on, Metrics(registry)), registry


def teach(some: Learning, of: Target, times: int = ENOUGH) -> None:
    for _ in range(times):
        some.learn(choice(of), FACTS, ANSWER, 0.0006)


def test_equal_models_learn_from_each_other_wherever_they_run() -> None:
    one, same, other = target("one"), target("same"), target("other", "another")
    seen = board(one, same, other)
    teach(learning(seen)[0], one)
    assert seen.view("one").expected.output_tokens[None, None] == 300
    assert seen.view("same").expected == seen.view("one").expected
    assert seen.view("other").expected.input_each == 1.0


def test_clusters_that_do_not_say_what_they_serve_do_not() -> None:
    one, other = target("one", DISCOVERED_MODEL), target("other", DISCOVERED_MODEL)
    seen = board(one, other)
    teach(learning(seen)[0], one)
    assert seen.view("one").expected.input_each == 1.2
    assert seen.view("other").expected.input_each == 1.0


def test_what_was_learnt_is_posted_to_the_next_generation_at_once() -> None:
    old, new = board(target("one")), board(target("one"), target("new"))
    some, _ = learning(old)
    teach(some, target("one"))
    some.post_to(new)
    assert new.view("one").expected == new.view("new").expected == old.view("one").expected
    assert new.view("one").expected != Expected()


def test_a_target_that_is_gone_still_teaches() -> None:
    some, _ = learning(board(target("one")))
    left = board(target("two"))
    some.post_to(left)
    teach(some, target("one"))
    assert left.view("two").expected.output_tokens[None, None] == 300


def test_every_estimate_is_compared_with_what_came() -> None:
    some, registry = learning(board(target("one")))
    some.learn(choice(target("one")), FACTS, ANSWER, 0.0006)

    def ratio(of: str) -> tuple[float | None, float | None]:
        labels = {"target": "one", "of": of}
        name = "llm_router_estimate_ratio"
        return registry.get_sample_value(f"{name}_count", labels), registry.get_sample_value(f"{name}_sum", labels)

    assert ratio("input_tokens") == (1.0, 1.2)
    assert ratio("output_tokens") == (1.0, 2.0)
    assert ratio("usd") == (1.0, 0.0006 / 0.0005)


def test_without_an_estimate_or_a_price_there_is_no_ratio_of_usd() -> None:
    some, registry = learning(board(target("one")))
    some.learn(choice(target("one"), None), FACTS, ANSWER, 0.0006)
    some.learn(choice(target("one")), FACTS, ANSWER, None)
    assert registry.get_sample_value("llm_router_estimate_ratio_count", {"target": "one", "of": "usd"}) is None


def test_usage_that_the_router_counted_itself_is_neither_learnt_nor_compared() -> None:
    seen = board(target("one"))
    some, registry = learning(seen)
    for _ in range(100):
        some.learn(choice(target("one")), FACTS, Usage(input_tokens=9, output_tokens=9, estimated=True), 0.1)
    assert seen.view("one").expected == Expected()
    assert list(registry.collect())
    assert registry.get_sample_value("llm_router_estimate_ratio_count", {"target": "one", "of": "usd"}) is None
