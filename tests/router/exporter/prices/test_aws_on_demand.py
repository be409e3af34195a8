"""AWS's price list through boto3, against a stand-in that speaks its protocol."""

from __future__ import annotations

import json

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from llm_router.exporter.prices.aws_on_demand import AwsOnDemand
from llm_router.exporter.prices.base import PriceUnknown
from tests.router.exporter.prices.conftest import Stage
from tests.router.exporter.prices.standins import PriceListApi, aws_product


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


def of(url: str) -> AwsOnDemand:
    return AwsOnDemand("g4dn.xlarge", "us-west-2", url=url)


def test_it_is_the_hourly_price_over_all_pages(stage: Stage) -> None:
    products = aws_product("0.0000000000"), aws_product("300.0", unit="Quantity"), aws_product("0.5260000000")
    api = PriceListApi(products=products)
    assert stage.asked(api, of) == 0.526
    assert len(api.asked) == 3


def test_it_asks_for_linux_on_shared_hardware_and_nothing_more(stage: Stage) -> None:
    class Remembering(PriceListApi):
        def answer(self, request: Request, body: bytes) -> Response:
            question = json.loads(body)
            filters = {item["Field"]: item["Value"] for item in question["Filters"]}
            assert question["ServiceCode"] == "AmazonEC2"
            assert {item["Type"] for item in question["Filters"]} == {"TERM_MATCH"}
            assert (filters["instanceType"], filters["regionCode"]) == ("g4dn.xlarge", "us-west-2")
            assert (filters["operatingSystem"], filters["tenancy"], filters["preInstalledSw"]) == (
                "Linux",
                "Shared",
                "NA",
            )
            return super().answer(request, body)

    assert stage.asked(Remembering(products=[aws_product("0.526")]), of) == 0.526


@pytest.mark.parametrize(
    ("api", "words"),
    [
        (PriceListApi(), "no on-demand price"),
        (PriceListApi(products=[aws_product("0.0")]), "no on-demand price"),
        (PriceListApi(products=['{"terms": {"OnDem']), "not what was expected"),
        (PriceListApi(products=[aws_product("cheap")]), "not what was expected"),
        (PriceListApi(faults=[JSONResponse({"__type": "AccessDeniedException"}, 400)]), "allow pricing:GetProducts"),
    ],
    ids=["empty", "free", "half", "no number", "forbidden"],
)
def test_a_bad_answer_is_no_price(stage: Stage, api: PriceListApi, words: str) -> None:
    with pytest.raises(PriceUnknown, match=words):
        stage.asked(api, of)
