"""Who must not or cannot answer a request: one small check per requirement, in a fixed order, failing closed.

A check looks at one target and returns what is wrong with it, for people, or ``None``. The checks of ``LASTING`` find
what no waiting would mend for this request, those of ``PASSING`` what may be over in a minute. Of the checks those are
made that the request gives a reason for: ``checks_for`` picks them once, not for every target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..config.regions import within
from ..model import Facts, Rejection, Snapshot, Target, View
from ..pricing.estimate import estimate, expected_usages, most_usage, most_usd, nano_usd
from .complexity import COMPLEX
from .policy import Policy

AUTO = "auto"
"""The model name that every target accepts."""

_STREAM = frozenset({"stream"})
_NOTHING: frozenset[str] = frozenset()

DECLARED_NEEDS = frozenset({"tools", "vision", "audio"})
"""What a self-hosted model cannot do unless its cluster declares it as a capability. Most have no projector, and
llama.cpp silently ignores tools where the model's chat template has no place for them."""


class Question:
    """What is asked of every target: the request, the policy, the moment (monotonic seconds), and the target that
    ``modelRoutes`` lets answer for the name.

    What does not depend on the target is reckoned here, once: what of the request's needs each wire is ``lacking`` and
    a cluster must have ``declared``, the ``answer_tokens`` that must fit beside the prompt, and the ``usages`` to be
    expected, by the ``id`` of a view's ``expected``.
    """

    __slots__ = ("answer_tokens", "declared", "facts", "lacking", "now", "policy", "routed", "usages")

    def __init__(self, facts: Facts, snapshot: Snapshot, policy: Policy) -> None:
        self.facts, self.policy, self.now = facts, policy, snapshot.now
        self.routed: str | None = None
        self.routed = _routed(self, snapshot.views)
        needs = facts.needs | _STREAM if facts.stream else facts.needs
        self.lacking = {wire: unmet for wire, lacks in policy.unsupported.items() if (unmet := needs & lacks)}
        self.declared = facts.needs & DECLARED_NEEDS
        self.answer_tokens = facts.expected_output_tokens if facts.max_tokens is None else facts.max_tokens
        self.usages = expected_usages(snapshot.views, facts)


Check = Callable[[View, Question], str | None]
Checks = Sequence[tuple[str, Check]]


def checks_for(question: Question) -> Checks:
    """Those that could find something in a target, in their order."""
    facts, asked = question.facts, question.facts.requirements
    idle = {
        "model_not_found": facts.model == AUTO,
        "model_not_allowed": asked.allowed_models is None,
        "target_not_allowed": asked.allowed_targets is None,
        "not_asked_for": asked.target is None,
        "compliance": not asked.compliance,
        "residency": asked.region is None,
        "unsupported": not question.lacking and not question.declared,
        "capability": facts.complexity < COMPLEX,
        "cost": asked.max_usd_per_1k_tokens is None and not asked.priced,
        "external_disabled": question.policy.enable_external_fallback,
        "latency": asked.max_latency_ms is None,
    }
    return [entry for entry in _CHECKS if not idle.get(entry[0], False)]


def reject(view: View, question: Question, checks: Checks | None = None) -> Rejection | None:
    """The first reason why this target is not allowed, ``None`` where it is. ``checks`` are those for the question."""
    for code, check in checks_for(question) if checks is None else checks:
        detail = check(view, question)
        if detail is not None:
            return Rejection(view.target.name, code, detail)
    return None


def is_well(view: View, now: float) -> bool:
    """Whether the target is up, and none of ``TROUBLE`` can be the matter with it."""
    return (
        view.state == "up"
        and view.health != "unhealthy"
        and view.retry_at <= now
        and not view.probing
        and not view.limited
    )


