"""The bench's own parts are right: what it measures by, what it counts as right, and what it makes of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import openai
import pytest

from scripts.bench import run as bench
from scripts.bench.checks import Answer, fault_in
from scripts.bench.load import Load, Result
from scripts.bench.plain_proxy import CLIENTS, create_app
from scripts.bench.report import DIRECT, Sample, Samples, tables
from scripts.bench.standin import Answers, serve
from scripts.bench.traffic import (
    EVENTS,
    MODEL,
    PACED_MODEL,
    PATH,
    SHORT_TEXT,
    TEXT,
    USAGE,
    WORKLOADS,
    completion,
    request_body,
    stream_events,
)
from tests.router.edge import run, serving

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-of-the-stand-in"
WHOLE, STREAMED = WORKLOADS["A16"], WORKLOADS["B16"]

# ---------------------------------------------------------------- the stand-in for the upstream


@contextlib.asynccontextmanager
async def standin() -> AsyncIterator[int]:
    """The port of a running stand-in."""
    server = await serve(Answers(KEY))
    async with server:
        yield server.sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def sdk(key: str = KEY) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's own client in front of a stand-in."""
    async with standin() as port:
        async with openai.AsyncOpenAI(api_key=key, base_url=f"http://127.0.0.1:{port}/v1", max_retries=0) as client:
            yield client


def asked(model: str = MODEL) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hi"}]}


def test_openai_s_sdk_takes_the_stand_in_for_openai() -> None:
    async def main() -> None:
        async with sdk() as client:
            answer = await client.chat.completions.create(**asked())
            assert answer.choices[0].message.content == SHORT_TEXT
            assert answer.choices[0].finish_reason == "stop"
            assert answer.usage is not None
            assert answer.usage.total_tokens == USAGE["total_tokens"]

    run(main())


@pytest.mark.parametrize("model", [MODEL, PACED_MODEL])
def test_openai_s_sdk_reads_the_stand_in_s_stream(model: str) -> None:
    async def main() -> None:
        async with sdk() as client:
            stream = await client.chat.completions.create(
                **asked(model), stream=True, stream_options={"include_usage": True}
            )
            chunks = [chunk async for chunk in stream]
        assert len(chunks) == EVENTS
        assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == TEXT
        assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == [USAGE["total_tokens"]]

    run(main())


def test_usage_comes_only_where_it_is_asked_for() -> None:
    async def main() -> None:
        async with sdk() as client:
            stream = await client.chat.completions.create(**asked(), stream=True)
            chunks = [chunk async for chunk in stream]
        assert len(chunks) == EVENTS - 1
        assert not any(chunk.usage for chunk in chunks)

    run(main())


def test_the_stand_in_refuses_what_openai_refuses() -> None:
    async def main() -> None:
        async with sdk("sk-another") as client:
            with pytest.raises(openai.AuthenticationError):
                await client.chat.completions.create(**asked())
        async with sdk() as client:
            with pytest.raises(openai.NotFoundError):
                await client.chat.completions.create(**asked("gpt-none"))
            with pytest.raises(openai.NotFoundError):
                await client.embeddings.create(model=MODEL, input="Hi")
            with pytest.raises(openai.BadRequestError):
                await client.chat.completions.create(**asked(), extra_body={"stream": "yes"})

    run(main())


def test_a_paced_stream_comes_in_pieces() -> None:
    async def main() -> int:
        body = {**asked(PACED_MODEL), "stream": True}
        async with standin() as port, httpx.AsyncClient(trust_env=False) as client:
            headers = {"authorization": f"Bearer {KEY}"}
            async with client.stream("POST", f"http://127.0.0.1:{port}{PATH}", json=body, headers=headers) as answer:
                return len([piece async for piece in answer.aiter_raw()])

    assert run(main()) > EVENTS // 10


# ---------------------------------------------------------------- the load generator


