"""API keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .common import names


@click.group()
def keys() -> None:
    """Create and revoke API keys."""


@keys.command("create")
@click.option("--file", "key_file", required=True, type=click.Path(path_type=Path), help="The router's key file.")
@click.option("--name", required=True, help="What the key is called in the file, the ledger and the metrics.")
@click.option("--models", callback=names, help="Only these models (comma-separated).")
@click.option("--targets", callback=names, help="Only these targets, clusters or providers.")
@click.option("--strategies", callback=names, help="Only these may be asked for with X-LLM-Strategy; '' for none.")
@click.option("--tags", callback=names, help="Compliance tags that every request with this key requires.")
@click.option("--expires", help="Last moment of use, ISO 8601.")
def create_key(key_file: Path, name: str, **scopes: Any) -> None:
    """Create a key and print it, once: only its hash is stored."""
    from ..admission.key_file import create

    click.echo(create(key_file, name, **scopes))


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
