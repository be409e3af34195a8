"""The show: a world of real processes, the scenes that are played in it, and what they came to."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import msgspec

from ..errors import ConfigError, RouterError
from .asking import Asker
from .contract import Listeners
from .control import serve_control
from .engine import EngineError, check_installed, check_model
from .models import Models, own_model, tiny_models
from .scenes import Scenes
from .screen import Screen
from .world import World

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, kw_only=True)
class Settings:
    once: bool
    as_json: bool
    engine: str
    model_path: Path | None
    listeners: Listeners


async def run_demo(settings: Settings) -> int:
    """The whole demo. The exit code: 0 if everything went as it should, 1 if anything did not, 130 when interrupted
    before the end."""
    screen = Screen(quiet=settings.as_json)
    _end_on_signals()
    try:
        check_installed(settings.engine)
        if settings.model_path is not None:
            check_model(settings.model_path)
        settings.listeners.check_free()
        models = await asyncio.to_thread(_models, settings.model_path, screen.progress)
        with tempfile.TemporaryDirectory(prefix="llm-router-demo-") as folder:
            world = World(
                folder=Path(folder),
                models=models,
                engine=settings.engine,
                listeners=settings.listeners,
                say=screen.progress,
            )
            try:
                return await _perform(world, settings, screen)
            finally:
                screen.progress("ending the demo's processes")
                await world.end()
    except ConfigError as error:
        for problem in error.problems:
            screen.error(str(problem))
    except (EngineError, RouterError, httpx.HTTPError) as error:
        screen.error(str(error) or type(error).__name__)
    except asyncio.CancelledError:
        return 130
    return 1


async def _perform(world: World, settings: Settings, screen: Screen) -> int:
    started = time.monotonic()
    await world.start()
    screen.progress(f"ready after {time.monotonic() - started:.1f} s")
    async with Asker(world.url, world.admin_url) as asker:
        scenes = Scenes(world, asker, screen)
        await scenes.play()
        savings, metrics = await asker.savings(), await asker.metrics()
        booked_usd = await asker.booked_usd()
    results = scenes.results
    problems = [f"{result.title}: {result.problem}" for result in results if result.problem]
    if f"{booked_usd:.12f}" != f"{savings['cost_usd']:.12f}":
        problems.append(f"the ledger's records come to {booked_usd} USD, its report to {savings['cost_usd']} USD")
    if settings.as_json:
        shown = {
            "ok": not problems,
            "requests": [asdict(result) for result in results],
            "costs": scenes.costs,
            "savings": savings,
        }
        print(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())
        return 1 if problems else 0
    screen.summary(savings, metrics, problems)
    if not settings.once and not problems:
        screen.invite(world.url, world.admin_url, settings.listeners.control_port)
        await _keep_serving(world, settings.listeners.control_port)
    return 1 if problems else 0


async def _keep_serving(world: World, control_port: int) -> None:
    """Until Ctrl-C, which is how this is meant to end."""
    try:
        await serve_control(world, control_port)
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is not None:
            task.uncancel()


def _end_on_signals() -> None:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("outside a task")
    loop = asyncio.get_running_loop()

    def end() -> None:
        for number in STOP_SIGNALS:  # ending takes seconds: an impatient second Ctrl-C must not orphan the children
            loop.add_signal_handler(number, lambda: None)
        task.cancel()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, end)


def _models(path: Path | None, report: Callable[[str], None]) -> Models:
    return own_model(path) if path is not None else tiny_models(report)
