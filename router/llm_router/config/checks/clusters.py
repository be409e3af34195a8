"""Each cluster can be reached, and the router can prove itself to it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ..findings import Finding, Path, meant, nearest, quote
from ..hosts import is_loopback, url_fault
from ..regions import CLOUDS, PLACES
from ..schema import Cluster
from ..secrets import hmac_key
from .draft import Draft

_NEEDS = {"hmac": "sharedSecret", "bearer": "apiKey", "apiKey": "apiKey"}


def endpoints_are_sane(draft: Draft) -> Iterator[Finding]:
    for i, cluster in draft.clusters():
        fault = url_fault(cluster.endpoint, private=cluster.private) or _path_fault(cluster)
        if fault:
            yield Finding(("clusters", i, "endpoint"), fault)


def _path_fault(cluster: Cluster) -> str | None:
    # The signature covers the path, and the gate knows its own paths only.
    if cluster.auth_type == "hmac" and urlsplit(cluster.endpoint).path.rstrip("/") not in ("", "/v1"):
        return "a gate answers at the top of its host: remove the path, and give the gate a host name of its own"
    return None


def credentials_are_given(draft: Draft) -> Iterator[Finding]:
    for i, cluster in draft.clusters():
        needed = _NEEDS.get(cluster.auth_type)
        given = {"sharedSecret": cluster.shared_secret, "apiKey": cluster.api_key, "keyId": cluster.key_id}
        if needed is not None and not given[needed]:
            yield Finding(("clusters", i, needed), f"missing: authType {cluster.auth_type} needs it")
        used = {needed, "keyId"} if cluster.auth_type == "hmac" else {needed}
        for key, value in given.items():
            if value is not None and key not in used:
                yield Finding(("clusters", i, key), f"authType {cluster.auth_type} does not use it: remove it")


def open_clusters_are_loopback(draft: Draft) -> Iterator[Finding]:
    for i, cluster in draft.clusters():
        host = urlsplit(cluster.endpoint).hostname or "" if url_fault(cluster.endpoint, private=True) is None else ""
        if cluster.auth_type == "none" and not is_loopback(host):
            yield Finding(("clusters", i, "authType"), "none is accepted for an endpoint on loopback only: use hmac")


def client_certificates_are_whole(draft: Draft) -> Iterator[Finding]:
    for i, cluster in draft.clusters():
        tls = cluster.tls
        if tls is not None and (tls.cert_file is None) != (tls.key_file is None):
            missing = "certFile" if tls.cert_file is None else "keyFile"
            yield Finding(("clusters", i, "tls", missing), "missing: certificate and key go together")


def node_counts_are_sane(draft: Draft) -> Iterator[Finding]:
    for i, cluster in draft.clusters():
        scaling = cluster.scaling
        if scaling.max_nodes < scaling.min_nodes:
            path: Path = ("clusters", i, "scaling", "maxNodes")
            yield Finding(path, f"{scaling.max_nodes} is below minNodes: give it at least {scaling.min_nodes}")


def pools_at_zero_can_pay(draft: Draft) -> Iterator[Finding]:
    """Nobody can say that a node would be worth its rent who does not know the rent."""
    by_rent = draft.config.router.routing_strategy == "hybrid"
    for i, cluster in draft.clusters():
        if by_rent and cluster.scaling.min_nodes == 0 and cluster.cost_per_hour is None:
            yield Finding(
                ("clusters", i, "costPerHour"),
                "missing: with minNodes 0 the strategy hybrid weighs what a node costs against what it saves",
            )


def regions_are_known(draft: Draft) -> Iterator[Finding]:
    """A region of a cloud whose regions are known here is one of them: of a misspelt one nobody knows where it lies."""
    for i, cluster in draft.clusters():
        regions = CLOUDS.get(cluster.provider.lower())
        if regions is not None and cluster.region and cluster.region not in regions | PLACES.keys():
            yield Finding(
                ("clusters", i, "region"),
                f"{quote(cluster.region)} is no region of {cluster.provider} that is known here"
                f"{meant(cluster.region, sorted(regions)) if nearest(cluster.region, regions) else ''}; leave provider "
                "out if it is one all the same: then it counts by this name alone",
            )


# ---------------------------------------------------------------- weak: a warning while nobody else can listen


def shared_secrets_are_keys(draft: Draft) -> Iterator[Finding]:
    for i, cluster in draft.clusters():
        if cluster.auth_type == "hmac" and cluster.shared_secret:
            try:
                hmac_key(cluster.shared_secret)
            except ValueError as error:
                yield Finding(("clusters", i, "sharedSecret"), str(error))


def shared_secrets_differ(draft: Draft) -> Iterator[Finding]:
    """A key that opens one cluster must not open another."""
    seen: dict[str, str] = {}
    for i, cluster in draft.clusters():
        if not cluster.shared_secret:
            continue
        first = seen.setdefault(cluster.shared_secret, cluster.name)
        if first != cluster.name:
            yield Finding(("clusters", i, "sharedSecret"), f"the same as that of {first}: each cluster needs its own")
