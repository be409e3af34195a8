"""Stand-ins for the clouds' price APIs, over real HTTP on loopback. They answer in the documented formats, page, refuse
what the real ones refuse, and fail as they are told."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

NOW = 1_795_000_000.0
"""2026-11-18T11:06:40Z."""


@dataclass
class Standin:
    """Answers with each of ``faults`` once, then as it should; remembers what it was asked."""

    faults: list[Response] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        self.asked.append(request)
        answer = self.faults.pop(0) if self.faults else self.answer(request, body)
        await answer(scope, receive, send)

    def answer(self, request: Request, body: bytes) -> Response:
        raise NotImplementedError


def broken_json(text: str = '{"Items": [{"retailPrice": 0.5') -> Response:
    return Response(text, media_type="application/json")


# ---------------------------------------------------------------- Azure


def azure_row(**changes: Any) -> dict[str, Any]:
    """The on-demand row of a T4 machine with Linux, in the form of the documentation's sample."""
    return {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": 0.526,
        "unitPrice": 0.526,
        "armRegionName": "eastus",
        "location": "US East",
        "effectiveStartDate": "2021-11-01T00:00:00Z",
        "meterId": "1b0b2c6f-9a54-4a5f-8f5c-000000000000",
        "meterName": "NC4as T4 v3",
        "productId": "DZH318Z0BQ4L",
        "skuId": "DZH318Z0BQ4L/00TF",
        "productName": "Virtual Machines NCasT4 v3 Series",
        "skuName": "NC4as T4 v3",
        "serviceName": "Virtual Machines",
        "serviceId": "DZH313Z7MMC8",
        "serviceFamily": "Compute",
        "unitOfMeasure": "1 Hour",
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
        "armSkuName": "Standard_NC4as_T4_v3",
        **changes,
    }


AZURE_ROWS: tuple[dict[str, Any], ...] = (
    azure_row(productName="Virtual Machines NCasT4 v3 Series Windows", retailPrice=0.71),
    azure_row(skuName="NC4as T4 v3 Low Priority", meterName="NC4as T4 v3 Low Priority", retailPrice=0.105),
    azure_row(
        skuName="NC4as T4 v3 Spot",
        productName="Virtual Machines NCasT4 v3 Series Windows",
        retailPrice=0.0948,
        effectiveStartDate="2026-11-01T00:00:00Z",
    ),
    azure_row(skuName="NC4as T4 v3 Spot", retailPrice=0.0763, effectiveStartDate="2026-09-01T00:00:00Z"),
    azure_row(skuName="NC4as T4 v3 Spot", retailPrice=0.0684, effectiveStartDate="2026-11-01T00:00:00Z"),
    azure_row(skuName="NC4as T4 v3 Spot", retailPrice=0.0599, effectiveStartDate="2026-12-01T00:00:00Z"),
    azure_row(productName="NCasT4 v3 Series Cloud Services", retailPrice=0.612),
    azure_row(retailPrice=0.49, effectiveStartDate="2026-10-01T00:00:00Z", effectiveEndDate="2026-11-01T00:00:00Z"),
    azure_row(retailPrice=0.6, effectiveStartDate="2026-10-01T00:00:00Z", isPrimaryMeterRegion=False),
    azure_row(retailPrice=0.9, effectiveStartDate="2026-10-01T00:00:00Z", unitOfMeasure="1 Month"),
    azure_row(type="Reservation", reservationTerm="1 Year", retailPrice=2900.0),
    azure_row(type="DevTestConsumption", retailPrice=0.4),
    azure_row(armRegionName="westeurope", retailPrice=0.684),
    azure_row(),
)


