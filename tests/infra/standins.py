"""A stand-in for Google's price list, as those see it who deploy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.infra.emulation.outputs import PROJECT, TOKEN
from tests.router.edge import served
from tests.router.exporter.prices.standins import GCP_SKUS, GcpBillingApi, gcp_info, gcp_sku

CORE, RAM = "E2 Instance Core running in Americas", "E2 Instance Ram running in Americas"
SKUS = (
    gcp_sku(CORE, gcp_info(0, 21_811_590)),
    gcp_sku(RAM, gcp_info(0, 2_923_530, unit="GiBy.h")),
    *GCP_SKUS,
)
E2 = 4 * 0.02181159 + 16 * 0.00292353


class AsGoogle(GcpBillingApi):
    """With the tokens of people, of which Google wants to know the project that asks."""

    def answer(self, request: Request, body: bytes) -> Response:
        if request.headers.get("x-goog-user-project") != PROJECT:
            message = "The cloudbilling.googleapis.com API requires a quota project, which is not set by default."
            return JSONResponse({"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}}, 403)
        return super().answer(request, body)


@contextmanager
def google(skus: Sequence[Mapping[str, Any]] = SKUS, **habits: Any) -> Iterator[tuple[AsGoogle, str]]:
    api = AsGoogle(skus=skus, token=TOKEN, **habits)
    with served(api) as (host, port):
        yield api, f"http://{host}:{port}/v1/"
