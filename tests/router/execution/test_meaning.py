"""Categories by meaning: an embedding model is asked where the request may go there; else letters count."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from llm_router.admission.key_file import create
from llm_router.demo.standins.delivery import Pace
from tests.router.llama import Llama, running_llama
from tests.router.routers import Running, providers, running_router
from tests.router.standins import Standins, running_standins
from tests.router.test_app import eventually, metric

SPACE = {"contract": (1.0, 0.0), "covenant": (0.9, 0.1), "hello": (0.0, 1.0), "good day": (0.1, 0.9)}
"""What the embedding stand-in knows of meanings."""
CATEGORIES = [
    {"name": "legal", "examples": ["contract"], "capability": "complex-tasks", "minCosine": 0.8},
    {"name": "greeting", "examples": ["hello"], "minCosine": 0.8},
]


class Embeddings:
    """Speaks ``POST /v1/embeddings`` as OpenAI does, and nothing else. ``answer`` replaces what it would say."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: tuple[int, Any] | None = None
        self.wait = threading.Event()
        self.wait.set()
        self.url = ""

    @property
    def prompts(self) -> list[str]:
        return [text for body in self.asked for text in body["input"] if body["input"] != ["contract", "hello"]]

    def respond(self, body: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append(body)
        self.wait.wait(30)
        if self.answer is not None:
            return self.answer
        vectors = [SPACE[text] for text in body["input"]]
        data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        usage = {"prompt_tokens": 7 * len(data), "total_tokens": 7 * len(data)}
        return 200, {"object": "list", "model": body["model"], "data": data[::-1], "usage": usage}


@pytest.fixture
def embeddings() -> Iterator[Embeddings]:
    served = Embeddings()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, answer = served.respond(body) if self.path == "/v1/embeddings" else (404, {})
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        served.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield served
        finally:
            served.wait.set()
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins(Pace(tokens_per_second=2000, first_token_s=0.0)) as running:
        yield running


@contextmanager
def router(standins: Standins, embeddings: Embeddings, *, learnt: bool = True, **embedder: Any) -> Iterator[Running]:
    account = {
        "name": "vectors",
        "type": "openai-compatible",
        "baseUrl": embeddings.url,
        "apiKey": "sk-vectors-for-tests",
        "models": ["chat-of-vectors"],
        "price": {"inputPer1k": 0.02, "outputPer1k": 0},
        "healthCheck": {"enabled": False},
    }
    settings = {"target": "vectors", "model": "embed-small", "timeout": "2s"} | embedder.pop("settings", {})
    access = embedder.pop("access", {})
    config = {
        "access": access,
        "router": {"categories": CATEGORIES, "embeddings": settings, "modelRoutes": {"default": "openai"}},
        "externalProviders": [*providers(standins, "openai"), account | embedder],
    }
    with running_router(config) as running:
        if learnt:
            eventually(lambda: running.app.generation().meaning.meanings is not None)
        yield running


def spent(running: Running, name: str) -> float:
    """Of the daily budget, in USD."""
    (owner,) = [owner for owner in running.admin.get("/admin/budgets").json() if owner["name"] == name]
    return float(owner["budgets"][0]["used_usd"])


def facts(running: Running, text: str, **headers: str) -> dict[str, Any]:
    body = {"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": text}]}
    answer = running.client.post("/v1/route", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["facts"]
    return found


def outcomes(running: Running, outcome: str) -> float | None:
    return metric(running, "llm_router_embeddings_total", target="vectors/embed-small", outcome=outcome)


def test_a_prompt_belongs_to_what_it_means_whatever_its_letters(standins: Standins, embeddings: Embeddings) -> None:
    with router(standins, embeddings) as running:
        assert facts(running, "covenant")["categories"] == ["legal"]
        assert facts(running, "covenant")["complexity"] >= 0.5
        assert facts(running, "good day")["categories"] == ["greeting"]
        assert outcomes(running, "ok") == 3
    assert {body["model"] for body in embeddings.asked} == {"embed-small"}


def test_what_it_cost_stands_in_the_ledger_beside_the_answer(standins: Standins, embeddings: Embeddings) -> None:
    with router(standins, embeddings) as running:
        answer = running.chat("covenant", model="gpt-5.4-mini")
        assert (answer.status_code, answer.headers["x-llm-router-attempts"]) == (200, "1")
        (record,) = running.ledger
        aside, answering = record.attempts
        assert (aside.target, aside.outcome, aside.cost_usd) == ("vectors/embed-small", "embedding", 0.00014)
        assert aside.cost_usd is not None
        assert answering.cost_usd is not None
        assert record.cost_usd == pytest.approx(aside.cost_usd + answering.cost_usd)
        # The examples, of 14 tokens, belong to no request: the metric has them, the ledger has not.
        spent = metric(running, "llm_router_cost_usd_total", target="vectors/embed-small")
        assert spent == pytest.approx(21 * 0.02 / 1000)


def test_it_is_paid_from_the_budgets_of_the_key_and_of_whoever_embeds(
    standins: Standins, embeddings: Embeddings, tmp_path: Path
) -> None:
    """A prompt is 7 tokens of 0.02 USD per 1K, so 0.00014 USD; the examples were twice that, and nobody's."""
    key_file = tmp_path / "keys.yaml"
    headers = {"authorization": "Bearer " + create(key_file, "alice", budget={"daily": 1.0})}
    access, budget = {"apiKeysFile": str(key_file)}, {"daily": 0.0006}
    with router(standins, embeddings, budget=budget, access=access) as running:
        assert spent(running, "vectors") == pytest.approx(0.00028)
        answer = running.chat("covenant", model="gpt-5.4-mini", headers=headers)
        assert answer.status_code == 200, answer.text
        assert spent(running, "vectors") == pytest.approx(0.00042)
        assert spent(running, "alice") == pytest.approx(float(answer.headers["x-llm-router-cost-usd"]), abs=2e-9)
        asked = [facts(running, "covenant", **headers)["categories"] for _ in range(3)]
        assert asked == [["legal"], [], []], "then its budget has no room for another, and letters count"
        assert (outcomes(running, "ok"), outcomes(running, "limited")) == (2, 2)
        assert spent(running, "vectors") == pytest.approx(0.00056)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -1}, {"prompt_tokens": 10**12}, {"prompt_tokens": "7"}])
