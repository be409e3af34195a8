"""The router itself, and what it would do."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

import click

from ..errors import ClientError, NoTarget
from .common import config_option, run, say


@click.command()
@config_option
def serve(config_path: Path) -> None:
    """Run the router."""
    from ..config.load import load
    from ..router_process import serve_router
    from ..workers.crew import WorkersFailed
    from ..workers.supervisor import serve_workers

    loaded = load(str(config_path), os.environ)
    for warning in loaded.warnings:
        say(f"warning: {warning}")
    if loaded.config.server.workers == 1:
        run(lambda: serve_router(loaded, lambda: load(str(config_path), os.environ), say=say))
        return
    try:
        run(lambda: serve_workers(str(config_path), os.environ, say=say))
    except WorkersFailed as failure:
        click.echo(str(failure), err=True)
        sys.exit(failure.exit_code)


@click.command(hidden=True)
@click.option("--listener", type=int, required=True)
@click.option("--channel", type=int, required=True)
def worker(listener: int, channel: int) -> None:
    """One worker of a router; ``serve`` starts it, with the file descriptors of two sockets."""
    from ..workers.worker import serve_worker

    with socket.socket(fileno=listener) as public, socket.socket(fileno=channel) as supervisor:
        run(lambda: serve_worker(public, supervisor, os.environ))


@click.command()
@config_option
@click.option("--header", "-H", "headers", multiple=True, metavar="'Name: value'", help="A request header.")
@click.option("--json", "as_json_", is_flag=True, help="The same as POST /v1/route answers.")
@click.argument("request_file", metavar="REQUEST.json", type=click.File("rb"))
def explain(config_path: Path, headers: tuple[str, ...], as_json_: bool, request_file: Any) -> None:
    """Explain who would answer REQUEST.json ('-' for standard input) and why.

    Without a running router every target counts as healthy, and clusters cost what the configuration says.
    """
    import msgspec

    from ..config.load import load
    from ..explaining import explain_request, render
    from ..routing.explain import as_json

    loaded = load(str(config_path), os.environ)
    pairs = [_header(header) for header in headers]
    try:
        decision = explain_request(loaded, request_file.read(), pairs)
    except (ClientError, NoTarget) as error:
        rejected = [{"target": r.target, "reason": r.reason} for r in getattr(error, "rejected", ())]
        if as_json_:
            shown = {"error": {"status": error.status, "code": error.code, "message": error.message}}
            click.echo(msgspec.json.encode({**shown, "targets": [], "rejected": rejected}).decode())
        else:
            click.echo(f"{error.status} {error.code}: {error.message}", err=True)
            for rejection in rejected:
                click.echo(f"  {rejection['target']}: {rejection['reason']}", err=True)
        sys.exit(1)
    if as_json_:
        click.echo(msgspec.json.format(msgspec.json.encode(as_json(decision)), indent=2).decode())
    else:
        render(decision)


def _header(text: str) -> tuple[bytes, bytes]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.BadParameter(f"expected 'Name: value', got {text!r}", param_hint="--header")
    return name.strip().lower().encode("latin-1"), value.strip().encode("latin-1")
