"""How long a refusal takes does not tell how much of a signature was right."""

from __future__ import annotations

import base64
import hmac
import math
import random
import time

import pytest

from llm_router.upstream.signing import Refused, Verifier
from tests.router.upstream.test_signing import KEY, NOW, Message, signed, verifier

PAIRS = 10_000
DIFFERENT = 500
SIGNIFICANT = 15.0
"""Standard deviations. By chance alone it would be 5, but measurements that follow each other are not independent; a
comparison that stops at the first difference has about 90."""


def seconds(gate: Verifier, message: Message) -> int:
    """How long the refusal takes, in nanoseconds."""
    started = time.perf_counter_ns()
    try:
        gate.verify_headers(message.method, message.path, message.query, message.headers, NOW)
    except Refused:
        return time.perf_counter_ns() - started
    raise AssertionError("a wrong signature was accepted")


def difference(gate: Verifier, right_bytes: int) -> float:
    """Between signatures that are right in so many bytes and random ones, in standard deviations of the sign test: how
    far from half of the pairs it is that the former take longer in. The two of a pair are measured one right after the
    other, in random order, so that nothing else that goes on tells them apart."""
    chance = random.Random(1)
    almost, wrong = messages(right_bytes)
    longer = decided = 0
    for _ in range(PAIRS):
        begins = chance.random() < 0.5
        order = (almost, wrong) if begins else (wrong, almost)
        first, second = (seconds(gate, chance.choice(some)) for some in order)
        if first != second:
            decided += 1
            longer += (first > second) is begins
    return (longer - decided / 2) / (math.sqrt(decided) / 2)


def with_mac(message: Message, mac: bytes) -> Message:
    return message.with_header(b"signature", b"llmr=:" + base64.b64encode(mac) + b":")


def right_mac(message: Message) -> bytes:
    return base64.b64decode(message.header(b"signature").removeprefix(b"llmr=:").removesuffix(b":"))


def messages(right_bytes: int) -> tuple[list[Message], list[Message]]:
    """Messages whose signature is right in so many bytes and random in the others, and such that it is random in all.
    They are made by turns, of one message: where in memory they are may not tell them apart either."""
    message, chance = signed(), random.Random(2)
    mac = right_mac(message)
    made: tuple[list[Message], list[Message]] = [], []
    for _ in range(DIFFERENT):
        for messages, right in zip(made, (right_bytes, 0), strict=True):
            rest = bytes(byte ^ chance.randrange(1, 256) for byte in mac[right:])
            messages.append(with_mac(message, mac[:right] + rest))
    return made


def test_a_signature_that_is_almost_right_is_refused_as_quickly_as_a_random_one() -> None:
    assert abs(difference(verifier(), 31)) < SIGNIFICANT


def test_a_comparison_that_stops_at_the_first_difference_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measurement's own test."""

    def naive(one: bytes, other: bytes) -> bool:
        return len(one) == len(other) and all(a == b for a, b in zip(one, other, strict=True))

    assert hmac.compare_digest(KEY, KEY)
    monkeypatch.setattr("llm_router.upstream.signing.hmac.compare_digest", naive)
    assert difference(verifier(), 31) > 2 * SIGNIFICANT
