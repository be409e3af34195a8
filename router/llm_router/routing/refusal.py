"""Why nobody is left to answer, as one error that tells the caller what would help."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from ..errors import NoTarget
from ..model import Demand, Facts, Rejection, Snapshot, View
from .policy import Policy
from .requirements import AUTO, BUDGET, COOLING, DEMANDS, RATE_LIMITED, SCOPES, UNAVAILABLE, is_called
from .strategies import STRATEGIES
from .strategies.base import ASLEEP

LOOK_AGAIN_S = 1.0
"""When to come back while clusters are still being looked for."""
SHOWN = 20
"""How many known names a message lists."""


def unknown_strategy(name: str) -> NoTarget:
    known = ", ".join(STRATEGIES)
    return NoTarget(400, "unknown_strategy", f"There is no strategy {name[:64]!r}; known are {known}.")


def unknown_target(facts: Facts, snapshot: Snapshot, policy: Policy) -> NoTarget:
    """For a pinned target that is not configured. A key's scope hides the others from it."""
    if policy.awaiting_clusters:
        return _still_looking()
    allowed = facts.requirements.allowed_targets
    names = [v.target.name for v in snapshot.views if allowed is None or {v.target.name, v.target.owner} & allowed]
    pin = (facts.requirements.target or "")[:64]
    return NoTarget(400, "unknown_target", f"There is no target {pin!r}; known are {_listed(names)}.")


def refusal(
    facts: Facts, snapshot: Snapshot, policy: Policy, rejected: Sequence[Rejection], demand: Demand | None = None
) -> NoTarget:
    """The error for a request that every target was rejected for, with what it says about pools.

    What came nearest to an answer decides: a target that only has to recover (503, or 429 where all of them asked for
    a pause) before one that breaks a demand (503), before one that is not able to (400), before one that the key does
    not cover (403), before one that does not answer for the model (404). While clusters are still being looked for,
    none of this can be known.
    """
    if policy.awaiting_clusters:
        return _still_looking(rejected)
    pin = facts.requirements.target
    views = {view.target.name: view for view in snapshot.views if pin is None or is_called(view.target, pin)}
    asked = [rejection for rejection in rejected if rejection.target in views]
    answering = [rejection for rejection in asked if rejection.code != "model_not_found"]
    if not answering:
        return _model_not_found(facts, _known_models(facts, snapshot, policy), rejected)
    covered = [rejection for rejection in answering if rejection.code not in SCOPES]
    if not covered:
        return _not_covered(answering[0], rejected)
    waiting = [rejection for rejection in covered if rejection.code in UNAVAILABLE]
    if waiting:
        return _unavailable([views[rejection.target] for rejection in waiting], waiting, rejected, snapshot.now, demand)
    broken = [rejection for rejection in covered if rejection.code in DEMANDS]
    if broken:
        return _not_compliant(broken, rejected)
    return _never([views[rejection.target] for rejection in covered], covered, rejected)


def _model_not_found(facts: Facts, known: Sequence[str], rejected: Sequence[Rejection]) -> NoTarget:
    asked = facts.requirements
    who = "No target answers" if asked.target is None else f"The target {asked.target!r} does not answer"
    how = "as exactly" if asked.exact_model else "for"
    message = f"{who} {how} the model {facts.model!r}; known are {_listed(known)}."
    return NoTarget(404, "model_not_found", message, rejected=rejected)


def _known_models(facts: Facts, snapshot: Snapshot, policy: Policy) -> list[str]:
    """The names that this request could have asked for, with the same key and the same pinned target."""
    asked = facts.requirements
    names = {AUTO}
    if not asked.exact_model:
        names |= policy.shortcuts.keys()
    for view in snapshot.views:
        target = view.target
        if asked.target is not None and not is_called(target, asked.target):
            continue
        if not (target.any_model and target.kind == "cluster"):
            names.add(target.model)
        if not asked.exact_model:
            names |= target.aliases | {model for model, route in policy.routes.items() if route == target.name}
    return sorted(names if asked.allowed_models is None else names & asked.allowed_models)


def _still_looking(rejected: Sequence[Rejection] = ()) -> NoTarget:
    message = "The router has just begun to look for clusters; try again in a moment."
    return NoTarget(503, "no_healthy_target", message, rejected=rejected, retry_after_s=LOOK_AGAIN_S)


def _not_covered(rejection: Rejection, rejected: Sequence[Rejection]) -> NoTarget:
    what = "model" if rejection.code == "model_not_allowed" else "target"
    message = f"This API key does not cover that {what}; ask its owner for a key that does."
    return NoTarget(403, rejection.code, message, rejected=rejected)


def _unavailable(
    views: Sequence[View],
    waiting: Sequence[Rejection],
    rejected: Sequence[Rejection],
    now: float,
    demand: Demand | None,
) -> NoTarget:
    starts = [view.target.cold_start_s for view in views if view.state in ASLEEP and not view.target.always_on]
    retry_after_s = min([*_pauses(views, now), *starts], default=None)
    codes = {rejection.code for rejection in waiting}
    status, code = 503, "no_healthy_target"
    if codes == {BUDGET}:
        status, code = 402, "budget_exceeded"
        message = "Every target that may answer has used up its budget; nothing was sent to anybody."
    elif codes <= {COOLING, RATE_LIMITED, BUDGET}:
        status, code = 429, "rate_limit_exceeded"
        message = "Every target that may answer is at its rate limit; try again later."
    elif starts:
        message = "Nobody may answer but pools that do not run just now; try again when one has started."
    else:
        message = "No target that may answer is up and healthy just now; try again later."
    return NoTarget(status, code, message, rejected=rejected, retry_after_s=retry_after_s, demand=demand)


def _pauses(views: Sequence[View], now: float) -> Iterator[float]:
    """How long each of them will be left alone, where that is known."""
    for view in views:
        until = max((view.retry_at, *(limited.free_at for limited in view.limited if now < limited.until)))
        if now < until < math.inf:
            yield until - now


def _not_compliant(broken: Sequence[Rejection], rejected: Sequence[Rejection]) -> NoTarget:
    message = f"No target meets what is required here ({_codes(broken)}); nothing was sent to anybody."
    return NoTarget(503, "no_compliant_target", message, rejected=rejected)


def _never(views: Sequence[View], covered: Sequence[Rejection], rejected: Sequence[Rejection]) -> NoTarget:
    codes = {rejection.code for rejection in covered}
    windows = [
        view.window or view.target.context_length or 0
        for view, rejection in zip(views, covered, strict=True)
        if rejection.code == "context_length_exceeded"
    ]
    if windows:
        largest = max(windows)
        message = f"Prompt and answer are too long: the largest window that may be used holds {largest} tokens."
        return NoTarget(400, "context_length_exceeded", message, rejected=rejected)
    if "capability" in codes:
        message = "The task is too complex for every target that may answer; ask for another model or target."
        return NoTarget(400, "no_capable_target", message, rejected=rejected)
    message = f"No target that may answer can do this ({covered[0].detail})."
    return NoTarget(400, "unsupported_parameter", message, rejected=rejected)


def _codes(rejections: Iterable[Rejection]) -> str:
    return ", ".join(dict.fromkeys(rejection.code for rejection in rejections))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) or "none") + more
