"""The embedded router decides by the engine: strategies, constraints, cooling down and coming back, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from llm_router import IntelligentRouter, ProviderMetrics, RoutingConstraints, RoutingStrategy
from llm_router.embedded import ChosenProvider
from llm_router.errors import ClientError, NoTarget, UpstreamRefused

USAGE = {"prompt_tokens": 300, "completion_tokens": 200, "total_tokens": 500}


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Scripted:
    """Answers after ``takes_s`` of the clock, or raises ``failure`` while it is set."""

    name: str
    clock: Clock
    takes_s: float = 0.1
    failure: Exception | None = None
    asked: list[Any] = field(default_factory=list)

    async def complete(self, request: Any) -> Any:
        self.asked.append(request)
        self.clock.now += self.takes_s
        if self.failure is not None:
            raise self.failure
        return {"from": self.name, "usage": USAGE}


@dataclass
class Checked(Scripted):
    """Says whether it is well, or raises while ``trouble`` is set."""

    well: bool = True
    trouble: Exception | None = None
    checks: int = 0
    enough: asyncio.Event | None = None

    async def health_check(self) -> bool:
        self.checks += 1
        if self.enough is not None and self.checks >= 3:
            self.enough.set()
        if self.trouble is not None:
            raise self.trouble
        return self.well


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


async def chosen(router: IntelligentRouter, **asked: Any) -> str:
    return (await router.get_provider_for_request("Hello", **asked)).name


async def answered(router: IntelligentRouter, **asked: Any) -> str:
    """Who answers one request."""
    answer: dict[str, Any] = await (await router.get_provider_for_request("Hello", **asked)).complete("Hello")
    return str(answer["from"])


async def fails(provider: ChosenProvider, failure: type[Exception] = OSError) -> None:
    with pytest.raises(failure):
        await provider.complete("Hello")


def test_the_cheapest_is_chosen_by_cost_and_an_unknown_cost_is_the_dearest() -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(RoutingStrategy.COST_OPTIMIZED, clock=clock)
        router.register_provider(Scripted("unknown", clock), cost_per_1k_tokens=None)
        router.register_provider(Scripted("dear", clock), cost_per_1k_tokens=0.02)
        router.register_provider(Scripted("cheap", clock), cost_per_1k_tokens=0.001)
        decision = (await router.get_provider_for_request("Hello")).decision
        assert [choice.target.name for choice in decision.choices] == ["cheap", "dear", "unknown"]
        assert decision.strategy == "cost"

    run(main)


def test_the_fastest_is_chosen_by_measured_latency_after_each_was_tried() -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(default_strategy=RoutingStrategy.LATENCY_OPTIMIZED, clock=clock)
        router.register_provider(Scripted("slow", clock, takes_s=2.0))
        router.register_provider(Scripted("fast", clock, takes_s=0.2))
        assert {await answered(router), await answered(router)} == {"slow", "fast"}
        assert [await answered(router) for _ in range(5)] == ["fast"] * 5

    run(main)


def test_priority_failover_and_round_robin_are_the_engines() -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(RoutingStrategy.FAILOVER, clock=clock)
        for name, priority in (("b", 2), ("c", 3), ("a", 1)):
            router.register_provider(Scripted(name, clock), priority=priority)
        assert router.providers == ("b", "c", "a")
        assert await chosen(router) == "b"
        assert await chosen(router, strategy=RoutingStrategy.PRIORITY) == "a"
        assert await chosen(router, strategy="priority") == "a"
        turns = [await chosen(router, strategy=RoutingStrategy.ROUND_ROBIN) for _ in range(6)]
        assert turns == ["b", "c", "a"] * 2

    run(main)


@pytest.mark.parametrize("strategy", list(RoutingStrategy))
def test_every_strategy_passes_over_one_that_failed_and_takes_it_back_after_the_cooldown(
    strategy: RoutingStrategy,
) -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(strategy, failover_cooldown=10, clock=clock)
        broken = Scripted("a", clock, takes_s=0.0, failure=OSError("down"))
        router.register_provider(broken, priority=1, cost_per_1k_tokens=0.001)
        router.register_provider(Scripted("b", clock, takes_s=0.0), priority=2, cost_per_1k_tokens=0.002)
        first = await router.get_provider_for_request("Hello")
        assert first.name == "a"
        await fails(first)
        assert [await answered(router) for _ in range(4)] == ["b"] * 4
        broken.failure = None
        clock.now += 10
        assert "a" in [await answered(router) for _ in range(2)]

    run(main)


def test_a_provider_that_keeps_failing_is_left_alone_for_longer_each_time() -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(RoutingStrategy.FAILOVER, failover_cooldown=10, clock=clock)
        router.register_provider(Scripted("a", clock, takes_s=0.0, failure=OSError("down")))
        router.register_provider(Scripted("b", clock, takes_s=0.0))
        await fails(await router.get_provider_for_request("Hello"))
        clock.now += 10
        await fails(await router.get_provider_for_request("Hello"))
        clock.now += 10
        assert await chosen(router) == "b"
        clock.now += 10
        assert await chosen(router) == "a"

    run(main)


def test_failure_threshold_lets_one_failure_pass() -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(RoutingStrategy.FAILOVER, failure_threshold=2, clock=clock)
        router.register_provider(Scripted("a", clock, failure=OSError("down")))
        router.register_provider(Scripted("b", clock))
        await fails(await router.get_provider_for_request("Hello"))
        await fails(await router.get_provider_for_request("Hello"))
        assert await chosen(router) == "b"

    run(main)


def test_when_all_cool_down_the_refusal_says_when_to_come_back() -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(failover_cooldown=10, clock=clock)
        router.register_provider(Scripted("a", clock, takes_s=0.0, failure=OSError("down")))
        await fails(await router.get_provider_for_request("Hello"))
        with pytest.raises(NoTarget) as refused:
            await router.get_provider_for_request("Hello")
        assert refused.value.status == 503
        assert refused.value.retry_after_s == pytest.approx(10)
        assert [rejection.code for rejection in refused.value.rejected] == ["breaker_open"]

    run(main)


def test_the_callers_own_mistake_and_his_leaving_are_nobodys_failure() -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(clock=clock)
        provider = Scripted("a", clock, failure=ClientError(400, "invalid", "no such field"))
        router.register_provider(provider)
        await fails(await router.get_provider_for_request("Hello"), ClientError)
        provider.failure = None

        async def never(request: Any) -> Any:
            await asyncio.Event().wait()

        provider.complete = never  # type: ignore[method-assign]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for((await router.get_provider_for_request("Hello")).complete("Hello"), 0.01)
        assert await chosen(router) == "a"
        metrics = router.metrics()["a"]
        assert (metrics.requests, metrics.failures) == (1, 0)

    run(main)


def test_a_rate_limit_cools_for_as_long_as_it_asks_and_comes_in_the_routers_own_terms() -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(failover_cooldown=300, clock=clock)
        limited = UpstreamRefused(429, "rate_limit_exceeded", "slow down", retry_after_s=3)
        provider = Scripted("a", clock, takes_s=0.0, failure=limited)
        router.register_provider(provider)
        with pytest.raises(NoTarget) as refused:
            await answered(router)
        assert (refused.value.status, refused.value.retry_after_s) == (429, 3)
        with pytest.raises(NoTarget):
            await chosen(router)
        provider.failure = None
        clock.now += 3
        assert await answered(router) == "a"

    run(main)


@pytest.mark.parametrize(
    ("constraints", "names"),
    [
        (RoutingConstraints(), {"us", "eu", "free"}),
        (RoutingConstraints(max_cost_per_1k_tokens=0.005), {"us"}),
        (RoutingConstraints(compliance=frozenset({"gdpr"})), {"eu"}),
        (RoutingConstraints(region="eu"), {"eu"}),
        (RoutingConstraints(region="us-east-1"), {"us"}),
        (RoutingConstraints(allowed_providers=frozenset({"free", "eu"})), {"free", "eu"}),
        (RoutingConstraints(compliance=frozenset({"gdpr"}), max_cost_per_1k_tokens=0.005), set()),
    ],
)
def test_nobody_is_chosen_who_breaks_a_constraint(constraints: RoutingConstraints, names: set[str]) -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(clock=clock)
        router.register_provider(Scripted("us", clock), cost_per_1k_tokens=0.001, region="us-east-1")
        gdpr = {"gdpr"}
        router.register_provider(Scripted("eu", clock), cost_per_1k_tokens=0.02, region="eu-central-1", compliance=gdpr)
        router.register_provider(Scripted("free", clock))
        for strategy in RoutingStrategy:
            if names:
                decision = (await router.get_provider_for_request("Hello", strategy, constraints)).decision
                assert {choice.target.name for choice in decision.choices} == names
                continue
            with pytest.raises(NoTarget) as refused:
                await router.get_provider_for_request("Hello", strategy, constraints)
            assert {rejection.target for rejection in refused.value.rejected} == {"us", "eu", "free"}

    run(main)


def test_a_maximum_latency_refuses_whoever_was_slower_and_lets_the_unmeasured_be_tried() -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(RoutingStrategy.FAILOVER, clock=clock)
        router.register_provider(Scripted("slow", clock, takes_s=8.0))
        router.register_provider(Scripted("new", clock))
        assert await answered(router) == "slow"
        assert await chosen(router) == "slow"
        assert await chosen(router, constraints=RoutingConstraints(max_latency_ms=7999)) == "new"

    run(main)


def test_a_prompt_that_does_not_fit_goes_to_a_larger_window() -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(RoutingStrategy.FAILOVER, clock=clock)
        router.register_provider(Scripted("small", clock), context_length=1000)
        router.register_provider(Scripted("large", clock), context_length=100_000)
        assert await chosen(router) == "small"
        long = await router.get_provider_for_request({"messages": [{"role": "user", "content": "word " * 4000}]})
        assert long.name == "large"

    run(main)


def test_a_request_that_only_the_program_understands_is_handed_on_untouched() -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(clock=clock)
        provider = Scripted("a", clock)
        router.register_provider(provider)
        for request in (object(), {"task": object()}, 7, None):
            await (await router.get_provider_for_request(request)).complete(request)
            assert provider.asked[-1] is request

    run(main)


@pytest.mark.parametrize("request_", [{"messages": []}, {"messages": object()}, {"prompt": "Hi", "n": 0}])
def test_a_chat_request_with_a_fault_is_refused_before_anybody_is_asked(request_: dict[str, Any]) -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(clock=clock)
        router.register_provider(Scripted("a", clock))
        with pytest.raises(ClientError):
            await router.get_provider_for_request(request_)

    run(main)


def test_metrics_count_requests_failures_latency_tokens_and_money() -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(failover_cooldown=10, clock=clock)
        provider = Scripted("a", clock, takes_s=0.5)
        router.register_provider(provider, cost_per_1k_tokens=0.02)
        assert router.metrics() == {"a": ProviderMetrics(name="a")}
        await answered(router)
        await answered(router)
        provider.failure = OSError("down")
        await fails(await router.get_provider_for_request("Hello"))
        metrics = router.metrics()["a"]
        assert (metrics.requests, metrics.failures, metrics.tokens, metrics.unpriced) == (3, 1, 1000, 0)
        assert metrics.cost_usd == pytest.approx(0.02)
        assert metrics.p95_latency_ms == pytest.approx(500)
        assert not metrics.available
        clock.now += 10
        assert router.metrics()["a"].available

    run(main)


def test_an_answer_without_usage_or_price_is_counted_as_unpriced() -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(clock=clock)
        router.register_provider(Scripted("a", clock))
        await answered(router)
        metrics = router.metrics()["a"]
        assert (metrics.tokens, metrics.cost_usd, metrics.unpriced) == (500, 0.0, 1)

    run(main)


def test_registering_another_leaves_what_is_known_of_the_first() -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(RoutingStrategy.FAILOVER, clock=clock)
        router.register_provider(Scripted("a", clock, failure=OSError("down")))
        await fails(await router.get_provider_for_request("Hello"))
        router.register_provider(Scripted("b", clock))
        assert await chosen(router) == "b"
        router.unregister_provider("b")
        with pytest.raises(NoTarget):
            await chosen(router)

    run(main)


def test_names_are_taken_once_and_unknown_ones_cannot_go() -> None:
    clock = Clock()
    router = IntelligentRouter(clock=clock)
    router.register_provider(Scripted("a", clock))
    with pytest.raises(ValueError, match="'a' is registered already"):
        router.register_provider(Scripted("a", clock))
    with pytest.raises(KeyError):
        router.unregister_provider("b")


@pytest.mark.parametrize("usd", [-0.1, float("nan"), float("inf")])
def test_an_impossible_cost_is_refused(usd: float) -> None:
    with pytest.raises(ValueError, match="cost_per_1k_tokens"):
        IntelligentRouter().register_provider(Scripted("a", Clock()), cost_per_1k_tokens=usd)


@pytest.mark.parametrize("setting", ["health_check_interval", "failover_cooldown", "failure_threshold"])
def test_settings_must_be_above_zero(setting: str) -> None:
    settings: dict[str, Any] = {setting: 0}
    with pytest.raises(ValueError, match="above 0"):
        IntelligentRouter(**settings)


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(ValueError, match="fanciest"):
        IntelligentRouter("fanciest")


def test_nobody_registered_is_told_what_to_do() -> None:
    async def main() -> None:
        with pytest.raises(NoTarget, match="register_provider"):
            await chosen(IntelligentRouter())

    run(main)


def test_health_decides_who_may_be_chosen() -> None:
    async def main() -> None:
        clock = Clock()
        router = IntelligentRouter(RoutingStrategy.FAILOVER, clock=clock)
        checked = Checked("a", clock)
        router.register_provider(checked)
        router.register_provider(Scripted("b", clock))
        checked.well = False
        await router.check_health()
        assert await chosen(router) == "b"
        assert not router.metrics()["a"].available
        checked.well, checked.trouble = True, OSError("on the way")
        await router.check_health()
        checked.trouble = None
        await router.check_health()
        assert await chosen(router) == "a"
        checked.trouble = OSError("on the way")
        await router.check_health()
        assert await chosen(router) == "a"
        await router.check_health()
        assert await chosen(router) == "b"
        await router.aclose()

    run(main)


def test_health_is_polled_from_the_first_request_until_the_end() -> None:
    async def main() -> None:
        clock = Clock()
        enough = asyncio.Event()
        checked, other = Checked("a", clock, enough=enough), Checked("b", clock)
        async with IntelligentRouter(health_check_interval=0.001, clock=clock) as router:
            router.register_provider(checked)
            router.register_provider(other)
            assert checked.checks == 0
            await chosen(router)
            await asyncio.wait_for(enough.wait(), 30)
            router.unregister_provider("b")
            await asyncio.sleep(0)
            before = other.checks
            await asyncio.sleep(0.01)
            assert other.checks == before
        before = checked.checks
        await asyncio.sleep(0.01)
        assert checked.checks == before

    run(main)
