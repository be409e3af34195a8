"""What is sent along to whom."""

from __future__ import annotations

from llm_router.config.scalars import Secret
from llm_router.config.schema import Provider
from llm_router.graph.owners import ProviderOwner


def headers(key: Secret | None) -> tuple[tuple[str, str], ...]:
    own = Provider(name="own", type="openai-compatible", base_url="http://127.0.0.1:1", models=("m",), api_key=key)
    return ProviderOwner(own)._headers()


def test_who_asks_for_no_key_is_sent_none() -> None:
    assert headers(None) == ()
    assert headers(Secret("k")) == (("authorization", "Bearer k"),)
