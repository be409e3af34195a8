"""Asking through a gate: everything is signed, and what no gate passes on is taken from the gate itself."""

from __future__ import annotations

import httpx
import msgspec
import pytest

from llm_router.exporter.census import Address
from llm_router.exporter.gated import GatedServer, connector
from llm_router.exporter.scrape import Facts, LlamaServer, ScrapeFailed
from llm_router.model import ClusterStatus, ServedModel
from llm_router.upstream.signing import Signer, Verifier
from tests.router.edge import run

KEY, AUTHORITY, TARGET = bytes(range(32)), "aws.llm.example.com", "aws"
SIGNER = Signer("k.1", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", AUTHORITY, TARGET)
NOW = 1_794_000_000.0
STATUS = ClusterStatus(target=TARGET, state="up", slots_total=4, models=(ServedModel("tiny", 2048),))


def facts(status: ClusterStatus) -> tuple[Facts, list[str]]:
    """What it makes of this status, and the nonces of its requests, which a verifier has checked."""
    verifier = Verifier(keys={"k.1": KEY}, target=TARGET, authority=AUTHORITY, not_before=0)
    nonces: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        path, _, query = request.url.raw_path.partition(b"?")
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        verified = verifier.verify_headers(request.method, path, query, headers, NOW)
        verifier.verify_body(verified, request.content, NOW)
        nonces.append(verified.nonce)
        return httpx.Response(200, content=msgspec.json.encode(status))

    async def scenario() -> Facts:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            connect = connector(client, clock=lambda: 0.0, unix_time=lambda: NOW)
            server = connect(Address("http://gate:8443", signer=SIGNER))
            assert isinstance(server, GatedServer)
            assert await server.state() == "up"
            return await server.facts()

    return run(scenario()), nonces


def test_each_request_is_signed_anew_and_slots_and_models_are_what_the_gate_says() -> None:
    found, nonces = facts(STATUS)
    assert found == Facts(4, (ServedModel("tiny", 2048),))
    assert len(set(nonces)) == 2


def test_a_gate_that_has_not_measured_yet_says_nothing_of_slots() -> None:
    with pytest.raises(ScrapeFailed, match="has not measured it yet"):
        facts(msgspec.structs.replace(STATUS, slots_total=0))


def test_without_a_signer_llama_server_is_asked_itself() -> None:
    async def scenario() -> None:
        async with httpx.AsyncClient() as client:
            server = connector(client, clock=lambda: 0.0, unix_time=lambda: NOW)(Address("http://llama:8081", "key"))
            assert type(server) is LlamaServer

    run(scenario())
