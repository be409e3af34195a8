"""The gate as a process runs it, in front of a real llama.cpp."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from llm_router.api.signed_config import SigningKey
from llm_router.config.scalars import Secret
from llm_router.errors import ConfigError
from llm_router.gate.app import serve
from llm_router.gate.config import GateConfig, Replay
from llm_router.model import ClusterStatus
from llm_router.upstream.signing import Signer
from tests.router.edge import Address, run, until
from tests.router.gate.surroundings import CHAT, KEY, TARGET, Clock, upstream
from tests.router.llama import Llama
from tests.router.ports import free_port

SECRET = base64.b64encode(KEY).decode()
AUTHORITY = "gate.example"


def config(url: str, **changes: Any) -> GateConfig:
    given: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "upstream": url,
        "target": TARGET,
        "authority": AUTHORITY,
        "keys": (SigningKey(id="k.1", secret=Secret(SECRET)),),
    }
    return GateConfig(**{**given, **changes})


class Caller:
    """A client that signs as the router does, with the gate's own clock."""

    def __init__(self, address: Address, clock: Clock, client: httpx.AsyncClient, scheme: str = "http") -> None:
        self.url = f"{scheme}://{address[0]}:{address[1]}"
        self.clock, self.client = clock, client
        self._signer = Signer("k.1", SECRET, AUTHORITY, TARGET)

    def headers(self, method: str, path: str, body: bytes) -> list[tuple[str, str]]:
        made = self._signer.sign(method, path, "", "application/json", body, "r-1", self.clock.now)
        return [("content-type", "application/json"), *made]

    async def ask(self, method: str, path: str, body: bytes = b"") -> httpx.Response:
        return await self.client.request(
            method, self.url + path, content=body, headers=self.headers(method, path, body)
        )


@contextlib.asynccontextmanager
async def running(settings: GateConfig, *, ready: bool = True, verify: Any = True) -> AsyncIterator[Caller]:
    """``serve`` with a clock that is moved past the start's six seconds."""
    clock, stop = Clock(), asyncio.Event()
    listening: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve(
            settings,
            stop=stop,
            unix_time=clock,
            on_listening=lambda host, port: listening.set_result((host, port)),
        )
    )
    try:
        address = await listening
        if ready:
            clock.now += 6
        scheme = "http" if settings.tls is None else "https"
        async with httpx.AsyncClient(trust_env=False, verify=verify, timeout=30) as client:
            yield Caller(address, clock, client, scheme)
    finally:
        stop.set()
        await task


def chat(model: str, *, stream: bool = False, max_tokens: int = 8) -> bytes:
    return msgspec.json.encode(
        {
            "model": model,
            "messages": [{"role": "user", "content": "Hi"}],
            "max_tokens": max_tokens,
            "ignore_eos": True,
            "stream": stream,
        }
    )


# ---------------------------------------------------------------- with a real llama.cpp


@pytest.fixture
def in_front(llama: Llama) -> GateConfig:
    return config(llama.url, upstream_api_key=Secret(llama.api_key))


def test_tokens_of_a_real_llama_server_come_through_the_gate(llama: Llama, in_front: GateConfig) -> None:
    async def scenario() -> tuple[httpx.Response, httpx.Response, httpx.Response]:
        async with running(in_front) as caller:
            return (
                await caller.ask("POST", CHAT, chat(llama.model)),
                await caller.ask("GET", "/v1/models"),
                await caller.ask("GET", "/metrics"),
            )

    answer, models, metrics = run(scenario())
    assert answer.status_code == 200
    assert answer.json()["usage"]["completion_tokens"] == 8
    assert "server" not in answer.headers
    assert models.json()["data"][0]["id"] == llama.model
    assert "llamacpp:tokens_predicted_total" in metrics.text


def test_a_stream_of_a_real_llama_server_ends_with_its_own_terminal_event(llama: Llama, in_front: GateConfig) -> None:
    async def scenario() -> list[str]:
        async with running(in_front) as caller:
            body = chat(llama.model, stream=True, max_tokens=20)
            headers = caller.headers("POST", CHAT, body)
            async with caller.client.stream("POST", caller.url + CHAT, content=body, headers=headers) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                return [line async for line in answer.aiter_lines() if line.startswith("data: ")]

    lines = run(scenario())
    assert lines[-1] == "data: [DONE]"
    deltas = [json.loads(line[6:])["choices"][0]["delta"] for line in lines[:-1]]
    assert sum(1 for delta in deltas if delta.get("content")) == 20


