"""What callers and targets see while targets err, callers leave and configurations change: a router in this process, in
front of stand-ins."""

from __future__ import annotations

import json
import random
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from llm_router.demo.standins.delivery import Pace
from tests.router.ports import free_port
from tests.router.routers import MODELS, Running, providers, running_router
from tests.router.standins import Standins, running_standins


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
    before, streaming = (leaving_ms(standins, callers, fault) for fault in ("silence", "stall"))
    return (
        f"{statistics.median(before):.1f} ms at the median, {max(before):.1f} ms at most, of {callers}, before the "
        f"first byte; {statistics.median(streaming):.1f} and {max(streaming):.1f} ms in mid-stream"
    )


def leaving_ms(standins: Standins, callers: int, fault: str) -> list[float]:
    """From the moment in which the caller closes to the one in which the stand-in sees it."""
    took = []
    with bench(standins) as router:
        for _ in range(callers):
            standins.openai.clear()
            standins.openai.fault(fault, times=1)
            asked = {"model": MODELS["openai"], "messages": [{"role": "user", "content": "x"}], "stream": True}
            body = json.dumps(asked).encode()
            with socket.create_connection(("127.0.0.1", int(router.url.rpartition(":")[2]))) as raw:
                raw.sendall(
                    b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                    b"content-length: %d\r\n\r\n" % len(body) + body
                )
                until(lambda: len(standins.openai.requests()) == 1)
                if fault == "stall":
                    raw.recv(65536)
                time.sleep(0.02)
                left_at = time.time()
            (seen,) = standins.openai.settled()
            took.append((seen["at"] + seen["duration_s"] - left_at) * 1000)
    return took


def p7_silence(standins: Standins, requests: int) -> str:
    """Every request runs into a silent target first, or into one that falls silent in mid-stream."""
    failover = {"circuitBreaker": {"failureThreshold": 10**6}}
    timeouts = {"connect": "1s", "firstToken": "500ms", "betweenTokens": "500ms"}
    with bench(standins, failover=failover, timeouts=timeouts) as router:
        target = {"X-LLM-Target": "openai"}
        late_ms = []
        for fault in ("silence", "stall"):
            for _ in range(requests):
                standins.openai.fault(fault, times=1)
                began = time.perf_counter()
                router.chat(stream=True, headers=target, max_tokens=40)
                late_ms.append((time.perf_counter() - began) * 1000 - 500)
    return f"{max(late_ms):.0f} ms after the timer at most, of {2 * requests}, half of them in mid-stream"


def until(true: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 10
    while not true():
        if time.monotonic() > ends_at:
            raise SystemExit("it did not happen within 10 s")
        time.sleep(0.002)


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
