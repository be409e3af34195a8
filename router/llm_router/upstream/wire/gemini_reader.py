"""Gemini's stream and errors, read."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from ...errors import UpstreamBroken
from ...model import Finish, Usage
from .base import Piece
from .failures import Told, refusal, told_of
from .retry_after import duration_s
from .usage import tokens

_FINISHES: Mapping[str, Finish] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "LANGUAGE",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "ESCALATION",
            "MODEL_ARMOR",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "IMAGE_OTHER",
            "NO_IMAGE",
        ),
        "content_filter",
    ),
}
_FAILED = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
        "OTHER",
    }
)
"""Gemini gave up: what came is no answer, and another attempt may bring one."""


class _FunctionCall(Struct):
    name: str = ""
    id: str | None = None
    args: dict[str, Any] | None = None


class _Part(Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    function_call: _FunctionCall | None = None
    thought_signature: str | None = None


class _Content(Struct):
    parts: list[_Part] | None = None


class _Candidate(Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None


class _PromptFeedback(Struct, rename="camel"):
    block_reason: str | None = None


class _Frame(Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _PromptFeedback | None = None
    usage_metadata: Any = None
    model_version: str | None = None
    response_id: str | None = None
    error: Any = None


class _Detail(Struct, rename="camel"):
    kind: str = field(default="", name="@type")
    reason: str | None = None
    retry_delay: Any = None
    violations: list[Any] | None = None


_decode = msgspec.json.Decoder(_Frame).decode


class GeminiReader:
    """Reads one stream of ``GenerateContentResponse``. It has no terminal event: it ends after a finish reason."""

    def __init__(self) -> None:
        self._finish: Finish | None = None
        self._calls = 0
        self._answer_id = ""

    def read(self, event: bytes, name: str = "") -> Piece | None:
        try:
            frame = _decode(event)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            if not event.strip():
                return None
            raise UpstreamBroken(f"an event of the stream is not what Gemini sends: {exc}") from exc
        if frame.error:
            raise refusal(told_of_gemini(frame.error), None, asked_wait_s(frame.error))
        usage = usage_of(frame.usage_metadata)
        if not frame.candidates:
            return self._without_candidate(frame, usage)
        opening = {} if self._answer_id else {"role": "assistant"}
        self._answer_id = self._answer_id or frame.response_id or uuid.uuid4().hex
        candidate = frame.candidates[0]
        delta = self._delta(candidate.content.parts or []) if candidate.content is not None else {}
        finish = self._finished(candidate.finish_reason)
        return Piece(delta=opening | delta, content=bool(delta), finish=finish, usage=usage, model=frame.model_version)

    def end(self) -> Piece | None:
        return Piece(terminal=True) if self._finish is not None else None

    def _without_candidate(self, frame: _Frame, usage: Usage | None) -> Piece | None:
        blocked = frame.prompt_feedback is not None and frame.prompt_feedback.block_reason
        if blocked:
            self._finish = "content_filter"
            return Piece(delta={}, finish=self._finish, usage=usage, model=frame.model_version)
        return Piece(usage=usage, model=frame.model_version, usage_only=True) if usage is not None else None

    def _delta(self, parts: list[_Part]) -> dict[str, Any]:
        delta: dict[str, Any] = {}
        for part in parts:
            if part.function_call is not None:
                delta.setdefault("tool_calls", []).append(self._tool_call(part.function_call, part.thought_signature))
            elif part.text:
                key = "reasoning_content" if part.thought else "content"
                delta[key] = delta.get(key, "") + part.text
        return delta

    def _tool_call(self, call: _FunctionCall, signature: str | None) -> dict[str, Any]:
        """Gemini sends a call whole. The signature goes where Google's own OpenAI-compatible API puts it, so that the
        caller brings it back."""
        index, self._calls = self._calls, self._calls + 1
        out: dict[str, Any] = {
            "index": index,
            "id": call.id or f"call_{self._answer_id}_{index}",
            "type": "function",
            "function": {"name": call.name, "arguments": msgspec.json.encode(call.args or {}).decode()},
        }
        if signature:
            out["extra_content"] = {"google": {"thought_signature": signature}}
        return out

    def _finished(self, reason: str | None) -> Finish | None:
        if not reason or reason == "FINISH_REASON_UNSPECIFIED":
            return None
        if reason in _FAILED:
            raise UpstreamBroken(f"Gemini gave up: {reason}")
        finish = _FINISHES.get(reason, "stop")
        self._finish = "tool_calls" if finish == "stop" and self._calls else finish
        return self._finish


def usage_of(stated: object) -> Usage | None:
    """``usageMetadata``: the prompt includes what was cached, the candidates do not include the thoughts, and both
    thoughts and candidates are billed as output. ``None`` where it is absent or not to be believed."""
    if not isinstance(stated, Mapping) or not stated.get("promptTokenCount"):
        return None
    names = ("promptTokenCount", "cachedContentTokenCount", "toolUsePromptTokenCount")
    prompt, cached, tool_use = (tokens(stated.get(name) or 0) for name in names)
    spoken, thought = (tokens(stated.get(name) or 0) for name in ("candidatesTokenCount", "thoughtsTokenCount"))
    if prompt is None or cached is None or tool_use is None or spoken is None or thought is None:
        return None
    cached = min(cached, prompt)
    return Usage(
        input_tokens=prompt - cached + tool_use,
        cache_read_tokens=cached,
        output_tokens=spoken + thought,
        reasoning_tokens=thought,
    )


def told_of_gemini(error: object) -> Told:
    """Gemini's error object: its details tell a wrong key from a wrong field, and a day's quota from a minute's."""
    more: list[str] = []
    for detail in _details(error):
        if detail.reason is not None:
            more.append(detail.reason)
        if any(_per_day(violation) for violation in detail.violations or ()):
            more.insert(0, "daily_quota_exceeded")
    return told_of(error, *more)


def asked_wait_s(error: object) -> float | None:
    """The wait that ``RetryInfo`` asks for."""
    return next((wait_s for detail in _details(error) if (wait_s := duration_s(detail.retry_delay)) is not None), None)


def _details(error: object) -> Iterator[_Detail]:
    details = error.get("details") if isinstance(error, Mapping) else None
    for detail in details if isinstance(details, list) else ():
        try:
            yield msgspec.convert(detail, _Detail)
        except msgspec.ValidationError:
            continue


def _per_day(violation: object) -> bool:
    return isinstance(violation, Mapping) and "PerDay" in str(violation.get("quotaId"))
