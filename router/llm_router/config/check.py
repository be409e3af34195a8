"""The cross-field rules: what makes a configuration of well-formed values one that can be served, and safely."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from msgspec import structs

from .checks import clusters, discovery, ledger, limits, listeners, names, providers, routing, rules, state, unavailable
from .checks.draft import Check, Draft
from .findings import Finding, Path
from .schema import Cluster, Config
from .secrets import weakness

REFUSALS: tuple[Check, ...] = (
    listeners.public_needs_keys,
    listeners.admin_is_protected,
    listeners.admin_password_is_a_hash,
    listeners.ports_differ,
    listeners.metrics_address,
    listeners.files_exist,
    listeners.keys_are_only_the_operators,
    names.names_are_unique,
    names.models_are_unique,
    unavailable.settings,
    names.routes_exist,
    names.mappings_exist,
    names.categories_are_unique,
    names.embeddings_are_served,
    names.fallback_exists,
    names.baseline_exists,
    rules.rules_are_few,
    rules.rule_names_are_unique,
    rules.rules_are_complete,
    rules.actions_go_together,
    rules.rules_exist,
    rules.conditions_can_match,
    unavailable.clusters,
    clusters.endpoints_are_sane,
    clusters.credentials_are_given,
    clusters.open_clusters_are_loopback,
    clusters.client_certificates_are_whole,
    clusters.node_counts_are_sane,
    clusters.pools_at_zero_can_pay,
    clusters.regions_are_known,
    discovery.sections_fit_the_method,
    discovery.addresses_are_sane,
    discovery.kubernetes_access_is_one,
    discovery.certificates_are_whole,
    discovery.passwords_have_users,
    providers.types_are_known,
    providers.providers_are_complete,
    providers.base_urls_are_sane,
    providers.headers_are_free,
    providers.deployments_are_of_models,
    providers.keys_fit_the_type,
    providers.prices_are_dated,
    providers.health_paths_are_paths,
    limits.budgets_say_something,
    state.sections_fit_the_backend,
    state.address_is_sane,
    routing.somebody_can_answer,
    routing.retry_codes_are_retryable,
    routing.timeouts_fit_together,
    routing.same_target_retries_fit,
    routing.hedging_may_follow_up,
    routing.strategy_has_what_it_needs,
    routing.client_region_header_is_the_proxys,
    ledger.url_is_understood,
    ledger.nobody_reads_along,
    ledger.retention_fits_the_store,
)


def secrets_are_sound(draft: Draft) -> Iterator[Finding]:
    disabled = {i for i, p in enumerate(draft.config.external_providers) if not p.enabled}
    for path, value, origin in filter(state.holds_a_secret, draft.secrets):
        if path[0] == "externalProviders" and path[1] in disabled:
            continue
        judged = ledger.password_of(value) if path == ledger.URL else value
        fault = None if judged is None else weakness(judged, origin)
        if fault is not None:
            yield Finding(path, fault)


WEAKNESSES: tuple[Check, ...] = (secrets_are_sound, clusters.shared_secrets_are_keys, clusters.shared_secrets_differ)
"""Warnings while every listener is loopback, so that published examples load; refusals otherwise."""


REMARKS: tuple[Check, ...] = (
    rules.rules_can_act,
    rules.targets_can_be_chosen,
    rules.rules_are_reached,
    listeners.workers_keep_what_they_count,
    listeners.workers_share_limits,
    listeners.workers_share_pools,
)
"""Warnings whoever listens: what does no harm, and may not be what was meant."""


class Verdict(NamedTuple):
    problems: tuple[Finding, ...]
    warnings: tuple[Finding, ...]


def check(draft: Draft) -> Verdict:
    problems = [finding for look in REFUSALS for finding in look(draft)]
    problems += _of_the_template(draft, REFUSALS)
    weak = [finding for look in WEAKNESSES for finding in look(draft)]
    weak += _of_the_template(draft, WEAKNESSES)
    remarks = [finding for look in REMARKS for finding in look(draft)]
    if draft.exposed:
        return Verdict(one_per_path([*problems, *weak]), one_per_path(remarks))
    return Verdict(one_per_path(problems), one_per_path([*weak, *remarks]))


def one_per_path(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The first thing said about each value: what follows from it is noise."""
    first: dict[Path, Finding] = {}
    for finding in findings:
        first.setdefault(finding.path, finding)
    return tuple(first.values())


# ---------------------------------------------------------------- clusters that are not in the file


def unfit_clusters(config: Config, found: Sequence[Cluster]) -> dict[str, Finding]:
    """The first thing wrong with each cluster that was found elsewhere, by name; paths start at the cluster."""
    draft = Draft(structs.replace(config, clusters=tuple(found), external_providers=()))
    first: dict[str, Finding] = {}
    for i, path, message in _of_clusters(draft, REFUSALS):
        first.setdefault(found[i].name, Finding(path, message))
    return first


_OF_EACH_ENTRY: tuple[Path, ...] = (("name",), ("endpoint",), ("models",))
"""What a found cluster's own entry says, or may say where the template does not."""


def _of_the_template(draft: Draft, checks: Iterable[Check]) -> Iterator[Finding]:
    """What would be wrong with every cluster found, whatever its name and address."""
    config = draft.config
    if config.discovery.method == "static":
        return
    template = config.discovery.template
    shared = {name: getattr(template, name) for name in template.__struct_fields__}
    # On loopback, where no address rules out a way to authenticate.
    one = Cluster(name="discovered", endpoint="https://localhost", **shared)
    probed = replace(draft, config=structs.replace(config, clusters=(*config.clusters, one)))
    for i, path, message in _of_clusters(probed, checks):
        if i == len(config.clusters) and path not in _OF_EACH_ENTRY:
            yield Finding(("discovery", "template", *path), message)


def _of_clusters(draft: Draft, checks: Iterable[Check]) -> Iterator[tuple[int, Path, str]]:
    for look in checks:
        for path, message in look(draft):
            if len(path) > 2 and path[0] == "clusters" and isinstance(path[1], int):
                yield path[1], path[2:], message
