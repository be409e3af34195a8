"""What a stranger sees: the demo, the script that tests hybrid routing, and the official SDK."""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path

import httpx
import openai
import pytest

from llm_router.demo.contract import THRESHOLD_USD_PER_1K
from tests.e2e.conftest import LLM_ROUTER, Demo
from tests.router.ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

ROOT = Path(__file__).resolve().parents[2]


def test_the_show_once_for_machines(tiny_models: object) -> None:
    ports = [f"--{name}={free_port()}" for name in ("port", "admin-port", "control-port")]
    done = subprocess.run(
        [LLM_ROUTER, "demo", "--json", *ports], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["ok"]
    by_title = {request["title"]: request for request in shown["requests"]}
    assert by_title["simple question"]["reason"] == "hybrid_cluster"
    assert by_title["all clusters down"]["reason"] == "fallback_external"
    assert by_title["nobody may: SOX"]["status"] == 503
    assert by_title["clusters dear: outside"]["reason"] == "hybrid_external"
    assert by_title["clusters cheap again"]["reason"] == "hybrid_cluster"
    idle, busy, dear = (shown["costs"][moment] for moment in ("before the load", "under load", "dear"))
    for cluster in ("aws", "aws-gpu", "gcp", "azure"):
        assert busy[cluster]["realised"] < (idle[cluster]["realised"] or math.inf), (
            "a busy node serves more for its rent"
        )
        assert dear[cluster]["capacity"] > THRESHOLD_USD_PER_1K > busy[cluster]["capacity"]
        assert dear[cluster]["node_usd_per_hour"] > 2 * busy[cluster]["node_usd_per_hour"]


def test_the_show_tells_what_happened(demo: Demo) -> None:
    said = demo.process.output
    for words in ("simple question", "killing", "bringing", "spent and saved", "everything went as it should"):
        assert words in said
    assert demo.url in said


def test_hybrid_routing_by_script(demo: Demo) -> None:
    done = subprocess.run(
        [ROOT / "scripts/test-hybrid-routing.sh"],
        env={**os.environ, "ROUTER_URL": demo.url, "DEMO_URL": demo.control_url},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout
    assert "0 failed" in done.stdout


def test_the_script_fails_where_something_is_wrong(demo: Demo) -> None:
    done = subprocess.run(
        [ROOT / "scripts/test-hybrid-routing.sh"],
        env={**os.environ, "ROUTER_URL": demo.admin_url, "DEMO_URL": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 1
    assert "FAIL" in done.stdout


@pytest.mark.parametrize("model", ["auto", "tiny-router-large", "tiny-router-small"])
def test_the_official_sdk_gets_real_tokens_from_llama_cpp(demo: Demo, model: str) -> None:
    client = openai.OpenAI(base_url=f"{demo.url}/v1", api_key="none", max_retries=0)
    whole = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Hello"}], max_tokens=12, temperature=0
    )
    assert whole.choices[0].message.content
    assert whole.usage is not None
    assert 0 < whole.usage.completion_tokens <= 12
    assert whole.model.startswith("tiny-router")
    stream = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "Hello"}],
        max_tokens=12,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


def test_the_official_sdk_understands_errors(demo: Demo) -> None:
    client = openai.OpenAI(base_url=f"{demo.url}/v1", api_key="none", max_retries=0)
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="gpt-99", messages=[{"role": "user", "content": "x"}])
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model="auto", messages=[])
    assert bad.value.param == "messages"
    assert next(iter(client.models.list())).id == "auto"


def test_every_cluster_reports_its_cost_in_the_open(demo: Demo) -> None:
    metrics = httpx.get(f"{demo.url}/metrics", trust_env=False).text
    for cluster in ("aws", "aws-gpu", "gcp", "azure"):
        assert f'basis="capacity",cluster="{cluster}"' in metrics


def test_the_generated_configuration_is_what_the_check_accepts(demo: Demo) -> None:
    shown = httpx.get(f"{demo.admin_url}/admin/config", trust_env=False).json()
    assert [cluster["name"] for cluster in shown["clusters"]] == ["aws", "aws-gpu", "azure", "gcp"]
    assert all(cluster["sharedSecret"].startswith("***") for cluster in shown["clusters"])


def test_ports_that_somebody_has_are_named_before_anything_starts(demo: Demo) -> None:
    taken = demo.url.rpartition(":")[2]
    done = subprocess.run(
        [LLM_ROUTER, "demo", "--once", "--port", taken], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 1
    assert "--port" in done.stderr
    assert "starting" not in done.stderr


def test_a_model_that_does_not_load_is_said_to_be_so(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\x00" * 100)
    ports = [f"--{name}={free_port()}" for name in ("port", "admin-port", "control-port")]
    done = subprocess.run(
        [LLM_ROUTER, "demo", "--once", "--model", broken, *ports],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "llama" in done.stderr
    assert "broken.gguf" in done.stderr
