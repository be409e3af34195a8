"""Keys are rotated while the gate runs: what is refused, half written or more than keys changes nothing."""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from llm_router.api.signed_config import SigningKey
from llm_router.config.scalars import Secret
from llm_router.errors import ConfigError, Problem
from llm_router.gate.app import rekeying
from llm_router.gate.config import GateConfig
from llm_router.upstream.signing import Refused, Signer, Verifier
from tests.router.llama import Llama
from tests.router.ports import free_port
from tests.router.processes import Process, answers

COMMAND = Path(sys.executable).with_name("llm-router")


def secret(letter: str) -> str:
    return base64.b64encode(hashlib.sha256(letter.encode()).digest()).decode()


def config(*letters: str, upstream: str = "http://127.0.0.1:8081") -> GateConfig:
    keys = tuple(SigningKey(id=f"k.{letter}", secret=Secret(secret(letter))) for letter in letters)
    return GateConfig(upstream=upstream, target="pool", authority="127.0.0.1:8443", keys=keys)


class Read:
    """What a file says, and which keys have been taken from it."""

    def __init__(self) -> None:
        self.says: GateConfig | ConfigError = config("a")
        self.taken: list[list[str]] = []
        self.rekeying = rekeying(config("a"), self.load, lambda keys: self.taken.append(list(keys)))

    def load(self) -> GateConfig:
        if isinstance(self.says, ConfigError):
            raise self.says
        return self.says

    def look(self, says: GateConfig | ConfigError) -> None:
        self.says = says
        self.rekeying.look()


def test_changed_keys_are_taken_once() -> None:
    read = Read()
    for says in (config("a"), config("a", "b"), config("a", "b"), config("b"), config("b")):
        read.look(says)
    assert read.taken == [["k.a", "k.b"], ["k.b"]]


def test_what_is_refused_leaves_the_keys_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    read = Read()
    caplog.set_level(logging.INFO, "llm_router.gate")
    for _ in range(3):
        read.look(ConfigError([Problem("keys", "missing")]))
        read.look(GateConfig(upstream="http://10.0.0.1", target="pool", authority="x", keys=config("b").keys))
    assert read.taken == []
    assert all("the old keys stay" in record.message for record in caplog.records)
    read.look(config("a"))
    assert caplog.records[-1].message == "the configuration can be read again"


def test_more_than_keys_takes_a_restart_and_keys_are_taken_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    read = Read()
    read.look(config("b", upstream="http://127.0.0.1:9999"))
    assert read.taken == [["k.b"]]
    assert "takes a restart" in caplog.records[0].message


class Rotated(RuleBasedStateMachine):
    """The file of a gate is written, broken and mended in any order, and looked at now and then.

    Accepted is who signs with a key of the last sound file that was looked at, and nobody else.
    """

    NOW = 1_794_000_000
    KEYS = "abc"

    def __init__(self) -> None:
        super().__init__()
        self.says: GateConfig | ConfigError = config("a")
        self.active = {"a"}
        self.verifier = Verifier(keys={}, target="pool", authority="127.0.0.1:8443", not_before=0)
        self.take(config("a").key_bytes)
        self.rekeying = rekeying(config("a"), self.load, self.take)

    def take(self, keys: Mapping[str, bytes]) -> None:
        self.verifier.rekey(keys)

    def load(self) -> GateConfig:
        if isinstance(self.says, ConfigError):
            raise self.says
        return self.says

    @rule(letters=st.sampled_from(("a", "b", "ab", "bc", "abc")), port=st.sampled_from((1, 8081)))
    def write(self, letters: str, port: int) -> None:
        self.says = config(*letters, upstream=f"http://127.0.0.1:{port}")

    @rule(refused_by_its_check=st.booleans())
    def spoil(self, refused_by_its_check: bool) -> None:
        elsewhere = config("b", "c", upstream="http://10.0.0.7:8081")
        self.says = elsewhere if refused_by_its_check else ConfigError([Problem("keys", "missing")])

    @rule()
    def look(self) -> None:
        self.rekeying.look()
        if isinstance(self.says, GateConfig) and "10.0.0.7" not in self.says.upstream:
            self.active = {key.id.removeprefix("k.") for key in self.says.keys}

    @invariant()
    def who_has_an_active_key_is_accepted(self) -> None:
        assert {letter for letter in self.KEYS if self.accepts(letter)} == self.active

    def accepts(self, letter: str) -> bool:
        signer = Signer(f"k.{letter}", secret(letter), "127.0.0.1:8443", "pool")
        signed = signer.sign("GET", "/v1/models", "", "application/json", b"", "1", self.NOW)
        headers = [(name.encode(), value.encode()) for name, value in (("content-type", "application/json"), *signed)]
        try:
            self.verifier.verify_headers("GET", b"/v1/models", b"", headers, self.NOW)
        except Refused:
            return False
        return True


