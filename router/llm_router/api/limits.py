"""``GET /admin/budgets``: every limit and budget with what is used of it, by the names of keys, never the keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..admission.limits import Limit
from ..execution.generation import Generation
from ..pricing.estimate import NANO_USD_PER_USD


def limit_routes(generation: Callable[[], Generation]) -> list[Route]:
    async def budgets(_request: Request) -> Response:
        owners: dict[tuple[str, str], dict[str, Any]] = {}
        for limit, used in await generation().limiting.standing():
            name = (limit.scope, limit.owner)
            owner = owners.setdefault(name, {"scope": limit.scope, "name": limit.owner, "limits": [], "budgets": []})
            owner["budgets" if limit.period else "limits"].append(_shown(limit, used))
        return JSONResponse(list(owners.values()))

    return [Route("/admin/budgets", budgets)]


async def post_budgets(generation: Generation) -> None:
    """For the metrics, as they stand now."""
    budgets = [(limit, used) for limit, used in await generation.limiting.standing() if limit.period]
    generation.metrics.budgets(
        (limit.scope, limit.owner, limit.name, limit.ceiling / NANO_USD_PER_USD, used / NANO_USD_PER_USD)
        for limit, used in budgets
    )


def _shown(limit: Limit, used: int) -> dict[str, Any]:
    if not limit.period:
        return {"limit": limit.name, "ceiling": limit.ceiling, "used": used}
    return {
        "budget": limit.name,
        "usd": limit.ceiling / NANO_USD_PER_USD,
        "used_usd": used / NANO_USD_PER_USD,
        "soft_usd": None if limit.soft is None else limit.soft / NANO_USD_PER_USD,
        "hard": limit.hard,
        "until": datetime.fromtimestamp(limit.ends_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
