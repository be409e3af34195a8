"""Google's price list as the stacks read it: over real HTTP, by the deployer's token, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response

from llm_infra import estimate, stack
from llm_infra.gcp.prices import PriceList, as_deployer, listed
from llm_infra.live import LiveError
from llm_infra.settings.model import Platform
from llm_infra.tables.prices import AS_OF
from tests.infra import programs
from tests.infra.emulation.outputs import PROJECT, TOKEN
from tests.infra.settings.settings import loaded
from tests.infra.standins import CORE, E2, RAM, SKUS, google
from tests.router.exporter.prices.standins import broken_json, gcp_info, gcp_sku


def price_list(url: str, *, token: str = TOKEN, project: str = PROJECT) -> PriceList:
    return PriceList(lambda region: listed(region, url=url, token=token, project=project))


def asked(prices: PriceList, *, gpu: bool = False, **changes: Any) -> tuple[float, str] | None:
    platform = loaded("gcp", **changes).platform
    pool = platform.gpu if gpu else platform.cpu
    assert pool is not None
    found = prices.ask(platform, pool)
    return None if found is None else (found.usd_per_hour, found.source)


def test_a_machine_is_its_vcpus_and_memory_and_the_gpu_of_its_pool() -> None:
    with google() as (api, url):
        prices = price_list(url)
        assert asked(prices) == (0.13, "gcp billing catalog"), E2
        assert asked(prices, gpu=True) == (0.21, "gcp billing catalog"), "4 x 0.0065 + 15 x 0.0009 + 0.175"
    tokens = [request.query_params.get("pageToken") for request in api.asked]
    assert tokens == [None, "4", "8", "12"], "every page once, for both pools"
    assert {request.query_params["currencyCode"] for request in api.asked} == {"USD"}


def test_spot_and_on_demand_are_other_skus() -> None:
    with google() as (_, url):
        prices = price_list(url)
        assert asked(prices) != asked(prices, gpu=True)
        with pytest.raises(LiveError, match="of Spot Preemptible E2 Instance Core running in us-central1"):
            asked(prices, cpuSpot=True)


@pytest.mark.parametrize(
    ("infos", "usd"),
    [
        ([gcp_info(2, 500_000_000)], 4 * 2.5),
        ([gcp_info(0, 10_000_000, since="2026-10-01T00:00:00.123456Z"), gcp_info(0, 20_000_000)], 4 * 0.02),
        ([gcp_info(0, 90_000_000, since="2126-12-10T00:00:00Z"), gcp_info(0, 20_000_000)], 4 * 0.02),
    ],
    ids=["whole dollars and nanos", "the newest one", "none of the future"],
)
def test_of_dated_prices_the_newest_in_force_counts(infos: list[dict[str, Any]], usd: float) -> None:
    with google([gcp_sku(CORE, *infos), gcp_sku(RAM, gcp_info(0, 6_250_000, unit="GiBy.h"))]) as (_, url):
        found = asked(price_list(url))
    assert found is not None
    assert found[0] == pytest.approx(usd + 0.1, rel=0.05)


def test_hours_that_are_free_for_a_while_are_not_free() -> None:
    tiered = gcp_info(0, 0)
    paid = {"startUsageAmount": 720, "unitPrice": {"currencyCode": "USD", "units": "1", "nanos": 0}}
    tiered["pricingExpression"]["tieredRates"].append(paid)
    with google([gcp_sku(CORE, tiered), gcp_sku(RAM, gcp_info(0, 62_500_000, unit="GiBy.h"))]) as (_, url):
        assert asked(price_list(url)) == (5.0, "gcp billing catalog")


@pytest.mark.parametrize(
    "info",
    [
        gcp_info(0, 0),
        gcp_info(0, -20_000_000),
        gcp_info(0, 20_000_000, unit="mo"),
        gcp_info(0, 20_000_000, since="2126-12-01T00:00:00Z"),
        gcp_info(0, 20_000_000) | {"pricingExpression": {"usageUnit": "h", "tieredRates": []}},
    ],
    ids=["free", "negative", "by the month", "not yet", "no tiers"],
)
def test_a_part_without_a_price_leaves_the_machine_without_one(info: Mapping[str, Any]) -> None:
    with google([gcp_sku(CORE, info), gcp_sku(RAM, gcp_info(0, 1, unit="GiBy.h"))]) as (_, url):
        with pytest.raises(LiveError, match="no price in force of E2 Instance Core running in us-central1"):
            asked(price_list(url))


def test_what_is_not_sold_in_the_region_has_no_price() -> None:
    platform = replace(loaded("gcp").platform, region="europe-west4")
    with google() as (_, url), pytest.raises(LiveError, match="in europe-west4"):
        price_list(url).ask(platform, platform.cpu)


def test_a_machine_that_the_tables_do_not_know_has_no_live_price() -> None:
    def nobody(region: str) -> Sequence[Any]:
        raise AssertionError("asked")

    assert asked(PriceList(nobody), cpuMachineTypes=["m3-ultramem-32"], acceptUnlisted=True, cpuUsdPerHour="5") is None


@pytest.mark.parametrize(
    ("habits", "words"),
    [
        ({"token": "another"}, "answers 400"),
        ({"project": "another"}, "answers 403: gcloud services enable cloudbilling.googleapis.com"),
    ],
    ids=["refused", "of another project"],
)
def test_who_may_not_ask_is_told_what_to_do(habits: dict[str, str], words: str) -> None:
    with google() as (_, url), pytest.raises(LiveError, match=words) as caught:
        asked(price_list(url, **habits))
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (JSONResponse({"error": {"code": 401}}, 401), "answers 401: gcloud auth application-default login"),
        (JSONResponse({}, 503), "answers 503"),
        (RedirectResponse("https://elsewhere.example/v1/"), "answers 307"),
        (broken_json('{"skus": [{"description": "E2 Inst'), "cannot be read"),
        (broken_json('{"skus": [{"pricingInfo": [{"effectiveTime": "soon"}]}]}'), "cannot be read"),
        (broken_json("[" * 100_000), "cannot be read"),
        (broken_json("{}"), "no price in force"),
    ],
    ids=["signed out", "5xx", "elsewhere", "half", "no time", "deep", "empty"],
)
def test_a_bad_answer_is_no_price(fault: Response, words: str) -> None:
    with google(faults=[fault]) as (_, url), pytest.raises(LiveError, match=words):
        asked(price_list(url))


def test_a_list_without_an_end_ends() -> None:
    with google(list(SKUS[:1]) * 102, page=1) as (_, url), pytest.raises(LiveError, match="does not end after 100"):
        asked(price_list(url))


def test_nobody_at_the_address_is_no_price() -> None:
    with google() as (_, url):
        pass
    with pytest.raises(LiveError, match="cannot be read"):
        asked(price_list(url))
    with pytest.raises(LiveError, match="cannot be read"):
        asked(price_list("http://[nowhere/"))


def test_what_google_says_goes_into_fragment_and_estimate() -> None:
    with google() as (_, url):
        changes = {"llm-gcp:livePrices": True, "gcp:cloudBillingCustomEndpoint": url}
        outputs = programs.run("gcp", "dev", changes).stack_outputs
    costs = {cluster["name"]: cluster["costPerHour"] for cluster in outputs["routerFragment"]["clusters"]}
    assert costs == {"gcp": 0.13, "gcp-gpu": 0.21}
    sources = {item["name"]: item["source"] for item in outputs["monthlyEstimate"]["items"]}
    assert sources["cpu nodes"].startswith("gcp billing catalog, 20")
    assert sources["gpu nodes"] == sources["cpu nodes"]


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", found.append)
    return found


def by_the_table(platform: Platform) -> bool:
    """Whether that is what the stack says, with the table's date, where it would name Google."""
    sources = [item.source for item in estimate.monthly(platform).items if item.name in ("cpu nodes", "gpu nodes")]
    return sources == [f"table, {AS_OF}"] * 2


def test_a_list_that_cannot_be_read_leaves_the_dated_table_and_says_so(
    warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in = SimpleNamespace(access_token=TOKEN)
    monkeypatch.setattr("pulumi_gcp.organizations.get_client_config", lambda: signed_in)
    with google(faults=[JSONResponse({}, 403), JSONResponse({}, 403)]) as (_, url):
        monkeypatch.setattr("llm_infra.gcp.prices.URL", url)
        assert by_the_table(stack.with_live_prices(loaded("gcp", livePrices=True).platform, as_deployer(PROJECT).ask))
    assert ["answers 403" in text and "the table's price of" in text for text in warnings] == [True, True]


def test_who_is_not_signed_in_gets_the_table(warnings: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise RuntimeError("could not find default credentials")

    monkeypatch.setattr("pulumi_gcp.organizations.get_client_config", refused)
    assert by_the_table(stack.with_live_prices(loaded("gcp", livePrices=True).platform, as_deployer(PROJECT).ask))
    assert "does not say who is signed in (could not find default credentials)" in warnings[0]
