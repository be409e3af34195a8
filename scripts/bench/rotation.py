"""A gate whose keys and whose certificate change while it is asked."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import signal
import ssl
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import trustme
import uvloop
import yaml
from yarl import URL

from llm_router.api.signed_config import ListenerTls
from llm_router.api.tls import LOOK_INTERVAL_S
from llm_router.config.scalars import FilePath
from llm_router.errors import AttemptFailed
from llm_router.upstream.http1 import Http1Client
from llm_router.upstream.signing import Signer
from tests.router.edge import in_thread
from tests.router.gate.surroundings import says_ok, upstream
from tests.router.gate.test_tls import client, renew
from tests.router.ports import free_port
from tests.router.processes import Process

PER_SECOND = 50
UNREADY_S = 7.0
"""A gate takes no signatures in its first seconds."""


def p16_rotation(seconds: float) -> str:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        gate = RotatedGate(folder, stack.enter_context(in_thread(upstream(says_ok))).url)
        stack.enter_context(gate.process)
        gate.process.wait_until(lambda: "the gate listens" in gate.process.output)
        time.sleep(UNREADY_S)
        answers = uvloop.run(gate.asked_while_it_changes(seconds))
    refused = sum(status != 200 for status in answers)
    return (
        f"{refused} of {len(answers)} requests failed, {PER_SECOND} a second, each with a handshake of its own, while "
        f"the signing key changed {gate.rekeyed} times and the certificate {gate.renewed} times"
    )


class RotatedGate:
    """A gate process behind mutual TLS, and the files it reads."""

    def __init__(self, folder: Path, behind: str) -> None:
        self.port, self.rekeyed, self.renewed = free_port(), 0, 0
        self._folder, self._behind, self._ca = folder, behind, trustme.CA()
        self._tls = ListenerTls(
            cert_file=FilePath(folder / "gate.pem"),
            key_file=FilePath(folder / "gate.key"),
            client_ca_file=FilePath(folder / "ca.pem"),
        )
        renew(self._tls, self._ca, self._ca)
        self._write(0)
        command = [str(Path(sys.executable).with_name("llm-router")), "gate", "--config", str(folder / "gate.yaml")]
        self.process = Process(command, folder / "log")

    @property
    def _authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _write(self, *numbers: int) -> None:
        settings = {
            "listen": self._authority,
            "upstream": self._behind,
            "target": "pool",
            "authority": self._authority,
            "keys": [{"id": f"k.{number}", "secret": secret(number)} for number in numbers],
            "tls": {
                "certFile": str(self._tls.cert_file),
                "keyFile": str(self._tls.key_file),
                "clientCaFile": str(self._tls.client_ca_file),
            },
        }
        path = self._folder / "gate.yaml"
        path.with_suffix(".new").write_text(yaml.safe_dump(settings))
        path.with_suffix(".new").replace(path)

    async def asked_while_it_changes(self, seconds: float) -> list[int]:
        ends_at = time.monotonic() + seconds
        context = client(self._ca, self._ca)
        rekeying, renewing = asyncio.create_task(self._rekey()), asyncio.create_task(self._renew())
        try:
            async with Http1Client(connect_timeout_s=5.0, keep_alive_s=0.0) as caller, asyncio.TaskGroup() as group:
                asked = []
                while time.monotonic() < ends_at:
                    asked.append(group.create_task(self._ask(caller, context)))
                    await asyncio.sleep(1 / PER_SECOND)
        finally:
            for task in (rekeying, renewing):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        return [task.result() for task in asked]

    async def _ask(self, caller: Http1Client, context: ssl.SSLContext) -> int:
        signer = Signer(f"k.{self.rekeyed}", secret(self.rekeyed), self._authority, "pool")
        made = signer.sign("GET", "/v1/models", "", "application/json", b"", os.urandom(8).hex(), time.time())
        headers = (("content-type", "application/json"), *made)
        try:
            answer = await caller.send("GET", URL(f"https://{self._authority}/v1/models"), headers, b"", context)
            await answer.read()
        except AttemptFailed:
            return 0
        return answer.status

    async def _rekey(self) -> None:
        """As the how-to says: both keys are active while the router changes over."""
        while True:
            number = self.rekeyed + 1
            await self._take(number - 1, number)
            self.rekeyed = number
            await asyncio.sleep(0.5)  # what was signed with the old one has been answered
            await self._take(number)

    async def _take(self, *numbers: int) -> None:
        self._write(*numbers)
        said = "active keys now: " + ", ".join(f"k.{number}" for number in numbers) + '"'
        self.process.send(signal.SIGHUP)
        await asyncio.to_thread(self.process.wait_until, lambda: said in self.process.output)

    async def _renew(self) -> None:
        while True:
            renew(self._tls, self._ca, self._ca)
            await asyncio.sleep(LOOK_INTERVAL_S + 0.5)
            self.renewed = self.process.output.count("renewed certificates are in use")


def secret(number: int) -> str:
    return base64.b64encode(hashlib.sha256(b"%d" % number).digest()).decode()
