"""The exporter's own configuration file: one pool, its llama-servers, what its nodes cost."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from ..api.signed_config import ListenerTls, SigningKey
from ..config.scalars import Count, Duration, FilePath, KeyId, Name, Positive, Seconds, Secret, Text
from ..config.schema import Base

MIN_INTERVAL_S = 2
"""llama.cpp notices that a caller of a whole answer left only after a second in which nothing else happened, and each
scrape is something: faster polling would keep abandoned requests alive."""


class GateAccess(Base):
    """How to sign for the gates in front of the pool's llama-servers, where nobody else can reach these."""

    id: Annotated[KeyId, "The gates' id of the key."]
    secret: Annotated[Secret, "The key: base64 of at least 32 random bytes."]
    authority: Annotated[Text, "What the gates are configured with: the host of the cluster's endpoint."]


class Upstream(Base):
    url: Annotated[Text, "URL of one llama-server of the pool, or with dns of several."]
    api_key: Annotated[Secret | None, "The key that it asks for."] = None
    gate: GateAccess | None = None
    dns: Annotated[bool, "Every address of the host's name is a llama-server, as of a headless Service."] = False


class KubernetesConfig(Base):
    """The pool as its cluster's API server knows it. Without kubeconfig and apiServer the pod's own account asks."""

    service: Annotated[Text | None, "Service whose endpoints are the pool's llama-servers, instead of upstreams."] = (
        None
    )
    namespace: Annotated[Text | None, "Where the Service is. Default: the pod's own."] = None
    port: Annotated[Text | None, "Name or number of llama-server's port there. Default: the only one."] = None
    api_key: Annotated[Secret | None, "The key that these llama-servers ask for."] = None
    gate: GateAccess | None = None
    node_selector: Annotated[Text | None, "Label selector of the pool's nodes, which are counted instead of nodes."] = (
        None
    )
    kubeconfig: Annotated[FilePath | None, "With a token or a client certificate in it."] = None
    context: Annotated[Text | None, "Context of the kubeconfig. Default: its current one."] = None
    api_server: Annotated[Text | None, "URL of the API server, with tokenFile and caFile."] = None
    token_file: Annotated[FilePath | None, "Bearer token, read anew for each request. Default: the pod's own."] = None
    ca_file: Annotated[FilePath | None, "CA of the API server. Default: the pod's own."] = None


class LivePriceConfig(Base):
    """Asks the cloud itself what ``instanceType`` costs in ``region``."""

    refresh: Annotated[Duration | None, "Time between two questions. Default: 5m for AWS's spot, else 1h."] = None
    zones: Annotated[tuple[Text, ...], "aws, spot: the zones that the pool may use. Default: all of the region."] = ()
    api_key: Annotated[Secret | None, "gcp: an API key. Default: the account that the exporter runs as."] = None
    url: Annotated[Text | None, "Another endpoint of the cloud's API, a private one for instance."] = None


class OpenCostConfig(Base):
    """OpenCost's ``node_total_hourly_cost``: from ``metricsUrl``, or from ``prometheusUrl``."""

    metrics_url: Annotated[Text | None, "URL of OpenCost's own /metrics."] = None
    prometheus_url: Annotated[Text | None, "URL of a Prometheus that scrapes OpenCost."] = None
    query: Annotated[Text | None, "PromQL with a sample for each node. Default: by instanceType and region."] = None
    refresh: Annotated[Duration, "Time between two questions."] = Seconds(300)


class NodePriceConfig(Base):
    """Either ``usdPerHour``, or ``cloud``, ``instanceType`` and ``region``. These are asked for with ``live`` and
    ``openCost``, in this order, and looked up in a dated table where neither knows."""

    usd_per_hour: Annotated[Positive | None, "USD per node and hour, as the operator knows it."] = None
    as_of: Annotated[str | None, "The day for which usdPerHour was true, as 2026-01-31."] = None
    cloud: Annotated[Literal["aws", "gcp", "azure"] | None, "Whose instance type it is."] = None
    instance_type: Annotated[Text | None, "Instance type of the pool's nodes."] = None
    region: Annotated[Text | None, "Region of the pool."] = None
    capacity_type: Annotated[Literal["onDemand", "spot"], "How the nodes are paid for."] = "onDemand"
    live: LivePriceConfig | None = None
    open_cost: OpenCostConfig | None = None
    max_age: Annotated[Duration, "How long the last good price of live or openCost stands in for a new one."] = Seconds(
        86400
    )

    @property
    def is_spot(self) -> bool:
        return self.capacity_type == "spot"


class StatusConfig(Base):
    """A listener for ``GET /cluster/status`` that others can reach: signed, as the gate has it."""

    listen: Annotated[Text, "host:port of the signed listener."]
    authority: Annotated[Text, "Host of the cluster's endpoint as the router has it, with a port but 80 and 443."]
    keys: Annotated[tuple[SigningKey, ...], Meta(min_length=1), "Active keys: one, or two while they rotate."]
    tls: Annotated[ListenerTls | None, "Serve HTTPS, with clientCaFile mutual TLS."] = None


class ExporterConfig(Base):
    """The whole of ``exporter.yaml``."""

    pool: Annotated[Name, "The cluster's name: the target in its status, the pool label of its metrics."]
    price: Annotated[NodePriceConfig, "What one node costs."]
    upstreams: Annotated[tuple[Upstream, ...], "The pool's llama-servers."] = ()
    kubernetes: KubernetesConfig | None = None
    listen: Annotated[Text, "host:port to serve on. Loopback only: nothing here asks for a signature."] = (
        "127.0.0.1:9402"
    )
    metrics: Annotated[Text | None, "host:port of a second listener for /metrics, which others may reach."] = None
    metrics_token: Annotated[
        Secret | None, "What that listener demands for /metrics as Authorization: Bearer; without it nothing."
    ] = None
    status: StatusConfig | None = None
    nodes: Annotated[Count, "Nodes that the pool runs on, where Kubernetes does not count them."] = 1
    overhead_factor: Annotated[float, Meta(ge=1), "Node price times this is what a node costs."] = 1.10
    window: Annotated[Seconds, Meta(ge=10), "Time over which the realised cost is taken."] = Seconds(300)
    interval: Annotated[Seconds, Meta(ge=MIN_INTERVAL_S), "Time between two readings, at least 2s."] = Seconds(5)
