"""Azure OpenAI and Gemini on Vertex: asked as they want to be asked, by a real router, of stand-ins that the vendors'
own SDKs take for the real thing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import google.genai
import openai
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from google.genai.types import HttpOptions
from google.oauth2.service_account import Credentials

from llm_router.demo.standins.serve import Site
from tests.router.clouds import API_VERSION, AZURE_KEY, LOCATION, PROJECT, SCOPE, Azure, Vertex
from tests.router.routers import Running, running_router
from tests.router.standins import Standin, serving

MINI, FLASH = "gpt-5.4-mini", "gemini-3.5-flash-lite"
VERTEX_PATH = f"/v1/projects/{PROJECT}/locations/{LOCATION}/publishers/google/models/{FLASH}"
UNCHECKED = {"healthCheck": {"enabled": False}}


@pytest.fixture(scope="module")
def vertex() -> Vertex:
    return Vertex()


@pytest.fixture(scope="module")
def clouds(vertex: Vertex) -> Iterator[dict[str, Standin]]:
    with serving([Site(Azure(), AZURE_KEY), Site(vertex, "")]) as served:
        yield served


@pytest.fixture(autouse=True)
def as_at_first(clouds: dict[str, Standin], vertex: Vertex) -> None:
    for standin in clouds.values():
        standin.clear()
    vertex.tokens.clear()
    vertex.lifetime_s = 3600


def azure(clouds: dict[str, Standin], **more: Any) -> dict[str, Any]:
    own = {"name": "azure", "type": "azure", "apiKey": AZURE_KEY, "baseUrl": clouds["azure"].url, "models": [MINI]}
    return {"externalProviders": [own | {"deployments": {MINI: "our-mini"}} | UNCHECKED | more]}


def on_vertex(clouds: dict[str, Standin], file: Path, **more: Any) -> dict[str, Any]:
    own = {"name": "vertex", "type": "vertex", "projectId": PROJECT, "location": LOCATION, "models": [FLASH]}
    served = {"baseUrl": clouds["vertex"].url, "credentialsFile": str(file)}
    return {"externalProviders": [own | served | UNCHECKED | more]}


@pytest.fixture
def key_file(clouds: dict[str, Standin], vertex: Vertex, tmp_path: Path) -> Path:
    return vertex.key_file(tmp_path / "account.json", clouds["vertex"].url)


def asked(standin: Standin) -> list[dict[str, Any]]:
    """The requests for answers, without those for tokens and for health."""
    return [request for request in standin.requests() if request["method"] == "POST" and request["path"] != "/token"]


def error_of(router: Running, **fields: Any) -> tuple[int, str]:
    answer = router.chat(**fields)
    return answer.status_code, answer.json()["error"]["code"]


DATED = {"apiVersion": API_VERSION}
PLACES = [
    pytest.param({}, "/openai/v1/chat/completions", "", id="v1"),
    pytest.param(DATED, "/openai/deployments/our-mini/chat/completions", f"api-version={API_VERSION}", id="dated"),
]


@pytest.mark.parametrize(("more", "path", "query"), PLACES)
def test_azure_is_asked_for_the_deployment_and_priced_by_the_model(
    clouds: dict[str, Standin], more: dict[str, Any], path: str, query: str
) -> None:
    with running_router(azure(clouds, **more)) as router:
        answer = router.chat()
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-llm-router-model"] == MINI
        assert float(answer.headers["x-llm-router-cost-usd"]) > 0
    (seen,) = asked(clouds["azure"])
    assert (seen["path"], seen["query"]) == (path, query)
    sent = json.loads(seen["body"])
    assert sent["model"] == "our-mini"
    assert sent["max_completion_tokens"] == 12, "the model, and not its deployment's name, says that it wants this one"
    headers = dict(seen["headers"])
    assert headers["api-key"] == AZURE_KEY
    assert "authorization" not in headers


@pytest.mark.parametrize(("more", "path", "query"), PLACES)
def test_azure_streams_with_usage_whatever_its_filters_say_first(
    clouds: dict[str, Standin], more: dict[str, Any], path: str, query: str
) -> None:
    with (
        running_router(azure(clouds, **more)) as router,
        openai.OpenAI(base_url=f"{router.url}/v1", api_key="none", max_retries=0) as client,
    ):
        chunks = list(
            client.chat.completions.create(
                model=MINI,
                messages=[{"role": "user", "content": "Hello"}],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert [chunk.usage.completion_tokens > 0 for chunk in chunks if chunk.usage] == [True]


@pytest.mark.parametrize("more", [{}, DATED], ids=["v1", "dated"])
def test_azure_is_healthy_where_its_key_is_good(clouds: dict[str, Standin], more: dict[str, Any]) -> None:
    for key, expected in ((AZURE_KEY, "healthy"), ("another-key-0123456789", "unhealthy")):
        config = azure(clouds, **more, apiKey=key, healthCheck={"interval": "50ms"})
        with running_router(config) as router:
            wait_for_health(router, "azure", expected)


def wait_for_health(router: Running, name: str, expected: str) -> None:
    for _ in range(200):
        report = router.admin.get(f"/ai/providers/{name}/health").json()
        if report["status"] == expected:
            return
        assert report["status"] == "unknown", report
    pytest.fail(f"still {report}")


def test_what_azure_refuses_is_said_in_the_routers_words(clouds: dict[str, Standin]) -> None:
    with running_router(azure(clouds, apiKey="another-key-0123456789")) as router:
        assert error_of(router) == (502, "upstream_auth_failed")
    with running_router(azure(clouds, deployments={})) as router:
        assert error_of(router) == (502, "upstream_model_not_found")
    with running_router(azure(clouds)) as router:
        clouds["azure"].fault("content_policy")
        assert error_of(router) == (400, "content_policy_violation")


def test_the_official_sdk_takes_the_stand_in_for_azure(clouds: dict[str, Standin]) -> None:
    with openai.AzureOpenAI(
        azure_endpoint=clouds["azure"].url, api_key=AZURE_KEY, api_version=API_VERSION, max_retries=0
    ) as client:
        hi: list[Any] = [{"role": "user", "content": "Hi"}]
        assert client.chat.completions.create(model="our-mini", messages=hi).choices[0].message.content
        with pytest.raises(openai.NotFoundError, match="API deployment for this resource does not exist"):
            client.chat.completions.create(model="theirs", messages=hi)


# ---------------------------------------------------------------- Vertex


def test_vertex_answers_whole_and_streamed_with_one_token_for_all(
    clouds: dict[str, Standin], vertex: Vertex, key_file: Path
) -> None:
    with running_router(on_vertex(clouds, key_file)) as router:
        whole = router.chat()
        assert whole.status_code == 200, whole.text
        assert whole.json()["choices"][0]["message"]["content"]
        assert float(whole.headers["x-llm-router-cost-usd"]) > 0
        streamed = router.chat(stream=True)
        assert streamed.text.rstrip().endswith("data: [DONE]")
    seen = asked(clouds["vertex"])
    assert [request["path"] for request in seen] == [f"{VERTEX_PATH}:streamGenerateContent"] * 2
    assert {dict(request["headers"])["authorization"] for request in seen} == {f"Bearer {vertex.tokens[0]}"}
    assert len(vertex.tokens) == 1


def test_a_token_near_its_end_is_renewed(clouds: dict[str, Standin], vertex: Vertex, key_file: Path) -> None:
    vertex.lifetime_s = 60
    with running_router(on_vertex(clouds, key_file)) as router:
        assert [router.chat().status_code for _ in range(2)] == [200, 200]
        assert len(vertex.tokens) == 2
        clouds["vertex"].clear()
        vertex.email = "somebody@else"  # no more tokens: the one that is still good for a minute does
        try:
            assert router.chat().status_code == 200
        finally:
            vertex.email = f"router@{PROJECT}.iam.gserviceaccount.com"


def test_vertex_is_healthy_where_its_account_is_good(
    clouds: dict[str, Standin], vertex: Vertex, key_file: Path, tmp_path: Path
) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    foreign = vertex.key_file(tmp_path / "foreign.json", clouds["vertex"].url, stranger)
    for file, expected in ((key_file, "healthy"), (foreign, "unhealthy")):
        with running_router(on_vertex(clouds, file, healthCheck={"interval": "50ms"})) as router:
            wait_for_health(router, "vertex", expected)


def test_an_account_that_gets_no_token_is_the_operators_to_mend(
    clouds: dict[str, Standin], vertex: Vertex, tmp_path: Path
) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    foreign = vertex.key_file(tmp_path / "foreign.json", clouds["vertex"].url, stranger)
    with running_router(on_vertex(clouds, foreign)) as router:
        assert error_of(router) == (502, "upstream_auth_failed")
    with running_router(
        on_vertex(clouds, vertex.key_file(foreign, clouds["vertex"].url), projectId="theirs")
    ) as router:
        assert error_of(router) == (502, "upstream_auth_failed")


def test_where_no_token_can_be_asked_for_another_provider_answers(
    clouds: dict[str, Standin], vertex: Vertex, tmp_path: Path
) -> None:
    nowhere = vertex.key_file(tmp_path / "account.json", "http://127.0.0.1:9")
    both = on_vertex(clouds, nowhere)["externalProviders"] + azure(clouds)["externalProviders"]
    with running_router({"externalProviders": both, "router": {"routingStrategy": "priority"}}) as router:
        answer = router.chat()
    assert (answer.status_code, answer.headers["x-llm-router-target"]) == (200, "azure")


def test_the_official_sdk_takes_the_stand_in_for_vertex(clouds: dict[str, Standin], key_file: Path) -> None:
    account: Any = Credentials
    client = google.genai.Client(
        vertexai=True,
        project=PROJECT,
        location=LOCATION,
        credentials=account.from_service_account_file(str(key_file), scopes=[SCOPE]),
        http_options=HttpOptions(base_url=clouds["vertex"].url, api_version="v1"),
    )
    try:
        assert client.models.generate_content(model=FLASH, contents="Hi").text
    finally:
        client.close()
    assert [request["path"] for request in asked(clouds["vertex"])] == [f"{VERTEX_PATH}:generateContent"]