def whole(**changes: Any) -> bytes:
    """The right completion with other top-level fields."""
    return msgspec.json.encode(msgspec.json.decode(completion(MODEL)) | changes)


def events() -> list[bytes]:
    return stream_events(MODEL, with_usage=True)


def json_answer(body: bytes, status: int = 200) -> Answer:
    return Answer(status, b"application/json", body)


def stream_answer(parts: list[bytes]) -> Answer:
    return Answer(200, b"text/event-stream; charset=utf-8", b"".join(parts))


def test_a_right_answer_has_no_fault() -> None:
    assert fault_in(json_answer(completion(MODEL)), WHOLE) is None
    assert fault_in(stream_answer(events()), STREAMED) is None


def test_comments_in_a_stream_are_no_fault() -> None:
    assert fault_in(stream_answer([b": ping\n\n", *events()[:-1], b": cost 0.1\n\n", events()[-1]]), STREAMED) is None


CHOICE = msgspec.json.decode(completion(MODEL))["choices"][0]


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (json_answer(completion(MODEL), 502), "status 502"),
        (Answer(200, b"text/html", completion(MODEL)), "content type"),
        (json_answer(completion(MODEL)[:-1]), "not chat JSON"),
        (json_answer(b"[]"), "not chat JSON"),
        (json_answer(whole(choices=[])), "another text"),
        (json_answer(whole(choices=[CHOICE, CHOICE])), "another text"),
        (json_answer(completion(MODEL).replace(b"word-7-", b"word-8-")), "another text"),
        (json_answer(whole(choices=[CHOICE | {"finish_reason": "length"}])), "finish reason"),
        (json_answer(whole(usage=USAGE | {"completion_tokens": 1})), "usage"),
        (json_answer(whole(usage=None)), "usage"),
    ],
)
def test_each_fault_of_a_whole_answer_is_seen(answer: Answer, fault: str) -> None:
    assert (fault_in(answer, WHOLE) or "").startswith(fault)


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        (events()[:-1], "the last event is not [DONE]"),
        ([*events(), events()[-1]], f"{EVENTS + 1} events"),
        ([*events()[:50], *events()[51:]], f"{EVENTS - 1} events"),
        ([*events()[:50], events()[49], *events()[51:]], "another text"),
        ([*events()[:50], events()[51], events()[50], *events()[52:]], "another text"),
        ([*events()[:-3], events()[1], *events()[-2:]], "another text"),
        ([*events()[:-2], events()[0], events()[-1]], "usage []"),
        ([b"".join(events())[:-1]], "not a stream of events"),
        ([*events()[:50], events()[50][:-4] + b"\n\n", *events()[51:]], "not chat JSON"),
        ([], "the last event is not [DONE]"),
        ([b"event: x\n\n", *events()], "not a stream of events"),
    ],
)
def test_each_fault_of_a_stream_is_seen(parts: list[bytes], fault: str) -> None:
    assert (fault_in(stream_answer(parts), STREAMED) or "").startswith(fault)


def test_two_finish_reasons_are_one_too_many() -> None:
    parts = events()
    parts[0] = parts[0].replace(b'"finish_reason":null', b'"finish_reason":"stop"')
    assert fault_in(stream_answer(parts), STREAMED) == "not exactly one finish reason"


def loaded(port: int, workload: str, requests: int) -> Awaitable[Result]:
    return Load("127.0.0.1", port, KEY, WORKLOADS[workload], seconds=30, requests=requests).run()


@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_right_answer_is_counted_once(workload: str) -> None:
    async def main() -> Result:
        async with standin() as port:
            return await loaded(port, workload, 8)

    result = run(main())
    assert (result.ok, result.errors, result.first_error) == (8, 0, None)
    assert result.p50_us is not None
    assert result.p99_us is not None
    assert 0 < result.p50_us <= result.p99_us


