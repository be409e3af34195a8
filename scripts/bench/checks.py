"""Whether an answer is right: status, type, text, finish reason and usage, and of a stream each event."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from scripts.bench.traffic import USAGE, Workload


class Answer(Struct, frozen=True):
    status: int
    content_type: bytes
    body: bytes


class _Message(Struct):
    content: str | None = None


class _Choice(Struct):
    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None


class _Chat(Struct):
    choices: list[_Choice]
    usage: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Chat).decode


def fault_in(answer: Answer, workload: Workload) -> str | None:
    """What is wrong with an answer, ``None`` where nothing is."""
    wanted = b"text/event-stream" if workload.stream else b"application/json"
    if answer.status != 200:
        return f"status {answer.status}: {answer.body[:200]!r}"
    if not answer.content_type.startswith(wanted):
        return f"content type {answer.content_type!r}"
    try:
        return (
            _fault_in_stream(answer.body, workload) if workload.stream else _fault_in_completion(answer.body, workload)
        )
    except msgspec.DecodeError as exc:
        return f"not chat JSON: {exc}"


def _fault_in_completion(body: bytes, workload: Workload) -> str | None:
    chat = _decode(body)
    message = chat.choices[0].message if len(chat.choices) == 1 else None
    if message is None or message.content != workload.text:
        return "another text"
    if chat.choices[0].finish_reason != "stop":
        return f"finish reason {chat.choices[0].finish_reason!r}"
    return None if chat.usage == USAGE else f"usage {chat.usage}"


def _fault_in_stream(body: bytes, workload: Workload) -> str | None:
    *blocks, rest = body.split(b"\n\n")
    events = [block for block in blocks if not block.startswith(b":")]
    if rest or not all(event.startswith(b"data: ") for event in events):
        return f"not a stream of events: it ends with {body[-40:]!r}"
    if not events or events.pop() != b"data: [DONE]":
        return f"the last event is not [DONE], the body ends with {body[-40:]!r}"
    if len(events) != workload.events:
        return f"{len(events)} events instead of {workload.events}"
    chats = [_decode(event[6:]) for event in events]
    deltas = [choice.delta for chat in chats for choice in chat.choices if choice.delta is not None]
    if "".join([delta.content for delta in deltas if delta.content]) != workload.text:
        return "another text"
    if [choice.finish_reason for chat in chats for choice in chat.choices if choice.finish_reason] != ["stop"]:
        return "not exactly one finish reason"
    usages = [chat.usage for chat in chats if chat.usage is not None]
    return None if usages == [USAGE] else f"usage {usages}"