def test_llama_server_itself_refuses_who_comes_without_its_key(llama: Llama) -> None:
    async def scenario() -> int:
        async with running(config(llama.url)) as caller:
            return (await caller.ask("POST", CHAT, chat(llama.model))).status_code

    assert run(scenario()) == 401


def test_a_caller_who_leaves_frees_the_slot_of_a_real_llama_server(llama: Llama, in_front: GateConfig) -> None:
    async def scenario() -> float:
        async with running(in_front) as caller, httpx.AsyncClient(trust_env=False) as direct:

            async def idle() -> bool:
                slots = await direct.get(f"{llama.url}/slots", headers={"authorization": f"Bearer {llama.api_key}"})
                return not any(slot["is_processing"] for slot in slots.json())

            body = chat(llama.model, stream=True, max_tokens=2000)
            headers = caller.headers("POST", CHAT, body)
            async with caller.client.stream("POST", caller.url + CHAT, content=body, headers=headers) as answer:
                async for _ in answer.aiter_lines():
                    break
            left_at = time.monotonic()
            await until(idle)
            return time.monotonic() - left_at

    assert run(asyncio.wait_for(scenario(), 20)) < 2


def test_the_gate_measures_llama_server_itself_when_no_exporter_does(llama: Llama, in_front: GateConfig) -> None:
    async def scenario() -> ClusterStatus:
        async with running(in_front) as caller:

            async def measured() -> bool:
                return (await caller.ask("GET", "/cluster/status")).status_code == 200

            await until(measured)
            return msgspec.json.decode((await caller.ask("GET", "/cluster/status")).content, type=ClusterStatus)

    status = run(asyncio.wait_for(scenario(), 60))
    assert (status.target, status.state, status.slots_total) == (TARGET, "up", 4)
    assert [(model.name, model.context_length) for model in status.models] == [(llama.model, 2048)]
    assert status.node_usd_per_hour is None
    assert status.usd_per_1k_tokens.marginal is None


# ---------------------------------------------------------------- start, metrics, end


def test_a_gate_that_has_just_started_is_alive_and_not_ready_until_its_clock_says_so(llama: Llama) -> None:
    async def scenario() -> list[int]:
        async with running(config(llama.url), ready=False) as caller:
            statuses = [(await caller.client.get(caller.url + path)).status_code for path in ("/livez", "/readyz")]
            statuses.append((await caller.ask("GET", "/health")).status_code)
            caller.clock.now += 6
            statuses.append((await caller.client.get(f"{caller.url}/readyz")).status_code)
            statuses.append((await caller.ask("GET", "/health")).status_code)
            return statuses

    assert run(scenario()) == [200, 503, 503, 200, 200]


def test_metrics_are_served_beside_and_not_behind_the_signed_listener() -> None:
    async def scenario() -> tuple[httpx.Response, httpx.Response, httpx.Response]:
        port = free_port()
        settings = config(f"http://127.0.0.1:{free_port()}", metrics=f"127.0.0.1:{port}")
        async with running(settings) as caller:
            await caller.client.get(f"{caller.url}/metrics")
            await caller.ask("GET", "/health")
            await caller.ask("GET", "/slots")
            beside = f"http://127.0.0.1:{port}"
            return (
                await caller.client.get(f"{beside}/metrics"),
                await caller.client.get(f"{beside}/"),
                await caller.client.get(f"{caller.url}/metrics"),
            )

    metrics, other, unsigned = run(scenario())
    assert other.status_code == 404
    assert unsigned.status_code == 401
    for line in (
        'llm_gate_requests_total{result="rejected"} 2.0',
        'llm_gate_requests_total{result="upstream_failed"} 1.0',
        'llm_gate_rejected_total{reason="unsigned"} 1.0',
        'llm_gate_rejected_total{reason="path"} 1.0',
    ):
        assert line in metrics.text.splitlines()


