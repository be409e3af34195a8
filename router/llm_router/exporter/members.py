"""The servers of a pool, as they come and go. Those that have gone are remembered: one that comes back is not counted
anew, and what was measured outlives a pool at zero."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from ..model import ServedModel, State
from .census import Address
from .member import Member
from .scrape import LlamaServer

REMEMBERED = 64


class Members:
    """``connect`` makes a client of a server."""

    def __init__(self, connect: Callable[[Address], LlamaServer]) -> None:
        self._connect = connect
        self._here: dict[Address, Member] = {}
        self._gone: dict[Address, Member] = {}

    def meet(self, addresses: Sequence[Address]) -> None:
        """Have exactly these."""
        for address in set(self._here).difference(addresses):
            self._gone[address] = self._here.pop(address)
        for address in addresses:
            if address not in self._here:
                known = self._gone.pop(address) if address in self._gone else None
                self._here[address] = known or Member(self._connect(address))
        while len(self._gone) > REMEMBERED:
            del self._gone[next(iter(self._gone))]

    @property
    def all(self) -> Sequence[Member]:
        return list(self._here.values())

    @property
    def up(self) -> Sequence[Member]:
        return [member for member in self.all if member.state == "up"]

    @property
    def away(self) -> Sequence[Member]:
        return [member for member in self.all if member.state != "up"]

    @property
    def states(self) -> Sequence[State]:
        return [member.state for member in self.all]

    @property
    def models(self) -> tuple[ServedModel, ...]:
        """Each with the smallest window that a member has for it: any of them may be asked."""
        smallest: dict[str, ServedModel] = {}
        for model in (model for member in self.up for model in member.models):
            known = smallest.get(model.name)
            if known is None or (model.context_length or math.inf) < (known.context_length or math.inf):
                smallest[model.name] = model
        return tuple(smallest.values())

    @property
    def capacity(self) -> float | None:
        """Generated tokens per second of all that are up, or of one where none is."""
        return self._together(lambda member: member.capacity)

    @property
    def prefill(self) -> float | None:
        return self._together(lambda member: member.prefill)

    def _together(self, figure: Callable[[Member], float | None]) -> float | None:
        """One that has not been measured counts like those that have been; those that have gone speak where nobody else
        does."""
        mean = _mean(map(figure, self.all)) or _mean(map(figure, self._gone.values()))
        return None if mean is None else mean * max(1, len(self.up))


def _mean(figures: Iterable[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) / len(known) if known else None
