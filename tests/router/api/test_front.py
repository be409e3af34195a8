"""The public listener beside the happy path: bad input, keys, departing clients, limits, discovery of models."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from llm_router.admission.key_file import create
from llm_router.api.health import health_routes
from llm_router.api.metrics import metrics_route
from llm_router.api.models import model_routes
from llm_router.api.openai import PATH as CHAT_PATH
from llm_router.api.route import route_routes
from llm_router.demo.standins.delivery import Pace
from tests.router.routers import MODELS, Running, providers, running_router
from tests.router.standins import Standins, running_standins


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


@pytest.fixture(scope="module")
def router(standins: Standins) -> Iterator[Running]:
    with running_router({"externalProviders": providers(standins), "server": {"maxBody": "64KiB"}}) as running:
        yield running


def wait_until(condition: Callable[[], bool], deadline_s: float = 30.0) -> None:
    ends_at = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < ends_at, "it did not happen in time"
        time.sleep(0.005)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"not json", 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b'{"model":"auto","model":"x","messages":[]}', 400, "invalid_json"),
        (b'{"messages":[{"role":"user","content":"x"}]}', 400, "invalid_request_error"),
        (b'{"model":"auto","messages":[]}', 400, "invalid_request_error"),
        (b'{"model":"../x","messages":[{"role":"user","content":"x"}]}', 400, "invalid_model"),
        (b'{"model":"gpt-99","messages":[{"role":"user","content":"x"}]}', 404, "model_not_found"),
        (b"x" * 70_000, 413, "request_too_large"),
    ],
    ids=["text", "list", "duplicate", "no model", "no messages", "bad model", "unknown model", "too large"],
)
def test_bad_bodies_are_refused_in_openais_shape(router: Running, body: bytes, status: int, code: str) -> None:
    answer = router.client.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert set(error) >= {"message", "type", "param", "code"}
    assert answer.headers["x-llm-router-request-id"]
    assert router.chat().status_code == 200


_HEAD = b'{"model":"auto","messages":[{"role":"user","content":"x"}]'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(_HEAD + b',"metadata":' + b"[" * 10_000 + b"]" * 10_000 + b"}", id="10 000 deep"),
        pytest.param(_HEAD + b"".join(b',"k%d":1' % n for n in range(3_000)) + b',"k7":2}', id="one of 3000 twice"),
        pytest.param(_HEAD + b',"temperature":NaN}', id="NaN"),
        pytest.param(_HEAD + b',"temperature":-Infinity}', id="infinity"),
        pytest.param(_HEAD + b',"user":"\\ud800"}', id="lone surrogate"),
        pytest.param(b"\xef\xbb\xbf" + _HEAD + b"}", id="byte order mark"),
        pytest.param(_HEAD + b',"max_tokens":' + b"9" * 5_000 + b"}", id="huge number"),
        pytest.param(_HEAD + b',"user":"\xff\xfe"}', id="no UTF-8"),
        pytest.param(_HEAD + b"}" + _HEAD + b"}", id="two documents"),
    ],
)
def test_json_that_no_two_parsers_agree_on_is_refused(router: Running, standins: Standins, body: bytes) -> None:
    before = len(standins.anthropic.requests()) + len(standins.openai.requests()) + len(standins.gemini.requests())
    answer = router.client.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    after = len(standins.anthropic.requests()) + len(standins.openai.requests()) + len(standins.gemini.requests())
    assert after == before


def test_a_body_that_trickles_in_is_given_up_at_the_deadline(standins: Standins) -> None:
    config = {"server": {"readTimeout": "300ms"}, "externalProviders": providers(standins)}
    with running_router(config) as router, socket.create_connection(address_of(router), timeout=30) as raw:
        raw.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: 1000\r\n\r\n"
        )
        got, began = b"", time.monotonic()
        with contextlib.suppress(ConnectionError):
            while not got:
                raw.sendall(b"x")
                raw.settimeout(0.02)
                with contextlib.suppress(TimeoutError):
                    got = raw.recv(65536)
        assert got.startswith(b"HTTP/1.1 408 ")
        raw.settimeout(30)
        with contextlib.suppress(ConnectionError):
            while raw.recv(65536):
                pass
        assert time.monotonic() - began < 30


def address_of(router: Running) -> tuple[str, int]:
    return "127.0.0.1", int(router.url.rpartition(":")[2])


def test_an_unknown_model_is_answered_with_the_known_ones(router: Running) -> None:
    message = router.chat(model="gpt-99").json()["error"]["message"]
    assert all(model in message for model in MODELS.values())


def test_a_body_of_100_mb_is_refused_by_its_announcement_alone(router: Running) -> None:
    port = int(router.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
        raw.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: 104857600\r\n\r\n"
        )
        assert raw.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_100_mb_in_chunks_is_refused_at_the_cap(router: Running) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(1600):
            yield b"x" * 65536

    try:
        answer = router.client.post(
            "/v1/chat/completions", content=chunks(), headers={"content-type": "application/json"}
        )
        assert answer.status_code == 413
    except OSError:
        pass  # closed while we were still sending: just as good
    assert router.chat().status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_other_media_types_are_refused(router: Running, headers: dict[str, str]) -> None:
    answer = router.client.post("/v1/chat/completions", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


def test_other_methods_are_refused(router: Running) -> None:
    answer = router.client.get("/v1/chat/completions")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/nowhere", "/v1/files", "/admin/config", "/ai/providers", "/v1/../admin/config"])
def test_the_public_listener_knows_nothing_of_other_paths(router: Running, path: str) -> None:
    answer = router.client.get(path)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["code"]


def test_a_caller_cannot_hide_a_request_behind_an_id_of_his_own(router: Running) -> None:
    before = len(router.ledger)
    answers = [router.chat(headers={"X-Request-Id": "abc-1"}) for _ in range(2)]
    assert len({answer.headers["x-llm-router-request-id"] for answer in answers}) == 2
    assert len(router.ledger) == before + 2


def test_requirements_are_obeyed_before_a_byte_leaves(router: Running, standins: Standins) -> None:
    for standin in (standins.openai, standins.anthropic, standins.gemini):
        standin.clear()
    answer = router.chat(headers={"X-LLM-Compliance": "hipaa"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_compliant_target")
    assert {rejected["target"] for rejected in answer.json()["error"]["rejected"]} == set(MODELS)
    assert not any(standin.requests() for standin in (standins.openai, standins.anthropic, standins.gemini))
    assert router.chat(headers={"X-LLM-Compliance": "hippa"}).json()["error"]["code"] == "invalid_requirement"
    assert router.chat(headers={"X-LLM-Target": "nobody"}).status_code == 400
    pinned = router.chat(headers={"X-LLM-Target": "gemini"})
    assert pinned.headers["x-llm-router-target"] == "gemini"


# ---------------------------------------------------------------- models, route, health


def test_models_are_listed_in_openais_shape(router: Running) -> None:
    listed = router.client.get("/v1/models").json()
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == ["auto", "fast", "cheap", *MODELS.values()]
    assert router.client.get(f"/v1/models/{MODELS['gemini']}").json()["owned_by"] == "gemini"
    assert router.client.get("/v1/models/nope").json()["error"]["code"] == "model_not_found"


def test_route_explains_and_sends_nothing(router: Running, standins: Standins) -> None:
    standins.clear()
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10}
    shown = router.client.post("/v1/route", json=body, headers={"X-LLM-Max-Cost-Per-1K": "0.0005"}).json()
    assert shown["strategy"] == "hybrid"
    assert [target["provider"] for target in shown["targets"]] == ["anthropic"]
    assert {rejected["target"] for rejected in shown["rejected"]} == {"openai", "gemini"}
    assert not standins.anthropic.requests()
    assert router.client.post("/v1/route", json={"model": "auto"}).status_code == 400


def test_health_counts_and_names_nobody(router: Running) -> None:
    health = router.client.get("/health").json()
    assert health["status"] == "healthy"
    assert (health["healthy_providers"], health["total_providers"]) == (3, 3)
    assert (health["healthy_clusters"], health["total_clusters"]) == (0, 0)
    assert health["timestamp"].endswith("Z")
    assert router.client.get("/livez").text == "ok\n"
    assert router.client.get("/readyz").status_code == 200


def test_metrics_have_the_documented_names(router: Running) -> None:
    router.chat()
    metrics = router.client.get("/metrics").text
    for name in (
        'llm_router_routing_decisions_total{reason="hybrid_external",target="anthropic",type="provider"}',
        'llm_router_provider_health{provider="openai",type="openai"} 1.0',
        'llm_router_provider_cost_per_1k_tokens{model="gpt-5.4-mini",provider="openai"} 0.0045',
        'llm_router_requests_total{status="200",target="anthropic"}',
        'llm_router_request_duration_seconds_bucket{le="0.005",target="anthropic"}',
        'llm_router_time_to_first_token_seconds_count{target="anthropic"}',
        "llm_router_overhead_seconds_count",
        'llm_router_tokens_total{provider="anthropic",type="output"}',
        'llm_router_external_requests_total{model="claude-haiku-5-5",provider="anthropic",status="200"}',
        'llm_router_circuit_state{target="openai"} 0.0',
        'llm_router_pending_requests{target="openai"} 0.0',
        'llm_router_cost_usd_total{target="anthropic"}',
        'llm_router_savings_usd_total{baseline="anthropic"}',
        "llm_router_config_last_reload_success 1.0",
    ):
        assert name in metrics


# ---------------------------------------------------------------- keys


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.yaml"


def test_with_keys_nobody_gets_in_without_one(standins: Standins, key_file: Path) -> None:
    key = create(key_file, "search")
    scoped = create(key_file, "scoped", targets=frozenset({"gemini"}), tags=frozenset({"gdpr"}))
    config = {"externalProviders": providers(standins), "access": {"apiKeysFile": str(key_file)}}
    with running_router(config) as router:
        refusals = [
            router.chat(),
            router.chat(headers={"Authorization": "Bearer llmr_wrong"}),
            router.chat(headers={"x-api-key": "' OR 1=1 --"}),
        ]
        assert {answer.status_code for answer in refusals} == {401}
        assert len({answer.text for answer in refusals}) == 1
        assert router.client.get("/v1/models").status_code == 401
        assert router.client.post("/v1/route", json={}).status_code == 401
        for headers in ({"Authorization": f"Bearer {key}"}, {"x-api-key": key}, {"api-key": key}):
            assert router.chat(headers=headers).status_code == 200
        assert router.ledger.recent(1)[0].key == "search"
        assert router.chat(headers={"x-api-key": scoped}).json()["error"]["code"] == "no_compliant_target"
        listed = router.client.get("/v1/models", headers={"x-api-key": scoped}).json()["data"]
        assert [model["id"] for model in listed] == ["auto", "fast", "cheap", MODELS["gemini"]]


OPEN_TO_ALL = {"/health", "/livez", "/readyz", "/metrics"}


def test_without_a_key_only_the_public_list_answers(standins: Standins, key_file: Path) -> None:
    def nobody(*_: object) -> NoReturn:
        raise AssertionError("the routes are only counted here")

    routes = [*health_routes(nobody, nobody), *model_routes(nobody), *route_routes(nobody), metrics_route(nobody)]
    asked = {(method, route.path) for route in routes for method in route.methods or () if method != "HEAD"}
    asked.add(("POST", CHAT_PATH))
    create(key_file, "somebody")
    config = {"externalProviders": providers(standins), "access": {"apiKeysFile": str(key_file)}}
    with running_router(config) as router:
        for method, path in asked:
            answer = router.client.request(
                method, path.replace("{id:path}", "gpt"), json={} if method == "POST" else None
            )
            assert answer.status_code == (200 if path in OPEN_TO_ALL else 401), path
    assert {path for _, path in asked} > OPEN_TO_ALL


def test_a_key_without_the_model_or_the_target_is_403_and_nothing_is_sent(standins: Standins, key_file: Path) -> None:
    standins.clear()
    narrow = create(key_file, "narrow", models=[MODELS["gemini"]], targets=["gemini"])
    config = {"externalProviders": providers(standins), "access": {"apiKeysFile": str(key_file)}}
    with running_router(config) as router:
        for header in ({"Authorization": f"Bearer {narrow}"}, {"x-api-key": narrow}, {"api-key": narrow}):
            refused = [
                router.chat(model=MODELS["openai"], headers=header),
                router.chat(model=MODELS["gemini"], headers=header | {"X-LLM-Target": "openai"}),
            ]
            assert {answer.status_code for answer in refused} <= {403, 404}, [answer.text for answer in refused]
    assert not any(standin.requests() for standin in (standins.openai, standins.anthropic, standins.gemini))


# ---------------------------------------------------------------- departing clients


def raw_chat(router: Running, **fields: Any) -> socket.socket:
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "Hi"}]} | fields).encode()
    raw = socket.create_connection(("127.0.0.1", int(router.url.rpartition(":")[2])), timeout=30)
    raw.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        % len(body)
        + body
    )
    return raw


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_client_that_leaves_before_the_first_byte_frees_the_upstream(
    router: Running, standins: Standins, stream: bool
) -> None:
    standins.clear()
    standins.anthropic.fault("silence", times=1)
    raw = raw_chat(router, stream=stream)
    wait_until(lambda: len(standins.anthropic.requests()) == 1)
    raw.close()
    wait_until(lambda: standins.anthropic.requests()[0]["duration_s"] is not None)
    wait_until(lambda: router.ledger.recent(1)[0].status == 499)
    record = router.ledger.recent(1)[0]
    assert [attempt.outcome for attempt in record.attempts] == ["client_gone"]
    assert not standins.openai.requests()
    assert not standins.gemini.requests()


def test_a_client_that_leaves_in_mid_stream_is_billed_for_what_came() -> None:
    with running_standins(Pace(tokens_per_second=50)) as standins:
        with running_router({"externalProviders": providers(standins)}) as router:
            raw = raw_chat(router, stream=True, max_tokens=400)
            received = b""
            while received.count(b"data: ") < 5:
                received += raw.recv(65536)
            raw.close()
            wait_until(lambda: standins.anthropic.requests()[0]["duration_s"] is not None)
            wait_until(lambda: len(router.ledger) == 1)
            record = router.ledger.recent(1)[0]
            assert record.status == 499
            assert 1 <= record.usage.output_tokens < 400
            assert record.cost_usd
            view = router.app.generation().board.view("anthropic")
            assert (view.pending, view.retry_at) == (0, 0.0)
