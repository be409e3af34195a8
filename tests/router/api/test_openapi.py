"""The router answers as its OpenAPI document says, whatever it is asked: schemathesis makes good and bad requests from
the document, and holds statuses, content types, headers and bodies of the answers against it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from msgspec import structs

from llm_router import __version__
from llm_router.admission.key_file import create
from llm_router.api.openapi_document import document
from llm_router.config.json_schema import to_text
from llm_router.model import Demand
from llm_router.routing.engine import decide
from llm_router.routing.explain import as_json
from llm_router.routing.policy import Policy
from tests.router.routers import MODELS, Running, providers, running_router
from tests.router.routing.views import cluster, facts, provider, snapshot
from tests.router.standins import Standins, running_standins

COMMITTED = Path(__file__).parents[3] / "router" / "openapi.json"
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
ANYTHING = ("--exclude-checks", "positive_data_acceptance")
"""Requests that fit the schema may still be refused: nobody has a model, a region or a tag of a made-up name."""


@pytest.fixture(scope="module")
def standins() -> Iterator[Standins]:
    with running_standins() as running:
        yield running


@pytest.fixture(scope="module")
def router(standins: Standins) -> Iterator[Running]:
    """The last of its providers has a model of which no window and no price is known."""
    own = {**providers(standins, "openai")[0], "name": "own", "type": "openai-compatible", "models": ["unheard-of"]}
    with running_router({"externalProviders": [*providers(standins), own]}) as running:
        yield running


def put_to_the_test(said: dict[str, Any], url: str, folder: Path, *options: str) -> None:
    """With what schemathesis says where an answer is not as documented. Its requests are the same every time: those at
    the edges of the schema, and 50 more for each operation."""
    (folder / "openapi.json").write_text(json.dumps(said))
    command: list[str | Path] = [
        SCHEMATHESIS,
        "run",
        "openapi.json",
        "--url",
        url,
        "--phases",
        "coverage,fuzzing",
        "--seed",
        "1",
    ]
    command += ["--max-examples", "50", "--generation-database", "none", "--continue-on-failure", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_committed_document_is_the_programs_own() -> None:
    assert COMMITTED.read_text() == to_text(document(__version__))


def test_a_decision_with_rented_pools_is_as_documented() -> None:
    """Those have amounts without limit, which JSON does not have."""
    demand = Demand(value_usd=float("inf"), input_tokens=5, output_tokens=150, able=("aws",))
    decision = decide(facts("gpt-4"), snapshot(cluster("aws/tiny", owner="aws"), provider("gemini")), Policy())
    shown = as_json(structs.replace(decision, demand=demand))
    validator = Draft202012Validator({**document(__version__), "$ref": "#/components/schemas/ShownDecision"})
    assert [error.message for error in validator.iter_errors(shown)] == []
    del shown["hedged"]
    assert [error.message for error in validator.iter_errors(shown)] == ["'hedged' is a required property"]


@pytest.mark.nightly
def test_whatever_is_asked_the_answer_is_as_documented(router: Running, tmp_path: Path) -> None:
    put_to_the_test(document(__version__), router.url, tmp_path, *ANYTHING)


@pytest.mark.nightly
def test_what_can_be_answered_is_answered_as_documented(router: Running, tmp_path: Path) -> None:
    """The schema is narrowed to what the stand-ins can answer, so that each request that fits it must be."""
    said = document(__version__)
    body, parameters = said["components"]["schemas"]["ChatBody"], said["components"]["parameters"]
    message: dict[str, Any] = {"properties": {"role": {"const": "user"}, "content": {"type": "string", "minLength": 1}}}
    message |= {"type": "object", "required": ["role", "content"], "additionalProperties": False}
    body["additionalProperties"] = False
    body["properties"] = {
        "model": {"enum": ["auto", *MODELS.values()]},
        "messages": {"type": "array", "items": message, "minItems": 1, "maxItems": 4},
        "max_tokens": {"enum": [None, 1, 64]},
        "stream": body["properties"]["stream"],
        "stream_options": body["properties"]["stream_options"],
    }
    known = {"Region": "us", "Compliance": "", "Target": "", "Max-Cost-Per-1K": "1", "Max-Latency-Ms": "60000"}
    for name, value in known.items():
        parameters[f"X-LLM-{name}"]["schema"] = {"const": value}
    before = len(router.ledger)
    put_to_the_test(said, router.url, tmp_path, "--mode", "positive")
    records = router.ledger.recent(len(router.ledger) - before)
    assert {record.status for record in records} <= {200, 499}, "the program may leave a stream when it has seen enough"
    assert {attempt.target for record in records for attempt in record.attempts} > {"openai"}
    assert {decided.decision.facts.stream for decided in router.app.generation().decisions} == {True, False}


@pytest.mark.nightly
def test_with_api_keys_nobody_is_answered_without_one(standins: Standins, tmp_path: Path) -> None:
    said = document(__version__)
    for path in said["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and "security" in operation:
                operation["security"].remove({})
    key = create(tmp_path / "keys.yaml", "alice")
    config = {"externalProviders": providers(standins), "access": {"apiKeysFile": str(tmp_path / "keys.yaml")}}
    with running_router(config) as router:
        put_to_the_test(said, router.url, tmp_path, "-H", f"Authorization: Bearer {key}", *ANYTHING)
