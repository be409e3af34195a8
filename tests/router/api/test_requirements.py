"""Headers and keys become requirements; a header tightens, and a misspelt one is never ignored."""

from __future__ import annotations

import pytest

from llm_router.admission.keys import ApiKey
from llm_router.admission.load import Criticality
from llm_router.api.requirements import Asked, read_requirements
from llm_router.errors import ClientError
from llm_router.routing.vocabulary import Vocabulary

VOCABULARY = Vocabulary(
    tags=frozenset({"hipaa", "our-own"}),
    regions=frozenset({"eu-west-1", "Rack-7"}),
    headers=frozenset({"x-team", "x-llm-session"}),
    client_region_header="cf-ipcountry",
)


def asked(*headers: tuple[str, str], key: ApiKey | None = None, vocabulary: Vocabulary = VOCABULARY) -> Asked:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    return read_requirements(raw, key, vocabulary)


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


@pytest.mark.parametrize(
    ("header", "of_key", "counts"),
    [
        (None, None, "default"),
        (None, "critical", "critical"),
        ("critical", None, "critical"),
        ("critical", "default", "default"),
        ("CRITICAL", "critical", "critical"),
        ("sheddable", "critical", "sheddable"),
        ("default", "sheddable", "sheddable"),
    ],
)
def test_a_header_claims_no_more_criticality_than_the_key_allows(
    header: str | None, of_key: Criticality | None, counts: str
) -> None:
    key = None if of_key is None else ApiKey(name="k", sha256="0" * 64, criticality=of_key)
    headers = () if header is None else (("X-LLM-Criticality", header),)
    assert asked(*headers, key=key).criticality == counts


def test_tags_of_several_headers_and_of_the_key_add_up() -> None:
    key = ApiKey(name="k", sha256="0" * 64, tags=frozenset({"gdpr"}), targets=frozenset({"aws"}))
    got = asked(("X-LLM-Compliance", "hipaa"), ("X-LLM-Compliance", "sox"), key=key)
    assert got.requirements.compliance == {"hipaa", "sox", "gdpr"}
    assert got.requirements.allowed_targets == frozenset({"aws"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-LLM-Compliance", "hippa"),
        ("X-LLM-Region", "eu-wset-1"),
        ("X-LLM-Region", "rack 9"),
        ("X-LLM-Region", "eu-west-1, us-east-1"),
        ("X-LLM-Criticality", "urgent"),
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


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("EU-West-1", "eu-west-1"),
        ("eu", "eu"),
        ("DE", "de"),
        ("Rack-7", "Rack-7"),
        ("westeurope", "westeurope"),
        ("eu, eu-west-1", "eu-west-1"),
        ("eu-west-1, europe, eu", "eu-west-1"),
        ("", None),
    ],
)
def test_a_region_is_one_that_is_known_and_of_nested_ones_the_narrowest(text: str, region: str | None) -> None:
    assert asked(("X-LLM-Region", text)).requirements.region == region


def test_two_headers_tighten_as_two_values_do() -> None:
    both = asked(("X-LLM-Region", "eu"), ("X-LLM-Region", "ie"))
    assert both.requirements.region == "ie"


def test_an_unknown_region_is_told_with_the_nearest() -> None:
    with pytest.raises(ClientError, match='did you mean "eu-west-1"'):
        asked(("X-LLM-Region", "eu-wset-1"))
    with pytest.raises(ClientError, match="nobody is in eu-west-1 and in us-east-1 at once"):
        asked(("X-LLM-Region", "eu-west-1, us-east-1"))


# ---------------------------------------------------------------- strategies


def key(*strategies: str) -> ApiKey:
    return ApiKey(name="k", sha256="0" * 64, strategies=frozenset(strategies))


def test_a_strategy_may_be_asked_for_where_the_key_allows_it() -> None:
    assert asked(("X-LLM-Strategy", "cost"), key=key("cost", "latency")).strategy == "cost"
    assert asked(("X-LLM-Strategy", "cost"), key=ApiKey(name="k", sha256="0" * 64)).strategy == "cost"
    assert asked(key=key()).strategy is None


def test_another_strategy_is_403_and_says_which_ones_the_key_covers() -> None:
    with pytest.raises(ClientError, match="it covers cost, latency") as refused:
        asked(("X-LLM-Strategy", "weighted"), key=key("cost", "latency"))
    assert (refused.value.status, refused.value.code) == (403, "strategy_not_allowed")
    with pytest.raises(ClientError, match="it covers none"):
        asked(("X-LLM-Strategy", "weighted"), key=key())


def test_a_strategy_that_there_is_not_is_left_to_the_decision_which_knows_them() -> None:
    assert asked(("X-LLM-Strategy", "cheapest"), key=key("cost")).strategy == "cheapest"


# ---------------------------------------------------------------- what else a request says


@pytest.mark.parametrize(
    ("said", "region"), [("DE", "de"), ("eu-west-1", "eu-west-1"), ("Rack-7", "Rack-7"), ("XX", None)]
)
def test_where_the_caller_is_comes_from_the_proxys_header(said: str, region: str | None) -> None:
    assert asked(("CF-IPCountry", said)).client_region == region


def test_two_different_words_about_the_caller_are_none() -> None:
    assert asked(("CF-IPCountry", "DE"), ("CF-IPCountry", "US")).client_region is None
    assert asked(("CF-IPCountry", "DE"), ("CF-IPCountry", "DE")).client_region == "de"


def test_without_the_configured_header_nobody_says_where_the_caller_is() -> None:
    assert asked(("CF-IPCountry", "DE"), vocabulary=Vocabulary()).client_region is None


def test_only_headers_that_rules_name_are_kept() -> None:
    given = (("X-Team", "search"), ("X-Team", "ads"), ("X-Secret", "s3cret"), ("X-LLM-Session", "s"))
    assert asked(*given).headers == (("x-team", "search"), ("x-team", "ads"), ("x-llm-session", "s"))
    assert asked(*given, vocabulary=Vocabulary()).headers == ()
