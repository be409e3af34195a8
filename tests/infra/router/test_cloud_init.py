from __future__ import annotations

import stat
from typing import Any

import yaml

from llm_infra.router.cloud_init import Machine, document

MACHINE = Machine(
    host="llm.example.com",
    image="ghcr.io/example/llm-router:1.2.3",
    config="clusters: []\n",
    keys="keys: []\n",
    secrets={"aws-gate-key": "c2VjcmV0"},
    environment={"OPENAI_API_KEY": "sk-1", "A": "b"},
)


def files() -> dict[str, dict[str, Any]]:
    text = document(MACHINE)
    assert text.startswith("#cloud-config\n"), "what cloud-init knows it by"
    return {file["path"]: file for file in yaml.safe_load(text)["write_files"]}


def test_each_file_is_where_the_container_looks_for_it() -> None:
    made = files()
    assert made["/etc/llm-router/router.yaml"]["content"] == "clusters: []\n"
    assert made["/etc/llm-router/keys.yaml"]["content"] == "keys: []\n"
    assert made["/etc/llm-router/secrets/aws-gate-key"]["content"] == "c2VjcmV0"
    assert made["/etc/llm-router/environment"]["content"] == "A=b\nOPENAI_API_KEY=sk-1\n"
    unit = made["/etc/systemd/system/llm-router.service"]["content"]
    assert "--volume /etc/llm-router:/etc/llm-router:ro" in unit
    assert "ghcr.io/example/llm-router:1.2.3" in unit
    assert "--read-only" in unit


def test_nobody_else_reads_what_is_secret() -> None:
    for path, file in files().items():
        if "secrets/" in path or path.endswith("environment"):
            assert not int(file["permissions"], 8) & (stat.S_IRWXG | stat.S_IRWXO), path


def test_the_container_s_user_owns_what_only_it_may_read_before_it_starts() -> None:
    commands = yaml.safe_load(document(MACHINE))["runcmd"]
    owning = ["chown", "-R", "10001:10001", "/etc/llm-router/secrets", "/etc/llm-router/keys.yaml"]
    assert commands.index(owning) < commands.index(["systemctl", "enable", "--now", "llm-router.service"])
    # cloud-init looks owners up by name, and fails on a number.
    assert {file["owner"] for file in files().values()} == {"root:root"}


def test_callers_come_through_tls_and_streams_are_not_held_back() -> None:
    caddy = files()["/etc/caddy/Caddyfile"]["content"]
    assert caddy.startswith("llm.example.com {")
    assert "reverse_proxy 127.0.0.1:8080" in caddy
    assert "flush_interval -1" in caddy
