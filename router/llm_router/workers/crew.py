"""The workers of one router: started, replaced when they end, reloaded all or none, drained together."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from msgspec import Struct

from ..admission.admin_credentials import admin_credentials
from ..config.load import Loaded, parse
from ..config.yaml_nodes import file_content
from ..errors import ConfigError, Problem, RouterError
from ..telemetry.merging import Family
from . import messages
from .channel import Unanswered
from .hand import Hand
from .metrics import WorkerMetrics
from .restarts import Restarts

BUILD_S = 60.0
"""How long a worker may take to come up."""
PREPARE_S = 30.0
ASK_S = 5.0
MEASURE_EVERY_S = 1.0
"""How often metrics are gathered: a worker that is killed takes with it what it has counted since."""
SILENT_S = 60.0
"""A worker that says nothing for so long hangs."""
LAST_S = 20.0
"""What a worker may take to end beyond the time for requests: the last records go to the ledger."""
CONFIG_REFUSED = 78

logger = logging.getLogger("llm_router.workers")
T = TypeVar("T")


class WorkersFailed(RouterError):
    """There is nobody left who serves, and no sense in trying on. ``exit_code`` is what the supervisor ends with."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Crew:
    """``path`` is the file that reloads read; all workers serve what its last accepted ``text`` says."""

    def __init__(self, path: str, text: bytes, loaded: Loaded, env: Mapping[str, str], listener: socket.socket) -> None:
        """``loaded`` is what ``text`` says. Raises ``ConfigError``."""
        self.admin = admin_credentials(loaded)
        self._path, self._text, self.loaded, self._env, self._listener = path, text, loaded, env, listener
        self.metrics = WorkerMetrics()
        self._hands: set[Hand] = set()
        self._changing = asyncio.Lock()
        self._nobody = asyncio.Event()
        self._nobody.set()
        self._draining = False
        self.lost = 0
        """Workers that ended without having been told to."""

    @property
    def serving(self) -> list[Hand]:
        return sorted((hand for hand in self._hands if hand.serving), key=lambda hand: hand.number)

    # ------------------------------------------------------------ who runs

    async def keep(self, all_serve: Callable[[], None]) -> None:
        """Start the workers, the first one alone to see whether it comes up, and replace those that end; cancel it to
        end it. ``all_serve`` is called once they all do. Raises ``WorkersFailed``."""
        places = range(1, self.loaded.config.server.workers + 1)
        served = [asyncio.Event() for _ in places]
        try:
            async with asyncio.TaskGroup() as group:
                for place, event in zip(places, served, strict=True):
                    group.create_task(self._keep_place(place, event))
                    if place == 1:
                        await event.wait()
                group.create_task(self._keep_measuring())
                await asyncio.gather(*(event.wait() for event in served))
                all_serve()
        except ExceptionGroup as failures:
            # No except*: the first releases of Python 3.11 put what is raised there into a group again.
            failed = failures.subgroup(WorkersFailed)
            raise failures if failed is None else failed.exceptions[0] from None

    async def _keep_place(self, number: int, served: asyncio.Event) -> None:
        restarts = Restarts()
        while not self._draining:
            try:
                hand = await Hand.start(number, self._listener, self._answer)
            except OSError as error:
                how, refused = f"it cannot be started: {error}", False
                pause_s = restarts.ended(0.0, served=False)
            else:
                code = await self._see_through(hand, served)
                how, refused = f"process {hand.pid} {_how(code)}", code == CONFIG_REFUSED
                pause_s = restarts.ended(time.monotonic() - hand.started_at, served=hand.served)
            if self._draining:
                return
            self._judge(number, how, restarts, refused=refused, first=not served.is_set())
            self.metrics.restarted()
            logger.warning("worker %d has ended: %s", number, how)
            await asyncio.sleep(pause_s)

    def _judge(self, number: int, how: str, restarts: Restarts, *, refused: bool, first: bool) -> None:
        """Whether there is any point in another one. ``refused`` says that it was the configuration."""
        if refused and first and number == 1:
            raise WorkersFailed("no worker can serve this configuration", CONFIG_REFUSED)
        if restarts.hopeless and not self.serving:
            message = f"no worker serves, and worker {number} ended {restarts.failures} times in a row: {how}"
            raise WorkersFailed(message, CONFIG_REFUSED if refused else 1)

    async def _see_through(self, hand: Hand, served: asyncio.Event) -> int:
        """The life of one worker; its exit code."""
        self._hands.add(hand)
        self._nobody.clear()
        ending = asyncio.create_task(hand.ended())
        try:
            try:
                await self._bring_up(hand)
            except Unanswered as fault:
                if not hand.channel.gone:  # else it ends by itself, and says why
                    logger.warning("worker %d does not come up: %s", hand.number, fault)
                    hand.kill()
            else:
                served.set()
            return await ending
        except asyncio.CancelledError:
            hand.kill()
            await asyncio.gather(ending, return_exceptions=True)
            raise
        finally:
            self._hands.discard(hand)
            if not self._hands:
                self._nobody.set()
            self.lost += hand.served and not self._draining
            self.metrics.gathered.ended(hand)
            self.metrics.serving(len(self.serving))

    async def _bring_up(self, hand: Hand) -> None:
        """Nobody begins to serve what is no longer in force. Raises ``Unanswered``."""
        text = self._text
        await hand.channel.ask(messages.Begin(self._path, text), str, timeout_s=BUILD_S)
        async with self._changing:
            if text is not self._text:
                await self._catch_up(hand)
            if self._draining:
                raise Unanswered("the router ends")
            await hand.channel.ask(messages.Serve(), type(None), timeout_s=ASK_S)
            hand.serving = hand.served = True
        self.metrics.serving(len(self.serving))

    async def _catch_up(self, hand: Hand) -> None:
        prepared = await hand.channel.ask(messages.Prepare(self._text), messages.Prepared, timeout_s=PREPARE_S)
        if prepared.problems:
            raise Unanswered("it refuses the configuration in force")
        await hand.channel.ask(messages.TakeOver(), type(None), timeout_s=ASK_S)

    async def _answer(self, question: messages.ToSupervisor) -> object:
        return await self.scrape()

    # ------------------------------------------------------------ reloading

    async def reload(self) -> None:
        """All workers swap to the file as it is now, or none. Raises ``ConfigError``."""
        async with self._changing:
            try:
                text = await asyncio.to_thread(file_content, self._path)
                loaded = await asyncio.to_thread(parse, text, self._path, self._env)
                admin = await asyncio.to_thread(admin_credentials, loaded)
                await self._prepare(text)
            except ConfigError:
                await self._tell(messages.Drop())
                raise
            await self._tell(messages.TakeOver())
            self._text, self.loaded, self.admin = text, loaded, admin

    async def _prepare(self, text: bytes) -> None:
        answers = await self.ask_all(messages.Prepare(text), messages.Prepared, timeout_s=PREPARE_S, kill=True)
        for prepared in answers:
            if prepared.problems:
                raise ConfigError(prepared.problems)
        if len({prepared.fingerprint for prepared in answers}) != 1:
            what = "secrets or keys changed while they were read" if answers else "no worker serves just now"
            raise ConfigError([Problem("", f"{what}: reload again", file=self._path)])

    async def _tell(self, what: Struct) -> None:
        """A worker that cannot be told is replaced by one that starts with what is in force."""
        await self.ask_all(what, type(None), kill=True)

    # ------------------------------------------------------------ asking

    async def ask_all(self, what: Struct, kind: type[T], *, timeout_s: float = ASK_S, kill: bool = False) -> list[T]:
        """The answers of those that serve and do answer, in order of their places."""
        hands = self.serving

        async def ask(hand: Hand) -> list[T]:
            try:
                return [await hand.channel.ask(what, kind, timeout_s=timeout_s)]
            except Unanswered as fault:
                if kill:
                    logger.warning("worker %d is ended: %s", hand.number, fault)
                    hand.kill()
                return []

        return [answer for answers in await asyncio.gather(*map(ask, hands)) for answer in answers]

    async def ask_one(self, what: Struct, kind: type[T], *, timeout_s: float = ASK_S) -> list[T]:
        """The answer of the first that answers, if there is one."""
        for hand in self.serving:
            try:
                return [await hand.channel.ask(what, kind, timeout_s=timeout_s)]
            except Unanswered:
                continue
        return []

    async def measure(self) -> None:
        """Gather the metrics of all that answer; of the others the last ones stand."""

        async def of(hand: Hand) -> None:
            try:
                found = await hand.channel.ask(messages.Measure(), list[Family], timeout_s=ASK_S)
            except Unanswered:
                return
            if hand in self._hands:
                hand.heard_at = time.monotonic()
                self.metrics.gathered.take(hand, found)

        await asyncio.gather(*map(of, self.serving))

    async def scrape(self) -> bytes:
        """The metrics of all, as text."""
        await self.measure()
        return self.metrics.text()

    async def _keep_measuring(self) -> None:
        while True:
            await asyncio.sleep(MEASURE_EVERY_S)
            await self.measure()
            for hand in self.serving:
                if not self._draining and time.monotonic() - hand.heard_at > SILENT_S:
                    logger.error("worker %d has said nothing for %g s and is ended", hand.number, SILENT_S)
                    hand.kill()

    # ------------------------------------------------------------ the end

    async def end(self, *, announced: bool, hurried: asyncio.Event) -> None:
        """Let all finish what is under way, within the time that is configured for it; ``hurried`` ends it sooner."""
        self._draining = True
        self._listener.close()  # those of the workers are the last ones
        for hand in self._hands - {*self.serving}:
            hand.kill()
        await self._tell(messages.Drain(announced))
        server = self.loaded.config.server
        limit_s = (server.drain_delay if announced else 0.0) + server.drain_timeout + LAST_S
        hurrying = asyncio.create_task(self._hurry(hurried))
        try:
            async with asyncio.timeout(limit_s):
                await self._nobody.wait()
        except TimeoutError:
            logger.error("workers that do not end are killed")
        finally:
            hurrying.cancel()
            self._kill_all()

    async def _hurry(self, hurried: asyncio.Event) -> None:
        await hurried.wait()
        await self._tell(messages.Hurry())
        await asyncio.sleep(LAST_S)
        self._kill_all()

    def _kill_all(self) -> None:
        for hand in self._hands:
            hand.kill()


def _how(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"came to exit code {code}"
