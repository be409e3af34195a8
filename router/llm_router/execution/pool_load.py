"""What the router itself has under way in a cluster: its queue, whichever of the cluster's models is asked.

The engines queue without end and tell nobody whose prompt they read; the router knows, because all of its requests
pass here: a prompt is unread from the moment that it is sent until its first content comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..model import Target
from ..signals.snapshot import Board


class PoolLoad:
    """The attempts under way in one cluster, posted to the board."""

    def __init__(self, owner: str, board: Board) -> None:
        self._owner, self._board = owner, board
        self._in_flight = self._unread_tokens = self._decoding = 0

    def enter(self, prompt_tokens: int) -> Place:
        self._change(in_flight=1, unread_tokens=prompt_tokens)
        return Place(self, prompt_tokens)

    def read(self, prompt_tokens: int) -> None:
        self._change(unread_tokens=-prompt_tokens, decoding=1)

    def leave(self, unread_tokens: int, *, decoding: bool) -> None:
        self._change(in_flight=-1, unread_tokens=-unread_tokens, decoding=-int(decoding))

    def post_to(self, board: Board) -> None:
        """From now on tell this board."""
        self._board = board
        self._change()

    def _change(self, in_flight: int = 0, unread_tokens: int = 0, decoding: int = 0) -> None:
        self._in_flight += in_flight
        self._unread_tokens += unread_tokens
        self._decoding += decoding
        self._board.post_pool(
            self._owner, in_flight=self._in_flight, unread_tokens=self._unread_tokens, decoding=self._decoding
        )


class Place:
    """One attempt's place in a pool: its prompt is read once, and it leaves once, however often either is said."""

    __slots__ = ("_load", "_read", "_unread_tokens")

    def __init__(self, load: PoolLoad, prompt_tokens: int) -> None:
        self._load: PoolLoad | None = load
        self._unread_tokens, self._read = prompt_tokens, False

    def read(self) -> None:
        """Its prompt has been read: its first content came."""
        if self._load is not None and not self._read:
            self._load.read(self._unread_tokens)
            self._unread_tokens, self._read = 0, True

    def leave(self) -> None:
        if self._load is not None:
            self._load.leave(self._unread_tokens, decoding=self._read)
            self._load = None


def pool_loads(
    targets: Iterable[Target], board: Board, previous: Mapping[str, PoolLoad] | None = None
) -> dict[str, PoolLoad]:
    """One load a cluster, by its name; the ``previous`` one where there is one, since what is under way goes on. That
    one tells its old board until ``post_to`` says otherwise."""
    known = previous or {}
    owners = dict.fromkeys(target.owner for target in targets if target.kind == "cluster")
    return {owner: known.get(owner) or PoolLoad(owner, board) for owner in owners}
