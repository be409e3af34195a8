"""The admin listener of a router with several workers: the same paths and forms as one worker's, for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..api.admin import reload_route
from ..api.asked import asked_limit
from ..api.ledger import SHOWN_RECORDS, asked_query
from ..api.metrics import metrics_route
from ..config.masked import masked
from ..config.moments import iso
from ..errors import NoTarget
from ..execution.generation import KEPT_DECISIONS
from ..pricing.savings import Query, report
from . import merging, messages
from .crew import Crew

COUNT_S = 120.0
"""What a report over a large ledger may take."""

MERGED: dict[str, Callable[[merging.Answers], Any]] = {
    "/ai/providers": merging.owners,
    "/ai/providers/{name}/health": merging.health,
    "/ai/providers/{name}/stats": merging.stats,
    "/ai/clusters": merging.owners,
    "/ai/clusters/{name}/health": merging.health,
    "/ai/clusters/{name}/stats": merging.stats,
    "/admin/ledger": merging.ledger,
    "/admin/budgets": merging.budgets,
}
"""How what each worker answers becomes one answer."""
NEWEST = {"/admin/decisions": ("at", KEPT_DECISIONS), "/admin/requests": ("settled_at", SHOWN_RECORDS)}
"""Lists: by which time they are in order, and how many are shown at most."""


def admin_routes(crew: Crew, unix_time: Callable[[], float]) -> list[Route]:
    async def savings(request: Request) -> Response:
        query = asked_query(request, unix_time())
        counted = await _counted(crew, query)
        shown = report(
            merging.tallies([one.tallies for one in counted]),
            query,
            ledger=counted[0].ledger,
            baseline=counted[0].baseline,
            complete=_complete(crew, counted),
            now=unix_time(),
        )
        return JSONResponse(shown)

    async def config(_request: Request) -> Response:
        return JSONResponse(masked(crew.loaded.config))

    async def workers(_request: Request) -> Response:
        return JSONResponse(
            [{"worker": hand.number, "pid": hand.pid, "since": iso(hand.started_unix)} for hand in crew.serving]
        )

    return [
        *(_merged_route(path, merge, crew) for path, merge in MERGED.items()),
        *(_newest_route(path, at, most, crew) for path, (at, most) in NEWEST.items()),
        Route("/admin/savings", savings),
        Route("/admin/config", config),
        Route("/admin/workers", workers),
        reload_route(crew.reload),
        metrics_route(crew.scrape),
    ]


def _merged_route(path: str, merge: Callable[[merging.Answers], Any], crew: Crew) -> Route:
    async def merged(request: Request) -> Response:
        return await _merged(request, merge, crew)

    return Route(path, merged)


def _newest_route(path: str, at: str, most: int, crew: Crew) -> Route:
    async def newest(request: Request) -> Response:
        return await _merged(request, merging.newest(at, asked_limit(request, most)), crew)

    return Route(path, newest)


async def _merged(request: Request, merge: Callable[[merging.Answers], Any], crew: Crew) -> Response:
    question = messages.Read(request.scope["path"], request.scope["query_string"])
    pages = await crew.ask_all(question, messages.Page)
    good = [msgspec.json.decode(page.body) for page in pages if page.status == 200]
    if good:
        return JSONResponse(merge(good))
    if not pages:
        raise _nobody()
    return Response(pages[0].body, pages[0].status, media_type="application/json")


async def _counted(crew: Crew, query: Query) -> list[messages.Counted]:
    """Of a ledger at rest one worker reads it all, once the others have written what they had."""
    if crew.loaded.config.ledger.url is None:
        counted = await crew.ask_all(messages.Count(query), messages.Counted, timeout_s=COUNT_S)
    else:
        written = await crew.ask_all(messages.Write(), messages.Written, timeout_s=COUNT_S)
        _refuse_faults(written)
        counted = await crew.ask_one(messages.Count(query), messages.Counted, timeout_s=COUNT_S)
    if not counted:
        raise _nobody()
    _refuse_faults(counted)
    return counted


def _refuse_faults(answers: Sequence[messages.Written | messages.Counted]) -> None:
    for answer in answers:
        if answer.fault:
            raise NoTarget(503, "ledger_unavailable", answer.fault)


def _complete(crew: Crew, counted: list[messages.Counted]) -> bool:
    """A worker that was lost has taken what it had in memory along."""
    return all(one.complete for one in counted) and not (crew.lost and crew.loaded.config.ledger.url is None)


def _nobody() -> NoTarget:
    return NoTarget(503, "router_stopping", "No worker answers just now.")
