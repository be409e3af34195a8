"""List prices: what they are, whether they can be relied on, what has changed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common import config_option, print_json

if TYPE_CHECKING:
    from ..config.schema import Config
    from ..model import ListPrice, Rate
    from ..pricing.list_prices import PriceBook
    from ..pricing.price_review import Difference, Priced

_DAY = click.DateTime(formats=["%Y-%m-%d"])
_json_option = click.option("--json", "as_json_", is_flag=True, help="One JSON document instead of a table.")
_optional_config = click.option(
    "--config", "config_path", type=click.Path(path_type=Path), help="Only what this configuration uses."
)


@click.group()
def prices() -> None:
    """List prices of external models: list, check, diff."""


@prices.command("list")
@_optional_config
@click.option("--provider", default="", help="Only providers whose name or type contains this.")
@click.option("--model", default="", help="Only models whose name contains this.")
@click.option("--at", type=_DAY, help="Prices of that day, YYYY-MM-DD (UTC). Default: now.")
@_json_option
def list_(config_path: Path | None, provider: str, model: str, at: datetime | None, as_json_: bool) -> None:
    """Show list prices in USD per 1K tokens, overrides included."""
    book = _book(at)
    shown = [one for one in _models(config_path, book) if provider in one.owner and model in one.model]
    if as_json_:
        print_json({"prices": [_as_json(one) for one in shown]})
        return
    _print_table(
        ("provider", "model", "input", "output", "cache read", "cache write", "for 1 h", "source"),
        ((one.owner, one.model, *(_show(rate) for rate in _rates(one.price)), _source(one.price)) for one in shown),
    )


@prices.command("check")
@config_option
@click.option("--max-age", "max_age_days", default=90, show_default=True, help="Days that an override stays good.")
@click.option("--far", default=0.25, show_default=True, help="Share by which an override may differ from the data.")
@_json_option
def check_prices(config_path: Path, max_age_days: int, far: float, as_json_: bool) -> None:
    """Name every model whose price is unknown, far from the data, or old: exit code 1 if there is one."""
    from ..pricing.price_review import review

    book, today = _book(None), datetime.now(UTC).date()
    models = list(_models(config_path, book))
    found = list(review(models, today, max_age_days=max_age_days, far=far))
    newest = book.newest_entry()
    if as_json_:
        remarks = [{"target": r.target, "model": r.model, "kind": r.kind, "message": r.message} for r in found]
        print_json({"remarks": remarks, "models": len(models), "newest_entry": newest and newest.isoformat()})
    else:
        for remark in found:
            click.echo(f"{remark.kind}: {remark.target} ({remark.model}): {remark.message}")
        click.echo(_freshness(newest, today, max_age_days), err=True)
        if not found:
            click.echo(f"{config_path}: {len(models)} prices, all fine")
    sys.exit(any(remark.kind != "changes" for remark in found))


@prices.command("diff")
@_optional_config
@click.option("--since", type=_DAY, help="What has changed since that day, YYYY-MM-DD, by the data.")
@_json_option
def diff(config_path: Path | None, since: datetime | None, as_json_: bool) -> None:
    """Compare the prices in use with those of the data; or, with --since, the data's own with those of that day."""
    from ..pricing.price_review import differences

    if config_path is None and since is None:
        raise click.UsageError("give --config, whose overrides are compared with the data, or --since, or both")
    now = _book(None)
    found: list[Difference] = []
    for one in _models(config_path, now):
        if since is None:
            found += differences(one.target, one.model, one.data, one.price)
    if since is not None:
        then = {(one.target, one.model): one.data for one in _models(config_path, _book(since))}
        for one in _models(config_path, now):
            found += differences(one.target, one.model, then.get((one.target, one.model)), one.data)
    before, after = ("data", "in use") if since is None else (f"{since:%Y-%m-%d}", "now")
    if as_json_:
        print_json({"before": before, "after": after, "differences": [_difference_as_json(d) for d in found]})
    elif not found:
        click.echo("no difference")
    else:
        _print_table(
            ("target", "model", "rate", before, after),
            ((d.target, d.model, d.rate.replace("_", " "), _show(d.before), _show(d.after)) for d in found),
        )


