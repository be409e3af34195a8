"""Text of the stack's configuration → ``Platform``, or all that is wrong with it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import cast

from ..clouds import Cloud
from ..errors import SettingsError
from ..router_fragment import Capacity, ServedModel
from . import checks
from .model import Budget, Environment, GitOps, Kind, Network, NodePool, Platform
from .reader import Get, Reader

#: The key under which each cloud's own Pulumi provider finds its region.
REGION_KEYS: dict[Cloud, str] = {"aws": "aws:region", "gcp": "gcp:region", "azure": "azure-native:location"}
MAX_NODES = 100


@dataclass(frozen=True, slots=True)
class Loaded:
    """``warnings`` do not stop a stack; ``keys`` are those that were read."""

    platform: Platform
    warnings: tuple[str, ...]
    keys: frozenset[str]


def load(cloud: Cloud, get: Get, *, today: date, given: Collection[str] = ()) -> Loaded:
    """Raises ``SettingsError`` with every problem. The project is ``llm-CLOUD``; ``given``: full keys that are set."""
    reader = Reader(f"llm-{cloud}", get)
    accept_unlisted = reader.flag("acceptUnlisted")
    platform = _platform(cloud, reader)
    reader.refuse_others(given)
    # Of values that could not be read, the stand-ins would be judged.
    if not reader.problems:
        reader.problems += checks.problems(platform, today=today, accept_unlisted=accept_unlisted)
    if reader.problems:
        raise SettingsError(reader.problems)
    return Loaded(platform, tuple(checks.warnings(platform, today=today)), frozenset(reader.keys))


def _platform(cloud: Cloud, reader: Reader) -> Platform:
    # Read whether it is wanted or not: its keys are there.
    gpu_pool = _pool(reader, "gpu")
    gpu = gpu_pool if reader.flag("gpu") else None
    environment = cast("Environment", reader.one_of("environment", ("dev", "prod")))
    return Platform(
        cloud=cloud,
        name=reader.text("name"),
        environment=environment,
        protected=reader.one_of("protected", ("auto", "true", "false")) == "true"
        or (reader.optional("protected") == "auto" and environment == "prod"),
        region=reader.text(REGION_KEYS[cloud]),
        zones=reader.texts("zones"),
        domain=reader.text("domain"),
        router_host=reader.optional("routerHost") or "",
        kubernetes_version=reader.text("kubernetesVersion"),
        network=_network(cloud, reader),
        cpu=_pool(reader, "cpu"),
        gpu=gpu,
        gitops=GitOps(
            repo_url=reader.text("gitRepoUrl"),
            revision=reader.text("gitRevision"),
            path=_git_path(cloud, reader.text("gitPath"), with_gpu=gpu is not None),
        ),
        budget=_budget(reader),
        gate_key_generation=reader.whole("gateKeyGeneration", 1, 10_000),
        external_secrets=reader.one_of("gateKeyDelivery", ("kubernetes", "external-secrets")) == "external-secrets",
        compliance=reader.texts("compliance"),
        live_prices=reader.flag("livePrices"),
        # On Google Cloud IAM says so, of the project.
        admins=() if cloud == "gcp" else reader.texts("admins"),
    )


def _git_path(cloud: Cloud, told: str, *, with_gpu: bool) -> str:
    return told if told != "auto" else f"clusters/{cloud}/overlays/{'gpu' if with_gpu else 'prod'}"


def _network(cloud: Cloud, reader: Reader) -> Network:
    return Network(
        nodes=reader.network("nodeCidr"),
        pods=None if cloud == "aws" else reader.network("podCidr"),
        services=reader.network("serviceCidr"),
        reserved=reader.networks("reservedCidrs"),
        private_nodes=reader.flag("privateNodes"),
        # GKE's endpoint is a name that only who may use the cluster can use: no list of addresses.
        api_server_cidrs=() if cloud == "gcp" else reader.texts("apiServerCidrs"),
    )


def _pool(reader: Reader, kind: Kind) -> NodePool:
    gpu = kind == "gpu"
    return NodePool(
        kind=kind,
        machine_types=reader.texts(f"{kind}MachineTypes"),
        min_nodes=0 if gpu else reader.whole("cpuMinNodes", 1, MAX_NODES),
        max_nodes=reader.whole(f"{kind}MaxNodes", 1, MAX_NODES),
        spot=True if gpu else reader.flag("cpuSpot"),
        disk_gib=reader.whole(f"{kind}DiskGib", 30, 2000),
        usd_per_hour=reader.positive(f"{kind}UsdPerHour"),
        model=_model(reader, kind),
        capacity=Capacity(
            slots=reader.whole(f"{kind}Slots", 1, 1024),
            decode_tokens_per_second=reader.positive(f"{kind}DecodeTokensPerSecond") or 1.0,
        ),
    )


def _model(reader: Reader, kind: Kind) -> ServedModel:
    name = reader.text(f"{kind}Model")
    context_length = reader.whole(f"{kind}ContextLength", 1, 10_000_000)
    try:
        return ServedModel(name=name, context_length=context_length)
    except ValueError as error:
        reader.tell(f"{kind}Model", str(error))
        return ServedModel(name="unnamed", context_length=1)


def _budget(reader: Reader) -> Budget | None:
    usd = reader.positive("monthlyBudgetUsd")
    email = reader.optional("budgetEmail")
    if usd is None or not email:
        if usd is not None or email:
            reader.tell("monthlyBudgetUsd", "a budget needs both monthlyBudgetUsd and budgetEmail: set the other, too")
        return None
    return Budget(usd_per_month=usd, email=email)
