"""The demo."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click


@click.command()
@click.option("--once", is_flag=True, help="End after the show: exit 0 if all went well.")
@click.option("--json", "as_json_", is_flag=True, help="One JSON document instead of the show (implies --once).")
@click.option("--engine", type=click.Choice(["xllamacpp", "llama-cpp-python"]), default="xllamacpp", show_default=True)
@click.option("--model", "model_path", type=click.Path(path_type=Path), help="A GGUF file instead of the tiny models.")
@click.option("--port", default=8080, show_default=True, help="The router's port.")
@click.option("--admin-port", default=9091, show_default=True, help="The admin listener's port.")
@click.option("--control-port", default=9099, show_default=True, help="Where clusters can be stopped and started.")
def demo(once: bool, as_json_: bool, engine: str, model_path: Path | None, **ports: int) -> None:
    """Watch a real router choose between three llama.cpp clusters and three providers, on this machine."""
    from ..demo.contract import Listeners
    from ..demo.show import Settings, run_demo

    settings = Settings(
        once=once or as_json_,
        as_json=as_json_,
        engine=engine,
        model_path=model_path,
        listeners=Listeners(**ports),
    )
    sys.exit(asyncio.run(run_demo(settings)))