TestRotated: Any = Rotated.TestCase
TestRotated.settings = settings(max_examples=100, stateful_step_count=30)


def test_a_running_gate_is_rotated_from_key_to_key_without_a_refusal(llama: Llama, tmp_path: Path) -> None:
    """The way the how-to says it: both keys are active while the router changes over, and SIGHUP makes it at once."""
    port = free_port()
    path = tmp_path / "gate.yaml"

    def write(*letters: str) -> None:
        settings = {
            "listen": f"127.0.0.1:{port}",
            "upstream": llama.url,
            "upstreamApiKey": "${LLAMA_API_KEY}",
            "target": "pool",
            "authority": f"127.0.0.1:{port}",
            "keys": [{"id": f"k.{letter}", "secret": f"${{KEY_{letter.upper()}}}"} for letter in letters],
        }
        path.write_text(yaml.safe_dump(settings))

    env = {"LLAMA_API_KEY": llama.api_key, "KEY_A": secret("a"), "KEY_B": secret("b")}
    write("a")
    with Process([COMMAND, "gate", "--config", path], tmp_path / "log", env=env) as process:
        process.wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))

        def ask(letter: str) -> int:
            return _ask(port, letter)

        assert (ask("a"), ask("b")) == (200, 401)
        write("a", "b")
        process.send(signal.SIGHUP)
        process.wait_until(lambda: ask("b") == 200)
        assert ask("a") == 200
        path.write_text("keys: [")
        process.send(signal.SIGHUP)
        process.wait_until(lambda: "the old keys stay" in process.output)
        assert (ask("a"), ask("b")) == (200, 200)
        write("b")
        process.send(signal.SIGHUP)
        process.wait_until(lambda: ask("a") == 401)
        assert ask("b") == 200


def test_the_signed_status_of_an_exporter_is_rotated_like_a_gate(llama: Llama, tmp_path: Path) -> None:
    port = free_port()
    path = tmp_path / "exporter.yaml"

    def write(*letters: str, **more: str) -> None:
        keys = [{"id": f"k.{letter}", "secret": f"file:{tmp_path / letter}"} for letter in letters]
        settings = {
            "pool": "pool",
            "listen": "127.0.0.1:0",
            "upstreams": [{"url": llama.url, "apiKey": "${LLAMA_API_KEY}"}],
            "price": {"usdPerHour": 0.378},
            "status": {"listen": f"127.0.0.1:{port}", "authority": f"127.0.0.1:{port}", "keys": keys},
        }
        path.write_text(yaml.safe_dump(settings | more))

    for letter in "ab":
        (tmp_path / letter).write_text(secret(letter))
    write("a")
    with Process(
        [COMMAND, "exporter", "--config", path], tmp_path / "log", env={"LLAMA_API_KEY": llama.api_key}
    ) as process:

        def ask(letter: str) -> int:
            return _ask(port, letter, "/cluster/status")

        process.wait_until(lambda: "exporting on" in process.output and ask("a") == 200)
        assert ask("b") == 401
        write("a", "b")
        process.send(signal.SIGHUP)
        process.wait_until(lambda: ask("b") == 200)
        assert ask("a") == 200
        write("b", pool="another")
        process.send(signal.SIGHUP)
        process.wait_until(lambda: ask("a") == 401)
        assert ask("b") == 200
        assert "active keys now: k.b" in process.output
        assert "in more than its keys, which takes a restart" in process.output


def _ask(port: int, letter: str, path: str = "/v1/models") -> int:
    signer = Signer(f"k.{letter}", secret(letter), f"127.0.0.1:{port}", "pool")
    headers = signer.sign(
        method="GET",
        path=path,
        query="",
        content_type="application/json",
        body=b"",
        request_id=os.urandom(8).hex(),
        now=time.time(),
    )
    sent = {"content-type": "application/json", **dict(headers)}
    return httpx.get(f"http://127.0.0.1:{port}{path}", headers=sent, trust_env=False).status_code
