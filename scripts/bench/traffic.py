"""What is asked and what has to come back: the stand-in says it, the load generator checks it to the letter."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

PATH = "/v1/chat/completions"
MODEL = "bench"
PACED_MODEL = "bench-paced"
"""Asking for this model paces a stream: one event each ``PACE_S``."""
MODELS = (MODEL, PACED_MODEL)
PACE_S = 0.005

EVENTS = 200
"""Of a stream: the role, the words, the finish reason, the usage. ``[DONE]`` comes on top."""
WORDS = tuple(f" word-{n}-of-the-answer" for n in range(EVENTS - 3))
TEXT = "".join(WORDS)
SHORT_TEXT = "".join(WORDS[:36])
"""The text of an answer that is not streamed."""

USAGE: dict[str, Any] = {
    "prompt_tokens": 211,
    "completion_tokens": 197,
    "total_tokens": 408,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}


class Workload(Struct, frozen=True, kw_only=True):
    """One kind of load. ``prompt_bytes`` is the size of the user's message, ``goal`` the ratio to nginx's CPU time
    that the router aims at."""

    name: str
    about: str
    connections: int = 16
    stream: bool = False
    paced: bool = False
    prompt_bytes: int = 850
    goal: float | None = None

    @property
    def model(self) -> str:
        return PACED_MODEL if self.paced else MODEL

    @property
    def text(self) -> str:
        return TEXT if self.stream else SHORT_TEXT

    @property
    def events(self) -> int:
        """How many SSE events an answer has, ``[DONE]`` not counted; 0 where it is not streamed."""
        return EVENTS if self.stream else 0


_ALL = (
    Workload(name="A16", about="1 KB of JSON there, 1.2 KB back, 16 connections", goal=6),
    Workload(name="B16", about="stream of 200 events of 300 B at once, 16 connections", stream=True, goal=3),
    Workload(
        name="P8",
        about="the same stream, an event each 5 ms, 8 streams",
        stream=True,
        paced=True,
        connections=8,
        goal=2.5,
    ),
    Workload(name="C16", about="100 KB of prompt, 1.2 KB back, 16 connections", prompt_bytes=100_000, goal=4),
    Workload(name="L1", about="as A16, one request in flight", connections=1),
)
WORKLOADS = {workload.name: workload for workload in _ALL}


def request_body(workload: Workload) -> bytes:
    """A chat request of ordinary shape, as an SDK would send it."""
    words = "please tell me about the history of the town and its bridges "
    prompt = (words * (workload.prompt_bytes // len(words) + 1))[: workload.prompt_bytes]
    asked: dict[str, Any] = {
        "model": workload.model,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant. Answer briefly."},
            {"role": "user", "content": prompt},
        ],
        "temperature": 0.7,
        "max_tokens": 256,
    }
    if workload.stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    return msgspec.json.encode(asked)


def completion(model: str) -> bytes:
    """The answer that is not streamed: a ``chat.completion``."""
    message: dict[str, Any] = {"role": "assistant", "content": SHORT_TEXT, "refusal": None, "annotations": []}
    return msgspec.json.encode(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": USAGE,
            "service_tier": "default",
            "system_fingerprint": "fp_0123456789",
        }
    )


def stream_events(model: str, *, with_usage: bool) -> list[bytes]:
    """The streamed answer, event by event, ``[DONE]`` included."""
    deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": word}, None) for word in WORDS]
    deltas.append(({}, "stop"))
    chunks = [_chunk(model, [_choice(delta, finish)]) for delta, finish in deltas]
    if with_usage:
        chunks.append(_chunk(model, []) | {"usage": USAGE})
    return [b"data: " + msgspec.json.encode(chunk) + b"\n\n" for chunk in chunks] + [b"data: [DONE]\n\n"]


def _choice(delta: dict[str, str], finish: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _chunk(model: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
        "choices": choices,
        "usage": None,
        "obfuscation": "x" * 24,
    }
