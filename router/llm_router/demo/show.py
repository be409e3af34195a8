"""The show: a world of real processes, scripted requests through the router, a cluster killed and brought back."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import httpx
import msgspec

from ..errors import ConfigError, RouterError
from .asking import Asker
from .children import ChildFailed
from .contract import Listeners
from .control import serve_control
from .models import Models, own_model, tiny_models
from .screen import Screen
from .steps import ALL_UP, CLUSTERS, PROVIDERS, SIMPLE, Result, Step, answered_by
from .world import World

SETTLE_S = 15.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Ask = Callable[[Step], Awaitable[Result]]


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
    except (RouterError, httpx.HTTPError) as error:
        screen.error(str(error) or type(error).__name__)
    except asyncio.CancelledError:
        return 130
    return 1


async def _perform(world: World, settings: Settings, screen: Screen) -> int:
    started = time.monotonic()
    await world.start()
    screen.progress(f"ready after {time.monotonic() - started:.1f} s")
    async with Asker(world.url, world.admin_url) as asker:
        results = await _play(world, asker, screen)
        savings, metrics = await asker.savings(), await asker.metrics()
    problems = [f"{result.title}: {result.problem}" for result in results if result.problem]
    if settings.as_json:
        shown = {"ok": not problems, "requests": [asdict(result) for result in results], "savings": savings}
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


async def _play(world: World, asker: Asker, screen: Screen) -> list[Result]:
    """Every scene, in order."""
    results: list[Result] = []

    async def ask(step: Step) -> Result:
        result = await asker.ask(step)
        result = replace(result, problem=step.expect(result))
        screen.row(result)
        results.append(result)
        return result

    screen.open_table()
    for step in ALL_UP:
        await ask(step)
    await _rate_limited(world, ask)
    await _lost_cluster(world, asker, ask, screen)
    await _all_lost(world, ask, screen)
    return results


async def _rate_limited(world: World, ask: Ask) -> None:
    """A provider says 429: the next one answers."""
    await world.fault("anthropic", kind="rate_limit", times=1, retry_after="1")
    limited = Step(
        "provider rate-limited",
        "Hello",
        answered_by(PROVIDERS, after_failures=True),
        headers={"X-LLM-Strategy": "external_first"},
    )
    await ask(limited)
    await world.fault("anthropic")


async def _lost_cluster(world: World, asker: Asker, ask: Ask, screen: Screen) -> None:
    """The cluster that would answer is killed: the request fails over; brought back, it answers again."""
    first = await asker.first_choice(SIMPLE)
    screen.scene(f"killing {first}")
    await world.stop_cluster(first)
    everybody_else = (CLUSTERS | PROVIDERS) - {first}
    await ask(
        replace(SIMPLE, title=f"{first} killed: failover", expect=answered_by(everybody_else, after_failures=True))
    )
    screen.scene(f"bringing {first} back")
    await world.start_cluster(first)
    await _until(world.all_healthy, f"{first} is not healthy again")
    await ask(replace(SIMPLE, title=f"{first} is back", headers={"X-LLM-Target": first}))


async def _all_lost(world: World, ask: Ask, screen: Screen) -> None:
    """Without any cluster, providers answer."""
    screen.scene("killing every cluster")
    await asyncio.gather(*(world.stop_cluster(name) for name in world.clusters))

    async def none_left() -> bool:
        health = await world.health()
        return health is not None and health["healthy_clusters"] == 0

    await _until(none_left, "the router still finds clusters healthy")
    fallback = answered_by(PROVIDERS, reasons=["fallback_external"])
    await ask(replace(SIMPLE, title="all clusters down", expect=fallback))
    screen.scene("bringing them back")
    await asyncio.gather(*(world.start_cluster(name) for name in world.clusters))
    await _until(world.all_healthy, "not every cluster is healthy again")
    await ask(replace(SIMPLE, title="and all are back"))


async def _until(holds: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    try:
        async with asyncio.timeout(SETTLE_S):
            while not await holds():  # noqa: ASYNC110 -- the router has no event for it, it must be asked
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise ChildFailed(f"{otherwise} after {SETTLE_S:g} s") from None


def _models(path: Path | None, report: Callable[[str], None]) -> Models:
    return own_model(path) if path is not None else tiny_models(report)
