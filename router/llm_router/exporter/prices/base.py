"""What a node costs per hour: the words that all price sources share.

A *source* asks somebody's API. It knows a price or says why not, and never guesses: an unknown price stays unknown and
never becomes zero. ``live.LivePrice`` judges what it says and keeps the last good figure; ``chain.Prices`` chooses.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from ...errors import RouterError


class PriceUnknown(RouterError):
    """This source has no price now; the message says what it would need.

    ``retry_after_s`` is what the API asked for."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Quote(Struct, frozen=True, kw_only=True):
    """USD for one node and hour. ``source`` is a label; ``age_s`` is how long ago the price was known to be true,
    ``None`` where nobody said."""

    usd_per_hour: float
    source: str
    age_s: float | None = None


class Priced(Protocol):
    """Something that may know a price without asking anybody: what is written down, or what was heard last."""

    def quote(self) -> Quote | None: ...


class PriceSource(Protocol):
    """Somebody's API. ``label`` names it in metrics and in a cluster's status."""

    @property
    def label(self) -> str: ...

    async def usd_per_hour(self) -> float:
        """What one node costs now. Raises ``PriceUnknown``; what comes back is not judged yet."""
        ...

    async def aclose(self) -> None: ...


class Tally(Protocol):
    """Counts what came of asking a source: ``accepted``, ``refused`` or ``failed``."""

    def __call__(self, source: str, result: str) -> None: ...
