"""A real llama.cpp server on this machine, and requests to it of exact lengths, timed from outside."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import httpx
import msgspec

from llm_router.demo.ports import free_port
from llm_router.simulate.trace import Request
from scripts.bench.clocks import Clock

READY_S = 60.0
ANSWER_S = 120.0
_KEY = "llama-key-of-the-bench"
_FIRST_PLAIN_TOKEN, _TOKENS = 300, 200
"""Tokens of the tiny models' vocabulary that are plain words."""


class LlamaError(Exception):
    """The server does not do what the bench needs; the text says what it does."""


@dataclass(frozen=True)
class Timed:
    """What one request was given, as its client saw it: seconds from sending to the first token and to the end."""

    ttft_s: float
    total_s: float


@contextmanager
def running_server(gguf: Path, log: Path, *, slots: int, slot_tokens: int) -> Iterator[tuple[str, int]]:
    """Serves ``gguf`` with one thread of computation until the context ends: the address, and the process's id."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "llm_router.demo.engine", "--model", str(gguf), "--port", str(port)]
    command += ["--alias", "bench", "--parallel", str(slots), "--ctx-size", str(slots * slot_tokens)]
    command += ["--threads", "1", "--end-with-parent"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, "LLAMA_API_KEY": _KEY}
        )
    try:
        _wait_until_ready(process, url, log)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    ends_at = time.monotonic() + READY_S
    while time.monotonic() < ends_at and process.poll() is None:
        try:
            if httpx.get(f"{url}/health", trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise LlamaError(f"llama.cpp did not start; it said:\n{log.read_text(errors='replace')[-2000:]}")


class Client:
    """Sends prompts of exact length whose answers have exact length, none of them known to the server's cache."""

    def __init__(self, session: aiohttp.ClientSession, url: str, clock: Clock) -> None:
        self._session, self._url, self._clock = session, f"{url}/completion", clock
        self._sent = 0

    async def ask(self, input_tokens: int, output_tokens: int, tokens_at: list[float] | None = None) -> Timed:
        """``tokens_at`` gets the time of each token.

        Raises ``LlamaError`` unless the server says that it read and wrote exactly that many tokens."""
        self._sent += 1
        prompt = [_FIRST_PLAIN_TOKEN + (self._sent * 31 + i * 7) % _TOKENS for i in range(input_tokens)]
        body = {"prompt": prompt, "n_predict": output_tokens, "ignore_eos": True, "cache_prompt": False, "stream": True}
        with self._clock.work():
            started, last = self._clock.now(), b""
            seen = [] if tokens_at is None else tokens_at
            async with self._session.post(self._url, json=body) as response:
                if response.status != 200:
                    raise LlamaError(f"{response.status}: {await response.text()}")
                async for line in response.content:
                    if line.startswith(b"data: "):
                        seen.append(self._clock.now())
                        last = line
            ended = self._clock.now()
        _check(last, input_tokens, output_tokens)
        return Timed(seen[0] - started, ended - started)

    async def keep_busy(self, lengths: Sequence[tuple[int, int]], slots: int) -> float:
        """Seconds that it takes to ask for all of these, so many at once."""
        left, started = iter(lengths), self._clock.now()

        async def one_after_another() -> None:
            for input_tokens, output_tokens in left:
                await self.ask(input_tokens, output_tokens)

        await asyncio.gather(*(one_after_another() for _ in range(slots)))
        return self._clock.now() - started

    async def replay(self, requests: Sequence[Request]) -> list[Timed]:
        """Each request at its time, whatever became of those before: an open load."""
        started, answers = self._clock.now(), []
        async with asyncio.TaskGroup() as group:
            for request in requests:
                await self._clock.sleep_until(started + request.at_s)
                answers.append(group.create_task(self.ask(request.input_tokens, request.output_tokens)))
        return [answer.result() for answer in answers]


@asynccontextmanager
async def client_of(url: str, clock: Clock) -> AsyncIterator[Client]:
    """A connection for each request: the server closes kept ones after 100 requests or five seconds."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        timeout=aiohttp.ClientTimeout(total=ANSWER_S),
        headers={"Authorization": f"Bearer {_KEY}"},
    ) as session:
        yield Client(session, url, clock)


def _check(last: bytes, input_tokens: int, output_tokens: int) -> None:
    end = msgspec.json.decode(last.removeprefix(b"data: "), type=_End)
    timings = end.timings
    if (timings.prompt_n, timings.predicted_n) != (input_tokens, output_tokens):
        raise LlamaError(
            f"asked for {input_tokens} + {output_tokens} tokens, got {timings.prompt_n} + {timings.predicted_n}"
        )


class _Timings(msgspec.Struct):
    prompt_n: int
    predicted_n: int
    prompt_ms: float
    predicted_ms: float


class _End(msgspec.Struct):
    timings: _Timings
