from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.config.base_url import base_url, health_url, root_url, with_version
from llm_router.config.providers import PROVIDER_TYPES
from llm_router.config.schema import Cluster, HealthCheck, Provider


def provider(type_: str, url: str | None, endpoint: str | None = None) -> Provider:
    return Provider(name="p", type=type_, base_url=url, health_check=HealthCheck(endpoint=endpoint))


@pytest.mark.parametrize(
    ("type_", "url", "expected"),
    [
        ("openai", None, "https://api.openai.com/v1"),
        ("openai", "https://api.openai.com", "https://api.openai.com/v1"),
        ("openai", "https://api.openai.com/", "https://api.openai.com/v1"),
        ("openai", "https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("openai", "https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("anthropic", None, "https://api.anthropic.com/v1"),
        ("claude", "https://api.anthropic.com", "https://api.anthropic.com/v1"),
        ("gemini", None, "https://generativelanguage.googleapis.com/v1beta"),
        ("gemini", "https://generativelanguage.googleapis.com", "https://generativelanguage.googleapis.com/v1beta"),
        ("gemini", "https://generativelanguage.googleapis.com/v1", "https://generativelanguage.googleapis.com/v1"),
        ("grok", None, "https://api.x.ai/v1"),
        ("openai-compatible", "https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
        ("openai-compatible", "https://open.bigmodel.cn/api/paas/v4/", "https://open.bigmodel.cn/api/paas/v4"),
        ("openai-compatible", "http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        (
            "openai-compatible",
            "https://generativelanguage.googleapis.com/v1beta/openai/",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
    ],
)
def test_providers_base_urls_end_with_their_version_once(type_: str, url: str | None, expected: str) -> None:
    assert base_url(provider(type_, url)) == expected


@pytest.mark.parametrize("endpoint", ["https://g.example.com", "https://g.example.com/", "https://g.example.com/v1/"])
def test_clusters_have_a_base_url_and_a_root(endpoint: str) -> None:
    cluster = Cluster(name="c", endpoint=endpoint)
    assert base_url(cluster) == "https://g.example.com/v1"
    assert root_url(cluster) == "https://g.example.com"


def test_a_type_without_an_address_of_its_own_needs_one() -> None:
    with pytest.raises(ValueError, match="provider p has no base URL"):
        base_url(provider("openai-compatible", None))


@pytest.mark.parametrize(
    ("type_", "url", "endpoint", "expected"),
    [
        ("openai", None, None, "https://api.openai.com/v1/models"),
        ("openai", None, "/v1/models", "https://api.openai.com/v1/models"),
        ("openai", None, "/models", "https://api.openai.com/v1/models"),
        ("openai", None, "models", "https://api.openai.com/v1/models"),
        ("gemini", None, "/v1beta/models", "https://generativelanguage.googleapis.com/v1beta/models"),
        ("openai-compatible", "http://127.0.0.1:1", "/v1/health", "http://127.0.0.1:1/v1/health"),
        ("openai-compatible", "https://h/v1beta/openai", "/v1/models", "https://h/v1beta/openai/models"),
        ("openai-compatible", "https://h/v1", "/v1", "https://h/v1/v1"),
    ],
)
def test_health_checks_never_double_the_version(
    type_: str, url: str | None, endpoint: str | None, expected: str
) -> None:
    assert health_url(provider(type_, url, endpoint)) == expected


@pytest.mark.parametrize("url", ["https://x.openai.azure.com", "https://x.openai.azure.com/openai/v1/"])
@pytest.mark.parametrize(
    ("version", "base", "health"),
    [
        (None, "/openai/v1", "/openai/v1/models"),
        ("2024-10-21", "/openai", "/openai/models?api-version=2024-10-21"),
    ],
)
def test_an_azure_resource_has_a_v1_and_a_dated_api(url: str, version: str | None, base: str, health: str) -> None:
    azure = Provider(name="p", type="azure", base_url=url, api_version=version)
    assert base_url(azure) == "https://x.openai.azure.com" + base
    assert health_url(azure) == "https://x.openai.azure.com" + health


@pytest.mark.parametrize(
    ("location", "url", "expected"),
    [
        ("europe-west4", None, "https://europe-west4-aiplatform.googleapis.com/v1"),
        ("global", None, "https://aiplatform.googleapis.com/v1"),
        ("eu", None, "https://aiplatform.eu.rep.googleapis.com/v1"),
        ("eu", "http://127.0.0.1:1/v1beta1", "http://127.0.0.1:1/v1beta1"),
    ],
)
def test_vertex_is_asked_where_its_location_is(location: str, url: str | None, expected: str) -> None:
    vertex = Provider(name="p", type="vertex", base_url=url, project_id="p", location=location, models=("g", "h"))
    assert base_url(vertex) == f"{expected}/projects/p/locations/{location}/publishers/google"
    assert health_url(vertex) == f"{expected}/publishers/google/models/g"


@given(st.lists(st.sampled_from(["api", "v1", "v1beta", "openai", "v", "vx", "1"]), max_size=4), st.booleans())
def test_adding_the_version_again_changes_nothing(segments: list[str], slash: bool) -> None:
    url = "/".join(["https://h", *segments]) + ("/" if slash else "")
    once = with_version(url, "/v1")
    assert with_version(once, "/v1") == once == with_version(once + "/", "/v1")


def test_each_known_type_that_has_an_address_has_it_with_the_version() -> None:
    for name, known in PROVIDER_TYPES.items():
        if known.base_url is not None:
            assert known.base_url.endswith(known.version_path), name
