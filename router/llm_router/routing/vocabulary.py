"""The words that requests may use because the configuration gives them a meaning."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from ..config.regions import PLACES
from ..config.schema import Config
from ..config.tags import KNOWN_TAGS
from ..model import Target


class Vocabulary(Struct, frozen=True, kw_only=True):
    """``tags`` and ``regions`` are those that some target has, beside the commonly known ones; ``headers`` the names,
    in lower case, of the request headers that rules read; ``client_region_header`` likewise the trusted proxy's."""

    tags: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    client_region_header: str | None = None

    @property
    def known_tags(self) -> frozenset[str]:
        return KNOWN_TAGS | self.tags

    def region(self, text: str) -> str | None:
        """The region that is meant: as configured, or a commonly known one in whatever case; ``None`` if unknown."""
        if text in self.regions:
            return text
        lower = text.lower()
        return lower if lower in PLACES or lower in self.regions else None


def vocabulary_of(config: Config, targets: Iterable[Target]) -> Vocabulary:
    targets = tuple(targets)
    conditions = (condition for rule in config.rules for condition in rule.conditions)
    proxy = config.router.client_region_header
    return Vocabulary(
        tags=frozenset(tag for target in targets for tag in target.compliance),
        regions=frozenset(target.region for target in targets if target.region),
        headers=frozenset(condition.header.lower() for condition in conditions if condition.header is not None),
        client_region_header=None if proxy is None else proxy.lower(),
    )
