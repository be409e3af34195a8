"""What was spent and saved, from the ledger itself or from the router that has it in memory."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from msgspec import structs

if TYPE_CHECKING:
    from ..config.schema import Config
    from ..pricing.savings import Query
    from ..state.ledger.store import Store

Command = Callable[..., None]

ADMIN_KEY_VARIABLE = "LLM_ROUTER_ADMIN_KEY"
"""A key of ``admin.keysFile``, for a router whose admin listener asks for one."""


def _which_records(command: Command) -> Command:
    """The options by which both commands choose a ledger and a time."""
    for option in (
        click.option("--until", help="Only what was settled before this."),
        click.option("--since", help="A time ago such as 7d or 12h, a day (UTC) such as 2026-11-01, or a moment."),
        click.option("--ledger", "url", envvar="LLM_ROUTER_LEDGER", show_envvar=True, help="The ledger's URL instead."),
        click.option("--config", "config_path", type=click.Path(path_type=Path), help="The router's configuration."),
    ):
        command = option(command)
    return command


@click.command()
@_which_records
@click.option("--by", default="target", show_default=True, help="One or several of target, model, key, day, baseline.")
@click.option("--json", "as_json", is_flag=True, help="What GET /admin/savings answers.")
def savings(
    config_path: Path | None, url: str | None, since: str | None, until: str | None, by: str, **how: bool
) -> None:
    """Show what was spent, and what the baseline would have cost."""
    from ..pricing.savings import CHEAPEST, report
    from .savings_table import render

    query = _query(since, until, by)
    config = _config(config_path, url)
    if config is not None and config.ledger.url is None:
        shown = _asked_of_the_router(config, {"since": since, "until": until, "by": by})
    else:
        with _opened(config, config_path, url) as store:
            tallies = store.tallies(query)
            baseline = None if config is None else config.router.cost.baseline or CHEAPEST
            shown = report(tallies, query, ledger=store.backend, baseline=baseline, complete=True, now=time.time())
    if how["as_json"]:
        click.echo(json.dumps(shown, indent=2))
    else:
        render(shown)


@click.group()
def ledger() -> None:
    """The record of each request."""


@ledger.command("export")
@_which_records
def export(config_path: Path | None, url: str | None, since: str | None, until: str | None) -> None:
    """Print the records as JSON lines, in order of settlement."""
    query = _query(since, until, "")
    config = _config(config_path, url)
    if config is not None and config.ledger.url is None:
        raise click.ClickException(f"{config_path}: the ledger is in memory: set ledger.url to keep records")
    with _opened(config, config_path, url) as store:
        for line in store.export(query):
            click.echo(json.dumps(line))


def _query(since: str | None, until: str | None, by: str) -> Query:
    from ..pricing.savings_query import query_of

    try:
        return query_of(since=since, until=until, by=by, now=time.time())
    except ValueError as error:
        raise click.UsageError(f"--{error}") from error


def _config(config_path: Path | None, url: str | None) -> Config | None:
    """The configuration where it says which ledger, ``None`` where a URL does. No other secret in it is looked for."""
    from ..config.load import load_for_reckoning, references
    from ..config.secrets import BadReference

    typed = click.get_current_context().get_parameter_source("url") is ParameterSource.COMMANDLINE
    if config_path is not None and typed:
        raise click.UsageError("give --config or --ledger, not both")
    if config_path is None and url is not None:
        return None
    if config_path is None:
        raise click.UsageError("give --config with the router's configuration, or --ledger with the ledger's URL")
    config = load_for_reckoning(str(config_path), os.environ).config
    if config.ledger.url is None:
        return config
    try:
        found = references(str(config_path), os.environ).secret(config.ledger.url).value
    except BadReference as error:
        raise click.ClickException(f"{config_path}: ledger.url: {error}") from error
    return structs.replace(config, ledger=structs.replace(config.ledger, url=found))


@contextmanager
def _opened(config: Config | None, config_path: Path | None, url: str | None) -> Iterator[Store]:
    from ..state.ledger.store import StoreUnavailable, open_store

    where = url if config is None else config.ledger.url
    folder = Path() if config is None or config_path is None else config_path.parent
    store = open_store(str(where), folder=folder, must_exist=True)
    try:
        yield store
    except StoreUnavailable as error:
        raise click.ClickException(f"the ledger cannot be read: {error}") from error
    finally:
        store.close()


def _asked_of_the_router(config: Config, params: dict[str, str | None]) -> dict[str, Any]:
    import ssl

    import httpx

    host = f"[{config.admin.host}]" if ":" in config.admin.host else config.admin.host
    scheme = "http" if config.admin.tls is None else "https"
    url = f"{scheme}://{host}:{config.admin.port}/admin/savings"
    given = {name: value for name, value in params.items() if value is not None}
    key = os.environ.get(ADMIN_KEY_VARIABLE)
    headers = {} if not key else {"authorization": f"Bearer {key}"}
    try:
        trust = ssl.create_default_context()
        answer = httpx.get(url, params=given, headers=headers, timeout=30.0, trust_env=False, verify=trust)
        shown: dict[str, Any] = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        message = f"the ledger is in the router's memory, and the router does not tell: {url}: {error}"
        raise click.ClickException(message) from error
    return shown
