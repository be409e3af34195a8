"""``llm-router``: one command, a subcommand a job. What a command needs is imported when it runs, so all start fast."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from . import __version__
from .errors import ClientError, ConfigError, NoTarget

CONFIG_REFUSED = 78
"""sysexits' EX_CONFIG: a supervisor need not try again."""

config_option = click.option(
    "--config", "config_path", required=True, type=click.Path(path_type=Path), help="Configuration file (YAML)."
)


class _Group(click.Group):
    """Refused configurations end a command with one line per problem, never with a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            for problem in error.problems:
                click.echo(str(problem), err=True)
            ctx.exit(1 if ctx.invoked_subcommand == "check" else CONFIG_REFUSED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="llm-router")
def main() -> None:
    """Route each LLM request to the self-hosted cluster or the provider that should answer it.

    LOG_LEVEL sets what the long-running commands log: debug, info (default), warning or error.
    """


@main.command()
@config_option
def serve(config_path: Path) -> None:
    """Run the router."""
    from .config.load import load
    from .router_process import serve_router

    loaded = load(str(config_path), os.environ)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    _run(lambda: serve_router(loaded, lambda: load(str(config_path), os.environ), say=_say))


@main.command()
@config_option
def check(config_path: Path) -> None:
    """Check a configuration: exit 0, or 1 with one line per problem."""
    from .config.load import load

    loaded = load(str(config_path), os.environ)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    clusters, providers = len(loaded.config.clusters), len(loaded.config.external_providers)
    click.echo(f"{config_path}: fine ({clusters} clusters, {providers} providers)")


@main.command()
@click.option("--fragment", is_flag=True, help="The schema of a stack's fragment instead.")
def schema(fragment: bool) -> None:
    """Print the JSON Schema of the configuration."""
    from .config.json_schema import fragment_schema, router_schema, to_text

    click.echo(to_text(fragment_schema() if fragment else router_schema()), nl=False)


@main.command()
@config_option
@click.option("--header", "-H", "headers", multiple=True, metavar="'Name: value'", help="A request header.")
@click.option("--json", "as_json_", is_flag=True, help="The same as POST /v1/route answers.")
@click.argument("request_file", metavar="REQUEST.json", type=click.File("rb"))
def explain(config_path: Path, headers: tuple[str, ...], as_json_: bool, request_file: Any) -> None:
    """Explain who would answer REQUEST.json ('-' for standard input) and why.

    Without a running router every target counts as healthy, and clusters cost what the configuration says.
    """
    import msgspec

    from .config.load import load
    from .explaining import explain_request, render
    from .routing.explain import as_json

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


@main.command()
@click.option("--base", type=click.Path(path_type=Path), help="What the operator writes: everything but clusters.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write the result; standard output without it.")
@click.argument("fragments", nargs=-1, required=True, type=click.Path(path_type=Path))
def merge(base: Path | None, out: Path | None, fragments: tuple[Path, ...]) -> None:
    """Merge the fragments that the cloud stacks emit into one router configuration."""
    from .config import fragments as parts
    from .config.yaml_nodes import read_file

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


@main.command("import")
@click.option("--from", "dialect", default="auto", show_default=True, help="semantic-router, loom or litellm.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write the result; standard output without it.")
@click.option("--allow-literal-secrets", is_flag=True, help="Write secrets that stand in the file into the result.")
@click.argument("config_path", metavar="IN.yaml", type=click.Path(path_type=Path))
def import_(dialect: str, out: Path | None, allow_literal_secrets: bool, config_path: Path) -> None:
    """Convert another gateway's configuration: vLLM semantic-router's, Loom's or LiteLLM's.

    References stay references. The router loads such files as they are, too: convert to go on from there.
    """
    from .config.importing import NAMES, import_file

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


# ---------------------------------------------------------------- keys


@main.group()
def keys() -> None:
    """Create and revoke API keys."""


def _names(_ctx: click.Context, _param: click.Parameter, value: str | None) -> frozenset[str] | None:
    return None if value is None else frozenset(name.strip() for name in value.split(",") if name.strip())


@keys.command("create")
@click.option("--file", "key_file", required=True, type=click.Path(path_type=Path), help="The router's key file.")
@click.option("--name", required=True, help="What the key is called in the file, the ledger and the metrics.")
@click.option("--models", callback=_names, help="Only these models (comma-separated).")
@click.option("--targets", callback=_names, help="Only these targets, clusters or providers.")
@click.option("--strategies", callback=_names, help="Only these may be asked for with X-LLM-Strategy; '' for none.")
@click.option("--tags", callback=_names, help="Compliance tags that every request with this key requires.")
@click.option("--expires", help="Last moment of use, ISO 8601.")
def create_key(key_file: Path, name: str, **scopes: Any) -> None:
    """Create a key and print it, once: only its hash is stored."""
    from .admission.key_file import create

    click.echo(create(key_file, name, **scopes))


@keys.command("revoke")
@click.option("--file", "key_file", required=True, type=click.Path(path_type=Path), help="The router's key file.")
@click.argument("name")
def revoke_key(key_file: Path, name: str) -> None:
    """Take the key called NAME out of the file."""
    from .admission.key_file import revoke

    revoke(key_file, name)
    click.echo("revoked; a running router takes it until its next reload", err=True)


# ---------------------------------------------------------------- cluster side


@main.command()
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

    from .upstream.signing import Signer

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


@main.command()
@config_option
def gate(config_path: Path) -> None:
    """Run the verifying proxy in front of llama-server."""
    from .config.load import load_struct
    from .gate.app import serve as serve_gate
    from .gate.config import GateConfig

    settings = load_struct(str(config_path), GateConfig, os.environ)
    _run(lambda: serve_gate(settings, on_listening=lambda host, port: _say(f"the gate listens on {host}:{port}")))


@main.command()
@config_option
def exporter(config_path: Path) -> None:
    """Run the cost and throughput exporter of one pool."""
    from .config.load import load_struct
    from .exporter.app import serve as serve_exporter
    from .exporter.config import ExporterConfig

    settings = load_struct(str(config_path), ExporterConfig, os.environ)
    _run(lambda: serve_exporter(settings, on_listening=lambda host, port: _say(f"exporting on {host}:{port}")))


@main.command()
@click.option("--once", is_flag=True, help="End after the show: exit 0 if all went well.")
@click.option("--json", "as_json_", is_flag=True, help="One JSON document instead of the show (implies --once).")
@click.option("--engine", type=click.Choice(["xllamacpp", "llama-cpp-python"]), default="xllamacpp", show_default=True)
@click.option("--model", "model_path", type=click.Path(path_type=Path), help="A GGUF file instead of the tiny models.")
@click.option("--port", default=8080, show_default=True, help="The router's port.")
@click.option("--admin-port", default=9091, show_default=True, help="The admin listener's port.")
@click.option("--control-port", default=9099, show_default=True, help="Where clusters can be stopped and started.")
def demo(once: bool, as_json_: bool, engine: str, model_path: Path | None, **ports: int) -> None:
    """Watch a real router choose between three llama.cpp clusters and three providers, on this machine."""
    from .demo.contract import Listeners
    from .demo.show import Settings, run_demo

    settings = Settings(
        once=once or as_json_,
        as_json=as_json_,
        engine=engine,
        model_path=model_path,
        listeners=Listeners(**ports),
    )
    sys.exit(asyncio.run(run_demo(settings)))


def _run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a long-running command: on uvloop, with its log on standard error."""
    import uvloop

    from .telemetry.logging import configure_logging

    level = os.environ.get("LOG_LEVEL", "info")
    try:
        configure_logging(level)
    except ValueError:
        raise click.ClickException(f"LOG_LEVEL is {level!r}: set it to debug, info, warning or error") from None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def _header(text: str) -> tuple[bytes, bytes]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.BadParameter(f"expected 'Name: value', got {text!r}", param_hint="--header")
    return name.strip().lower().encode("latin-1"), value.strip().encode("latin-1")


def _say(text: str) -> None:
    click.echo(text, err=True)
