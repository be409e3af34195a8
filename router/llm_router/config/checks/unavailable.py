"""What the dialect knows and this version can not do: refused with what to do instead, never ignored."""

from __future__ import annotations

from collections.abc import Iterator

from ..findings import Finding, Path
from .draft import Draft

AVAILABLE_STRATEGIES = ("hybrid", "cost", "cluster_first", "external_first", "latency")


def settings(draft: Draft) -> Iterator[Finding]:
    config = draft.config
    router = config.router
    strategy, basis, method = router.routing_strategy, router.cost.basis, config.discovery.method
    strategies = ", ".join(AVAILABLE_STRATEGIES)
    yield from _when(
        config.server.workers > 1,
        ("server", "workers"),
        "more than one worker is not yet available: set 1, and run several routers behind a load balancer",
    )
    yield from _when(
        strategy not in AVAILABLE_STRATEGIES,
        ("router", "routingStrategy"),
        f"{strategy} is not yet available: use one of {strategies}",
    )
    yield from _when(
        basis != "capacity",
        ("router", "cost", "basis"),
        f"deciding by {basis} cost is not yet available: use capacity (all three are in the metrics)",
    )
    yield from _when(
        router.failover.fallback is not None,
        ("router", "failover", "fallback"),
        "a target of last resort is not yet available: remove it (enableExternalFallback is there)",
    )
    yield from _when(
        method != "static",
        ("discovery", "method"),
        f"discovery by {method} is not yet available: use static, and list the clusters here",
    )
    yield from _when(
        bool(config.rules),
        ("rules",),
        "rules are not yet available: remove them (requests state requirements in headers)",
    )
    yield from _when(
        config.state.backend != "memory",
        ("state", "backend"),
        f"state in {config.state.backend} is not yet available: use memory",
    )
    for model in router.model_routes:
        yield from _when(
            model != "default",
            ("router", "modelRoutes", model),
            "routes by model are not yet available: keep default only (models and modelMapping say who serves what)",
        )


def clusters(draft: Draft) -> Iterator[Finding]:
    for i, cluster in draft.clusters():
        yield from _when(
            cluster.auth_type == "oauth",
            ("clusters", i, "authType"),
            "oauth is not yet available: use hmac, bearer or apiKey",
        )
        yield from _when(
            cluster.type != "llama.cpp",
            ("clusters", i, "type"),
            f"clusters of type {cluster.type} are not yet available: list it under externalProviders as "
            "openai-compatible",
        )
        yield from _when(
            cluster.scaling.min_nodes == 0,
            ("clusters", i, "scaling", "minNodes"),
            "scaling to zero is not yet available: keep at least 1 node",
        )


def providers(draft: Draft) -> Iterator[Finding]:
    for i, provider in draft.providers():
        yield from _when(
            provider.rate_limit is not None,
            ("externalProviders", i, "rateLimit"),
            "limits for a provider are not yet available: remove them (its own 429 is obeyed)",
        )


def _when(condition: bool, path: Path, message: str) -> Iterator[Finding]:
    if condition:
        yield Finding(path, message)
