"""Commands about the configuration: is it right, what may stand in it, where does it come from."""

from __future__ import annotations

import os
from pathlib import Path

import click

from .common import config_option


@click.command()
@config_option
def check(config_path: Path) -> None:
    """Check a configuration: exit 0, or 1 with one line per problem."""
    from ..config.load import load

    loaded = load(str(config_path), os.environ)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    clusters, providers = len(loaded.config.clusters), len(loaded.config.external_providers)
    click.echo(f"{config_path}: fine ({clusters} clusters, {providers} providers)")


@click.command()
@click.option("--fragment", is_flag=True, help="The schema of a stack's fragment instead.")
@click.option("--openapi", is_flag=True, help="The OpenAPI document of the public listener instead.")
def schema(fragment: bool, openapi: bool) -> None:
    """Print the JSON Schema of the configuration."""
    from .. import __version__
    from ..api.openapi_document import document
    from ..config.json_schema import fragment_schema, router_schema, to_text

    if fragment and openapi:
        raise click.UsageError("--fragment and --openapi are two documents: ask for one.")
    click.echo(
        to_text(document(__version__) if openapi else fragment_schema() if fragment else router_schema()), nl=False
    )


@click.command()
@click.option("--base", type=click.Path(path_type=Path), help="What the operator writes: everything but clusters.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write the result; standard output without it.")
@click.argument("fragments", nargs=-1, required=True, type=click.Path(path_type=Path))
def merge(base: Path | None, out: Path | None, fragments: tuple[Path, ...]) -> None:
    """Merge the fragments that the cloud stacks emit into one router configuration."""
    from ..config import fragments as parts
    from ..config.yaml_nodes import read_file

    read = [parts.read_fragment(str(path)) for path in fragments]
    operators = read_file(str(base)).data if base is not None else {}
    text = parts.render(parts.merge(operators, read), stacks=[part.stack for part in read])
    if out is None:
        click.echo(text, nl=False)
    else:
        try:
            out.write_text(text)
        except OSError as exc:
            raise click.ClickException(f"cannot write {out}: {exc.strerror}") from exc


@click.command("import")
@click.option("--from", "dialect", default="auto", show_default=True, help="semantic-router, loom or litellm.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write the result; standard output without it.")
@click.option("--allow-literal-secrets", is_flag=True, help="Write secrets that stand in the file into the result.")
@click.argument("config_path", metavar="IN.yaml", type=click.Path(path_type=Path))
def import_(dialect: str, out: Path | None, allow_literal_secrets: bool, config_path: Path) -> None:
    """Convert another gateway's configuration: vLLM semantic-router's, Loom's or LiteLLM's.

    References stay references. The router loads such files as they are, too: convert to go on from there.
    """
    from ..config.importing import NAMES, import_file

    if dialect not in NAMES:
        raise click.BadParameter(f"choose one of {', '.join(NAMES)}", param_hint="--from")
    target = None if out is None else str(out)
    done = import_file(
        str(config_path), os.environ, dialect=dialect, out=target, allow_literal_secrets=allow_literal_secrets
    )
    for warning in done.warnings:
        click.echo(f"warning: {warning}", err=True)
    if out is None:
        click.echo(done.text, nl=False)
    else:
        out.write_text(done.text)
