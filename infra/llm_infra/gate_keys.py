"""Keys with which the router signs what it sends to a gate: two per pool are valid at a time.

Generation g has the keys g (current: the router signs with it) and g + 1 (next: the gate accepts it already). The next
generation keeps g + 1, makes g + 2 and drops g, so that nobody is refused while both sides change.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_random import RandomBytes

from .component import Component

KEY_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class GateKeysArgs:
    """``pool`` is the router's name of it, ``generation`` counts from 1."""

    pool: str
    generation: int


class GateKeys(Component):
    """Secrets in standard base64, as the router and the gate take them."""

    current_id: str
    next_id: str
    current: pulumi.Output[str]
    next: pulumi.Output[str]

    def __init__(self, name: str, args: GateKeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.current_id, self.current = self._key(args.pool, args.generation)
        self.next_id, self.next = self._key(args.pool, args.generation + 1)
        self.done(current_id=self.current_id, current=self.current, next_id=self.next_id, next=self.next)

    def _key(self, pool: str, number: int) -> tuple[str, pulumi.Output[str]]:
        key = RandomBytes(f"{pool}-gate-key-{number}", length=KEY_BYTES, opts=self.own())
        return f"{pool}.{number}", pulumi.Output.secret(key.base64)

    @property
    def entries(self) -> dict[str, pulumi.Input[str]]:
        """What a Secret of the gate holds, ``contract.GATE_SECRET_ENTRIES``."""
        return {
            "current-id": self.current_id,
            "current": self.current,
            "next-id": self.next_id,
            "next": self.next,
        }
