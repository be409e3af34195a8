#!/usr/bin/env python3
"""Measures what the router promises when things go wrong, against stand-ins on this machine, and writes the figures
into the table of docs/reference/reliability.md.

    python scripts/bench/reliability.py [--requests 2000] [--print]
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from llm_router.api.replay import MemoryReplayStore  # noqa: E402
from llm_router.demo.standins.delivery import Pace  # noqa: E402
from llm_router.upstream.signing import Refused  # noqa: E402
from tests.router.ports import free_port  # noqa: E402
from tests.router.routers import MODELS, Running, providers, running_router  # noqa: E402
from tests.router.standins import Standins, running_standins  # noqa: E402
from tests.router.upstream.test_signing import Message, signed, verifier  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "reliability.md"
BEGIN, END = "<!-- figures: scripts/bench/reliability.py -->", "<!-- end of figures -->"
NOW = 1_794_000_000.0


@contextmanager
def bench(standins: Standins, *first: dict[str, Any], **router: Any) -> Iterator[Running]:
    standins.clear()
    well = [provider | {"priority": 9} for provider in providers(standins)]
    settings = {"routingStrategy": "priority", "timeouts": {"connect": "1s", "firstToken": "5s"}} | router
    with running_router({"externalProviders": [*first, *well], "router": settings}) as running:
        yield running


def dead(name: str = "dead") -> dict[str, Any]:
    """A target that refuses every connection, and that everybody is sent to first."""
    return {
        "name": name,
        "type": "openai-compatible",
        "apiKey": "sk-0123456789abcdef",
        "baseUrl": f"http://127.0.0.1:{free_port()}/v1",
        "models": ["gpt-5.4-mini"],
        "healthCheck": {"enabled": False},
        "priority": 1,
    }


def ask_all(router: Running, requests: int, at_once: int = 8) -> tuple[int, list[float]]:
    """How many were answered 200, and how long each took, in seconds."""

    def ask(_number: int) -> tuple[bool, float]:
        began = time.perf_counter()
        answer = router.chat()
        return answer.status_code == 200, time.perf_counter() - began

    with ThreadPoolExecutor(at_once) as threads:
        results = list(threads.map(ask, range(requests)))
    return sum(ok for ok, _ in results), [took_s for _, took_s in results]


def p3_failover(standins: Standins, requests: int) -> str:
    with bench(standins) as router:
        ask_all(router, requests // 10)
        _, usual = ask_all(router, requests // 2)
    # A breaker that stays closed: every single request runs into the dead target.
    with bench(standins, dead(), failover={"circuitBreaker": {"failureThreshold": 10**6}}) as router:
        ask_all(router, requests // 10)
        answered, took = ask_all(router, requests)
    more_ms = (statistics.quantiles(took, n=100)[49] - statistics.quantiles(usual, n=100)[49]) * 1000
    return f"{answered} of {requests} answered; {more_ms:.1f} ms more at the median, with every request trying it first"


def p4_amplification(standins: Standins, requests: int) -> str:
    asked = min(requests, 300)
    with bench(standins, failover={"circuitBreaker": {"failureThreshold": 10**6}}) as router:
        for standin in (standins.openai, standins.anthropic, standins.gemini):
            standin.fault("status", status=503)
        ask_all(router, asked, at_once=50)
        sent = sum(len(record.attempts) for record in router.ledger.recent(asked))
    return f"{sent} attempts for {asked} requests, 50 at once: {sent / asked:.2f} ×"


def p1_streams(standins: Standins, streams: int) -> str:
    flagged = wrong = 0
    with bench(standins, failover={"circuitBreaker": {"failureThreshold": 10**6}}) as router:
        whole = text_of(router.chat(model=MODELS["openai"], stream=True, max_tokens=40).text)
        chance = random.Random(1)
        for number in range(streams):
            standins.openai.fault(
                "cut", after_events=chance.randrange(3, 20), how=("chunked", "eof", "reset")[number % 3], times=1
            )
            answer = router.chat(model=MODELS["openai"], stream=True, max_tokens=40).text
            flagged += "upstream_interrupted" in answer and "[DONE]" not in answer
            wrong += not whole.startswith(text_of(answer))
    return f"{flagged} of {streams} cut streams ended in the error event; {wrong} said something twice or left a gap"


def text_of(stream: str) -> str:
    events = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: {")]
    return "".join(c["delta"].get("content") or "" for event in events for c in event.get("choices", ()))


def p6_cancelling(standins: Standins, callers: int) -> str:
    """From the moment in which the caller closes to the one in which the stand-in sees it."""
    took = []
    with bench(standins) as router:
        for _ in range(callers):
            standins.openai.clear()
            standins.openai.fault("silence", times=1)
            body = json.dumps({"model": MODELS["openai"], "messages": [{"role": "user", "content": "x"}]}).encode()
            with socket.create_connection(("127.0.0.1", int(router.url.rpartition(":")[2]))) as raw:
                raw.sendall(
                    b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                    b"content-length: %d\r\n\r\n" % len(body) + body
                )
                until(lambda: len(standins.openai.requests()) == 1)
                time.sleep(0.02)
                left_at = time.time()
            (seen,) = standins.openai.settled()
            took.append((seen["at"] + seen["duration_s"] - left_at) * 1000)
    at_median, at_most = statistics.median(took), max(took)
    return f"{at_median:.1f} ms at the median, {at_most:.1f} ms at most, of {callers}, before the first byte"


def until(true: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 10
    while not true():
        if time.monotonic() > ends_at:
            raise SystemExit("it did not happen within 10 s")
        time.sleep(0.002)


def p14_signatures(changes: int) -> str:
    chance, accepted, refused = random.Random(2), 0, 0
    for _ in range(changes):
        accepted += not is_refused(changed(signed(Message(body=chance.randbytes(32))), chance))
        refused += is_refused(signed(Message(body=chance.randbytes(32))))
    began = time.perf_counter()
    message, by = signed(Message(body=b"x" * 1024)), verifier()
    for _ in range(2000):
        by.verify_headers(message.method, message.path, message.query, message.headers, NOW)
    each_us = (time.perf_counter() - began) / 2000 * 1e6
    return (
        f"{accepted} of {changes} changed requests accepted, {refused} of {changes} honest ones refused; "
        f"{each_us:.0f} µs to verify the headers"
    )


def changed(message: Message, chance: random.Random) -> Message:
    """With one byte changed: of a signed header, of the path, the query or the body."""

    def flip(data: bytes) -> bytes:
        at = chance.randrange(len(data))
        return data[:at] + bytes([data[at] ^ chance.randrange(1, 256)]) + data[at + 1 :]

    where = chance.randrange(4)
    if where == 0:
        return replace(message, body=flip(message.body))
    if where == 1:
        return replace(message, path=flip(message.path))
    if where == 2:
        return replace(message, query=flip(message.query or b"?"))
    names = [i for i, (name, _) in enumerate(message.headers) if name != b"host"]
    at = chance.choice(names)
    headers = list(message.headers)
    headers[at] = (headers[at][0], flip(headers[at][1]))
    return replace(message, headers=tuple(headers))


def is_refused(message: Message) -> bool:
    by = verifier()
    try:
        verified = by.verify_headers(message.method, message.path, message.query, message.headers, NOW)
        by.verify_body(verified, message.body, NOW)
    except Refused:
        return True
    return False


def p15_replay(rounds: int) -> str:
    async def copies(store: MemoryReplayStore, key: str) -> int:
        return sum(await asyncio.gather(*(store.use(key) for _ in range(50))))

    async def main() -> list[int]:
        store = MemoryReplayStore(max_entries=10_000, clock=time.monotonic)
        return [await copies(store, f"k|{number}") for number in range(rounds)]

    accepted = asyncio.run(main())
    return f"{min(accepted)} to {max(accepted)} of 50 accepted, {rounds} rounds"


def p17_reloads(reloads: int) -> str:
    taken = 0
    with (
        running_standins(Pace(tokens_per_second=60)) as slow,
        bench(slow) as router,
        ThreadPoolExecutor(8) as threads,
    ):
        streams = []
        for number in range(reloads):
            streams.append(threads.submit(lambda: router.chat(stream=True, max_tokens=20).text))
            router.config["router"] |= {"maxQueueDepth": 5 + number}
            router.config["misspelt"] = {}
            if number % 2:
                del router.config["misspelt"]
            taken += router.admin.post("/admin/reload").status_code == 200
        dropped = sum("[DONE]" not in stream.result() for stream in streams)
    return f"{dropped} of {reloads} streams dropped in {reloads} reloads, {reloads - taken} of them refused"


MEASURES: dict[str, tuple[str, str]] = {
    "P1, P2": ("cut streams are reported, and nothing is said twice", "500 of 500, 0"),
    "P3": ("one of the targets is dead", "≥ 99.9 % answered, ≤ 50 ms more"),
    "P4": ("everything answers 503: attempts for each request", "≤ 1.2 × + 3 at a time"),
    "P6": ("the caller leaves: the upstream is closed", "≤ 100 ms"),
    "P14": ("single changed bytes in signed requests", "0 accepted, 0 honest ones refused, ≤ 50 µs"),
    "P15": ("50 uses of one nonce at once", "exactly 1"),
    "P17": ("reloads under load", "0 streams dropped"),
}


@click.command()
@click.option("--requests", default=2000, show_default=True, help="How many the larger measurements send.")
@click.option("--print", "only_print", is_flag=True, help="Leave the page alone.")
def main(requests: int, only_print: bool) -> None:
    figures: dict[str, str] = {"P14": p14_signatures(10 * requests), "P15": p15_replay(200)}
    with running_standins() as standins:
        figures["P1, P2"] = p1_streams(standins, requests // 4)
        figures["P3"] = p3_failover(standins, requests)
        figures["P4"] = p4_amplification(standins, requests)
        figures["P6"] = p6_cancelling(standins, 50)
        figures["P17"] = p17_reloads(100)
    lines = ["| property | what is measured | promised | measured |", "| --- | --- | --- | --- |"]
    lines += [f"| {name} | {what} | {promise} | {figures[name]} |" for name, (what, promise) in MEASURES.items()]
    click.echo("\n".join(lines))
    if not only_print:
        page = PAGE.read_text()
        table = f"{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}"
        PAGE.write_text(re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: table, page, flags=re.DOTALL))


if __name__ == "__main__":
    main()
