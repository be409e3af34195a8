"""A pool as its cluster's API server knows it: the endpoints of a Service, the nodes with a label.

Both are listed anew each time: a pool is small, and a list cannot get out of step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import structs

from ..discovery.base import SourceDown
from ..discovery.http import Registry
from ..discovery.instances import host_in_url
from ..discovery.kube_access import ACCOUNT_DIR, access
from ..discovery.kube_collection import Collection
from ..discovery.kube_objects import SERVICE_LABEL, Node, Port, Slice
from ..errors import ConfigError, Problem
from .census import Address, CensusFailed
from .config import KubernetesConfig

NODES_PATH = "/api/v1/nodes"


class Endpoints:
    """The llama-servers behind one Service, ready or not: those that load a model are on their way. ``like`` is how
    they are asked."""

    def __init__(self, registry: Registry, namespace: str, service: str, port: str | None, like: Address) -> None:
        path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        self._slices = Collection(registry, path, f"{SERVICE_LABEL}={service}", Slice)
        self._what, self._port, self._like = f"Service {namespace}/{service}", port, like

    async def addresses(self) -> Sequence[Address]:
        try:
            await self._slices.list()
        except SourceDown as down:
            raise CensusFailed(str(down)) from down
        families = sorted({part.address_type for part in self._slices.items.values() if part.endpoints})
        # A pod has an address of each family, and is one server all the same: IPv4 comes before IPv6.
        slices = [part for part in self._slices.items.values() if part.address_type == families[0]] if families else []
        hosts = {
            (endpoint.addresses[0], self._port_of(part.ports or ()))
            for part in slices
            for endpoint in part.endpoints or ()
            if endpoint.addresses
        }
        urls = [f"http://{host_in_url(host)}:{port}" for host, port in sorted(hosts)]
        return [structs.replace(self._like, url=url) for url in urls]

    def _port_of(self, ports: Sequence[Port]) -> int:
        named = [port.port for port in ports if self._port in (None, port.name, str(port.port)) and port.port]
        if len(named) != 1:
            known = ", ".join(f"{port.name or 'unnamed'} {port.port}" for port in ports) or "none"
            raise CensusFailed(f"llama-server's port of {self._what} is not clear (there are: {known}): see port")
        return named[0]


class LabelledNodes:
    """The nodes that a label selector finds."""

    def __init__(self, registry: Registry, selector: str) -> None:
        self._nodes = Collection(registry, NODES_PATH, selector, Node)

    async def count(self) -> int:
        try:
            await self._nodes.list()
        except SourceDown as down:
            raise CensusFailed(str(down)) from down
        return len(self._nodes.items)


def registry_of(settings: KubernetesConfig, env: Mapping[str, str]) -> Registry:
    """A client of the API server. Raises ``ConfigError`` where nothing says who and where."""
    try:
        found = access(settings, env)
    except ConfigError as error:
        problems = [Problem("kubernetes", problem.message) for problem in error.problems]
        raise ConfigError(problems) from error
    return Registry(found.url, tls=found.tls, auth=found.auth)


def namespace_of(settings: KubernetesConfig, account_dir: str = ACCOUNT_DIR) -> str:
    """That of the settings, or the pod's own. Raises ``ConfigError`` where there is neither."""
    if settings.namespace is not None:
        return settings.namespace
    try:
        return Path(account_dir, "namespace").read_text().strip()
    except OSError as error:
        message = "this process does not run in a Kubernetes pod: say in which namespace the Service is"
        raise ConfigError([Problem("kubernetes.namespace", message)]) from error
