"""What was spent and saved, for the operator: reports over the ledger, its last records, and how it is doing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..config.moments import iso
from ..errors import ClientError, NoTarget
from ..execution.generation import Generation
from ..pricing.records import Record
from ..pricing.savings import CHEAPEST, Query, Tallies, report
from ..pricing.savings_query import query_of
from ..state.ledger.store import StoreUnavailable
from .asked import asked, asked_limit

SHOWN_RECORDS = 200


def ledger_routes(generation: Callable[[], Generation]) -> list[Route]:
    async def requests(request: Request) -> Response:
        limit = asked_limit(request, SHOWN_RECORDS)
        return JSONResponse([_record(record) for record in generation().ledger.recent(limit)])

    async def savings(request: Request) -> Response:
        current = generation()
        query = asked_query(request, current.unix_time())
        tallies, complete = await tallies_of(current, query)
        shown = report(
            tallies,
            query,
            ledger=kept_in(current),
            baseline=current.policy.baseline or CHEAPEST,
            complete=complete,
            now=current.unix_time(),
        )
        return JSONResponse(shown)

    async def state(_request: Request) -> Response:
        current = generation()
        kept = {"kept": len(current.ledger), "duplicates": current.ledger.duplicates}
        if current.journal is None:
            return JSONResponse({"backend": "memory", "up": True, **kept})
        return JSONResponse(current.journal.state() | kept)

    return [
        Route("/admin/requests", requests),
        Route("/admin/savings", savings),
        Route("/admin/ledger", state),
    ]


def asked_query(request: Request, now: float) -> Query:
    """``now`` is a Unix time. Raises ``ClientError``."""
    given = asked(request, "since", "until", "by")
    try:
        return query_of(since=given.get("since"), until=given.get("until"), by=given.get("by"), now=now)
    except ValueError as error:
        raise ClientError(400, "invalid_request_error", str(error)) from error


def kept_in(generation: Generation) -> str:
    return "memory" if generation.journal is None else generation.journal.backend


async def tallies_of(generation: Generation, query: Query) -> tuple[Tallies, bool]:
    """And whether they are complete. Raises ``NoTarget`` 503 where the store does not answer."""
    if generation.journal is None:
        return generation.ledger.tallies(query)
    try:
        return await generation.journal.read(lambda store: store.tallies(query)), True
    except StoreUnavailable as error:
        raise NoTarget(503, "ledger_unavailable", unreadable(error)) from error


def unreadable(error: StoreUnavailable) -> str:
    return f"The ledger cannot be read: {error}"


def _record(record: Record) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(record)
    at = {"started_at": iso(record.started_at), "settled_at": iso(record.settled_at)}
    return shown | at | {"savings_usd": record.savings_usd}
