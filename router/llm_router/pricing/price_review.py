"""What a person should know about the list prices in use: which are unknown, doubtful, old, or about to change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Literal

from msgspec import Struct

from ..model import ListPrice, Rate
from .list_prices import CONFIGURED

FAR = 0.25
MAX_AGE_DAYS = 90
SOON_DAYS = 45

Kind = Literal["unknown", "far", "old", "changes"]


class Priced(Struct, frozen=True, kw_only=True):
    """One configured model: the ``price`` in use, what the ``data`` lists, and when that changes next. ``owner`` is the
    provider's name. ``None`` is unknown."""

    target: str
    owner: str
    model: str
    price: ListPrice | None
    data: ListPrice | None
    changes_on: date | None = None


class Remark(Struct, frozen=True, kw_only=True):
    """``changes`` is news, the others are faults."""

    target: str
    model: str
    kind: Kind
    message: str


class Difference(Struct, frozen=True, kw_only=True):
    """One rate that differs; ``None`` is unknown."""

    target: str
    model: str
    rate: str
    before: Rate | None
    after: Rate | None


def review(
    models: Iterable[Priced], today: date, *, max_age_days: int = MAX_AGE_DAYS, far: float = FAR
) -> Iterator[Remark]:
    """``far`` is the share of the listed rate by which an override may differ from it."""
    for one in models:
        for kind, message in _remarks(one, today, max_age_days, far):
            yield Remark(target=one.target, model=one.model, kind=kind, message=message)


def differences(target: str, model: str, before: ListPrice | None, after: ListPrice | None) -> Iterator[Difference]:
    """The rates of two prices that are not the same."""
    for (name, old), (_, new) in zip(rates(before), rates(after), strict=True):
        if old != new:
            yield Difference(target=target, model=model, rate=name, before=old, after=new)


def rates(price: ListPrice | None) -> tuple[tuple[str, Rate | None], ...]:
    if price is None:
        return tuple((name, None) for name in ("input", "output", "cache_read", "cache_write", "cache_write_1h"))
    return (
        ("input", price.input),
        ("output", price.output),
        ("cache_read", price.cache_read),
        ("cache_write", price.cache_write),
        ("cache_write_1h", price.cache_write_1h or price.cache_write),
    )


def _remarks(one: Priced, today: date, max_age_days: int, far: float) -> Iterator[tuple[Kind, str]]:
    if one.price is None:
        yield "unknown", "no price is known, so its cost is unknown and it is used last: write one under price"
        return
    if one.price.source == CONFIGURED:
        if one.data is not None:
            yield from (("far", message) for message in _far(one.price, one.data, far))
        yield from _old(one.price.as_of, today, max_age_days)
    elif one.changes_on is not None and (one.changes_on - today).days <= SOON_DAYS:
        yield "changes", f"another price holds from {one.changes_on} on: reload the router then"


def _far(price: ListPrice, data: ListPrice, far: float) -> Iterator[str]:
    for name, ours, listed in (("input", price.input, data.input), ("output", price.output, data.output)):
        if abs(ours.usd_per_1k - listed.usd_per_1k) > far * listed.usd_per_1k:
            yield (
                f"{name} {ours.usd_per_1k:g} USD per 1K tokens, where {data.source} lists {listed.usd_per_1k:g}: "
                "correct it, or remove price"
            )


def _old(as_of: str, today: date, max_age_days: int) -> Iterator[tuple[Kind, str]]:
    if not as_of:
        yield "old", "nobody wrote when this price was looked up: add asOf"
        return
    age_days = (today - date.fromisoformat(as_of)).days
    if age_days > max_age_days:
        yield "old", f"looked up {age_days} days ago, on {as_of}: look again, and correct asOf"
    elif age_days < 0:
        yield "old", f"asOf {as_of} is still to come: write the day on which the price was looked up"
