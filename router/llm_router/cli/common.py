"""What commands share."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import click

config_option = click.option(
    "--config", "config_path", required=True, type=click.Path(path_type=Path), help="Configuration file (YAML)."
)


def names(_ctx: click.Context, _param: click.Parameter, value: str | None) -> frozenset[str] | None:
    return None if value is None else frozenset(name.strip() for name in value.split(",") if name.strip())


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a long-running command: on uvloop, with its log on standard error and as many descriptors as it may have."""
    import uvloop

    from ..telemetry.logging import configure_logging
    from ..upstream.descriptors import take_descriptors

    level = os.environ.get("LOG_LEVEL", "info")
    try:
        configure_logging(level)
    except ValueError:
        raise click.ClickException(f"LOG_LEVEL is {level!r}: set it to debug, info, warning or error") from None
    take_descriptors()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def say(text: str) -> None:
    """To standard error. That nobody can hear it, as where the disk behind it is full, stops no server."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True)


def print_json(document: Mapping[str, Any]) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