def test_probes_without_a_client_certificate_are_answered_beside_the_metrics() -> None:
    async def scenario() -> list[int]:
        port = free_port()
        settings = config(f"http://127.0.0.1:{free_port()}", metrics=f"127.0.0.1:{port}")
        async with running(settings, ready=False) as caller:
            beside = f"http://127.0.0.1:{port}"
            statuses = [(await caller.client.get(beside + path)).status_code for path in ("/livez", "/readyz")]
            caller.clock.now += 6
            statuses.append((await caller.client.get(f"{beside}/readyz")).status_code)
            statuses.append((await caller.client.post(f"{beside}/readyz")).status_code)
            return statuses

    assert run(scenario()) == [200, 503, 200, 404]


def test_with_a_token_the_metrics_are_for_who_shows_it_and_probes_for_all() -> None:
    async def scenario() -> list[int]:
        beside = f"127.0.0.1:{free_port()}"
        settings = config("http://127.0.0.1:1", metrics=beside, metrics_token=Secret("the-token-of-prometheus"))
        async with running(settings) as caller:
            right, wrong = ({"authorization": f"Bearer {each}"} for each in ("the-token-of-prometheus", "another"))
            asked = [("/metrics", right), ("/metrics", wrong), ("/metrics", {}), ("/livez", {}), ("/readyz", {})]
            return [(await caller.client.get(f"http://{beside}{p}", headers=h)).status_code for p, h in asked]

    assert run(scenario()) == [200, 401, 401, 200, 200]


def test_load_balancers_see_that_the_gate_drains(llama: Llama) -> None:
    async def scenario() -> int:
        clock = Clock()
        listening: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
        serving = serve(
            config(llama.url, drain_delay=60.0, upstream_api_key=Secret(llama.api_key)),
            unix_time=clock,
            on_listening=lambda host, port: listening.set_result((host, port)),
        )
        async with httpx.AsyncClient(trust_env=False) as client:
            task = asyncio.create_task(serving)
            caller = Caller(await listening, clock, client)
            clock.now += 6
            os.kill(os.getpid(), signal.SIGTERM)

            async def drains() -> bool:
                return (await client.get(f"{caller.url}/readyz")).status_code == 503

            await until(drains)
            still = (await caller.ask("GET", "/v1/models")).status_code
            os.kill(os.getpid(), signal.SIGTERM)
            await task
            return still

    assert run(asyncio.wait_for(scenario(), 60)) == 200


def test_sigterm_lets_the_running_answer_finish_and_takes_nobody_new() -> None:
    release = asyncio.Event()

    async def waits(_seen: object, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        await release.wait()
        writer.write(b"later")

    async def scenario() -> tuple[bytes, bool]:
        async with upstream(waits) as behind, httpx.AsyncClient(trust_env=False) as client:
            clock = Clock()
            listening: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(
                serve(
                    config(behind.url),
                    unix_time=clock,
                    on_listening=lambda host, port: listening.set_result((host, port)),
                )
            )
            caller = Caller(await listening, clock, client)
            clock.now += 6
            request = client.build_request("GET", f"{caller.url}/health", headers=caller.headers("GET", "/health", b""))
            answer = await client.send(request, stream=True)
            os.kill(os.getpid(), signal.SIGTERM)
            while True:
                try:
                    _reader, writer = await asyncio.open_connection(*listening.result())
                    writer.close()
                    await asyncio.sleep(0.02)
                except ConnectionError:
                    break
            ended_early = task.done()
            release.set()
            body = await answer.aread()
            await task
            return body, ended_early

    assert run(asyncio.wait_for(scenario(), 60)) == (b"firstlater", False)


def test_an_address_in_use_is_said_with_its_setting() -> None:
    async def scenario(setting: str) -> None:
        port = free_port()
        async with upstream(lambda _seen, _writer: asyncio.sleep(0)) as behind:
            taken = behind.url.removeprefix("http://")
            changes = {"listen": f"127.0.0.1:{port}", "metrics": None, setting: taken}
            await serve(config("http://127.0.0.1:1", **changes), stop=asyncio.Event())

    for setting in ("listen", "metrics"):
        with pytest.raises(ConfigError, match=rf"^{setting}: cannot listen on 127\.0\.0\.1 port \d+: .*choose another"):
            run(scenario(setting))


def test_a_configuration_that_is_refused_opens_nothing() -> None:
    settings = config("http://127.0.0.1:1", replay=Replay(backend="redis"))
    with pytest.raises(ConfigError, match=r"replay\.url"):
        run(serve(settings, stop=asyncio.Event()))
