"""``helm test`` asks the pool for a token, signed; its program is run here against a real gate and llama-server."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import yaml

from tests.charts.helm import ROOT, annotations_of, render
from tests.charts.pools import MINIMAL
from tests.router.llama import running_llama
from tests.router.ports import free_port
from tests.router.processes import Process

PROGRAM = ROOT / "charts/llm-server/files/completion.py"
KEY = base64.b64encode(bytes(range(32))).decode()


TLS = {"gate": {"tls": {"enabled": True, "certificate": {"enabled": True}}}}


def hook(name: str, *values: dict[str, Any]) -> dict[str, str]:
    """The environment that the pod of the hook has, without what comes from Secrets."""
    pod = render("llm-server", MINIMAL, *values).one("Pod", name)
    return {each["name"]: each["value"] for each in pod["spec"]["containers"][0]["env"] if "value" in each}


def test_the_hook_is_a_pod_that_only_helm_test_starts() -> None:
    for kind in ("Pod", "ConfigMap"):
        assert annotations_of(render("llm-server", MINIMAL).one(kind, "pool-llm-server-test"))["helm.sh/hook"] == "test"


def test_the_hook_may_pass_the_network_policy() -> None:
    objects = render("llm-server", MINIMAL)
    labels = objects.one("Pod", "pool-llm-server-test")["metadata"]["labels"]
    gate = next(rule for rule in objects.one("NetworkPolicy")["spec"]["ingress"] if rule["ports"][0]["port"] == "gate")
    allowed = [each["podSelector"]["matchLabels"] for each in gate["from"] if "podSelector" in each]
    assert any(selector.items() <= labels.items() for selector in allowed)


def test_it_asks_the_service_as_the_router_would() -> None:
    env = hook("pool-llm-server-test")
    assert env == {
        "ENDPOINT": "http://pool-llm-server.llm.svc:8443",
        "AUTHORITY": "aws.llm.example.com",
        "TARGET": "aws",
        "MODEL": "tinyllama-1.1b-chat",
    }


def tls_of_the_hook(*values: dict[str, Any]) -> dict[str, Any] | None:
    volumes = render("llm-server", MINIMAL, *values).one("Pod", "pool-llm-server-test")["spec"]["volumes"]
    return next((each["secret"] for each in volumes if each["name"] == "tls"), None)


def test_behind_tls_it_knows_the_authority_and_never_the_gates_own_key() -> None:
    assert tls_of_the_hook() is None
    items = [{"key": "ca.crt", "path": "ca.crt"}]
    assert tls_of_the_hook(TLS) == {"secretName": "pool-llm-server-tls", "items": items, "optional": True}
    client = {"test": {"clientCertificateSecret": "tester"}}
    assert tls_of_the_hook(TLS, client) == {"secretName": "tester"}
    assert hook("pool-llm-server-test", TLS)["ENDPOINT"].startswith("https://")


@pytest.mark.parametrize(("known", "answer"), [(True, 0), (False, 1)])
def test_it_trusts_the_authority_that_stands_beside_the_gates_certificate(
    tmp_path: Path, known: bool, answer: int
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    if known:
        authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    with completing(context) as url:
        done = run(url, KEY, TLS_DIR=str(tmp_path))
    assert done.returncode == answer, done.stdout + done.stderr
    assert known or "CERTIFICATE_VERIFY_FAILED" in done.stderr


@contextmanager
def completing(tls: ssl.SSLContext) -> Iterator[str]:
    """A server that answers everything as a pool does."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"choices": [1]}')

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"https://localhost:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def gate_url(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gate configured by the chart, with other ports, in front of llama.cpp's own server."""
    folder = tmp_path_factory.mktemp("pool")
    port = free_port()
    with running_llama(tiny_model, folder / "llama.log", model="tinyllama-1.1b-chat") as llama:
        config = yaml.safe_load(render("llm-server", MINIMAL).one("ConfigMap")["data"]["gate.yaml"])
        config |= {"listen": f"127.0.0.1:{port}", "metrics": f"127.0.0.1:{free_port()}", "upstream": llama.url}
        (folder / "gate.yaml").write_text(yaml.safe_dump(config | {"upstreamApiKey": llama.api_key}))
        other = base64.b64encode(bytes(range(32, 64))).decode()
        env = {"GATE_KEY_ID": "aws.1", "GATE_KEY": KEY, "GATE_NEXT_KEY_ID": "aws.2", "GATE_NEXT_KEY": other}
        command = [str(Path(sys.executable).with_name("llm-router")), "gate", "--config", str(folder / "gate.yaml")]
        with Process(command, folder / "gate.log", env=env) as process:
            url = f"http://127.0.0.1:{port}"
            process.wait_until(lambda: _ready(url))
            yield url


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def run(url: str, key: str, **more: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], **hook("pool-llm-server-test"), "ENDPOINT": url, "KEY_ID": "aws.1", "KEY": key}
    env |= more
    return subprocess.run([sys.executable, PROGRAM], env=env, capture_output=True, text=True, timeout=60, check=False)


def test_a_pool_that_answers_passes(gate_url: str) -> None:
    done = run(gate_url, KEY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "chat.completion" in done.stdout


def test_a_wrong_key_fails(gate_url: str) -> None:
    done = run(gate_url, base64.b64encode(bytes(range(100, 132))).decode())
    assert done.returncode == 1
    assert done.stdout.startswith("401")
