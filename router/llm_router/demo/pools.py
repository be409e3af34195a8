"""The demo's clusters: one row a pool, priced as a cloud prices such a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CONTEXT_TOKENS = 2048


@dataclass(frozen=True, kw_only=True)
class Pool:
    """One pool of one cluster. ``size`` says which tiny model it serves: the small one stands for a fast GPU, the large
    one, many times slower, for a CPU. ``decode_tokens_per_second`` is what the catalog would say of a slot until
    the exporter has measured the pool."""

    name: str
    cloud: str
    region: str
    instance: str
    node_usd_per_hour: float
    size: Literal["small", "large"]
    slots: int
    decode_tokens_per_second: float
    compliance: tuple[str, ...]
    capabilities: tuple[str, ...]

    @property
    def model(self) -> str:
        return f"tiny-router-{self.size}"

    @property
    def secret_variable(self) -> str:
        return f"{self.name.upper().replace('-', '_')}_GATE_KEY"


POOLS = (
    Pool(
        name="aws",
        cloud="aws",
        region="us-west-2",
        instance="t3.large",
        node_usd_per_hour=0.0832,
        size="large",
        slots=2,
        decode_tokens_per_second=60,
        compliance=("hipaa",),
        capabilities=("simple-tasks",),
    ),
    Pool(
        name="aws-gpu",
        cloud="aws",
        region="us-west-2",
        instance="g4dn.12xlarge",
        node_usd_per_hour=3.912,
        size="small",
        slots=4,
        decode_tokens_per_second=600,
        compliance=("hipaa",),
        capabilities=("simple-tasks", "complex-tasks"),
    ),
    Pool(
        name="gcp",
        cloud="gcp",
        region="europe-west4",
        instance="e2-standard-2",
        node_usd_per_hour=0.0738,
        size="large",
        slots=2,
        decode_tokens_per_second=60,
        compliance=("gdpr",),
        capabilities=("simple-tasks",),
    ),
    Pool(
        name="azure",
        cloud="azure",
        region="germanywestcentral",
        instance="Standard_B2ms",
        node_usd_per_hour=0.096,
        size="large",
        slots=2,
        decode_tokens_per_second=60,
        compliance=("gdpr", "hipaa"),
        capabilities=("simple-tasks",),
    ),
)
