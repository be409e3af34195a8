"""From the configuration to the discovery that it asks for."""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from ..config.schema import Config, ConsulDiscovery, EtcdDiscovery, KubernetesDiscovery, TargetTls
from ..errors import ConfigError, Problem
from ..telemetry.metrics import Metrics
from .base import Discovery, Source
from .consul import Consul
from .etcd import Etcd
from .etcd_gateway import Gateway
from .finder import BELIEVED_AFTER_S, Finder
from .http import Registry
from .kube_access import ACCOUNT_DIR, access
from .kubernetes import Kubernetes
from .static import Static


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What every discovery works with. ``clock`` is monotonic seconds; ``env`` and ``account_dir`` tell a pod where
    its API server is and who it is; for ``believed_after_s`` a registry must say that nothing is there any more."""

    metrics: Metrics
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    account_dir: str = ACCOUNT_DIR
    believed_after_s: float = BELIEVED_AFTER_S


def discovery_of(config: Config, means: Means, previous: Discovery | None = None) -> Discovery:
    """What ``previous`` had found is where a discovery of the same method starts. Raises ``ConfigError`` for what
    shows only now: unreadable certificates, no API server."""
    source = _source(config, means)
    if source is None:
        return Static(config, means.metrics)
    known = previous.instances if previous is not None and previous.method == source.method else ()
    return Finder(
        source,
        config,
        metrics=means.metrics,
        clock=means.clock,
        sleep=means.sleep,
        known=known,
        believed_after_s=means.believed_after_s,
    )


def _source(config: Config, means: Means) -> Source | None:
    settings = config.discovery
    if settings.method == "kubernetes":
        kubernetes = settings.kubernetes or KubernetesDiscovery()
        found = access(kubernetes, means.env, means.account_dir)
        registry = Registry(found.url, tls=found.tls, auth=found.auth)
        return Kubernetes(registry, kubernetes, settings, sleep=means.sleep)
    if settings.method == "consul" and settings.consul is not None:
        return _consul(config, settings.consul, means)
    if settings.method == "etcd":
        etcd = settings.etcd or EtcdDiscovery()
        gateway = Gateway(etcd, _context(etcd.tls or TargetTls(), "discovery.etcd.tls"))
        return Etcd(gateway, etcd.prefix, settings, sleep=means.sleep)
    return None


def _consul(config: Config, consul: ConsulDiscovery, means: Means) -> Consul:
    headers = {"x-consul-token": str(consul.token)} if consul.token is not None else None
    tls = _context(TargetTls(ca_file=consul.ca_file), "discovery.consul.caFile")
    registry = Registry(consul.address, tls=tls, headers=headers)
    return Consul(registry, consul, config.discovery, clock=means.clock, sleep=means.sleep)


def _context(files: TargetTls, path: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=files.ca_file)
        if files.cert_file is not None:
            context.load_cert_chain(files.cert_file, files.key_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError([Problem(path, f"cannot load the certificates: {exc}")]) from exc
    return context
