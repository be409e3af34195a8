"""The router's own settings go together."""

from __future__ import annotations

from collections.abc import Iterator

from ..findings import Finding, Path
from ..request_headers import CREDENTIAL_HEADERS
from .draft import Draft

_RETRYABLE_4XX = frozenset({408, 409, 425, 429})


def somebody_can_answer(draft: Draft) -> Iterator[Finding]:
    if draft.names_are_final and not draft.config.clusters and not any(True for _ in draft.providers()):
        yield Finding((), "nobody could answer: give at least one of clusters, or one enabled of externalProviders")


def retry_codes_are_retryable(draft: Draft) -> Iterator[Finding]:
    codes = draft.config.router.failover.retry_codes
    for i, code in enumerate(codes):
        path = ("router", "failover", "retryCodes", i)
        if not (code in _RETRYABLE_4XX or 500 <= code <= 599):
            yield Finding(
                path, f"{code} is an answer to the request itself: only 408, 409, 425, 429 and 5xx can go away"
            )
        elif code in codes[:i]:
            yield Finding(path, f"{code} is in the list already: keep one")


def timeouts_fit_together(draft: Draft) -> Iterator[Finding]:
    timeouts = draft.config.router.timeouts
    for key, value in (
        ("connect", timeouts.connect),
        ("firstToken", timeouts.first_token),
        ("betweenTokens", timeouts.between_tokens),
    ):
        if value > timeouts.total:
            yield Finding(("router", "timeouts", key), "longer than total: shorten it, or lengthen total")


def same_target_retries_fit(draft: Draft) -> Iterator[Finding]:
    failover = draft.config.router.failover
    if failover.max_retries and failover.same_target_retries > failover.max_retries:
        path = ("router", "failover", "sameTargetRetries")
        yield Finding(path, f"more than maxRetries allows in all: give it at most {failover.max_retries}")


def hedging_may_follow_up(draft: Draft) -> Iterator[Finding]:
    """A second attempt beside the first is one of those that ``maxRetries`` allows."""
    failover = draft.config.router.failover
    if failover.enabled and failover.max_retries:
        return
    message = "hedging asks a second target, and failover allows none: enable it with a maxRetries of at least 1"
    if failover.hedging.enabled:
        yield Finding(("router", "failover", "hedging", "enabled"), message)
    for i, rule in enumerate(draft.config.rules):
        if rule.hedge:
            yield Finding(("rules", i, "hedge"), message)


def strategy_has_what_it_needs(draft: Draft) -> Iterator[Finding]:
    router = draft.config.router
    path: Path = ("router", "routingStrategy")
    if router.routing_strategy == "model" and not router.model_routes:
        yield Finding(path, "the strategy model goes by router.modelRoutes: give it an entry, or choose another")
    if router.routing_strategy == "nearest" and router.client_region_header is None:
        yield Finding(
            path, "the strategy nearest must know where callers are: name the proxy's header in clientRegionHeader"
        )
    weights = [cluster.weight for _, cluster in draft.clusters()]
    weights += [provider.weight for _, provider in draft.providers()]
    if router.routing_strategy == "weighted" and draft.names_are_final and weights and not any(weights):
        yield Finding(path, "every weight is 0, and the strategy weighted goes by them: give one more than 0")


def client_region_header_is_the_proxys(draft: Draft) -> Iterator[Finding]:
    header = (draft.config.router.client_region_header or "").lower()
    if header in CREDENTIAL_HEADERS or header.startswith("x-llm-"):
        yield Finding(("router", "clientRegionHeader"), "callers set this header themselves: choose one of the proxy's")
