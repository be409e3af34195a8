"""A preview asks Google for prices by the provider's own token, and says whose they are."""

from __future__ import annotations

import re

import pytest
from starlette.responses import JSONResponse

from tests.infra.engine.workspace import Workspace
from tests.infra.standins import google

pytestmark = [pytest.mark.built, pytest.mark.timeout(300)]


def test_a_preview_has_googles_prices_or_the_tables(place: Workspace) -> None:
    place.init("gcp")
    place.config("gcp", "livePrices", "true")
    with google() as (api, url):
        place.config("gcp", "gcp:cloudBillingCustomEndpoint", url)
        told = place.pulumi("gcp", "preview").fine().output
        assert "gcp billing catalog, 20" in told
        assert re.search(r"costPerHour *: 0\.21\n", told)
        api.faults = [JSONResponse({}, 403), JSONResponse({}, 403)]
        told = place.pulumi("gcp", "preview").fine().output
    assert "warning: livePrices: Google's price list answers 403: gcloud services enable cloudbilling" in told
    assert re.search(r"costPerHour *: 0\.215\n", told)
    assert "table, 2026-11-20" in told
