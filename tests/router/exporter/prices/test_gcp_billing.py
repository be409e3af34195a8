"""Google's catalogue: a machine is the sum of its parts, each by the one SKU that is meant; and catalogues that are not
what they should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from llm_router.exporter.prices.base import PriceUnknown
from llm_router.exporter.prices.gcp_billing import ApiKey, GcpBilling
from tests.router.exporter.prices.conftest import Stage
from tests.router.exporter.prices.standins import (
    GCP_SKUS,
    NOW,
    GcpBillingApi,
    broken_json,
    gcp_info,
    gcp_sku,
)

CORE = "N1 Predefined Instance Core running in Americas"
RAM = "N1 Predefined Instance Ram running in Americas"
ON_DEMAND = 4 * 0.031611 + 15 * 0.004237 + 0.35
SPOT = 4 * 0.0065 + 15 * 0.0009 + 0.175


def of(
    machine: str = "n1-standard-4+t4",
    *,
    spot: bool = False,
    region: str = "us-central1",
    key: str = GcpBillingApi.key,
    now: float = NOW,
) -> Callable[[str], GcpBilling]:
    return lambda url: GcpBilling(machine, region, spot=spot, credentials=ApiKey(key), unix_time=lambda: now, url=url)


def with_core(*infos: Mapping[str, Any]) -> GcpBillingApi:
    """A catalogue for n1-standard-4 whose vCPU has these prices; its memory costs 0.06 USD per hour."""
    return GcpBillingApi(skus=[gcp_sku(CORE, *infos), gcp_sku(RAM, gcp_info(0, 4_000_000, unit="GiBy.h"))])


def test_on_demand_is_vcpus_and_memory_and_gpu_over_all_pages(stage: Stage) -> None:
    api = GcpBillingApi()
    assert stage.asked(api, of()) == pytest.approx(ON_DEMAND)
    assert [request.query_params.get("pageToken") for request in api.asked] == [None, "4", "8"]
    assert "key" not in api.asked[0].query_params, "keys go in headers, which nobody logs"


def test_spot_is_the_sum_of_the_spot_skus(stage: Stage) -> None:
    assert stage.asked(GcpBillingApi(), of(spot=True)) == pytest.approx(SPOT)


def test_without_a_gpu_no_gpu_is_paid_for(stage: Stage) -> None:
    assert stage.asked(GcpBillingApi(), of("n1-standard-4")) == pytest.approx(ON_DEMAND - 0.35)


def test_a_part_that_is_not_sold_in_the_region_is_missed_by_name(stage: Stage) -> None:
    with pytest.raises(PriceUnknown, match=r"'N1 Predefined Instance Ram running in ' in europe-west10"):
        stage.asked(GcpBillingApi(), of(region="europe-west10"))
    with pytest.raises(PriceUnknown, match="is that a region"):
        stage.asked(GcpBillingApi(), of(region="mars-north1"))


def test_whole_dollars_and_nanos_add_up(stage: Stage) -> None:
    assert stage.asked(with_core(gcp_info(2, 500_000_000)), of("n1-standard-4")) == pytest.approx(4 * 2.5 + 0.06)


def test_of_dated_prices_the_newest_in_force_counts(stage: Stage) -> None:
    prices = [
        gcp_info(0, 10_000_000, since="2026-10-01T00:00:00.123456Z"),
        gcp_info(0, 20_000_000, since="2026-11-10T00:00:00Z"),
        gcp_info(0, 90_000_000, since="2026-12-10T00:00:00Z"),
        gcp_info(0, 30_000_000, since="2026-01-01T00:00:00Z"),
    ]
    assert stage.asked(with_core(*prices), of("n1-standard-4")) == pytest.approx(4 * 0.02 + 0.06)


def test_an_expired_sku_beside_its_successor_does_not_count(stage: Stage) -> None:
    api = GcpBillingApi(
        skus=[
            gcp_sku(CORE, gcp_info(0, 20_000_000, since="2026-11-10T00:00:00Z")),
            gcp_sku(CORE, gcp_info(0, 40_000_000, since="2019-01-01T00:00:00Z")),
            gcp_sku(RAM, gcp_info(0, 4_000_000, unit="GiBy.h")),
        ]
    )
    assert stage.asked(api, of("n1-standard-4")) == pytest.approx(4 * 0.02 + 0.06)


def test_hours_that_are_free_for_a_while_are_not_free(stage: Stage) -> None:
    tiered = gcp_info(0, 0)
    paid = {"startUsageAmount": 720, "unitPrice": {"currencyCode": "USD", "units": "0", "nanos": 20_000_000}}
    tiered["pricingExpression"]["tieredRates"].append(paid)
    assert stage.asked(with_core(tiered), of("n1-standard-4")) == pytest.approx(4 * 0.02 + 0.06)


@pytest.mark.parametrize(
    "info",
    [
        gcp_info(0, 0),
        gcp_info(0, -20_000_000),
        gcp_info(0, 20_000_000, unit="mo"),
        gcp_info(0, 20_000_000, since="2026-12-01T00:00:00Z"),
        gcp_info(0, 20_000_000) | {"pricingExpression": {"usageUnit": "h", "tieredRates": []}},
        gcp_info(0, 20_000_000)
        | {
            "pricingExpression": {
                "usageUnit": "h",
                "tieredRates": [{"unitPrice": {"currencyCode": "EUR", "units": "1", "nanos": 0}}],
            }
        },
    ],
    ids=["free", "negative", "by the month", "not yet", "no tiers", "in euros"],
)
def test_a_part_without_a_price_leaves_the_machine_without_one(stage: Stage, info: Mapping[str, Any]) -> None:
    with pytest.raises(PriceUnknown, match="no price in force for 'N1 Predefined Instance Core"):
        stage.asked(with_core(info), of("n1-standard-4"))


def test_a_part_that_has_become_free_is_not_paid_at_its_old_price(stage: Stage) -> None:
    """What is listed at nothing now is unknown, not what it was once."""
    prices = gcp_info(0, 0, since="2026-11-10T00:00:00Z"), gcp_info(0, 20_000_000, since="2026-01-01T00:00:00Z")
    with pytest.raises(PriceUnknown, match="no price in force"):
        stage.asked(with_core(*prices), of("n1-standard-4"))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (PlainTextResponse("backend error", 503), "answers 503"),
        (JSONResponse({"error": {"code": 403, "message": "SERVICE_DISABLED"}}, 403), "enable the Cloud Billing API"),
        (broken_json('{"skus": [{"description": "N1 Pre'), "not what was expected"),
        (broken_json('{"skus": [{"pricingInfo": [{"effectiveTime": "soon"}]}]}'), "not what was expected"),
        (broken_json('{"skus": "none"}'), "not what was expected"),
        (broken_json("[" * 100_000), "not what was expected"),
        (broken_json("{}"), "no price in force"),
    ],
    ids=["5xx", "disabled", "half", "no time", "no list", "deep", "empty"],
)
def test_a_bad_answer_is_no_price(stage: Stage, fault: Response, words: str) -> None:
    with pytest.raises(PriceUnknown, match=words):
        stage.asked(GcpBillingApi(faults=[fault]), of())


def test_too_many_requests_say_when_to_come_back(stage: Stage) -> None:
    fault = JSONResponse({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}, 429, {"retry-after": "60"})
    with pytest.raises(PriceUnknown) as caught:
        stage.asked(GcpBillingApi(faults=[fault]), of())
    assert caught.value.retry_after_s == 60


def test_a_key_that_google_refuses_is_said_and_not_shown(stage: Stage) -> None:
    with pytest.raises(PriceUnknown, match=r"is price\.live\.apiKey an API key") as caught:
        stage.asked(GcpBillingApi(), of(key="AIzaSyB-another"))
    assert "AIzaSyB" not in str(caught.value)


def test_a_catalogue_without_an_end_ends(stage: Stage) -> None:
    with pytest.raises(PriceUnknown, match="does not end after 100 pages"):
        stage.asked(GcpBillingApi(skus=list(GCP_SKUS[:1]) * 102, page=1), of())
