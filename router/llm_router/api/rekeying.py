"""The keys of a signed listener, read anew while it runs: rotation needs no restart."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from ..errors import ConfigError
from ..telemetry.trouble import Trouble
from .signed_config import SigningKey, key_bytes

RELOAD_INTERVAL_S = 5.0

Config = TypeVar("Config")


class Rekeying(Generic[Config]):
    """Compares what ``load`` reads with the configuration that is in use, and hands changed keys to ``rekey``. ``keys``
    are those of a configuration, ``rest`` is all else in it; ``load`` and ``check`` raise ``ConfigError`` for one that
    is refused.
    """

    def __init__(
        self,
        config: Config,
        load: Callable[[], Config],
        rekey: Callable[[Mapping[str, bytes]], None],
        *,
        check: Callable[[Config], None],
        keys: Callable[[Config], Sequence[SigningKey]],
        rest: Callable[[Config], object],
        logger: logging.Logger,
    ) -> None:
        self._load, self._check, self._rekey = load, check, rekey
        self._keys_of, self._rest_of = keys, rest
        self._keys, self._rest = keys(config), rest(config)
        self._logger = logger
        self._trouble = Trouble(logger, "the configuration can be read again")

    def look(self) -> None:
        """Never raises: a configuration that is refused leaves the keys as they are."""
        try:
            new = self._load()
            self._check(new)
        except ConfigError as error:
            self._trouble.is_(f"the configuration is refused, the old keys stay: {error}")
            return
        if self._rest_of(new) != self._rest:
            self._trouble.is_("the configuration has changed in more than its keys, which takes a restart")
        else:
            self._trouble.ends()
        keys = self._keys_of(new)
        if keys and keys != self._keys:
            self._rekey(key_bytes(keys))
            self._keys = keys
            self._logger.info("active keys now: %s", ", ".join(key.id for key in keys))

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
