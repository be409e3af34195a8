"""The command as users type it: what it prints, where, and its exit codes."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from llm_router.admission.passwords import is_right
from llm_router.config.password_hash import parse_password_hash
from tests.router.passwords import PASSWORD

ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(sys.executable).with_name("llm-router")
EXAMPLE = ROOT / "router/router.example.yaml"
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC0wMQ=="
ENV = {
    "AWS_GATE_KEY": SECRET,
    "AZURE_GATE_KEY": "YXp1cmUtYXp1cmUtYXp1cmUtYXp1cmUtYXp1cmUtYXp1cmUtMDE=",
    "GCP_GATE_KEY": "Z2NwLWdjcC1nY3AtZ2NwLWdjcC1nY3AtZ2NwLWdjcC1nY3AtMDE=",
    "OPENAI_API_KEY": "sk-proj-0123456789abcdef0123456789",
    "ANTHROPIC_API_KEY": "sk-ant-0123456789abcdef0123456789",
    "GEMINI_API_KEY": "AIza0123456789abcdef0123456789abcdef",
}
HI = '{"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10}'


def llm_router(
    *arguments: str | Path, stdin: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments],
        input=stdin,
        env={"PATH": os.environ["PATH"], **(ENV if env is None else env)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_check_accepts_the_example() -> None:
    done = llm_router("check", "--config", EXAMPLE)
    assert done.returncode == 0, done.stderr
    assert "fine" in done.stdout


def test_check_says_one_line_per_problem_with_path_and_line(tmp_path: Path) -> None:
    config = tmp_path / "router.yaml"
    config.write_text("server:\n  prot: 8080\nrouter:\n  routingStrategy: weighted\n")
    done = llm_router("check", "--config", config)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert any(line.startswith(f"{config}:2: server.prot: ") and "port" in line for line in lines)
    assert not any("Traceback" in line for line in lines)


def test_check_names_every_missing_secret() -> None:
    done = llm_router("check", "--config", EXAMPLE, env={})
    assert done.returncode == 1
    assert "OPENAI_API_KEY" in done.stderr


def test_schema_is_json() -> None:
    assert json.loads(llm_router("schema").stdout)["type"] == "object"
    assert "stack" in json.loads(llm_router("schema", "--fragment").stdout)["properties"]


def test_explain_for_machines_has_the_published_shape(tmp_path: Path) -> None:
    done = llm_router("explain", "--config", EXAMPLE, "--json", "-", stdin=HI)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert list(shown) == ["strategy", "rule", "facts", "targets", "rejected", "hedged", "demand"]
    assert shown["targets"][0]["reason"] == "hybrid_cluster"
    assert "cluster" in shown["targets"][0]


def test_explain_for_people_shows_why_each_target_was_refused(tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_text(HI)
    done = llm_router("explain", "--config", EXAMPLE, "--header", "X-LLM-Compliance: gdpr", request)
    assert done.returncode == 0, done.stderr
    assert "compliance" in done.stdout
    assert "openai" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "stdin", "code"),
    [
        (("--header", "X-LLM-Compliance: sox,hipaa,gdpr"), HI, "no_compliant_target"),
        (("--header", "X-LLM-Complience: sox"), HI, "invalid_requirement"),
        ((), '{"model": "gpt-99", "messages": [{"role": "user", "content": "x"}]}', "model_not_found"),
        ((), "not json", "invalid_json"),
    ],
)
def test_explain_says_why_nobody_would_answer(
    arguments: tuple[str, ...], stdin: str, code: str, tmp_path: Path
) -> None:
    config = tmp_path / "router.yaml"
    provider = "{name: openai, type: openai, apiKey: '${OPENAI_API_KEY}', models: [gpt-5.4-mini]}"
    config.write_text(f"externalProviders: [{provider}]\n")
    for json_ in ((), ("--json",)):
        done = llm_router("explain", "--config", config, *arguments, *json_, "-", stdin=stdin)
        assert done.returncode == 1
        assert code in (done.stdout if json_ else done.stderr)


def test_a_key_is_created_with_limits_and_budgets(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    stated = ["--rpm", 60, "--tpm", 40000, "--concurrency", 4, "--budget", "5/day", "--budget", "100/month"]
    made = llm_router("keys", "create", "--file", file, "--name", "search", *map(str, stated))
    assert made.returncode == 0, made.stderr
    (key,) = yaml.safe_load(file.read_text())["keys"]
    assert key["limits"] == {"requestsPerMinute": 60, "tokensPerMinute": 40000, "concurrentRequests": 4}
    assert key["budget"] == {"daily": 5.0, "monthly": 100.0, "softPercent": 80.0, "hard": True}
    for wrong in (["--budget", "5/week"], ["--budget", "five/day"], ["--rpm", "0"], ["--budget", "-1/day"]):
        refused = llm_router("keys", "create", "--file", file, "--name", "other", *wrong)
        assert refused.returncode != 0
        assert "Traceback" not in refused.stderr


def test_a_password_is_hashed_and_a_bad_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "admin.hash"
    file.touch(mode=0o644)  # as an editor may have left it
    made = llm_router("keys", "password", stdin=f"{PASSWORD}\n")
    assert (made.returncode, made.stderr) == (0, "")
    assert llm_router("keys", "password", "--file", file, stdin=PASSWORD).stdout == ""
    assert file.stat().st_mode & 0o777 == 0o600
    for text in (made.stdout, file.read_text()):
        assert is_right(PASSWORD, parse_password_hash(text.removesuffix("\n")))
    for bad, told in (("too short\n", "shorter than 15"), ("", "shorter than 15"), ("password12345678", "common")):
        refused = llm_router("keys", "password", stdin=bad)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert told in refused.stderr


def test_keys_are_created_once_scoped_and_revoked(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    made = llm_router("keys", "create", "--file", file, "--name", "search", "--models", "a, b", "--tags", "gdpr")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert key.startswith("llmr_")
    assert made.stdout == f"{key}\n"
    assert key not in file.read_text()
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    again = llm_router("keys", "create", "--file", file, "--name", "search")
    assert again.returncode != 0
    assert "search" in again.stderr
    assert llm_router("keys", "revoke", "--file", file, "search").returncode == 0
    assert "search" not in file.read_text()
    assert llm_router("keys", "revoke", "--file", file, "search").returncode != 0


def test_sign_prints_headers_for_curl() -> None:
    options = ["--key-id", "aws.1", "--target", "aws", "--authority", "aws.example.com", "--path", "/v1/models"]
    done = llm_router("sign", *options, "--method", "GET", env={"LLM_ROUTER_SECRET": SECRET})
    assert done.returncode == 0, done.stderr
    names = [line.partition(":")[0] for line in done.stdout.splitlines()]
    assert names == [
        "content-type",
        "content-digest",
        "x-llmr-target",
        "x-llmr-request-id",
        "signature-input",
        "signature",
    ]
    assert "LLM_ROUTER_SECRET" in llm_router("sign", *options, env={}).stderr
    assert "openssl" in llm_router("sign", *options, env={"LLM_ROUTER_SECRET": "short"}).stderr


def test_merge_writes_what_check_accepts(tmp_path: Path) -> None:
    fragment = {
        "stack": "aws-prod",
        "clusters": [{"name": "aws", "endpoint": "https://aws.example.com", "sharedSecret": "${AWS_GATE_KEY}"}],
    }
    part, merged = tmp_path / "aws.yaml", tmp_path / "router.yaml"
    part.write_text(json.dumps(fragment))
    assert llm_router("merge", "--out", merged, part).returncode == 0
    assert "${AWS_GATE_KEY}" in merged.read_text()
    assert llm_router("check", "--config", merged).returncode == 0
    twice = llm_router("merge", part, part)
    assert twice.returncode == 78
    assert "aws-prod" in twice.stderr


@pytest.mark.parametrize("command", ["serve", "check", "gate", "exporter"])
def test_a_file_that_is_not_there_is_said_to_be_so(command: str, tmp_path: Path) -> None:
    done = llm_router(command, "--config", tmp_path / "nothing.yaml")
    assert done.returncode in (1, 78)
    assert "nothing.yaml" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "text", "said"),
    [
        (
            "exporter",
            "pool: a\nupstreams: [{url: 'http://127.0.0.1:1'}]\nprice:\n  usdPerHour: 0.1\n  asOf: 2026-02-30\n",
            "5: price.asOf: must be a day",
        ),
        (
            "gate",
            "target: a\nauthority: a.example\nupstream: http://127.0.0.1:1\nkeys:\n  - {id: a.1, secret: '${KEY}'}\n"
            "  - {id: a.1, secret: '${OTHER}'}\n",
            "6: keys[1].id: keys[0] has the same id",
        ),
    ],
)
def test_what_makes_no_sense_beside_a_cluster_is_refused_by_line(
    command: str, text: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "beside.yaml"
    file.write_text(text)
    secrets = {
        name: base64.b64encode(bytes(range(seed, seed + 32))).decode() for name, seed in (("KEY", 1), ("OTHER", 2))
    }
    done = llm_router(command, "--config", file, env=secrets)
    assert done.returncode == 78
    assert f"{file}:{said}" in done.stderr


def test_an_unknown_log_level_is_refused() -> None:
    done = llm_router("serve", "--config", EXAMPLE, env={**ENV, "LOG_LEVEL": "loud"})
    assert done.returncode == 1
    assert "LOG_LEVEL" in done.stderr
