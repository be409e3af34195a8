"""Who may answer each request of a trace, and what it costs outside: what full knowledge would know."""

from __future__ import annotations

from msgspec import Struct

from ..errors import NoTarget
from ..model import Facts, Snapshot, Target, View
from ..routing.complexity import COMPLEX
from ..routing.engine import decide
from ..routing.policy import Policy
from ..routing.requirements import AUTO
from .fleet import Fleet
from .trace import Request, Trace
from .world import external_usd


class Options(Struct, frozen=True, kw_only=True):
    """``outside`` is the cheapest provider for the tokens that the request turned out to have, ``inside`` the cluster
    targets that may answer, one for each pool, in the order of the configuration."""

    outside: Target | None
    outside_usd: float
    inside: tuple[Target, ...]


def facts_of(request: Request) -> Facts:
    """What the router knows of the request when it comes."""
    return Facts(
        model=request.model or AUTO,
        stream=True,
        input_tokens=request.input_tokens,
        complexity=COMPLEX if request.capable else 0.0,
    )


def options_of(trace: Trace, fleet: Fleet, policy: Policy) -> list[Options]:
    """For each request who would be allowed if everybody were up."""
    snapshot = Snapshot(tuple(View(target=target, health="healthy") for target in fleet.targets), 0.0)
    return [_options(request, snapshot, fleet, policy) for request in trace.requests]


def _options(request: Request, snapshot: Snapshot, fleet: Fleet, policy: Policy) -> Options:
    try:
        allowed = {choice.target.name for choice in decide(facts_of(request), snapshot, policy).choices}
    except NoTarget:
        allowed = set()
    targets = [target for target in fleet.targets if target.name in allowed]
    priced = [
        (external_usd(target, request.input_tokens, request.output_tokens), target.name, target)
        for target in targets
        if target.kind == "provider"
    ]
    usd, _, outside = min(priced) if priced else (0.0, "", None)
    inside = {target.owner: target for target in reversed(targets) if target.kind == "cluster"}
    return Options(outside=outside, outside_usd=usd, inside=tuple(reversed(inside.values())))
