"""Owners of targets, clusters and providers, as the graph sees them: how they are sent to, and how they are watched."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from ..config.base_url import base_url, health_url, root_url
from ..config.providers import PROVIDER_TYPES
from ..config.schema import Cluster, Config, Provider
from ..errors import ConfigError, Problem
from ..model import Target
from ..signals.cluster_status import StatusPoll
from ..signals.health import HealthCheck, NeverHealthy, control_plane_client
from ..signals.rents import Rents
from ..signals.snapshot import Board
from ..signals.watch import ClusterWatch, ProviderWatch, Watch
from ..upstream.client import Headers
from ..upstream.google_account import GoogleAccount
from ..upstream.sender import Account, Sender
from ..upstream.signing import Signer, authority_of
from ..upstream.wire import WIRES
from ..upstream.wire.azure import AzureWire
from ..upstream.wire.base import Wire
from .surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class ClusterOwner:
    """A cluster is its operator's own: its name may lead into a private network. What keeps a name server from leading
    it elsewhere is TLS, without which ``private: true`` must be said."""

    cluster: Cluster
    tls: ssl.SSLContext | None
    signer: Signer | None
    fault: str | None
    """Why this cluster cannot be signed for: it stands in the configuration, and is never used."""

    def sender(self, target: Target, around: Surroundings) -> Sender:
        return Sender(
            target=target,
            wire=WIRES[target.wire],
            base_url=base_url(self.cluster),
            client=around.client,
            unix_time=around.unix_time,
            credentials=self._credentials(WIRES["llama.cpp"]),
            signer=self.signer,
            tls=self.tls or around.tls,
            private=True,
        )

    def watch(self, board: Board, rents: Rents, config: Config, around: Surroundings) -> Watch:
        source: StatusPoll | HealthCheck | NeverHealthy
        if self.fault is not None:
            source = NeverHealthy(self.fault, around.unix_time)
        elif self.signer is not None:
            source = StatusPoll(
                endpoint=self.cluster.endpoint,
                signer=self.signer,
                client=control_plane_client(self.tls or around.tls, private=True),
                unix_time=around.unix_time,
            )
        else:
            source = HealthCheck(
                url=_health_url(self.cluster),
                headers=self._credentials(WIRES["llama.cpp"]),
                timeout_s=5.0,
                client=control_plane_client(self.tls or around.tls, private=True),
                unix_time=around.unix_time,
            )
        return ClusterWatch(
            self.cluster,
            source,
            board,
            rents,
            around.metrics,
            cost=config.router.cost,
            interval_s=config.router.health_check_interval,
            clock=around.clock,
            unix_time=around.unix_time,
        )

    def _credentials(self, wire: Wire) -> Headers:
        key = self.cluster.api_key or self.cluster.shared_secret
        if self.cluster.auth_type in ("none", "hmac") or key is None:
            return ()
        return (("x-api-key", str(key)),) if self.cluster.auth_type == "apiKey" else wire.credentials(str(key))


@dataclass(frozen=True, slots=True)
class ProviderOwner:
    provider: Provider
    account: Account | None = None
    fault: None = None

    def sender(self, target: Target, around: Surroundings) -> Sender:
        return Sender(
            target=target,
            wire=self._wire(),
            base_url=base_url(self.provider),
            client=around.client,
            unix_time=around.unix_time,
            credentials=self._headers(),
            account=self.account,
            tls=around.tls,
            private=self.provider.private,
        )

    def watch(self, board: Board, _rents: Rents, config: Config, around: Surroundings) -> Watch:
        settings = self.provider.health_check
        check = None
        if settings.enabled:
            kind = PROVIDER_TYPES[self.provider.type]
            check = HealthCheck(
                url=health_url(self.provider),
                headers=self._headers() + kind.health_headers,
                account=self.account,
                timeout_s=settings.timeout,
                client=control_plane_client(around.tls, private=self.provider.private),
                unix_time=around.unix_time,
            )
        return ProviderWatch(self.provider, check, board, around.metrics, config.router.health_check_interval)

    def _wire(self) -> Wire:
        if self.provider.type == "azure":
            return AzureWire(self.provider.deployments, self.provider.api_version)
        return WIRES[PROVIDER_TYPES[self.provider.type].wire]

    def _headers(self) -> Headers:
        key = self.provider.api_key
        headers = list(self._wire().credentials(str(key))) if key else []
        if self.provider.organization:
            headers.append(("openai-organization", self.provider.organization))
        if self.provider.project:
            headers.append(("openai-project", self.provider.project))
        return (*headers, *((name.lower(), value) for name, value in self.provider.headers.items()))


Owner = ClusterOwner | ProviderOwner


def owners_of(config: Config, around: Surroundings) -> Mapping[str, Owner]:
    owners: dict[str, Owner] = {}
    for cluster in config.clusters:
        signer, fault = _signer(cluster)
        owners[cluster.name] = ClusterOwner(cluster, _tls(cluster), signer, fault)
    for provider in config.external_providers:
        if provider.enabled:
            owners[provider.name] = ProviderOwner(provider, _account(provider))
    return owners


def _health_url(cluster: Cluster) -> str:
    """llama.cpp and vLLM answer at ``/health``; whoever else speaks OpenAI's API has a list of models."""
    return base_url(cluster) + "/models" if cluster.type == "openai" else root_url(cluster) + "/health"


def _signer(cluster: Cluster) -> tuple[Signer | None, str | None]:
    """The signer, or why there can be none: a placeholder for a secret is a warning on loopback, not a refusal."""
    if cluster.auth_type != "hmac":
        return None, None
    key_id = cluster.key_id or f"{cluster.name}.1"
    try:
        return Signer(key_id, str(cluster.shared_secret or ""), authority_of(cluster.endpoint), cluster.name), None
    except ValueError as exc:
        return None, f"sharedSecret {exc}"


def _account(provider: Provider) -> Account | None:
    if provider.type != "vertex":
        return None
    return GoogleAccount(provider.credentials_file, f"externalProviders.{provider.name}.credentialsFile")


def _tls(cluster: Cluster) -> ssl.SSLContext | None:
    if cluster.tls is None:
        return None
    try:
        context = ssl.create_default_context(cafile=cluster.tls.ca_file)
        if cluster.tls.cert_file is not None:
            context.load_cert_chain(cluster.tls.cert_file, cluster.tls.key_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError([Problem(f"clusters.{cluster.name}.tls", f"cannot load the certificates: {exc}")]) from exc
    return context
