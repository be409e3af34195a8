"""The gate's keys, read anew while it runs: rotation needs no restart."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable, Mapping

from msgspec import structs

from ..errors import ConfigError
from ..telemetry.trouble import Trouble
from .config import GateConfig, check

RELOAD_INTERVAL_S = 5.0

logger = logging.getLogger("llm_router.gate")


class Rekeying:
    """Compares what ``load`` reads with the configuration that is in use, and hands changed keys to ``rekey``."""

    def __init__(
        self, config: GateConfig, load: Callable[[], GateConfig], rekey: Callable[[Mapping[str, bytes]], None]
    ) -> None:
        self._config, self._load, self._rekey = config, load, rekey
        self._trouble = Trouble(logger, "the configuration can be read again")

    def look(self) -> None:
        """Never raises: a configuration that is refused leaves the keys as they are."""
        try:
            new = self._load()
            check(new)
        except ConfigError as error:
            self._trouble.is_(f"the configuration is refused, the old keys stay: {error}")
            return
        if structs.replace(new, keys=self._config.keys) != self._config:
            self._trouble.is_("the configuration has changed in more than its keys, which takes a restart")
        else:
            self._trouble.ends()
        if new.keys != self._config.keys:
            self._rekey(new.key_bytes)
            self._config = structs.replace(self._config, keys=new.keys)
            logger.info("active keys now: %s", ", ".join(key.id for key in new.keys))

    @contextlib.asynccontextmanager
    async def running(self, interval_s: float = RELOAD_INTERVAL_S) -> AsyncIterator[None]:
        """Looks every ``interval_s``, and at once after SIGHUP."""
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, asked.set)
        task = asyncio.create_task(self._look_again(asked, interval_s))
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _look_again(self, asked: asyncio.Event, interval_s: float) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval_s):
                    await asked.wait()
            asked.clear()
            self.look()
