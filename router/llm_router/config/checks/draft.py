"""What the cross-field checks look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..decode import FileUse, SecretUse
from ..findings import Finding
from ..hosts import is_loopback
from ..schema import Cluster, Config, Provider


@dataclass(frozen=True, slots=True)
class Draft:
    """A configuration whose every value is well formed, before anybody has asked whether it makes sense."""

    config: Config
    secrets: tuple[SecretUse, ...] = ()
    files: tuple[FileUse, ...] = ()

    @property
    def exposed(self) -> bool:
        """Whether another machine can reach one of the listeners."""
        return not (is_loopback(self.config.server.host) and is_loopback(self.config.admin.host))

    def clusters(self) -> Iterator[tuple[int, Cluster]]:
        return enumerate(self.config.clusters)

    def providers(self) -> Iterator[tuple[int, Provider]]:
        """The enabled ones: what a disabled provider says is kept, and not judged."""
        return ((i, p) for i, p in enumerate(self.config.external_providers) if p.enabled)

    @property
    def names_are_final(self) -> bool:
        """Whether a name that nobody here has is nobody's: discovery may find who has it."""
        return self.config.discovery.method == "static"

    @property
    def owners(self) -> dict[str, Cluster | Provider]:
        """Clusters and providers by name, disabled ones too."""
        clusters: dict[str, Cluster | Provider] = {c.name: c for c in self.config.clusters}
        return clusters | {p.name: p for p in self.config.external_providers}


Check = Callable[[Draft], Iterator[Finding]]