@contextlib.asynccontextmanager
async def saying(answer: bytes) -> AsyncIterator[int]:
    """The port of a server that answers each connection's first request with these bytes and closes."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(request_body(WHOLE)[-20:])
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def http(body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (size, body)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (http(completion(MODEL).replace(b"word-7-", b"word-8-")), "another text"),
        (http(completion(MODEL), len(completion(MODEL)) + 1), "the connection broke"),
        (b"HTTP/1.1 200 OK\r\n", "the connection broke"),
        (b"hello\r\n\r\n", "not HTTP"),
        (b"", "the connection broke"),
    ],
)
def test_a_wrong_or_broken_answer_is_an_error_and_never_right(answer: bytes, fault: str) -> None:
    async def main() -> Result:
        async with saying(answer) as port:
            return await loaded(port, "L1", 1)

    result = run(main())
    assert (result.ok, result.errors) == (0, 1)
    assert (result.first_error or "").startswith(fault)


def test_nobody_listening_is_an_error() -> None:
    async def main() -> Result:
        async with standin() as port:
            pass
        return await loaded(port, "L1", 1)

    result = run(main())
    assert (result.ok, result.errors) == (0, 1)


def test_after_many_errors_the_load_ends_early() -> None:
    async def main() -> Result:
        async with saying(http(b"{}")) as port:
            return await loaded(port, "A16", 10_000)

    result = run(main())
    assert result.ok == 0
    assert 20 <= result.errors < 100


# ---------------------------------------------------------------- the plain proxy


@contextlib.asynccontextmanager
async def proxied(port: int, client: str) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of the plain proxy in front of ``port``."""
    app = create_app(f"http://127.0.0.1:{port}", KEY, client)
    async with app.router.lifespan_context(app), serving(app) as (host, own_port):
        async with httpx.AsyncClient(base_url=f"http://{host}:{own_port}", trust_env=False, timeout=10) as caller:
            yield caller


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("workload", [WHOLE, STREAMED], ids=lambda workload: workload.name)
def test_the_plain_proxy_changes_nothing(client: str, workload: Any) -> None:
    async def main() -> None:
        async with standin() as port, proxied(port, client) as caller:
            reply = await caller.post(PATH, content=request_body(workload))
        assert (
            fault_in(Answer(reply.status_code, reply.headers["content-type"].encode(), reply.content), workload) is None
        )

    run(main())


@pytest.mark.parametrize("client", CLIENTS)
def test_the_plain_proxy_passes_a_refusal_on(client: str) -> None:
    async def main() -> None:
        async with standin() as port, proxied(port, client) as caller:
            reply = await caller.post(PATH, json=asked("gpt-none"))
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "model_not_found")

    run(main())


@pytest.mark.parametrize("client", CLIENTS)
def test_the_plain_proxy_passes_each_event_on_before_the_next_one_comes(client: str) -> None:
    """The upstream says its second event only when the caller has the first: a proxy that holds back waits for ever."""

    async def main() -> list[bytes]:
        seen = asyncio.Event()

        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"true}")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\ndata: 1\n\n")
            await seen.wait()
            writer.write(b"data: 2\n\n")
            writer.close()

        async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with proxied(port, client) as caller:
                async with caller.stream("POST", PATH, content=b'{"stream": true}') as reply:
                    pieces = []
                    async for piece in reply.aiter_raw():
                        pieces.append(piece)
                        seen.set()
                    return pieces

    assert run(main()) == [b"data: 1\n\n", b"data: 2\n\n"]


# ---------------------------------------------------------------- what is made of it


def sample(target: str, round_: int, cpu_us: float | None, p50_us: float = 10.0, errors: int = 0) -> Sample:
    result = Result(
        ok=0 if cpu_us is None and target != DIRECT else 5,
        errors=errors,
        first_error="another text" if errors else None,
        elapsed_s=1.0,
        p50_us=p50_us,
        p99_us=p50_us,
    )
    return Sample(round=round_, target=target, workload="L1", cpu_us=cpu_us, result=result)