def test_usage_that_is_missing_or_cannot_be_true_is_estimated(
    standins: Standins, embeddings: Embeddings, usage: Any
) -> None:
    with router(standins, embeddings) as running:
        vector = {"index": 0, "embedding": [1.0, 0.0]}
        embeddings.answer = (200, {"data": [vector], "usage": usage})
        assert running.chat("covenant " * 10, model="gpt-5.4-mini").status_code == 200
        (record,) = running.ledger
        read = record.attempts[0].usage
        assert read is not None
        assert (read.input_tokens, read.estimated) == (1 + 90 // 4, True)


@pytest.mark.parametrize(
    "headers",
    [{"x-llm-compliance": "gdpr"}, {"x-llm-region": "eu"}, {"x-llm-target": "openai"}],
    ids=["compliance", "residency", "pin"],
)
def test_no_prompt_goes_where_its_request_may_not(
    standins: Standins, embeddings: Embeddings, headers: dict[str, str]
) -> None:
    """The answering target meets the requirement, the embedding one does not: not one byte goes there."""
    with router(standins, embeddings) as running:
        (openai, _) = running.config["externalProviders"]
        openai |= {"compliance": ["gdpr"], "region": "eu"}
        assert running.admin.post("/admin/reload").status_code == 200
        assert facts(running, "contract", **headers)["categories"] == ["legal"], "letters count"
        assert outcomes(running, "not_allowed") == 1
        assert not embeddings.prompts
        # The same prompt without the demand goes there.
        assert facts(running, "contract")["categories"] == ["legal"]
        assert embeddings.prompts == ["contract"]


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"error": {"message": "broken"}}),
        (200, {"data": []}),
        (200, {"data": [{"index": 0, "embedding": []}]}),
        (200, {"data": [{"index": 0, "embedding": [0.0, 0.0]}]}),
        (200, {"data": [{"index": 0, "embedding": [1.0, 0.0, 0.0]}]}),
        (200, {"data": [{"index": 1, "embedding": [1.0, 0.0]}]}),
        (200, {"data": [{"index": 0, "embedding": "AACAPw=="}]}),
        (200, ["nonsense"]),
    ],
)
def test_where_it_fails_letters_count_and_soon_it_is_left_alone(
    standins: Standins, embeddings: Embeddings, answer: tuple[int, Any]
) -> None:
    with router(standins, embeddings) as running:
        embeddings.answer = answer
        for _ in range(5):
            assert facts(running, "contract")["categories"] == ["legal"]
        assert (outcomes(running, "failed"), outcomes(running, "breaker_open")) == (3, 2)
        assert running.chat("contract", model="gpt-5.4-mini").status_code == 200


