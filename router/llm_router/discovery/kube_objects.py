"""The few fields of Kubernetes objects that discovery reads, and what they say of clusters.

Conditions are those of https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions: absent
counts as ready; an endpoint that is serving and terminating is draining.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from ..config.schema import KubernetesDiscovery
from .base import Instance
from .instances import from_texts, host_in_url, name_of, with_prefix

PREFIX = "llm-router/"
"""Of annotations and labels, as in ``llm-router/region``."""
OWN_LABEL = "llm-router/cluster"
"""The usual label to select by: no entry of a cluster."""
SERVICE_LABEL = "kubernetes.io/service-name"


class Meta(Struct, frozen=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class Port(Struct, frozen=True):
    name: str | None = None
    port: int | None = None


class ServiceSpec(Struct, frozen=True, rename="camel"):
    type: str = "ClusterIP"
    external_name: str | None = None
    ports: tuple[Port, ...] | None = None


class Service(Struct, frozen=True):
    metadata: Meta
    spec: ServiceSpec = ServiceSpec()


class Conditions(Struct, frozen=True):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Reference(Struct, frozen=True):
    name: str = ""


class Endpoint(Struct, frozen=True, rename="camel"):
    addresses: tuple[str, ...] = ()
    conditions: Conditions = Conditions()
    target_ref: Reference | None = None

    @property
    def ready(self) -> bool:
        return self.conditions.ready is not False

    @property
    def draining(self) -> bool:
        return bool(self.conditions.serving and self.conditions.terminating)


class Slice(Struct, frozen=True, rename="camel"):
    metadata: Meta
    address_type: str = "IPv4"
    endpoints: tuple[Endpoint, ...] | None = None
    ports: tuple[Port, ...] | None = None

    @property
    def service(self) -> tuple[str, str]:
        return self.metadata.namespace, (self.metadata.labels or {}).get(SERVICE_LABEL, "")


class Node(Struct, frozen=True):
    """Nothing but that it is there: a node is paid for whatever its state."""

    metadata: Meta


def instances(
    services: Iterable[Service], slices: Iterable[Slice], settings: KubernetesDiscovery, scheme: str
) -> Iterator[Instance]:
    """One instance a Service that has somebody to answer, or one an endpoint that can."""
    behind: dict[tuple[str, str], list[Slice]] = {}
    for part in sorted(slices, key=lambda s: (s.address_type, s.metadata.name)):  # IPv4 before IPv6
        behind.setdefault(part.service, []).append(part)
    for service in services:
        known = behind.get((service.metadata.namespace, service.metadata.name), [])
        kind = _Kind(service, settings.port, scheme)
        yield from kind.per_endpoint(known) if settings.per == "endpoint" else kind.as_a_whole(known)


class _Kind:
    """One Service as clusters."""

    def __init__(self, service: Service, port: str | None, scheme: str) -> None:
        meta = service.metadata
        self._spec, self._port, self._scheme = service.spec, port, scheme
        self._name, self._namespace = meta.name, meta.namespace
        texts = with_prefix(meta.labels or {}, PREFIX) | with_prefix(meta.annotations or {}, PREFIX)
        texts.pop(OWN_LABEL.removeprefix(PREFIX), None)
        self._own = from_texts(texts)

    def as_a_whole(self, slices: Iterable[Slice]) -> Iterator[Instance]:
        endpoints = [endpoint for part in slices for endpoint in part.endpoints or ()]
        outside = self._spec.type == "ExternalName"  # nothing in here says whether it is ready
        ready = outside or any(endpoint.ready for endpoint in endpoints)
        if ready or any(endpoint.draining for endpoint in endpoints):
            host = self._spec.external_name if outside else f"{self._name}.{self._namespace}.svc"
            origin = f"Service {self._namespace}/{self._name}"
            name = name_of(self._name, self._namespace)
            yield self._instance(origin, name, host or "", self._spec.ports or (), draining=not ready)

    def per_endpoint(self, slices: Iterable[Slice]) -> Iterator[Instance]:
        found: dict[str, Instance] = {}
        for part in slices:
            for endpoint in part.endpoints or ():
                if endpoint.addresses and (endpoint.ready or endpoint.draining):
                    address = endpoint.addresses[0]  # the others are, as in kube-proxy, of no use
                    who = endpoint.target_ref.name if endpoint.target_ref else f"{self._name}-{address}"
                    origin = f"endpoint {address} of Service {self._namespace}/{self._name}"
                    name = name_of(who, self._namespace)
                    instance = self._instance(
                        origin, name, address, part.ports or (), draining=not endpoint.ready, own=self._shared()
                    )
                    # A pod may stand in two slices for a moment, and has an address of each family.
                    found.setdefault(who, instance)
        yield from found.values()

    def _shared(self) -> Mapping[str, object]:
        """What an endpoint takes from its Service: name and address are its own."""
        return {key: value for key, value in self._own.items() if key not in ("name", "endpoint")}

    def _instance(
        self,
        origin: str,
        name: str,
        host: str,
        ports: tuple[Port, ...],
        *,
        draining: bool,
        own: Mapping[str, object] | None = None,
    ) -> Instance:
        own = self._own if own is None else own
        if "endpoint" in own:
            return Instance(origin, {"name": name, **own}, draining)
        port = _chosen(ports, self._port, self._scheme)
        if port is None:
            known = ", ".join(f"{p.name or 'unnamed'} {p.port}" for p in ports) or "none"
            fault = f"its port is not clear (there are: {known}): name one in discovery.kubernetes.port"
            return Instance(origin, {"name": name}, draining, fault)
        return Instance(
            origin, {"name": name, "endpoint": f"{self._scheme}://{host_in_url(host)}:{port}", **own}, draining
        )


def _chosen(ports: tuple[Port, ...], wanted: str | None, scheme: str) -> int | None:
    """The port that is asked for by name or number; else the only one, or the one that is called as the scheme."""
    named = [p.port for p in ports if wanted in (p.name, str(p.port))]
    if wanted is not None:
        return named[0] if named else None
    if len(ports) == 1:
        return ports[0].port
    return next((p.port for p in ports if p.name == scheme), None)