def _routed(question: Question, views: Iterable[View]) -> str | None:
    """Whom ``modelRoutes`` lets answer: for a name of its own entry, or by ``default`` for one that nobody accepts."""
    facts, policy = question.facts, question.policy
    if facts.requirements.exact_model:
        return None
    route = policy.routes.get(facts.model)
    if route is not None or policy.default_target is None or facts.model == AUTO:
        return route
    return policy.default_target if all(_model(view, question) for view in views) else None


def is_called(target: Target, name: str) -> bool:
    """Whether ``name`` means this target: its own name or its owner's."""
    return name in (target.name, target.owner)


# ---------------------------------------------------------------- who is asked


def _model(view: View, question: Question) -> str | None:
    target, model = view.target, question.facts.model
    if model == target.model or target.name == question.routed:
        return None
    if question.facts.requirements.exact_model:
        return f"does not answer as exactly {model!r}"
    if target.any_model or model in target.aliases or model in question.policy.shortcuts:
        return None
    return f"does not answer for {model!r}"


def _model_scope(view: View, question: Question) -> str | None:
    allowed = question.facts.requirements.allowed_models
    model = question.facts.model
    if allowed is None or model in allowed:
        return None
    if model != AUTO and model not in question.policy.shortcuts:
        return f"the key does not cover the model {model!r}"
    target = view.target
    if (target.any_model and allowed) or target.model in allowed or target.aliases & allowed:
        return None
    return f"the key does not cover the model {target.model!r}"


def _target_scope(view: View, question: Question) -> str | None:
    allowed = question.facts.requirements.allowed_targets
    if allowed is None or view.target.name in allowed or view.target.owner in allowed:
        return None
    return "the key does not cover this target"


def _pin(view: View, question: Question) -> str | None:
    pin = question.facts.requirements.target
    return None if pin is None or is_called(view.target, pin) else f"the request asks for {pin!r}"


# ---------------------------------------------------------------- what it must guarantee and be able to do


def _compliance(view: View, question: Question) -> str | None:
    missing = question.facts.requirements.compliance - view.target.compliance
    return f"lacks {', '.join(sorted(missing))}" if missing else None


def _residency(view: View, question: Question) -> str | None:
    region = question.facts.requirements.region
    if region is None or within(view.target.region, region):
        return None
    return f"{region} required, this is {view.target.region or 'nowhere stated'}"


def _needs(view: View, question: Question) -> str | None:
    unmet = question.lacking.get(view.target.wire, _NOTHING)
    if question.declared and view.target.kind == "cluster":
        unmet |= question.declared - view.target.capabilities
    return f"cannot take {', '.join(sorted(unmet))}" if unmet else None


def _capability(view: View, question: Question) -> str | None:
    able = view.target.capabilities
    if "simple-tasks" not in able or "complex-tasks" in able:
        return None
    return f"takes simple tasks only, complexity is {question.facts.complexity:.2f}"


def _context(view: View, question: Question) -> str | None:
    limit = view.target.context_length if view.window is None else view.window
    if limit is None:
        return None
    wanted = question.usages[id(view.expected)].input_tokens + question.answer_tokens
    return f"{wanted} tokens wanted, the window holds {limit}" if wanted > limit else None


def _cost(view: View, question: Question) -> str | None:
    usd_per_1k = estimate(view, question.usages[id(view.expected)])[0]
    if usd_per_1k is None:
        return "the cost is not known"
    limit = question.facts.requirements.max_usd_per_1k_tokens
    return (
        None
        if limit is None or usd_per_1k <= limit
        else f"{usd_per_1k:.6f} USD per 1K tokens, at most {limit:g} allowed"
    )


def _external(view: View, question: Question) -> str | None:
    if view.target.kind == "cluster" or question.policy.enable_external_fallback:
        return None
    return "enableExternalFallback is false"


# ---------------------------------------------------------------- how it is doing