# ---------------------------------------------------------------- which models


def _book(at: datetime | None) -> PriceBook:
    from ..pricing.list_prices import PriceBook

    return PriceBook(datetime.now(UTC) if at is None else at.replace(tzinfo=UTC))


def _models(config_path: Path | None, book: PriceBook) -> Iterable[Priced]:
    if config_path is None:
        return _of_the_data(book)
    from ..config.load import load_for_reckoning

    return _of_the_configuration(load_for_reckoning(str(config_path)).config, book)


def _of_the_configuration(config: Config, book: PriceBook) -> Iterator[Priced]:
    from ..config.providers import PROVIDER_TYPES
    from ..pricing.price_review import Priced
    from ..routing.targets import build_targets, enabled_providers

    price_ids = {provider.name: PROVIDER_TYPES[provider.type].price_id for provider in enabled_providers(config)}
    for target in build_targets(config, book):
        if target.kind == "provider":
            price_id = price_ids[target.owner]
            yield Priced(
                target=target.name,
                owner=target.owner,
                model=target.model,
                price=target.list_price,
                data=book.lookup(price_id, target.model),
                changes_on=book.next_change(price_id, target.model),
            )


def _of_the_data(book: PriceBook) -> Iterator[Priced]:
    """What the data knows of the provider types that the router speaks to."""
    from ..config.providers import PROVIDER_TYPES
    from ..pricing.price_review import Priced

    types: dict[str, str] = {}
    for name, kind in PROVIDER_TYPES.items():
        if kind.price_id is not None:
            types.setdefault(kind.price_id, name)
    for price_id, name in types.items():
        for model in book.models(price_id):
            price = book.lookup(price_id, model)
            yield Priced(target=name, owner=name, model=model, price=price, data=price)


# ---------------------------------------------------------------- how it is shown


def _rates(price: ListPrice | None) -> Iterator[Rate | None]:
    from ..pricing.price_review import rates

    return (rate for _, rate in rates(price))


def _show(rate: Rate | None) -> str:
    if rate is None:
        return "unknown"
    return ", ".join([_usd(rate.usd_per_1k), *(f"{_usd(usd)} above {tokens:,}" for tokens, usd in rate.tiers)])


def _usd(amount: float) -> str:
    return f"{amount:.9f}".rstrip("0").rstrip(".")


def _source(price: ListPrice | None) -> str:
    return "" if price is None else " ".join(part for part in (price.source, price.as_of) if part)


def _freshness(newest: date | None, today: date, max_age_days: int) -> str:
    if newest is None:
        return "the price data does not say how old it is"
    age_days = (today - newest).days
    advice = "; it may be out of date: upgrade genai-prices" if age_days > max_age_days else ""
    return f"the newest dated price of the data is of {newest}, {age_days} days ago{advice}"


def _as_json(one: Priced) -> dict[str, Any]:
    from ..pricing.price_review import rates

    price = one.price
    usd = None if price is None else {name: _rate_as_json(rate) for name, rate in rates(price)}
    shown = {"provider": one.owner, "model": one.model, "usd_per_1k_tokens": usd}
    return shown | {"source": price and price.source, "as_of": (price and price.as_of) or None}


def _difference_as_json(one: Difference) -> dict[str, Any]:
    shown = {"target": one.target, "model": one.model, "rate": one.rate}
    return shown | {"before": _rate_as_json(one.before), "after": _rate_as_json(one.after)}


def _rate_as_json(rate: Rate | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    return {"usd": rate.usd_per_1k, "tiers": [{"above": above, "usd": usd} for above, usd in rate.tiers]}


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from ..printing import print_table, standard_output

    print_table(standard_output(), columns, rows, title="USD per 1K tokens")
