"""A Google account that cannot be used is told when the router starts; one that is, is asked once at a time."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from llm_router.demo.standins.serve import Site
from llm_router.errors import ConfigError
from llm_router.upstream.google_account import GoogleAccount
from tests.router.clouds import Vertex
from tests.router.standins import serving


@pytest.mark.parametrize("text", ["", "[]", '{"type": "service_account"}', '{"type": "authorized_user"}'])
def test_a_file_that_is_no_service_accounts_key_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"the\.path: .*key\.json is no service account's key"):
        GoogleAccount(str(file), "the.path")


def test_without_google_auth_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.auth.exceptions", None)
    with pytest.raises(ConfigError, match="extra gcp"):
        GoogleAccount(None, "the.path")


def test_many_who_need_a_token_at_once_ask_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(account: GoogleAccount) -> set[object]:
        return set(await asyncio.gather(*(account.headers() for _ in range(20))))

    vertex = Vertex()
    with serving([Site(vertex, "")]) as served:
        file = vertex.key_file(tmp_path / "key.json", served["vertex"].url)
        assert len(asyncio.run(ask(GoogleAccount(str(file), "")))) == 1
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        assert len(asyncio.run(ask(GoogleAccount(None, "")))) == 1
    assert len(vertex.tokens) == 2
