"""EC2's spot prices through boto3, against moto's server, and against a stand-in for what moto does not show: prices
that change, zones that differ, pages, refusals."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest
from moto.server import ThreadedMotoServer
from starlette.responses import Response

from llm_router.errors import ConfigError
from llm_router.exporter.prices.aws_spot import AwsSpot
from llm_router.exporter.prices.base import PriceUnknown
from llm_router.exporter.prices.live import absurdity
from tests.router.edge import run
from tests.router.exporter.prices.conftest import Stage
from tests.router.exporter.prices.standins import NOW, Ec2Api, ec2_error

LINUX = "Linux/UNIX"
OLD, NEW = "2026-11-17T08:00:00.000Z", "2026-11-18T10:00:00.000Z"
HISTORY = (
    ("us-west-2a", "0.242100", NEW, LINUX),
    ("us-west-2b", "0.310000", OLD, LINUX),
    ("us-west-2b", "0.251900", NEW, LINUX),
    ("us-west-2a", "0.500000", OLD, LINUX),
    ("us-west-2c", "0.247000", OLD, "Linux/UNIX (Amazon VPC)"),
    ("us-west-2c", "0.990000", NEW, "Windows"),
)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


def of(instance_type: str = "g4dn.xlarge", *, zones: tuple[str, ...] = ()) -> Callable[[str], AwsSpot]:
    return lambda url: AwsSpot(instance_type, "us-west-2", zones=zones, unix_time=lambda: NOW, url=url)


# ---------------------------------------------------------------- moto


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def moto_says(moto: str, source: Callable[[str], AwsSpot]) -> float:
    async def ask() -> float:
        spot = source(moto)
        try:
            return await spot.usd_per_hour()
        finally:
            await spot.aclose()

    return run(ask())


def test_moto_is_understood_and_its_one_made_up_price_is_not_believed(moto: str) -> None:
    usd = moto_says(moto, of())
    assert usd == 0.00001
    assert absurdity(usd) is not None


def test_moto_knows_the_zones_of_a_region_and_no_others(moto: str) -> None:
    assert moto_says(moto, of(zones=("us-west-2a",))) == 0.00001
    with pytest.raises(PriceUnknown, match=r"no spot price of g4dn\.xlarge with Linux in us-east-1a"):
        moto_says(moto, of(zones=("us-east-1a",)))
    with pytest.raises(PriceUnknown, match="no spot price of x9"):
        moto_says(moto, of("x9.huge"))


# ---------------------------------------------------------------- the stand-in


def test_the_figure_is_the_dearest_zone_at_its_newest_linux_price(stage: Stage) -> None:
    assert stage.asked(Ec2Api(history=HISTORY), of()) == 0.2519


def test_only_the_zones_of_the_pool_count(stage: Stage) -> None:
    assert stage.asked(Ec2Api(history=HISTORY), of(zones=("us-west-2a", "us-west-2c"))) == 0.247


def test_all_pages_are_read(stage: Stage) -> None:
    api = Ec2Api(history=HISTORY, page=1)
    assert stage.asked(api, of()) == 0.2519
    assert len(api.asked) == len(HISTORY)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (ec2_error(403, "UnauthorizedOperation", "You are not authorized"), "allow ec2:DescribeSpotPriceHistory"),
        (ec2_error(503, "RequestLimitExceeded", "Request limit exceeded."), "RequestLimitExceeded"),
        (ec2_error(401, "AuthFailure", "not validated"), "does not know these credentials"),
        (Response("<DescribeSpotPriceHistoryResponse><spotPri", media_type="text/xml"), "invalid XML"),
        (Response("not XML at all", media_type="text/xml"), "invalid XML"),
        (Response("<html>503</html>", 503, media_type="text/html"), "503"),
    ],
    ids=["forbidden", "throttled", "unknown", "half", "no XML", "proxy"],
)
def test_a_bad_answer_is_no_price(stage: Stage, fault: Response, words: str) -> None:
    with pytest.raises(PriceUnknown, match=words):
        stage.asked(Ec2Api(faults=[fault, fault], history=HISTORY), of())


def test_a_passing_fault_is_tried_once_more(stage: Stage) -> None:
    assert stage.asked(Ec2Api(faults=[Response("", 500)], history=HISTORY), of()) == 0.2519


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ((), "no spot price"),
        ((("us-west-2a", "cheap", NEW, LINUX),), "not what was expected"),
        ((("us-west-2a", "", NEW, LINUX),), "not what was expected"),
    ],
)
def test_prices_that_are_none_are_no_price(
    stage: Stage, history: tuple[tuple[str, str, str, str], ...], words: str
) -> None:
    with pytest.raises(PriceUnknown, match=words):
        stage.asked(Ec2Api(history=history), of())


@pytest.mark.parametrize("usd", ["-0.25", "250000", "0"])
def test_what_it_says_is_passed_on_as_it_is_to_be_judged(stage: Stage, usd: str) -> None:
    assert stage.asked(Ec2Api(history=[("us-west-2a", usd, NEW, LINUX)]), of()) == float(usd)


def test_without_credentials_there_is_no_price(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    with pytest.raises(PriceUnknown, match="Unable to locate credentials"):
        stage.asked(Ec2Api(history=HISTORY), of())


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigError, match=r"pip install 'multicloud-llm-router\[aws\]'"):
        of()("http://127.0.0.1:1")