def _latency(view: View, question: Question) -> str | None:
    limit, p95_ms = question.facts.requirements.max_latency_ms, view.p95_latency_ms
    if limit is None:
        return None
    if p95_ms is not None and p95_ms > limit:
        return f"p95 is {p95_ms:.0f} ms, at most {limit} allowed"
    speed = view.target.prefill_tokens_per_second
    reading_ms = question.usages[id(view.expected)].input_tokens * 1000 / speed if speed else 0.0
    return f"reading the prompt takes {reading_ms:.0f} ms, at most {limit} allowed" if reading_ms > limit else None


def _state(view: View, _question: Question) -> str | None:
    return None if view.state == "up" else f"the pool is {view.state}"


def _health(view: View, _question: Question) -> str | None:
    return "failed its health check" if view.health == "unhealthy" else None


def _cooling(view: View, question: Question) -> str | None:
    if view.retry_at <= question.now or view.retry_reason != COOLING:
        return None
    return f"asked for a pause of {view.retry_at - question.now:.1f} s"


def _rate_limit(view: View, question: Question) -> str | None:
    facts = question.facts
    for limited in view.limited:
        wanted = most_usage(view, facts).all_tokens if limited.unit == "tokens" else 1
        if limited.unit != "nano_usd" and question.now < limited.until and wanted >= limited.amount:
            return limited.text
    return None


def _budget(view: View, question: Question) -> str | None:
    for limited in view.limited:
        if limited.unit == "nano_usd" and question.now < limited.until:
            usd = most_usd(view, question.facts)
            if usd is None or nano_usd(usd) >= limited.amount:
                return limited.text
    return None


def _breaker(view: View, question: Question) -> str | None:
    if view.retry_at > question.now:
        return f"failed lately, next attempt in {view.retry_at - question.now:.1f} s"
    return "failed lately, one attempt is under way" if view.probing else None


COOLING = "cooling"
"""The code, and the ``View.retry_reason``, of a target that answered 429."""
STATE = "state"
"""The code of a pool that is not up."""

_BREAKER = "breaker_open"
RECOVERING = frozenset({COOLING, _BREAKER})
"""What is over in seconds."""

RATE_LIMITED = "rate_limited"
"""The code of a target at one of its ``rateLimit``."""
BUDGET = "budget_exceeded"
"""The code of a target whose ``budget`` is used up."""

_LASTING: tuple[tuple[str, Check], ...] = (
    ("model_not_found", _model),
    ("model_not_allowed", _model_scope),
    ("target_not_allowed", _target_scope),
    ("not_asked_for", _pin),
    ("compliance", _compliance),
    ("residency", _residency),
    ("unsupported", _needs),
    ("context_length_exceeded", _context),
    ("capability", _capability),
    ("cost", _cost),
    ("external_disabled", _external),
)
_PASSING: tuple[tuple[str, Check], ...] = (
    ("latency", _latency),
    (STATE, _state),
    ("unhealthy", _health),
    (COOLING, _cooling),
    (RATE_LIMITED, _rate_limit),
    (BUDGET, _budget),
    (_BREAKER, _breaker),
)
_CHECKS = _LASTING + _PASSING

ABLE: Checks = tuple(
    entry for entry in _LASTING if entry[0] in {"compliance", "residency", "unsupported", "context_length_exceeded"}
)
"""What a target must be and do to answer a request, whoever asks and whatever model he names."""
LASTING = frozenset(code for code, _ in _LASTING)
PASSING = frozenset(code for code, _ in _PASSING)
TROUBLE = PASSING - {"latency"}
"""What is wrong with a target whatever the request."""
SCOPES = frozenset({"model_not_allowed", "target_not_allowed"})
RULE = "rule"
"""The code of a target that the matching rule does not let answer."""
DEMANDS = frozenset({"compliance", "residency", "cost", "external_disabled", "latency", RULE})
"""What somebody demanded and nobody guarantees."""
UNAVAILABLE = PASSING - DEMANDS
"""What is wrong with a target that would be allowed if only it were up."""
