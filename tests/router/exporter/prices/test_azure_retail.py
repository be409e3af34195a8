"""Azure's price list: the one row that is meant, over all pages; and lists that are not what they should be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from llm_router.exporter.prices.azure_retail import AzureRetail
from llm_router.exporter.prices.base import PriceUnknown
from tests.router.exporter.prices.conftest import Stage
from tests.router.exporter.prices.standins import AZURE_ROWS, NOW, AzureRetailApi, azure_row, broken_json
from tests.router.ports import free_port


def of(*, spot: bool = False, region: str = "eastus", now: float = NOW) -> Callable[[str], AzureRetail]:
    return lambda url: AzureRetail("Standard_NC4as_T4_v3", region, spot=spot, unix_time=lambda: now, url=url)


def test_linux_on_demand_is_the_row_in_force_and_no_other(stage: Stage) -> None:
    api = AzureRetailApi()
    assert stage.asked(api, of()) == 0.526
    assert len(api.asked) == 4, "all pages are read: the last row is the one"


def test_spot_is_the_newest_spot_row_that_has_begun(stage: Stage) -> None:
    assert stage.asked(AzureRetailApi(), of(spot=True)) == 0.0684


def test_another_region_has_another_price(stage: Stage) -> None:
    assert stage.asked(AzureRetailApi(), of(region="westeurope")) == 0.684


def test_what_decides_is_what_the_rows_say_whatever_the_api_filters(stage: Stage) -> None:
    class Unfiltered(AzureRetailApi):
        def answer(self, request: Request, body: bytes) -> Response:
            query = b"api-version=2023-01-01-preview&$filter=serviceName%20eq%20'Virtual%20Machines'"
            return super().answer(Request({**request.scope, "query_string": query}), body)

    assert stage.asked(Unfiltered(page=100), of()) == 0.526
    assert stage.asked(Unfiltered(page=100), of(spot=True)) == 0.0684


@pytest.mark.parametrize("now", [0.0, 1_500_000_000.0])
def test_with_a_clock_before_all_rows_none_is_in_force(stage: Stage, now: float) -> None:
    with pytest.raises(PriceUnknown, match="no on-demand price"):
        stage.asked(AzureRetailApi(), of(now=now))


def test_a_clock_that_jumps_ahead_finds_the_price_of_then(stage: Stage) -> None:
    assert stage.asked(AzureRetailApi(), of(spot=True, now=NOW + 90 * 86400)) == 0.0599


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (PlainTextResponse("try later", 503), "answers 503"),
        (broken_json(), "not what was expected"),
        (broken_json('{"Items": null, "NextPageLink": null}'), "not what was expected"),
        (broken_json('{"Items": [{"retailPrice": 0.5, "effectiveStartDate": "yesterday"}]}'), "not what was expected"),
        (broken_json('{"Items": [{"effectiveStartDate": "2021-11-01T00:00:00"}]}'), "not what was expected"),
        (broken_json('{"Items": [], "NextPageLink": null}'), "no on-demand price"),
        (Response(status_code=302, headers={"location": "http://127.0.0.1:1/"}), "answers 302"),
    ],
)
def test_a_bad_answer_is_no_price(stage: Stage, fault: Response, words: str) -> None:
    with pytest.raises(PriceUnknown, match=words):
        stage.asked(AzureRetailApi(faults=[fault]), of())


def test_a_page_that_fails_in_the_middle_makes_no_half_a_list(stage: Stage) -> None:
    class FailsThen(AzureRetailApi):
        def answer(self, request: Request, body: bytes) -> Response:
            return PlainTextResponse("", 500) if self.asked[1:] else super().answer(request, body)

    with pytest.raises(PriceUnknown, match="answers 500"):
        stage.asked(FailsThen(), of())


def test_too_many_requests_say_when_to_come_back(stage: Stage) -> None:
    api = AzureRetailApi(faults=[PlainTextResponse("slow down", 429, {"retry-after": "77"})])
    with pytest.raises(PriceUnknown) as caught:
        stage.asked(api, of())
    assert caught.value.retry_after_s == 77


def test_a_list_without_an_end_ends(stage: Stage) -> None:
    with pytest.raises(PriceUnknown, match="does not end after 100 pages"):
        stage.asked(AzureRetailApi(rows=[azure_row()] * 102, page=1), of())


def test_whatever_a_page_names_as_the_next_one_only_this_host_is_asked(stage: Stage) -> None:
    api = AzureRetailApi(faults=[broken_json('{"Items": [], "NextPageLink": "http://127.0.0.1:1/elsewhere?a=b"}')])
    with pytest.raises(PriceUnknown, match="answers 404"):
        stage.asked(api, of())
    assert [request.url.path for request in api.asked] == ["/api/retail/prices"] * 2


@pytest.mark.parametrize("usd", [-0.5, 526_000.0])
def test_what_it_says_is_passed_on_as_it_is_to_be_judged(stage: Stage, usd: float) -> None:
    rows = [row | {"retailPrice": usd} for row in AZURE_ROWS]
    assert stage.asked(AzureRetailApi(rows=rows), of()) == usd


def test_nobody_there_is_no_price(stage: Stage) -> None:
    with pytest.raises(PriceUnknown, match="ConnectError"):
        stage.asked(AzureRetailApi(), lambda _: of()(f"http://127.0.0.1:{free_port()}"))
