"""Tags by which a bill can be split and a leftover be found."""

from __future__ import annotations

from dataclasses import dataclass

from .naming import squeezed

MANAGED_BY = "pulumi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """What every resource that can carry tags carries."""

    project: str
    environment: str
    cluster: str

    def all(self, **more: str) -> dict[str, str]:
        """For AWS and Azure."""
        own = {"project": self.project, "environment": self.environment, "cluster": self.cluster}
        return {**own, "managed-by": MANAGED_BY, **more}

    def labels(self, **more: str) -> dict[str, str]:
        """For Google Cloud: lower case, at most 63 characters."""
        return {key: squeezed(value.lower(), 63) for key, value in self.all(**more).items()}
