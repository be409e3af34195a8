"""What cannot work, or would cost more than it has to, told before a cloud is asked for anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from ipaddress import IPv4Network
from itertools import combinations

from .. import estimate, naming
from ..errors import Problem
from ..router_fragment import HOST, TAG
from ..tables import kubernetes_versions, machines, models, prices
from . import places
from .model import NodePool, Platform

#: Large enough for the nodes and, on AWS, the pods of the largest pools; the clouds' own limits are wider.
WIDEST, NARROWEST = 12, 22
EVERYWHERE = "0.0.0.0/0"


def problems(platform: Platform, *, today: date, accept_unlisted: bool) -> list[Problem]:
    found = [
        *_names(platform),
        *_version(platform, today),
        *_networks(platform),
        *_endpoint(platform),
        *_sizes(platform),
        *_contexts(platform),
        *places.zones(platform),
    ]
    if not accept_unlisted:
        found += [*_machines(platform), *places.with_t4(platform)]
    # An estimate needs machines that have a price.
    return found or [*_prices(platform)] or [*_budget(platform)]


def warnings(platform: Platform, *, today: date) -> Iterator[str]:
    ends = kubernetes_versions.STANDARD_SUPPORT_ENDS[platform.cloud].get(platform.kubernetes_version)
    if ends is not None and ends - today < timedelta(days=kubernetes_versions.WARN_DAYS):
        yield f"Kubernetes {platform.kubernetes_version} leaves standard support on {ends}: plan the upgrade"
    if EVERYWHERE in platform.network.api_server_cidrs:
        yield "apiServerCidrs: the Kubernetes API can be reached from everywhere; name your own networks"
    if not platform.network.private_nodes and platform.cloud != "azure":
        yield "privateNodes: nodes have public addresses (no inbound rule allows anything); prod demands private ones"


def _names(platform: Platform) -> Iterator[Problem]:
    if not naming.PREFIX.fullmatch(platform.name):
        message = f"{platform.name!r} must have 3 to {naming.MAX_PREFIX} characters: a letter, then a–z, 0–9, -"
        yield Problem("name", message)
    if not HOST.fullmatch(platform.domain):
        yield Problem("domain", f"{platform.domain!r} is not a domain such as example.com")
    yield from _router_host(platform)
    if not re.match(r"(https://|ssh://|git@)", platform.gitops.repo_url):
        yield Problem("gitRepoUrl", f"{platform.gitops.repo_url!r} must begin with https://, ssh:// or git@")
    for tag in platform.compliance:
        if not TAG.fullmatch(tag):
            yield Problem("compliance", f"{tag!r} is not a tag such as hipaa: a–z, 0–9, ., _ and -")


def _router_host(platform: Platform) -> Iterator[Problem]:
    host = platform.router_host
    if not host:
        return
    suggestion = f"take one such as router.llm.{platform.domain}"
    if not HOST.fullmatch(host) or not host.endswith(f".{platform.domain}"):
        yield Problem("routerHost", f"{host!r} is no host under {platform.domain}: {suggestion}")
    elif any(gate.endswith(host) for gate in (platform.host("cpu"), platform.host("gpu"))):
        yield Problem("routerHost", f"the zone of {host} would hide the gates' zones: {suggestion}")


def _version(platform: Platform, today: date) -> Iterator[Problem]:
    known = kubernetes_versions.STANDARD_SUPPORT_ENDS[platform.cloud]
    version = platform.kubernetes_version
    usable = [name for name, ends in known.items() if ends is None or ends >= today]
    choices = ", ".join(usable) or "none of this release's table: update llm_infra"
    if version not in known:
        yield Problem("kubernetesVersion", f"{version!r} is not offered by {platform.cloud}: choose one of {choices}")
        return
    ends = known[version]
    if ends is not None and ends < today:
        message = f"{version} left standard support on {ends} and costs extra since: choose one of {choices}"
        yield Problem("kubernetesVersion", message)


def _networks(platform: Platform) -> Iterator[Problem]:
    network = platform.network
    own: list[tuple[str, IPv4Network]] = [("nodeCidr", network.nodes), ("serviceCidr", network.services)]
    if network.pods is not None:
        own.append(("podCidr", network.pods))
    for key, cidr in own:
        if not cidr.is_private:
            yield Problem(
                key, f"{cidr} is not a private network: take one of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16"
            )
        if not WIDEST <= cidr.prefixlen <= NARROWEST:
            yield Problem(key, f"{cidr}: take a prefix from /{WIDEST} to /{NARROWEST}")
    for (first, a), (second, b) in combinations(own, 2):
        if a.overlaps(b):
            yield Problem(first, f"{a} overlaps {second} {b}: give each a range of its own")
    for key, cidr in own:
        for other in network.reserved:
            if cidr.overlaps(other):
                yield Problem(key, f"{cidr} overlaps {other} of reservedCidrs, with which it could never be peered")


def _endpoint(platform: Platform) -> Iterator[Problem]:
    network = platform.network
    if platform.cloud != "gcp" and not network.api_server_cidrs:
        message = "no address may reach the Kubernetes API, not even this one: name yours, such as 203.0.113.7/32"
        yield Problem("apiServerCidrs", message)
    for text in network.api_server_cidrs:
        try:
            IPv4Network(text)
        except ValueError as error:
            yield Problem("apiServerCidrs", f"{text!r} is not an IPv4 network: {error}")
    if platform.production and EVERYWHERE in network.api_server_cidrs:
        yield Problem("apiServerCidrs", f"{EVERYWHERE} in prod: name the networks that you administer it from")
    if platform.production and not network.private_nodes:
        yield Problem("privateNodes", "false in prod: set it to true; the nodes then go out through NAT")


def _sizes(platform: Platform) -> Iterator[Problem]:
    if platform.cpu.min_nodes > platform.cpu.max_nodes:
        message = f"{platform.cpu.min_nodes} is more than cpuMaxNodes {platform.cpu.max_nodes}"
        yield Problem("cpuMinNodes", message)
    if platform.production and platform.cpu.min_nodes < 2:
        yield Problem("cpuMinNodes", "1 in prod: with 2 a node can be replaced while the other one answers")
    if platform.production and platform.cpu.spot:
        yield Problem("cpuSpot", "true in prod: Argo CD and the gateway would go with the node; set it to false")
    for pool in platform.pools:
        if not pool.machine_types:
            yield Problem(f"{pool.kind}MachineTypes", "empty: name at least one machine type")
        elif platform.cloud != "aws" and len(pool.machine_types) > 1:
            yield Problem(f"{pool.kind}MachineTypes", "a pool of this cloud has one machine type: keep the first")


def _contexts(platform: Platform) -> Iterator[Problem]:
    """The chart would refuse them, but only in Argo CD."""
    for pool in platform.pools:
        most = models.CONTEXT_LENGTHS.get(pool.model.name)
        if most is not None and pool.model.context_length > most:
            message = f"{pool.model.name} was made for {most} tokens: give at most that, or another {pool.kind}Model"
            yield Problem(f"{pool.kind}ContextLength", message)


def _machines(platform: Platform) -> Iterator[Problem]:
    for pool in platform.pools:
        table = machines.GPU_MACHINES if pool.kind == "gpu" else machines.CPU_MACHINES
        for name in pool.machine_types:
            if name not in table[platform.cloud]:
                choices = ", ".join(table[platform.cloud])
                what = "has no T4" if pool.kind == "gpu" else "is not known"
                message = f"{name} {what}: choose one of {choices}, or set acceptUnlisted to true"
                yield Problem(f"{pool.kind}MachineTypes", message)


def _prices(platform: Platform) -> Iterator[Problem]:
    """The router needs a price for each pool until the exporter has measured one."""
    for pool in _unpriced(platform):
        key = f"{pool.kind}UsdPerHour"
        yield Problem(key, f"no price is known for {pool.machine_types[0]}: set {key} to USD an hour of one node")


def _unpriced(platform: Platform) -> Iterable[NodePool]:
    for pool in platform.pools:
        machine = pool.machine_types[0]
        known = prices.from_table(platform.cloud, machine, platform.region, spot=pool.spot)
        if pool.usd_per_hour is None and known is None:
            yield pool


def _budget(platform: Platform) -> Iterator[Problem]:
    if platform.budget is None:
        return
    idle = estimate.monthly(platform).idle_usd
    if idle > platform.budget.usd_per_month:
        message = (
            f"{platform.budget.usd_per_month:.0f} USD a month is less than the idle stack costs ({idle:.0f} USD): "
        )
        yield Problem("monthlyBudgetUsd", message + "raise it, or choose smaller nodes")
