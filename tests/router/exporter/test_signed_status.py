"""The signed listener of the status: one path, and everything counted by what came of it."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import msgspec
import pytest

from llm_router.api.signed import UNREADY_S
from llm_router.api.signed_config import SigningKey
from llm_router.config.scalars import Secret
from llm_router.exporter.config import StatusConfig
from llm_router.exporter.signed_status import SignedStatus, door_of
from llm_router.model import ClusterStatus
from llm_router.upstream.signing import Signer
from tests.router.edge import Reply, ask, run, serving

SECRET = base64.b64encode(bytes(range(32))).decode()
AUTHORITY, NOW = "aws.llm.example.com", 1_794_000_000.0
SETTINGS = StatusConfig(
    listen="0.0.0.0:8444", authority=AUTHORITY, keys=(SigningKey(id="aws.1", secret=Secret(SECRET)),)
)
STATUS = ClusterStatus(target="aws", state="up", slots_total=4)


@dataclass
class Asked:
    reply: Reply
    counted: dict[str, int]


def asked(
    path: str = "/cluster/status",
    method: str = "GET",
    *,
    status: ClusterStatus | None = STATUS,
    after_s: float = UNREADY_S,
    twice: bool = False,
) -> Asked:
    now = [NOW]

    async def scenario() -> Asked:
        door = door_of("aws", SETTINGS, unix_time=lambda: now[0])
        now[0] += after_s
        app = SignedStatus(door, lambda: status)
        signed = Signer("aws.1", SECRET, AUTHORITY, "aws").sign(
            method, path, "", "application/json", b"", "r-1", now[0]
        )
        headers = (("content-type", "application/json"), *signed)
        async with serving(app.guarded()) as address:
            reply = await ask(address, method, path, headers)
            if twice:
                reply = await ask(address, method, path, headers)
        return Asked(reply, dict(app.asked))

    return run(scenario())


def test_who_signs_gets_the_status() -> None:
    found = asked()
    assert msgspec.json.decode(found.reply.body, type=ClusterStatus) == STATUS
    assert found.counted == {"answered": 1}


@pytest.mark.parametrize(
    ("how", "status", "counted"),
    [
        ({"status": None}, 503, "not_measured"),
        ({"path": "/metrics"}, 404, "path"),
        ({"method": "POST"}, 404, "path"),
        ({"after_s": UNREADY_S - 1}, 503, "not_ready"),
        ({"path": "/cluster//status"}, 400, "bad_path"),
    ],
)
def test_everything_else_is_answered_and_counted(how: dict[str, object], status: int, counted: str) -> None:
    found = asked(**how)  # type: ignore[arg-type]
    assert found.reply.status == status
    assert found.counted == {counted: 1}


def test_a_signature_counts_once() -> None:
    found = asked(twice=True)
    assert found.reply.status == 401
    assert found.counted == {"answered": 1, "replayed": 1}
