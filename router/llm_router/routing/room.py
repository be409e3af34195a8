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
    reading_s = (pool.unread_tokens / (nodes or 1) + input_tokens) / speed
    return reading_s / WHILE_DECODING if pool.decoding else reading_s


def free_slots(pool: PoolView, nodes: int) -> int | None:
    """Slots of ``nodes`` of its nodes in which nothing of ours runs; ``None`` where their number is not known."""
    if pool.slots is None:
        return None
    free = pool.slots * nodes // (pool.nodes or 1) - pool.in_flight
    return free if free > 0 else 0


def has_room(pool: PoolView, input_tokens: int, limit_s: float, nodes: int | None = None) -> bool:
    """Whether the request gets a slot at once and its first token within the limit, on the nodes that may be used or on
    so many of them. What is not known rules nobody out."""
    usable = pool.usable_nodes if nodes is None else nodes
    if not usable or free_slots(pool, usable) == 0:
        return False
    predicted_s = first_token_s(pool, input_tokens, usable)
    return predicted_s is None or predicted_s <= limit_s


def nodes_needed(pool: PoolView, input_tokens: int, limit_s: float) -> int:
    """The fewest nodes on which there is room; one more than may be used where there is none."""
    needed = 1
    while needed <= pool.usable_nodes and not has_room(pool, input_tokens, limit_s, needed):
        needed += 1
    return needed
