"""The official google-genai SDK takes the stand-in for the real thing: answers, streams, functions, JSON, errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types

from llm_router.demo.standins.gemini import Gemini
from llm_router.demo.standins.models import GeminiModel
from llm_router.demo.standins.text import count_tokens
from tests.router.standins import Standin, Standins, running_standins

pytestmark = pytest.mark.usefixtures("standins")

MODEL = "gemini-3.5-flash-lite"
HI: list[Any] = [{"role": "user", "parts": [{"text": "Hi"}]}]
WEATHER = {
    "functionDeclarations": [
        {"name": "weather", "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}}
    ]
}
NO_RETRIES = types.HttpRetryOptions(attempts=1)


def _client(standin: Standin, api_key: str | None = None) -> genai.Client:
    options = types.HttpOptions(base_url=standin.url, retry_options=NO_RETRIES)
    return genai.Client(api_key=api_key or standin.api_key, http_options=options)


@pytest.fixture
def standin(standins: Standins) -> Standin:
    return standins.gemini


@pytest.fixture(scope="module")
def client(running: Standins) -> Iterator[genai.Client]:
    with _client(running.gemini) as client:
        yield client


def _post(standin: Standin, body: Any, method: str = "generateContent", **query: str) -> httpx.Response:
    headers = {"x-goog-api-key": standin.api_key}
    return httpx.post(f"{standin.url}/v1beta/models/{MODEL}:{method}", json=body, headers=headers, params=query)


def test_an_answer_has_text_and_true_usage(client: genai.Client) -> None:
    answer = client.models.generate_content(model=MODEL, contents="Hi", config={"system_instruction": "Be kind."})
    assert answer.text
    usage = answer.usage_metadata
    assert usage is not None
    assert usage.candidates_token_count == count_tokens(answer.text)
    assert usage.total_token_count == (usage.prompt_token_count or 0) + count_tokens(answer.text)
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP


def test_a_stream_adds_up_to_the_whole_answer(client: genai.Client) -> None:
    chunks = list(client.models.generate_content_stream(model=MODEL, contents="Hi"))
    whole = client.models.generate_content(model=MODEL, contents="Hi")
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert chunks[-1].usage_metadata == whole.usage_metadata
    reasons = [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates]
    assert reasons == [None] * (len(chunks) - 1) + [types.FinishReason.STOP]


def test_without_alt_sse_a_stream_is_one_json_array(standin: Standin) -> None:
    answer = _post(standin, {"contents": HI}, "streamGenerateContent")
    assert answer.headers["content-type"].startswith("application/json")
    whole = _post(standin, {"contents": HI}).json()
    texts = [one["candidates"][0]["content"]["parts"][0]["text"] for one in answer.json()]
    assert "".join(texts) == whole["candidates"][0]["content"]["parts"][0]["text"]


def test_a_limit_cuts_at_exactly_that_many_tokens(client: genai.Client) -> None:
    answer = client.models.generate_content(model=MODEL, contents="Hi", config={"max_output_tokens": 7})
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.candidates_token_count == 7
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS


def test_a_stop_sequence_ends_the_answer_before_it(client: genai.Client) -> None:
    whole = client.models.generate_content(model=MODEL, contents="Hi").text or ""
    stop = whole.split()[3]
    answer = client.models.generate_content(model=MODEL, contents="Hi", config={"stop_sequences": [stop]})
    assert answer.text == whole[: whole.index(stop)]


@pytest.mark.parametrize("stream", [False, True])
def test_a_forced_function_is_called(client: genai.Client, stream: bool) -> None:
    calling = {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["weather"]}}
    config: Any = {"tools": [WEATHER], "tool_config": calling, "automatic_function_calling": {"disable": True}}
    if stream:
        chunks = client.models.generate_content_stream(model=MODEL, contents="Hi", config=config)
        calls = [call for chunk in chunks for call in chunk.function_calls or []]
    else:
        calls = client.models.generate_content(model=MODEL, contents="Hi", config=config).function_calls or []
    assert [(call.name, call.args) for call in calls] == [("weather", {"city": "sample"})]


def test_a_function_s_response_may_follow_its_call(standin: Standin) -> None:
    call = {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {"a_b": 1}}}]}
    response = {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"x": 3}}}]}
    assert _post(standin, {"contents": [*HI, call, response], "tools": [WEATHER]}).status_code == 200


@pytest.mark.parametrize("name", ["response_schema", "response_json_schema"])
def test_a_json_schema_is_satisfied(client: genai.Client, name: str) -> None:
    schema = {"type": "object", "properties": {"size": {"type": "integer", "minimum": 3}}}
    config: Any = {"response_mime_type": "application/json", name: schema}
    answer = client.models.generate_content(model=MODEL, contents="Hi", config=config)
    assert json.loads(answer.text or "") == {"size": 3}


def test_tokens_are_counted_as_they_are_billed(client: genai.Client) -> None:
    answer = client.models.generate_content(model=MODEL, contents="How many?")
    assert answer.usage_metadata is not None
    counted = client.models.count_tokens(model=MODEL, contents="How many?")
    assert counted.total_tokens == answer.usage_metadata.prompt_token_count


def test_pictures_are_accepted_and_counted(standin: Standin) -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}, picture]}]}
    plain, pictured = _post(standin, {"contents": HI}).json(), _post(standin, body).json()
    counts = [answer["usageMetadata"]["promptTokenCount"] for answer in (plain, pictured)]
    assert counts[1] - counts[0] == 85


def test_models_are_listed_and_found(client: genai.Client) -> None:
    assert f"models/{MODEL}" in [model.name for model in client.models.list()]
    assert client.models.get(model=MODEL).input_token_limit == 1_048_576


def test_names_may_be_in_snake_case(standin: Standin) -> None:
    body = {
        "contents": HI,
        "generation_config": {"max_output_tokens": 3},
        "system_instruction": {"parts": [{"text": "x"}]},
    }
    assert _post(standin, body).json()["candidates"][0]["finishReason"] == "MAX_TOKENS"


def test_the_key_may_stand_in_the_query(standin: Standin) -> None:
    assert httpx.get(f"{standin.url}/v1/models", params={"key": standin.api_key}).status_code == 200


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"stream": True}, 'Unknown name "stream": Cannot find field.'),
    ({"generationConfig": {"max_tokens": 5}}, "Unknown name \"maxTokens\" at 'generation_config': Cannot find field."),
    ({"contents": [{"parts": [{"txt": "Hi"}]}]}, "Unknown name \"txt\" at 'contents[0].parts[0]': Cannot find field."),
    ({"contents": []}, "contents is not specified"),
    ({"contents": "Hi"}, "Invalid value at 'contents'"),
    ({"contents": [{"role": "assistant", "parts": [{"text": "Hi"}]}]}, "Please use a valid role: user, model."),
    ({"contents": [{"role": "user", "parts": []}]}, "contents.parts must not be empty"),
    ({"contents": [{"role": "user", "parts": [{}]}]}, "must have one initialized field"),
    ({"contents": [{"parts": [{"text": 5}]}]}, "Invalid value at 'contents[0].parts[0].text' (TYPE_STRING), \"5\""),
    ({"contents": [{"parts": [{"functionResponse": {"name": "x"}}]}]}, "immediately after a function call turn"),
    ({"generationConfig": {"temperature": 3}}, "temperature must be in the range [0.0, 2.0]"),
    ({"generationConfig": {"topP": 3}}, "top_p must be in the range [0.0, 1.0]"),
    ({"generationConfig": {"maxOutputTokens": 0}}, "max_output_tokens must be positive"),
    ({"generationConfig": {"maxOutputTokens": 10**6}}, "from 1 (inclusive) to 65537 (exclusive)"),
    ({"generationConfig": {"candidateCount": 2}}, "Multiple candidates is not enabled"),
    ({"generationConfig": {"responseLogprobs": True}}, "Logprobs is not enabled"),
    ({"generationConfig": {"responseSchema": {"type": "OBJECT"}}}, "response_mime_type is set to application/json"),
    ({"tools": [{"functionDeclarations": [{"name": "x", "parameters": {"anyOf": 3}}]}]}, "invalid schema"),
    ({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "set without function_declarations"),
    ({"toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}, '(TYPE_ENUM), "SOME"'),
]


@pytest.mark.parametrize(("change", "message"), REFUSALS)
def test_bad_requests_are_invalid_arguments(standin: Standin, change: dict[str, Any], message: str) -> None:
    answer = _post(standin, {"contents": HI, **change})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert message in error["message"]


def test_broken_json_is_an_invalid_argument(standin: Standin) -> None:
    url, headers = f"{standin.url}/v1/models/{MODEL}:generateContent", {"x-goog-api-key": standin.api_key}
    answer = httpx.post(url, content=b"{", headers=headers)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_a_wrong_key_is_400_and_told_by_its_reason(standin: Standin) -> None:
    with _client(standin, "wrong") as wrong, pytest.raises(errors.ClientError) as refusal:
        wrong.models.generate_content(model=MODEL, contents="Hi")
    assert (refusal.value.code, refusal.value.status) == (400, "INVALID_ARGUMENT")
    assert refusal.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"


def test_no_key_is_403(standin: Standin) -> None:
    answer = httpx.get(f"{standin.url}/v1/models")
    assert (answer.status_code, answer.json()["error"]["status"]) == (403, "PERMISSION_DENIED")


def test_an_unknown_model_and_method_are_not_found(client: genai.Client, standin: Standin) -> None:
    with pytest.raises(errors.ClientError) as refusal:
        client.models.generate_content(model="gemini-0", contents="Hi")
    assert (refusal.value.code, refusal.value.status) == (404, "NOT_FOUND")
    assert _post(standin, {"contents": HI}, "sing").json()["error"]["status"] == "NOT_FOUND"
    assert httpx.get(f"{standin.url}/v1/nothing").headers["content-type"] == "text/html"


def test_a_refused_stream_comes_in_the_stream_s_form(standin: Standin) -> None:
    as_array = _post(standin, {"contents": []}, "streamGenerateContent")
    as_events = _post(standin, {"contents": []}, "streamGenerateContent", alt="sse")
    assert as_array.json()[0]["error"]["code"] == 400
    assert as_events.json()["error"]["code"] == 400


def test_a_prompt_beyond_the_window_is_refused() -> None:
    small = GeminiModel(name="small", display_name="Small", context=50, max_output=40)
    with (
        running_standins(gemini=Gemini(models=[small])) as standins,
        _client(standins.gemini) as client,
        pytest.raises(errors.ClientError, match=r"exceeds the maximum number of tokens allowed \(50\)"),
    ):
        client.models.generate_content(model="small", contents="word " * 50)


@pytest.mark.parametrize(
    ("fault", "error", "code", "status"),
    [
        ({"kind": "rate_limit", "retry_after": "2"}, errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
        ({"kind": "quota"}, errors.ClientError, 402, "RESOURCE_EXHAUSTED"),
        ({"kind": "overloaded"}, errors.ServerError, 503, "UNAVAILABLE"),
        ({"kind": "status", "status": 500}, errors.ServerError, 500, "INTERNAL"),
        ({"kind": "status", "status": 403}, errors.ClientError, 403, "PERMISSION_DENIED"),
        ({"kind": "context_overflow"}, errors.ClientError, 400, "INVALID_ARGUMENT"),
    ],
)
def test_faults_are_the_sdk_s_own_exceptions(
    client: genai.Client, standin: Standin, fault: dict[str, Any], error: type[errors.APIError], code: int, status: str
) -> None:
    standin.fault(**fault)
    with pytest.raises(error) as raised:
        client.models.generate_content(model=MODEL, contents="Hi")
    assert (raised.value.code, raised.value.status) == (code, status)


def test_the_wait_stands_in_the_body_not_in_a_header(standin: Standin) -> None:
    standin.fault("rate_limit", retry_after="17")
    answer = _post(standin, {"contents": HI})
    assert "retry-after" not in answer.headers
    details = answer.json()["error"]["details"]
    assert {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"} in details


@pytest.mark.parametrize("stream", [False, True])
def test_a_blocked_prompt_has_a_reason_and_no_candidates(client: genai.Client, standin: Standin, stream: bool) -> None:
    standin.fault("content_policy")
    if stream:
        [answer] = client.models.generate_content_stream(model=MODEL, contents="Hi")
    else:
        answer = client.models.generate_content(model=MODEL, contents="Hi")
    assert answer.candidates is None
    assert answer.prompt_feedback is not None
    assert answer.prompt_feedback.block_reason == types.BlockedReason.PROHIBITED_CONTENT


def test_an_error_inside_a_stream_reaches_the_caller(client: genai.Client, standin: Standin) -> None:
    standin.fault("overloaded", after_events=2)
    with pytest.raises(errors.ServerError):
        list(client.models.generate_content_stream(model=MODEL, contents="Hi"))
