"""What a cloud stack is built from."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

from .. import naming
from ..clouds import Cloud
from ..router_fragment import Capacity, ServedModel
from ..tables.prices import NodePrice
from ..tags import Tags

Environment = Literal["dev", "prod"]
Kind = Literal["cpu", "gpu"]
KINDS: tuple[Kind, ...] = ("cpu", "gpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePool:
    """``machine_types``: the first one is the price's and the estimate's; more of them widen what spot can be had.

    ``usd_per_hour`` is what the configuration says of a node, ``live_price`` what the cloud said when it was asked.
    """

    kind: Kind
    machine_types: tuple[str, ...]
    min_nodes: int
    max_nodes: int
    spot: bool
    disk_gib: int
    usd_per_hour: float | None
    live_price: NodePrice | None = None
    model: ServedModel
    capacity: Capacity


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """``pods`` is None on AWS, whose pods have addresses of ``nodes``. ``reserved``: what may be peered later."""

    nodes: IPv4Network
    pods: IPv4Network | None
    services: IPv4Network
    reserved: tuple[IPv4Network, ...]
    private_nodes: bool
    api_server_cidrs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GitOps:
    repo_url: str
    revision: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """``email`` is told at half, at 80 % and at all of it, and when the forecast passes it."""

    usd_per_month: float
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One cloud stack. ``zones`` are the cloud's own names; on Azure the digits of its availability zones."""

    cloud: Cloud
    name: str
    environment: Environment
    #: Whether the cluster is kept from being deleted; teardown takes it away first.
    protected: bool
    region: str
    zones: tuple[str, ...]
    domain: str
    #: Host of the router where this cluster runs it; else empty.
    router_host: str
    kubernetes_version: str
    network: Network
    cpu: NodePool
    gpu: NodePool | None
    gitops: GitOps
    budget: Budget | None
    gate_key_generation: int
    external_secrets: bool
    compliance: tuple[str, ...]
    #: Who may administer the cluster, in the cloud's own spelling; empty: who runs the program.
    admins: tuple[str, ...]
    live_prices: bool

    @property
    def production(self) -> bool:
        return self.environment == "prod"

    @property
    def cluster(self) -> str:
        return naming.cluster(self.name, self.environment)

    @property
    def tags(self) -> Tags:
        return Tags(project=self.name, environment=self.environment, cluster=self.cluster)

    @property
    def pools(self) -> tuple[NodePool, ...]:
        return (self.cpu,) if self.gpu is None else (self.cpu, self.gpu)

    def pool_name(self, kind: Kind) -> str:
        return naming.pool(self.cloud, kind)

    def host(self, kind: Kind) -> str:
        return naming.host(self.pool_name(kind), self.domain)

    @property
    def hosts(self) -> list[str]:
        """All that the cluster's gateway answers for, a DNS zone each."""
        return [*(self.host(pool.kind) for pool in self.pools), *([self.router_host] if self.router_host else [])]