def test_a_request_waits_no_longer_than_the_timeout(standins: Standins, embeddings: Embeddings) -> None:
    with router(standins, embeddings, settings={"timeout": "50ms"}) as running:
        embeddings.wait.clear()
        assert facts(running, "contract")["categories"] == ["legal"]
        assert outcomes(running, "timeout") == 1


def test_until_the_examples_are_known_letters_count(standins: Standins, embeddings: Embeddings) -> None:
    embeddings.answer = (503, {"error": {"message": "loading"}})
    with router(standins, embeddings, learnt=False) as running:
        assert facts(running, "contract")["categories"] == ["legal"]
        assert outcomes(running, "not_ready") == 1
        embeddings.answer = None
        running.run(running.app.generation().meaning.poll())
        assert facts(running, "covenant")["categories"] == ["legal"]


def test_a_reload_learns_new_examples_only(standins: Standins, embeddings: Embeddings) -> None:
    with router(standins, embeddings) as running:
        assert running.admin.post("/admin/reload").status_code == 200
        assert facts(running, "covenant")["categories"] == ["legal"]
        running.config["router"]["categories"] = [{"name": "law", "examples": ["contract"], "minCosine": 0.8}]
        assert running.admin.post("/admin/reload").status_code == 200
        eventually(lambda: running.app.generation().meaning.meanings is not None)
        assert facts(running, "covenant")["categories"] == ["law"]
    assert [body["input"] for body in embeddings.asked] == [
        ["contract", "hello"],
        ["covenant"],
        ["contract"],
        ["covenant"],
    ]


def test_llama_cpp_embeds_for_a_cluster(standins: Standins, tiny_models: Any, tmp_path: Path) -> None:
    """The model knows nothing of meanings, but the same text has the same direction."""
    with running_llama(tiny_models.small, tmp_path / "log", model="embed", embeddings=True) as llama:
        cluster = _cluster(llama)
        settings = {"target": "vectors", "model": "embed", "timeout": "5s"}
        exact = [{"name": "exact", "examples": ["Is this clause enforceable?"], "minCosine": 0.999}]
        config = {
            "clusters": [cluster],
            "router": {"categories": exact, "embeddings": settings, "modelRoutes": {"default": "openai"}},
            "externalProviders": providers(standins, "openai"),
        }
        with running_router(config) as running:
            eventually(lambda: running.app.generation().meaning.meanings is not None)
            assert facts(running, "Is this clause enforceable?")["categories"] == ["exact"]
            assert metric(running, "llm_router_embeddings_total", target="vectors/embed", outcome="ok") == 1


def _cluster(llama: Llama) -> dict[str, Any]:
    return {
        "name": "vectors",
        "endpoint": llama.url,
        "authType": "bearer",
        "apiKey": llama.api_key,
        "costPer1kTokens": 0.001,
        "models": [{"name": "embed"}],
    }
