"""The admin listener: what the router knows, decided and spent. Nothing here shows a secret."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..config.masked import masked
from ..config.moments import iso
from ..errors import ClientError, ConfigError
from ..execution.generation import KEPT_DECISIONS, Generation
from ..model import View
from ..routing.explain import as_json
from ..signals.watch import Watch
from .asked import asked_limit
from .ledger import ledger_routes
from .limits import limit_routes
from .metrics import metrics_route, own_metrics

Reload = Callable[[], Awaitable[None]]


def admin_routes(generation: Callable[[], Generation], reload: Reload) -> list[Route]:
    async def decisions(request: Request) -> Response:
        limit = asked_limit(request, KEPT_DECISIONS)
        recent = islice(reversed(generation().decisions), limit)
        return JSONResponse(
            [
                {"request_id": d.request_id, "at": iso(d.at_unix), **as_json(d.decision), "woken": list(d.woken)}
                for d in recent
            ]
        )

    async def config(_request: Request) -> Response:
        return JSONResponse(masked(generation().loaded.config))

    return [
        *_owner_routes("/ai/providers", generation, "provider"),
        *_owner_routes("/ai/clusters", generation, "cluster"),
        Route("/admin/decisions", decisions),
        *ledger_routes(generation),
        *limit_routes(generation),
        Route("/admin/config", config),
        reload_route(reload),
        metrics_route(own_metrics(generation)),
    ]


def reload_route(reload: Reload) -> Route:
    """``reload`` raises ``ConfigError`` and changes nothing when the new configuration is refused."""

    async def reload_now(_request: Request) -> Response:
        try:
            await reload()
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
            return JSONResponse({"reloaded": False, "problems": problems}, status_code=422)
        return JSONResponse({"reloaded": True, "problems": []})

    return Route("/admin/reload", reload_now, methods=["POST"])


def _owner_routes(prefix: str, generation: Callable[[], Generation], kind: str) -> list[Route]:
    def watch_of(request: Request) -> Watch:
        name = request.path_params["name"]
        for watch in _watches(generation(), kind):
            if watch.name == name:
                return watch
        raise ClientError(404, "not_found", f"No {kind} is called {name[:128]!r}.")

    async def listed(_request: Request) -> Response:
        current = generation()
        watches = _watches(current, kind)
        return JSONResponse([_health(watch) | {"targets": _targets(current, watch)} for watch in watches])

    async def health(request: Request) -> Response:
        return JSONResponse(_health(watch_of(request)))

    async def stats(request: Request) -> Response:
        watch, current = watch_of(request), generation()
        totals = current.ledger.totals()
        names = [view.target.name for view in current.board.of(watch.name)]
        shown = {"name": watch.name, "targets": {name: totals[name] for name in names if name in totals}}
        return JSONResponse(shown | _pool(current, watch.name))

    return [
        Route(prefix, listed),
        Route(prefix + "/{name}/health", health),
        Route(prefix + "/{name}/stats", stats),
    ]


def _watches(generation: Generation, kind: str) -> list[Watch]:
    kinds = {target.owner: target.kind for target in generation.targets}
    return [watch for watch in generation.watches if kinds.get(watch.name) == kind]


def _health(watch: Watch) -> dict[str, Any]:
    report = watch.report
    return {
        "name": watch.name,
        "status": report.status,
        "latency_ms": report.latency_ms,
        "last_check": iso(report.last_check) if report.last_check else None,
        "error": report.error,
    }


def _targets(generation: Generation, watch: Watch) -> list[dict[str, Any]]:
    """Every signal of the owner's targets, as the next decision will read them."""
    shown, now = [], generation.clock()
    for view in generation.board.of(watch.name):
        signals = msgspec.to_builtins(view)
        del signals["target"], signals["latency_until"]
        wait_s = signals.pop("retry_at") - now
        signals["limited"] = [limited.text for limited in view.limited if limited.until > now]
        for moment in ("back_at", "failed_at", "probed_at"):
            ago_s = now - signals.pop(moment)
            signals[moment.replace("_at", "_ago_s")] = round(ago_s, 3) if math.isfinite(ago_s) else None
        lengths = signals["expected"]["output_tokens"].items()
        signals["expected"]["output_tokens"] = [
            {"key": key, "complexity_bucket": bucket, "tokens": tokens} for (key, bucket), tokens in lengths
        ]
        signals |= {"retry_in_s": round(wait_s, 3)} if wait_s > 0 else {"retry_in_s": None, "retry_reason": ""}
        shown.append(
            {"target": view.target.name, "model": view.target.model, **signals, "list_usd_per_1k_tokens": _listed(view)}
        )
    return shown


def _listed(view: View) -> dict[str, float] | None:
    """What the provider lists, for short prompts; ``None`` where that is not known, and for clusters."""
    price = view.target.list_price
    return None if price is None else {"input": price.input.usd_per_1k, "output": price.output.usd_per_1k}


def _pool(generation: Generation, cluster: str) -> dict[str, Any]:
    """A cluster's nodes and what is under way there; and why it has as many of them, where that is for the router to
    say."""
    pool, wish = generation.board.pool(cluster), generation.rents.wish(cluster)
    if pool is None:
        return {}
    shown: dict[str, Any] = {"pool": msgspec.to_builtins(pool)}
    if wish is not None:
        account = msgspec.to_builtins(wish)
        for name in ("pool", "wanted", "nodes"):
            del account[name]
        account["since"] = iso(generation.unix_time() - (generation.clock() - account["since"]))
        shown["rent"] = account
    return shown
