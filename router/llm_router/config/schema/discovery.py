"""Where clusters are found beside the file."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from ..scalars import Duration, FilePath, Seconds, Secret, Text
from .base import Base
from .owners import ClusterTemplate, TargetTls


class KubernetesDiscovery(Base):
    """Services with a label, and their EndpointSlices. Without kubeconfig and apiServer the router's own pod's account
    asks its own API server."""

    label_selector: Annotated[Text, "Which Services, and EndpointSlices, are clusters."] = "llm-router/cluster=true"
    namespaces: Annotated[tuple[Text, ...], "Where to look. Default: everywhere, which takes a ClusterRole."] = ()
    per: Annotated[Literal["service", "endpoint"], "Whether each Service is a cluster, or each endpoint behind it."] = (
        "service"
    )
    port: Annotated[Text | None, "Name or number of the port. Default: the only one, or the one called as scheme."] = (
        None
    )
    kubeconfig: Annotated[FilePath | None, "For a router outside; with a token or a client certificate in it."] = None
    context: Annotated[Text | None, "Context of the kubeconfig. Default: its current one."] = None
    api_server: Annotated[Text | None, "URL of the API server, with tokenFile and caFile."] = None
    token_file: Annotated[FilePath | None, "Bearer token, read anew for each request. Default: the pod's own."] = None
    ca_file: Annotated[FilePath | None, "CA of the API server. Default: the pod's own."] = None


class ConsulDiscovery(Base):
    """The healthy instances of one service."""

    service: Annotated[Text, "Name of the service whose instances are clusters."]
    address: Annotated[Text, "URL of a Consul agent or server."] = "http://127.0.0.1:8500"
    token: Annotated[Secret | None, "ACL token with read access to the service and its nodes."] = None
    datacenter: Annotated[Text | None, "Default: the agent's own."] = None
    passing_only: Annotated[bool, "Whether a warning check makes an instance unusable, as a critical one does."] = True
    ca_file: Annotated[FilePath | None, "CA of the agent's certificate."] = None
    private: Annotated[bool, "Allow plain http to another machine."] = False


class EtcdDiscovery(Base):
    """The keys below a prefix, each a cluster as a JSON object."""

    endpoints: Annotated[tuple[Text, ...], Meta(min_length=1), "URLs of the members; the next one where one fails."] = (
        "http://127.0.0.1:2379",
    )
    prefix: Annotated[Text, "What the keys start with; the rest of a key is the cluster's name."] = (
        "/llm-router/clusters/"
    )
    user: Annotated[Text | None, "With a password, where authentication is on."] = None
    password: Secret | None = None
    tls: Annotated[TargetTls | None, "CA and client certificate."] = None
    private: Annotated[bool, "Allow plain http to another machine."] = False


class Discovery(Base):
    method: Annotated[
        Literal["static", "kubernetes", "consul", "etcd"], "static: the clusters of this file, and no others."
    ] = "static"
    refresh_interval: Annotated[
        Duration, "Changes come at once; after this long without one the connection is proved anew."
    ] = Seconds(30)
    scheme: Annotated[Literal["https", "http"], "How clusters found by host and port are reached."] = "https"
    template: Annotated[ClusterTemplate, "What every cluster found has, where its own entry does not say."] = (
        ClusterTemplate()
    )
    kubernetes: KubernetesDiscovery | None = None
    consul: ConsulDiscovery | None = None
    etcd: EtcdDiscovery | None = None
