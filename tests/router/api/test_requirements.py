"""Headers and keys become requirements; a header tightens, and a misspelt one is never ignored."""

from __future__ import annotations

import pytest

from llm_router.admission.keys import ApiKey
from llm_router.api.requirements import Asked, read_requirements
from llm_router.errors import ClientError

CONFIGURED = frozenset({"hipaa", "our-own"})


def asked(*headers: tuple[str, str], key: ApiKey | None = None) -> Asked:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    return read_requirements(raw, key, configured_tags=CONFIGURED)


def test_every_header_becomes_its_requirement() -> None:
    got = asked(
        ("X-LLM-Compliance", "HIPAA, our-own"),
        ("X-LLM-Region", "eu-west-1"),
        ("X-LLM-Max-Latency-Ms", "900"),
        ("X-LLM-Max-Cost-Per-1K", "0.002"),
        ("X-LLM-Strategy", "cost"),
        ("X-LLM-Target", "aws"),
        ("X-LLM-Session", "s1"),
        ("X-LLM-Exact-Model", "true"),
        ("X-Other", "x"),
    )
    assert got.requirements.compliance == {"hipaa", "our-own"}
    assert got.requirements.region == "eu-west-1"
    assert got.requirements.max_latency_ms == 900
    assert got.requirements.max_usd_per_1k_tokens == 0.002
    assert got.requirements.target == "aws"
    assert got.requirements.exact_model
    assert (got.strategy, got.session) == ("cost", "s1")


def test_tags_of_several_headers_and_of_the_key_add_up() -> None:
    key = ApiKey(name="k", sha256="0" * 64, tags=frozenset({"gdpr"}), targets=frozenset({"aws"}))
    got = asked(("X-LLM-Compliance", "hipaa"), ("X-LLM-Compliance", "sox"), key=key)
    assert got.requirements.compliance == {"hipaa", "sox", "gdpr"}
    assert got.requirements.allowed_targets == frozenset({"aws"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-LLM-Compliance", "hippa"),
        ("X-LLM-Max-Latency-Ms", "0"),
        ("X-LLM-Max-Latency-Ms", "-5"),
        ("X-LLM-Max-Latency-Ms", "1e3"),
        ("X-LLM-Max-Latency-Ms", "²"),
        ("X-LLM-Max-Cost-Per-1K", "nan"),
        ("X-LLM-Max-Cost-Per-1K", "-1"),
        ("X-LLM-Max-Cost-Per-1K", "inf"),
        ("X-LLM-Max-Cost-Per-1K", "cheap"),
        ("X-LLM-Exact-Model", "maybe"),
        ("X-LLM-Complience", "hipaa"),
    ],
)
def test_nonsense_is_refused_with_the_headers_name(name: str, value: str) -> None:
    with pytest.raises(ClientError) as refused:
        asked((name, value))
    assert (refused.value.status, refused.value.code) == (400, "invalid_requirement")
    assert refused.value.param is not None
    assert refused.value.param.lower() == name.lower()


def test_one_header_with_two_values_is_refused() -> None:
    with pytest.raises(ClientError):
        asked(("X-LLM-Region", "eu-west-1"), ("X-LLM-Region", "us-east-1"))
