"""Which signatures have been used already, remembered in Redis for all gates of a pool.

It fails closed: while Redis does not answer, or cannot know what was used a moment ago, nobody is let in. A Redis that
comes back empty, or with an older snapshot, and a replica that takes over, may have missed the last nonces. All of them
lack the script, which from Redis 7 on lives in a server's memory alone: whoever finds it missing says that Redis
remembers since now, and what was signed before does not count. The script names the memory that it belongs to, by a
number that only grows: who was master before, and becomes it again, has that of an older one. Redis' own clock plays no
part.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from redis.exceptions import NoScriptError, RedisError

from ..state.asking import within
from ..telemetry.trouble import Trouble
from ..upstream.signing import SKEW_S
from .replay import KEPT_S, MAX_RUNS, ReplayStoreDown, ReplayStoreForgot, ReplayStoreFull

if TYPE_CHECKING:
    from redis.asyncio import Redis

PREFIX = "{llmr-used}:"
"""In braces, so that a cluster of Redis keeps all of them in one slot: they are looked at together."""
NONCES, FORGOTTEN, SINCE, MEMORY = (PREFIX + name for name in ("nonces", "forgotten", "since", "memory"))
_USE = Path(__file__).with_name("use_nonce.lua")
_BEGIN = """
-- KEYS: the memory, since when it is known. ARGV: which memory was seen, which is to be, since when. Where another gate
-- has begun one meanwhile, by whatever clock, all is known since the later of both.
local seen, number, since = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local there = redis.call('GET', KEYS[1]) or '0'
if there ~= seen then
  number = math.max(number, tonumber(there))
  since = math.max(since, tonumber(redis.call('GET', KEYS[2]) or since))
end
redis.call('MSET', KEYS[1], string.format('%d', number), KEYS[2], string.format('%d', since))
"""

_FORGOTTEN, _FULL = -1, -2
_NO_MEMORY = -1

T = TypeVar("T")
logger = logging.getLogger("llm_router.gate")


class RedisReplayStore:
    """A ``ReplayStore`` for ``max_entries`` signatures of the whole pool. ``unix_time`` is the clock that they are
    judged by; ``client`` stays its owner's."""

    def __init__(self, client: Redis, *, max_entries: int, timeout_s: float, unix_time: Callable[[], float]) -> None:
        self._client, self._timeout_s, self._unix_time = client, timeout_s, unix_time
        self._max_entries = max_entries
        self._use = _USE.read_text()
        self._memory = 0
        self._newest = 0  # of what was let in here
        self._keeps = False
        self._trouble = Trouble(logger, "the replay store answers again")

    async def begin(self) -> None:
        """Remember from now on. Where Redis does not answer yet, it is from the first request on that it does."""
        with contextlib.suppress(ReplayStoreDown):
            await self._look()
            await self._answer(self._find_or_begin())

    async def use(self, key: str, created: int) -> bool:
        """Raises ``ReplayStoreDown`` soon after the timeout at the latest, and ``ReplayStoreForgot`` for what was
        signed before this memory began, too."""
        if not self._keeps:
            await self._look()
        known, since = await self._ask(key, created)
        if created <= since + SKEW_S or known == _FORGOTTEN:
            raise ReplayStoreForgot("what was signed then may have been used: that is not remembered")
        if known == _FULL:
            raise ReplayStoreFull(f"{self._max_entries} signatures are remembered already")
        if known:
            self._newest = max(self._newest, created)
        return bool(known)

    async def _look(self) -> None:
        """Whether this Redis keeps what it is told, or forgets some of it to make room."""
        memory = await self._answer(self._client.info("memory"))
        policy = memory.get("maxmemory_policy", "noeviction")
        if memory.get("maxmemory") and policy != "noeviction":
            raise self._down(f"this Redis forgets nonces to make room (maxmemory-policy {policy}): set noeviction")
        self._keeps = True
        self._trouble.ends()

    async def _ask(self, key: str, created: int) -> tuple[int, int]:
        kept = created - KEPT_S, created + KEPT_S
        args = (key, created, *kept, int(self._unix_time()), MAX_RUNS, self._max_entries)
        known, since = await self._answer(self._run(*args))
        return int(known), int(since)

    async def _run(self, *args: str | int) -> tuple[bytes | int, bytes | int]:
        try:
            known, since = await self._evaluate(*args)
        except NoScriptError:
            await self._find_or_begin()
            known, since = await self._evaluate(*args)
        return known, since

    def _evaluate(self, *args: str | int) -> Awaitable[list[bytes | int]]:
        return self._client.evalsha(_sha(self._script(self._memory)), 3, NONCES, FORGOTTEN, SINCE, *args)

    async def _find_or_begin(self) -> None:
        """Take up the memory that another gate has begun here meanwhile, else begin one. The script is loaded last:
        until then whoever else asks begins one, too. Either way what was let in here before does not count any more,
        also where that gate's clock is behind."""
        there = int(await self._client.get(MEMORY) or 0)
        past = self._newest - SKEW_S
        if there > self._memory and (await self._client.script_exists(_sha(self._script(there))))[0]:
            await self._since(_NO_MEMORY, there, past)
            self._memory = there
            return
        now = self._unix_time()
        self._memory = max(there, self._memory, int(now * 1000)) + 1
        await self._since(there, self._memory, max(past, int(now)))
        await self._client.script_load(self._script(self._memory))

    async def _since(self, seen: int, memory: int, since: int) -> None:
        await self._client.eval(_BEGIN, 2, MEMORY, SINCE, seen, memory, since)

    def _script(self, memory: int) -> str:
        return f"-- memory {memory}\n{self._use}"

    async def _answer(self, asked: Awaitable[T]) -> T:
        try:
            return await within(self._timeout_s, asked)
        except (OSError, TimeoutError, RedisError) as error:
            raise self._down(f"Redis does not answer ({type(error).__name__})") from error

    def _down(self, why: str) -> ReplayStoreDown:
        self._keeps = False  # who answers next may be another one
        self._trouble.is_(f"the replay store cannot be used, every request is refused: {why}")
        return ReplayStoreDown(why)


def _sha(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
