"""Rotation, as the stack's generation goes up: what the gate accepts and what the router signs with always overlap."""

from __future__ import annotations

import base64
from typing import Any

from tests.infra import programs


def generation(number: int) -> tuple[dict[str, Any], dict[str, Any], str]:
    recorded = programs.run("aws", "dev", {"llm-aws:gateKeyGeneration": number})
    (gate,) = [s for s in recorded.of("core/v1:Secret") if s.inputs["metadata"]["name"] == "aws-gate"]
    fragment = recorded.stack_outputs["routerFragment"]["clusters"][0]
    assert fragment["name"] == "aws"
    return gate.inputs["stringData"], recorded.stack_outputs["gateKeys"], fragment["keyId"]


def test_the_router_signs_with_what_the_gate_accepts_before_and_after() -> None:
    before, router_before, id_before = generation(1)
    after, router_after, id_after = generation(2)
    assert (id_before, id_after) == ("aws.1", "aws.2")
    assert router_before["aws-gate-key"] == before["current"]
    assert router_after["aws-gate-key"] == after["current"]
    # The key that the router takes next is the very one that the gate has accepted all along.
    assert (after["current-id"], after["current"]) == (before["next-id"], before["next"])
    assert after["next"] not in (before["current"], before["next"])


def test_a_key_is_what_router_and_gate_take_for_one() -> None:
    data, _, _ = generation(1)
    assert len(base64.b64decode(data["current"], validate=True)) == 32
