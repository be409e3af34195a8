"""Room in a pool: whether a request that comes now starts at once, and when its first token comes."""

from __future__ import annotations

from ..model import PoolView

WHILE_DECODING = 0.95
"""Share of its speed at which a node reads a prompt while others generate."""


def first_token_s(pool: PoolView, input_tokens: int, nodes: int) -> float | None:
    """Predicted seconds to the first token on ``nodes`` nodes that share what is unread evenly and read one prompt at
    a time; ``None`` where no speed is known."""
    speed = pool.prefill_tokens_per_second
    if not speed:
        return None
    reading_s = (pool.unread_tokens / max(1, nodes) + input_tokens) / speed
    return reading_s / WHILE_DECODING if pool.decoding else reading_s


def has_free_slot(pool: PoolView, nodes: int) -> bool:
    """On these nodes, the others left out. Where the slots are not known there is always one."""
    return pool.slots is None or pool.in_flight < _slots(pool, nodes)


def waiting(pool: PoolView) -> int:
    """How many of the router's own requests are more than the slots of the nodes that may be used."""
    return 0 if pool.slots is None else max(0, pool.in_flight - _slots(pool, pool.usable_nodes))


def nodes_needed(pool: PoolView, input_tokens: int, limit_s: float) -> int | None:
    """The fewest nodes on which the request gets a slot at once and its first token within the limit; ``None`` where
    those that may be used are not enough."""
    for nodes in range(1, pool.usable_nodes + 1):
        if has_free_slot(pool, nodes):
            predicted_s = first_token_s(pool, input_tokens, nodes)
            if predicted_s is None or predicted_s <= limit_s:
                return nodes
    return None


def _slots(pool: PoolView, nodes: int) -> int:
    return (pool.slots or 0) * nodes // max(1, pool.nodes)
