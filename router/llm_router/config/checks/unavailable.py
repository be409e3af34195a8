"""What the dialect knows and this version can not do: refused with what to do instead, never ignored."""

from __future__ import annotations

from collections.abc import Iterator

from ..findings import Finding, Path
from .draft import Draft


def settings(draft: Draft) -> Iterator[Finding]:
    yield from _when(
        draft.config.router.cost.basis == "realised",
        ("router", "cost", "basis"),
        "realised cost cannot decide: an idle pool looks dear by it, so it would stay idle; use capacity or marginal "
        "(all three are in the metrics)",
    )


def clusters(draft: Draft) -> Iterator[Finding]:
    for i, cluster in draft.clusters():
        yield from _when(
            cluster.auth_type == "oauth",
            ("clusters", i, "authType"),
            "oauth is not yet available: use hmac, bearer or apiKey",
        )
        yield from _when(
            cluster.type != "llama.cpp" and not cluster.models,
            ("clusters", i, "models"),
            f"finding out what a cluster of type {cluster.type} serves is not yet available: list its models",
        )


def _when(condition: bool, path: Path, message: str) -> Iterator[Finding]:
    if condition:
        yield Finding(path, message)
