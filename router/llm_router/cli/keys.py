"""API keys, and the admin listener's password."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from .common import names

_PERIODS = {"day": "daily", "month": "monthly"}


def _budget(_context: click.Context, _option: click.Parameter, written: tuple[str, ...]) -> dict[str, float]:
    budget: dict[str, float] = {}
    for text in written:
        usd, _, period = text.partition("/")
        try:
            budget[_PERIODS[period]] = float(usd)
        except (KeyError, ValueError):
            raise click.BadParameter(f"write USD/day or USD/month, such as 5/day, not {text!r}") from None
    return budget


@click.group()
def keys() -> None:
    """Create and revoke API keys; hash the admin listener's password."""


@keys.command("create")
@click.option("--file", "key_file", required=True, type=click.Path(path_type=Path), help="The router's key file.")
@click.option("--name", required=True, help="What the key is called in the file, the ledger and the metrics.")
@click.option("--models", callback=names, help="Only these models (comma-separated).")
@click.option("--targets", callback=names, help="Only these targets, clusters or providers.")
@click.option("--strategies", callback=names, help="Only these may be asked for with X-LLM-Strategy; '' for none.")
@click.option("--tags", callback=names, help="Compliance tags that every request with this key requires.")
@click.option("--expires", help="Last moment of use, ISO 8601.")
@click.option(
    "--criticality",
    type=click.Choice(["sheddable", "default", "critical"]),
    default="default",
    help="Who is refused first under too much load.",
)
@click.option("--rpm", type=int, help="Requests in a minute.")
@click.option("--tpm", type=int, help="Tokens in a minute, prompts and answers together.")
@click.option("--concurrency", type=int, help="Requests at a time.")
@click.option(
    "--budget",
    multiple=True,
    callback=_budget,
    metavar="USD/PERIOD",
    help="What it may spend: 5/day, 100/month, or both.",
)
def create_key(
    key_file: Path, name: str, rpm: int | None, tpm: int | None, concurrency: int | None, **scopes: Any
) -> None:
    """Create a key and print it, once: only its hash is stored."""
    from ..admission.key_file import create

    stated = {"requestsPerMinute": rpm, "tokensPerMinute": tpm, "concurrentRequests": concurrency}
    limits = {limit: value for limit, value in stated.items() if value is not None}
    click.echo(create(key_file, name, limits=limits, **scopes))


@keys.command("revoke")
@click.option("--file", "key_file", required=True, type=click.Path(path_type=Path), help="The router's key file.")
@click.argument("name")
def revoke_key(key_file: Path, name: str) -> None:
    """Take the key called NAME out of the file."""
    from ..admission.key_file import revoke

    revoke(key_file, name)
    click.echo(
        "revoked; a running router follows within seconds, or at its reload with watchConfig: false",
        err=True,
    )


@keys.command("password")
@click.option(
    "--file", "hash_file", type=click.Path(path_type=Path), help="Where to write it; standard output without."
)
def hash_a_password(hash_file: Path | None) -> None:
    """Ask for a password and hash it, for admin.passwordHash. Without a terminal it is the first line of standard
    input."""
    from ..admission.passwords import SALT_BYTES, hash_password, password_fault

    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if (fault := password_fault(password)) is not None:
        raise click.ClickException(f"choose another password: {fault}")
    made = f"{hash_password(password, os.urandom(SALT_BYTES))}\n"
    if hash_file is None:
        click.echo(made, nl=False)
    else:
        hash_file.touch(mode=0o600)
        hash_file.chmod(0o600)
        hash_file.write_text(made)
