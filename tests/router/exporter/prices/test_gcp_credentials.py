"""Google's default credentials for real: a key file, a token endpoint on loopback, then the catalogue."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from llm_router.errors import ConfigError
from llm_router.exporter.prices.base import PriceUnknown
from llm_router.exporter.prices.gcp_billing import GcpBilling
from llm_router.exporter.prices.gcp_credentials import DefaultCredentials
from tests.router.edge import served
from tests.router.exporter.prices.conftest import Stage
from tests.router.exporter.prices.standins import NOW, GcpBillingApi


class WithTokens(GcpBillingApi):
    """Google's token endpoint and its catalogue on one host; ``granted`` is the status of the former."""

    granted = 200
    tokens = 0

    def answer(self, request: Request, body: bytes) -> Response:
        if request.url.path != "/token":
            return super().answer(request, body)
        self.tokens += 1
        assert b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer" in body
        answer: Mapping[str, object] = {"access_token": self.token, "expires_in": 3600, "token_type": "Bearer"}
        return JSONResponse(answer if self.granted == 200 else {"error": "invalid_grant"}, self.granted)


@pytest.fixture
def key_file(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    path = tmp_path / "account.json"
    account = {
        "type": "service_account",
        "project_id": "tests",
        "private_key_id": "1",
        "private_key": pem,
        "client_email": "exporter@tests.iam.gserviceaccount.com",
        "token_uri": f"{stage.url}/token",
    }
    path.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    return path


def of(url: str) -> GcpBilling:
    credentials = DefaultCredentials()
    return GcpBilling(
        "n1-standard-4+t4", "us-central1", spot=False, credentials=credentials, unix_time=lambda: NOW, url=url
    )


@pytest.mark.usefixtures("key_file")
def test_the_account_gets_a_token_once_and_asks_every_page_with_it(stage: Stage) -> None:
    api = WithTokens()
    assert stage.asked(api, of) == pytest.approx(0.539999)
    assert (api.tokens, len(api.asked)) == (1, 4)


@pytest.mark.usefixtures("key_file")
def test_an_account_that_google_does_not_know_is_no_price(stage: Stage) -> None:
    api = WithTokens()
    api.granted = 400
    with pytest.raises(PriceUnknown, match=r"no Google credentials .*invalid_grant"):
        stage.asked(api, of)


def test_a_key_file_that_is_not_there_is_no_price(stage: Stage, key_file: Path) -> None:
    key_file.unlink()
    with pytest.raises(PriceUnknown, match="no Google credentials"):
        stage.asked(WithTokens(), of)


def test_neither_a_proxy_of_the_environment_nor_a_redirect_gets_what_proves_who_asks(
    stage: Stage, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Elsewhere(WithTokens):
        def answer(self, request: Request, body: bytes) -> Response:
            asked.append(str(request.url))
            return super().answer(request, body)

    with served(Elsewhere()) as (host, port):
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", f"http://{host}:{port}")
        assert stage.asked(WithTokens(), of) == pytest.approx(0.539999)
        api = WithTokens(faults=[RedirectResponse(f"http://{host}:{port}/token", 307)])
        with pytest.raises(PriceUnknown, match="no Google credentials"):
            stage.asked(api, of)
    assert asked == []


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == "google.auth" or name.startswith("google.auth.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r"pip install 'multicloud-llm-router\[gcp\]'"):
        DefaultCredentials()