@dataclass
class AzureRetailApi(Standin):
    """``GET /api/retail/prices``: filters with ``eq`` and ``and``, case matters; pages name the next one at the host
    that the real API has."""

    rows: Sequence[Mapping[str, Any]] = AZURE_ROWS
    page: int = 3

    def answer(self, request: Request, body: bytes) -> Response:
        query = dict(request.query_params)
        if request.url.path != "/api/retail/prices" or query.get("api-version") != "2023-01-01-preview":
            return Response(status_code=404)
        conditions = [re.fullmatch(r"(\w+) eq '([^']*)'", part) for part in query.get("$filter", "").split(" and ")]
        if None in conditions:
            return JSONResponse({"Error": {"Code": "400", "Message": "invalid $filter"}}, status_code=400)
        wanted = {("type" if found[1] == "priceType" else found[1]): found[2] for found in conditions if found}
        rows = [row for row in self.rows if wanted.items() <= row.items()]
        at = int(query.get("$skip", 0))
        following = "https://prices.azure.com:443/api/retail/prices?" + urlencode({**query, "$skip": at + self.page})
        return JSONResponse(
            {
                "BillingCurrency": "USD",
                "CustomerEntityId": "Default",
                "CustomerEntityType": "Retail",
                "Items": rows[at : at + self.page],
                "NextPageLink": following if at + self.page < len(rows) else None,
                "Count": len(rows[at : at + self.page]),
            }
        )


# ---------------------------------------------------------------- Google


def gcp_info(units: int, nanos: int, *, since: str = "2026-11-01T00:00:00Z", unit: str = "h") -> dict[str, Any]:
    return {
        "effectiveTime": since,
        "summary": "",
        "pricingExpression": {
            "usageUnit": unit,
            "usageUnitDescription": "hour",
            "baseUnit": "s",
            "baseUnitDescription": "second",
            "baseUnitConversionFactor": 3600,
            "displayQuantity": 1,
            "tieredRates": [
                {"startUsageAmount": 0, "unitPrice": {"currencyCode": "USD", "units": str(units), "nanos": nanos}}
            ],
        },
        "currencyConversionRate": 1,
    }


def gcp_sku(description: str, *infos: Mapping[str, Any], usage: str = "OnDemand", **changes: Any) -> dict[str, Any]:
    return {
        "name": "services/6F81-5844-456A/skus/2E27-4F75-95CD",
        "skuId": "2E27-4F75-95CD",
        "description": description,
        "category": {
            "serviceDisplayName": "Compute Engine",
            "resourceFamily": "Compute",
            "resourceGroup": "N1Standard",
            "usageType": usage,
        },
        "serviceRegions": ["us-central1", "us-east1", "us-west1"],
        "pricingInfo": list(infos),
        "serviceProviderName": "Google",
        "geoTaxonomy": {"type": "MULTI_REGIONAL", "regions": ["us-central1", "us-east1", "us-west1"]},
        **changes,
    }


def _both(core: str, ram: str, gpu: str, prices: tuple[int, int, int], usage: str) -> list[dict[str, Any]]:
    return [
        gcp_sku(core, gcp_info(0, prices[0]), usage=usage),
        gcp_sku(ram, gcp_info(0, prices[1], unit="GiBy.h"), usage=usage),
        gcp_sku(gpu, gcp_info(0, prices[2]), usage=usage),
    ]


_CORE, _RAM = "N1 Predefined Instance Core running in Americas", "N1 Predefined Instance Ram running in Americas"
GCP_SKUS: tuple[dict[str, Any], ...] = (
    gcp_sku("Commitment v1: Cpu in Americas for 1 Year", gcp_info(0, 19_915_000), usage="Commit1Yr"),
    gcp_sku("Nvidia Tesla T4 GPU attached to DWS Defined Duration VMs running in Americas", gcp_info(0, 210_000_000)),
    gcp_sku("Nvidia Tesla T4 Vws GPU running in Americas", gcp_info(0, 550_000_000)),
    gcp_sku(_CORE, gcp_info(0, 1, since="2026-12-01T00:00:00Z"), gcp_info(0, 47_000_000, since="2019-01-01T00:00:00Z")),
    gcp_sku("N1 Predefined Instance Core running in Berlin", gcp_info(0, 40_700_000), serviceRegions=["europe-west10"]),
    gcp_sku("N1 Sole Tenancy Instance Core running in Americas", gcp_info(0, 38_000_000)),
    *_both(_CORE, _RAM, "Nvidia Tesla T4 GPU running in Americas", (31_611_000, 4_237_000, 350_000_000), "OnDemand"),
    *_both(
        f"Spot Preemptible {_CORE}",
        f"Spot Preemptible {_RAM}",
        "Nvidia Tesla T4 GPU attached to Spot Preemptible VMs running in Americas",
        (6_500_000, 900_000, 175_000_000),
        "Preemptible",
    ),
)


