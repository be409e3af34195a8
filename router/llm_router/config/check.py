"""The cross-field rules: what makes a configuration of well-formed values one that can be served, and safely."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .checks import clusters, listeners, names, providers, routing, unavailable
from .checks.draft import Check, Draft
from .findings import Finding, Path
from .secrets import weakness

REFUSALS: tuple[Check, ...] = (
    listeners.public_needs_keys,
    listeners.admin_is_loopback,
    listeners.ports_differ,
    listeners.files_exist,
    names.names_are_unique,
    names.models_are_unique,
    unavailable.settings,
    names.routes_exist,
    names.mappings_exist,
    names.fallback_exists,
    names.rules_exist,
    unavailable.clusters,
    clusters.endpoints_are_sane,
    clusters.credentials_are_given,
    clusters.open_clusters_are_loopback,
    clusters.client_certificates_are_whole,
    clusters.node_counts_are_sane,
    unavailable.providers,
    providers.types_are_known,
    providers.providers_are_complete,
    providers.base_urls_are_sane,
    providers.headers_are_free,
    providers.keys_fit_the_type,
    providers.health_paths_are_paths,
    routing.somebody_can_answer,
    routing.retry_codes_are_retryable,
    routing.timeouts_fit_together,
    routing.same_target_retries_fit,
)


def secrets_are_sound(draft: Draft) -> Iterator[Finding]:
    disabled = {i for i, p in enumerate(draft.config.external_providers) if not p.enabled}
    for path, value, origin in draft.secrets:
        if path[0] == "externalProviders" and path[1] in disabled:
            continue
        fault = weakness(value, origin)
        if fault is not None:
            yield Finding(path, fault)


WEAKNESSES: tuple[Check, ...] = (secrets_are_sound, clusters.shared_secrets_are_keys, clusters.shared_secrets_differ)
"""Warnings while every listener is loopback, so that published examples load; refusals otherwise."""


class Verdict(NamedTuple):
    problems: tuple[Finding, ...]
    warnings: tuple[Finding, ...]


def check(draft: Draft) -> Verdict:
    problems = [finding for look in REFUSALS for finding in look(draft)]
    weak = [finding for look in WEAKNESSES for finding in look(draft)]
    if draft.exposed:
        return Verdict(one_per_path([*problems, *weak]), ())
    return Verdict(one_per_path(problems), one_per_path(weak))


def one_per_path(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The first thing said about each value: what follows from it is noise."""
    first: dict[Path, Finding] = {}
    for finding in findings:
        first.setdefault(finding.path, finding)
    return tuple(first.values())
