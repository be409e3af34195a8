"""What runs beside llama-server, and what speaks to it by hand."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from ..config.findings import Finding, path_of
from ..errors import ConfigError
from .common import config_option, run, say

T = TypeVar("T")


@click.command()
@click.option("--key-id", required=True)
@click.option("--secret-env", default="LLM_ROUTER_SECRET", show_default=True, help="Variable that holds the secret.")
@click.option("--target", required=True, help="What the gate calls itself.")
@click.option("--authority", required=True, help="What the gate's `authority` says.")
@click.option("--method", default="POST", show_default=True)
@click.option("--path", required=True)
@click.option("--query", default="")
@click.option("--content-type", default="application/json", show_default=True)
@click.option("--body", "body_file", type=click.File("rb"), help="File with the body, '-' for standard input.")
def sign(key_id: str, secret_env: str, target: str, authority: str, body_file: Any, **request: str) -> None:
    """Print the headers of a signed request, one `Name: value` a line, for `curl -H @-`."""
    import uuid

    from ..upstream.signing import Signer

    if not request["path"].startswith("/") or "/" in authority:
        raise click.ClickException("--path begins with a slash, --authority is host or host:port without one")
    secret = os.environ.get(secret_env)
    if not secret:
        raise click.ClickException(f"set {secret_env} to the secret that the gate knows as {key_id}")
    try:
        signer = Signer(key_id, secret, authority, target)
    except ValueError as exc:
        raise click.ClickException(f"{secret_env}: {exc}") from exc
    body = body_file.read() if body_file else b""
    headers = signer.sign(**request, body=body, request_id=str(uuid.uuid4()), now=time.time())
    for name, value in (("content-type", request["content_type"]), *headers):
        click.echo(f"{name}: {value}")


@click.command()
@config_option
def gate(config_path: Path) -> None:
    """Run the verifying proxy in front of llama-server."""
    from ..config.load import load_struct
    from ..gate.app import serve as serve_gate
    from ..gate.config import GateConfig, check

    def load() -> GateConfig:
        return load_struct(str(config_path), GateConfig, os.environ, _found_by(check))

    settings = load()
    run(
        lambda: serve_gate(
            settings, load=load, on_listening=lambda host, port: say(f"the gate listens on {host}:{port}")
        )
    )


@click.command()
@config_option
def exporter(config_path: Path) -> None:
    """Run the cost and throughput exporter of one pool."""
    from ..config.load import load_struct
    from ..exporter.app import serve as serve_exporter
    from ..exporter.check import check
    from ..exporter.config import ExporterConfig

    def load() -> ExporterConfig:
        return load_struct(str(config_path), ExporterConfig, os.environ, _found_by(check))

    settings = load()
    run(lambda: serve_exporter(settings, load=load, on_listening=lambda host, port: say(f"exporting on {host}:{port}")))


def _found_by(check: Callable[[T], None]) -> Callable[[T], Iterator[Finding]]:
    """What it refuses, so that it can be told by line."""

    def found(config: T) -> Iterator[Finding]:
        try:
            check(config)
        except ConfigError as error:
            for problem in error.problems:
                yield Finding(path_of(problem.path), problem.message)

    return found