@dataclass
class GcpBillingApi(Standin):
    """``GET /v1/services/6F81-5844-456A/skus`` with an API key in a header, or a bearer token."""

    skus: Sequence[Mapping[str, Any]] = GCP_SKUS
    page: int = 4
    key: str = "AIzaSyA-key-for-tests"
    token: str = "ya29.token-for-tests"

    def answer(self, request: Request, body: bytes) -> Response:
        given = request.headers.get("x-goog-api-key"), request.headers.get("authorization")
        if given not in ((self.key, None), (None, f"Bearer {self.token}")):
            message = "API key not valid. Please pass a valid API key."
            return JSONResponse({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}, 400)
        if request.url.path != "/v1/services/6F81-5844-456A/skus":
            return JSONResponse({"error": {"code": 404, "status": "NOT_FOUND"}}, 404)
        at = int(request.query_params.get("pageToken") or 0)
        following = str(at + self.page) if at + self.page < len(self.skus) else ""
        return JSONResponse({"skus": list(self.skus[at : at + self.page]), "nextPageToken": following})


# ---------------------------------------------------------------- AWS


@dataclass
class Ec2Api(Standin):
    """EC2's query protocol for one action: XML, paged by ``NextToken``. ``history`` are (zone, USD, since, product)."""

    history: Sequence[tuple[str, str, str, str]] = ()
    page: int = 100

    def answer(self, request: Request, body: bytes) -> Response:
        form = {name: value for name, value in (pair.split("=", 1) for pair in body.decode().split("&"))}
        if (
            form.get("Action") != "DescribeSpotPriceHistory"
            or "AWS4-HMAC-SHA256" not in request.headers["authorization"]
        ):
            return ec2_error(400, "InvalidAction", "not here")
        at = int(form.get("NextToken") or 0)
        items = "".join(
            f"<item><instanceType>g4dn.xlarge</instanceType><productDescription>{product}</productDescription>"
            f"<spotPrice>{usd}</spotPrice><timestamp>{since}</timestamp>"
            f"<availabilityZone>{zone}</availabilityZone></item>"
            for zone, usd, since, product in self.history[at : at + self.page]
        )
        following = str(at + self.page) if at + self.page < len(self.history) else ""
        return Response(
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<DescribeSpotPriceHistoryResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
            "<requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</requestId>"
            f"<spotPriceHistorySet>{items}</spotPriceHistorySet><nextToken>{following}</nextToken>"
            "</DescribeSpotPriceHistoryResponse>",
            media_type="text/xml",
        )


def ec2_error(status: int, code: str, message: str) -> Response:
    return Response(
        '<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error>'
        f"<Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>ea966190-f9aa-478e-9ede-example</RequestID></Response>",
        status,
        media_type="text/xml",
    )


@dataclass
class PriceListApi(Standin):
    """``GetProducts`` of the Price List API: JSON 1.1, each product a document in a text."""

    products: Sequence[str] = ()
    page: int = 1

    def answer(self, request: Request, body: bytes) -> Response:
        if request.headers.get("x-amz-target") != "AWSPriceListService.GetProducts":
            return Response(status_code=404)
        at = int(json.loads(body).get("NextToken") or 0)
        page: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": list(self.products[at : at + self.page])}
        if at + self.page < len(self.products):
            page["NextToken"] = str(at + self.page)
        return Response(json.dumps(page), media_type="application/x-amz-json-1.1")


def aws_product(usd: str, unit: str = "Hrs") -> str:
    dimension = {"unit": unit, "endRange": "Inf", "appliesTo": [], "beginRange": "0", "pricePerUnit": {"USD": usd}}
    offer = {"priceDimensions": {"X.JRTCKXETXF.6YS6EN2CT7": dimension}, "effectiveDate": "2026-11-01T00:00:00Z"}
    product = {"productFamily": "Compute Instance", "attributes": {"instanceType": "g4dn.xlarge"}, "sku": "X"}
    return json.dumps({"product": product, "serviceCode": "AmazonEC2", "terms": {"OnDemand": {"X.JRTCKXETXF": offer}}})