def test_ratios_and_added_latency_are_taken_within_a_round() -> None:
    """In the second round the machine is ten times slower, which changes no ratio; in the third, only the router is."""
    samples = Samples(
        [
            *(sample("nginx", n, 10.0 * slow, 30.0 * slow) for n, slow in enumerate((1, 10, 1))),
            *(sample("router", n, 50.0 * slow, 80.0 * slow) for n, slow in enumerate((1, 10, 2))),
            *(sample(DIRECT, n, None, 20.0 * slow) for n, slow in enumerate((1, 10, 1))),
        ]
    )
    ratio, added = samples.ratio("router", "L1"), samples.added_us("router", "L1")
    assert ratio is not None
    assert added is not None
    assert (ratio.median, ratio.least, ratio.most) == (5.0, 5.0, 10.0)
    assert (added.median, added.least, added.most) == (140.0, 60.0, 600.0)
    assert samples.verified == 45
    assert tables(samples).splitlines() == [
        "CPU µs per verified request: median (min)",
        "                L1",
        "  nginx    10 (10)",
        "  router  100 (50)",
        "",
        "ratio to nginx of the same round: median [min-max]",
        "                      L1",
        "  router  5.0 [5.0-10.0]",
        "  goal",
        "",
        "latency in µs, and what is added to the upstream's own: median (min)",
        "            L1 p50  L1 added",
        "  nginx    30 (30)   10 (10)",
        "  router  160 (80)  140 (60)",
        "  direct   20 (20)     0 (0)",
    ]


def test_wrong_and_missing_answers_are_told() -> None:
    samples = Samples([sample("nginx", 0, 10.0), sample("router", 0, 50.0, errors=3), sample("plain", 0, None)])
    assert samples.errors() == [
        "router L1: 3 wrong answers, the first: another text",
        "plain L1: 0 wrong answers, the first: None",
    ]
    assert samples.ratio("plain", "L1") is None


def test_cpu_time_is_the_process_s_own_and_its_children_s() -> None:
    """Python's own clock for this process lies between two readings; a living child's time comes on top."""
    code = """
import os, subprocess, sys, time
from scripts.bench.machine import cpu_ns
before = cpu_ns(os.getpid())
own = time.process_time_ns()
assert before <= own <= cpu_ns(os.getpid())
burn = "sum(range(3_000_000)); print(flush=True); input()"
with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
    child.stdout.readline()
    own, both, its = time.process_time_ns(), cpu_ns(os.getpid()), cpu_ns(child.pid)
    assert its > 0 and own + its // 2 < both
    child.communicate(b"\\n")
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_without_nginx_the_line_to_type_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main([], find_nginx=lambda: None) == 2
    assert "sudo apt-get install nginx-light" in capsys.readouterr().err


def test_unknown_names_are_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["--targets", "router,envoy"])
    assert "envoy not known; there are nginx, plain" in capsys.readouterr().err


@pytest.mark.slow
def test_a_bench_from_end_to_end(tmp_path: Path) -> None:
    """Real processes: stand-in, plain proxy, router and load generators; every answer was right."""
    out = tmp_path / "out.json"
    command = [sys.executable, str(ROOT / "scripts" / "bench" / "run.py"), "--targets", "plain,router"]
    command += ["--workloads", "B16,L1", "--rounds", "1", "--seconds", "0.2", "--json", str(out)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    samples = json.loads(out.read_text())["samples"]
    measured = [(one["target"], one["workload"]) for one in samples]
    assert measured == [("plain", "B16"), ("plain", "L1"), ("router", "B16"), ("router", "L1"), (DIRECT, "L1")]
    assert all(one["result"]["ok"] > 0 and one["result"]["errors"] == 0 for one in samples)
    assert all((one["cpu_us"] is None) == (one["target"] == DIRECT) for one in samples)
    assert "CPU µs per verified request" in done.stdout
