"""The catalog of models, by hand."""

from __future__ import annotations

from pathlib import Path

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
    """List, verify and add the models that pools serve."""


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
