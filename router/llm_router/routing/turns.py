"""Whose turn it is: smooth weighted round robin, the algorithm of nginx's upstream module.

At each turn everybody's standing grows by his weight; whoever stands highest is chosen and pays the sum of all weights.
After as many turns as that sum everybody has been chosen as often as his weight says and all stand where they began, so
that every window of that length holds the same shares, wherever it starts; and nobody is chosen in bursts.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from math import gcd

Turn = Callable[[str, Mapping[str, int]], list[str]]
"""``turn(purpose, weights)`` → the names, the one whose turn it is first, then by who is nearest to his. Each purpose
has turns of its own."""

REMEMBERED = 1024
"""How many groups' turns are kept. One more, and the group that was asked about least recently begins anew."""

_Group = tuple[str, tuple[tuple[str, int], ...]]


class Turns:
    """The turns of every group of names that was asked about. A group is a purpose with these names and weights, so
    that the shares hold among those who may answer, whoever else is away for a while."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._standings: OrderedDict[_Group, dict[str, int]] = OrderedDict()
        self._remembered = remembered
        self._lock = threading.Lock()

    def take(self, purpose: str, weights: Mapping[str, int]) -> list[str]:
        """Whose turn it is, who pays for it; atomic, from several threads too."""
        group = purpose, tuple(weights.items())
        with self._lock:
            order, self._standings[group] = next_turn(self._standings.get(group, {}), weights)
            self._standings.move_to_end(group)
            if len(self._standings) > self._remembered:
                self._standings.popitem(last=False)
        return order

    def peek(self, purpose: str, weights: Mapping[str, int]) -> list[str]:
        """What ``take`` would say now; nobody pays."""
        return next_turn(self._standings.get((purpose, tuple(weights.items())), {}), weights)[0]


def first_turn(_purpose: str, weights: Mapping[str, int]) -> list[str]:
    """The turn of those who never had one."""
    return next_turn({}, weights)[0]


def next_turn(standings: Mapping[str, int], weights: Mapping[str, int]) -> tuple[list[str], dict[str, int]]:
    """``(names in order, standings afterwards)``. A weight of 0 takes no turns; where all are 0, all count as 1.

    Equals keep the order in which they stand in ``weights``.
    """
    if not weights:
        return [], {}
    divisor = gcd(*weights.values())
    shares = {name: weight // divisor if divisor else 1 for name, weight in weights.items()}
    after = {name: standings.get(name, 0) + share for name, share in shares.items()}
    order = sorted(after, key=after.__getitem__, reverse=True)
    if not all(shares.values()):
        order.sort(key=lambda name: not shares[name])
    after[order[0]] -= sum(shares.values())
    return order, after
