"""The catalog of models, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

catalog_option = click.option(
    "--catalog",
    "catalog_path",
    type=click.Path(path_type=Path),
    default=Path("models/catalog.yaml"),
    show_default=True,
    help="The catalog's file.",
)


@click.group()
def models() -> None:
    """List, verify, add and fetch the models that pools serve."""


@models.command("list")
@catalog_option
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
def list_models(catalog_path: Path, as_json: bool) -> None:
    """Show the models, the memory that each needs where it is meant to run, and how fast it is there."""
    import json

    from ..catalog.files import read_catalog
    from ..catalog.table import table
    from ..config.masked import plain

    catalog = read_catalog(catalog_path)
    click.echo(json.dumps(plain(catalog), indent=2) if as_json else table(catalog))


@models.command("verify")
@catalog_option
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def verify_model(catalog_path: Path, name: str, file: Path) -> None:
    """Check that FILE is what the catalog means by NAME: size and SHA-256."""
    from ..catalog.files import WrongWeights, known, read_catalog, verify

    model = known(read_catalog(catalog_path), name, catalog_path)
    try:
        verify(model, file)
    except WrongWeights as wrong:
        raise click.ClickException(str(wrong)) from wrong
    click.echo(f"{file} is {name}")


@models.command("add")
@catalog_option
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--uri", required=True, help="Where pools get it from: https:// or oci://, with its revision.")
@click.option("--name", help="What it is called; by default what the file says.")
@click.option("--licence", help="Its licence, where the file does not say it.")
@click.option("--parameters", default="unknown", show_default=True, help="Its size, like 7B.")
def add_model(catalog_path: Path, file: Path, **told: str | None) -> None:
    """Append an entry made of FILE's header, its size and its SHA-256."""
    from ..catalog.adding import entry_of
    from ..catalog.files import append
    from ..catalog.gguf_header import UnreadableHeader

    try:
        model = entry_of(file, **told)
    except UnreadableHeader as unreadable:
        raise click.ClickException(str(unreadable)) from unreadable
    append(catalog_path, model)
    click.echo(f"{model.name} is in {catalog_path}: say there on which pools it is to run, and how fast it is")


@models.command("fetch")
@click.option("--file", required=True, type=click.Path(path_type=Path), help="Where the weights are to lie.")
@click.option("--sha256", required=True, help="Of the whole file, in hexadecimal digits.")
@click.option("--size", "size_bytes", required=True, type=click.IntRange(1), help="Bytes of the file.")
@click.option("--uri", help="Where to get it from; without it the file must be there already.")
def fetch_model(**wanted: Any) -> None:
    """Put weights where llama-server expects them, and end with 0 only where size and SHA-256 are right.

    What pods run before llama-server starts; a broken download goes on where it stopped.
    """
    import os

    from ..catalog.fetch import FetchFailed, Wanted, fetch
    from ..telemetry.logging import configure_logging

    configure_logging(os.environ.get("LOG_LEVEL", "info"))
    try:
        fetch(Wanted(**wanted))
    except FetchFailed as failed:
        raise click.ClickException(str(failed)) from failed
