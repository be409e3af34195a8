"""The demo as a client of the router: sends the steps, and reads what the router says of them."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Self

import httpx

from ..pricing.money import in_usd, picousd
from .costs import Cost, costs_of
from .steps import Result, Step

NAMED = "x-llm-router-"


class Asker:
    """An OpenAI client of the router at ``url`` that also reads its admin listener."""

    def __init__(self, url: str, admin_url: str) -> None:
        self._url, self._admin_url = url, admin_url
        self._client = httpx.AsyncClient(timeout=60.0, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def ask(self, step: Step) -> Result:
        """Send the step and read the whole answer, streamed or not."""
        answer = await self._client.post(
            f"{self._url}/v1/chat/completions", json=step.body(), headers=dict(step.headers)
        )
        named = {k.removeprefix(NAMED): v for k, v in answer.headers.items() if k.startswith(NAMED)}
        if answer.status_code != 200:
            error = answer.json()["error"]
            return self._result(step, answer, named, f"{error['code']}: {error['message']}", {})
        text, usage = _streamed(answer.text) if step.stream else _whole(answer.json())
        return self._result(step, answer, named, text, usage, await self._record(named["request-id"]))

    async def first_choice(self, step: Step) -> str:
        """The target that would answer the step now."""
        answer = await self._client.post(f"{self._url}/v1/route", json=step.body(), headers=dict(step.headers))
        answer.raise_for_status()
        target: str = answer.json()["targets"][0]["target"]
        return target

    async def savings(self) -> dict[str, Any]:
        savings: dict[str, Any] = (await self._client.get(f"{self._admin_url}/admin/savings")).json()
        return savings

    async def costs(self) -> dict[str, Cost]:
        """What every cluster costs just now."""
        answer = await self._client.get(f"{self._admin_url}/ai/clusters")
        answer.raise_for_status()
        return costs_of(answer.json())

    async def booked_usd(self) -> float:
        """The sum of all that the ledger's records say was spent, as far as they go back."""
        records = (await self._client.get(f"{self._admin_url}/admin/requests")).json()
        return in_usd(sum(picousd(record["cost_usd"]) for record in records if record["cost_usd"] is not None))

    async def is_asked(self, target: str) -> bool:
        """Whether an answer of the target is waited for."""
        return f'llm_router_pending_requests{{target="{target}"}} 1.0' in await self.metrics()

    async def metrics(self) -> str:
        return (await self._client.get(f"{self._url}/metrics")).text

    async def _record(self, request_id: str) -> dict[str, Any]:
        records = (await self._client.get(f"{self._admin_url}/admin/requests")).json()
        return next((record for record in records if record["request_id"] == request_id), {})

    def _result(
        self,
        step: Step,
        answer: httpx.Response,
        named: dict[str, str],
        text: str,
        usage: dict[str, Any],
        record: dict[str, Any] | None = None,
    ) -> Result:
        record = record or {}
        return Result(
            title=step.title,
            status=answer.status_code,
            target=named.get("target", ""),
            model=named.get("model", ""),
            reason=named.get("reason", ""),
            attempts=int(named.get("attempts", "0")),
            tokens=usage.get("total_tokens", 0),
            cost_usd=record.get("cost_usd"),
            saved_usd=record.get("savings_usd"),
            text=text,
        )


def _whole(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return body["choices"][0]["message"]["content"] or "", body["usage"]


def _streamed(body: str) -> tuple[str, dict[str, Any]]:
    """The text and usage of a complete stream; a stream without ``[DONE]`` counts as empty."""
    data = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: ")]
    if not data or data[-1] != "[DONE]":
        return "", {}
    events = [json.loads(line) for line in data[:-1]]
    text = "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])
    usage: dict[str, Any] = next((event["usage"] for event in reversed(events) if event.get("usage")), {})
    return text, usage
