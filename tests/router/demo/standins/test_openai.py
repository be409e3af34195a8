"""The official openai SDK takes the stand-in for the real thing: answers, streams, tools, JSON, errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageFunctionToolCall

from llm_router.demo.standins.models import OpenAIModel
from llm_router.demo.standins.openai import OpenAI
from llm_router.demo.standins.text import count_tokens
from tests.router.standins import Standin, Standins, running_standins

pytestmark = pytest.mark.usefixtures("standins")

MODEL = "gpt-5.4-mini"
HI: list[Any] = [{"role": "user", "content": "Hi"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture
def standin(standins: Standins) -> Standin:
    return standins.openai


@pytest.fixture(scope="module")
def client(running: Standins) -> Iterator[openai.OpenAI]:
    standin = running.openai
    with openai.OpenAI(base_url=f"{standin.url}/v1", api_key=standin.api_key, max_retries=0, timeout=10) as client:
        yield client


def _stream(client: openai.OpenAI, **options: Any) -> list[ChatCompletionChunk]:
    return list(client.chat.completions.create(model=MODEL, messages=HI, stream=True, **options))


def _ask(client: openai.OpenAI, **options: Any) -> ChatCompletion:
    answer = client.chat.completions.create(**{"model": MODEL, "messages": HI, **options})
    assert isinstance(answer, ChatCompletion)
    return answer


def test_an_answer_has_text_and_true_usage(client: openai.OpenAI) -> None:
    answer = _ask(client)
    text = answer.choices[0].message.content
    assert text
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "gpt-5.4-mini-2026-03-17"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == count_tokens(text)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_the_same_question_has_the_same_answer_streamed_or_not(client: openai.OpenAI) -> None:
    chunks = _stream(client)
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert streamed == _ask(client).choices[0].message.content


def test_a_stream_begins_with_the_role_and_ends_with_the_reason(client: openai.OpenAI) -> None:
    first, *content, last = _stream(client)
    assert first.choices[0].delta.role == "assistant"
    assert first.choices[0].delta.content == ""
    assert len(content) > 5
    assert all(chunk.choices[0].finish_reason is None for chunk in content)
    assert last.choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in (first, *content, last)}) == 1


def test_usage_comes_in_a_stream_only_when_asked_for(client: openai.OpenAI) -> None:
    assert all("usage" not in chunk.model_fields_set for chunk in _stream(client))
    *chunks, last = _stream(client, stream_options={"include_usage": True})
    assert all("usage" in chunk.model_fields_set and chunk.usage is None for chunk in chunks)
    assert last.choices == []
    assert last.usage == _ask(client).usage


def test_padding_comes_unless_declined(client: openai.OpenAI) -> None:
    assert all("obfuscation" in chunk.to_dict() for chunk in _stream(client))
    plain = _stream(client, stream_options={"include_obfuscation": False})
    assert not any("obfuscation" in chunk.to_dict() for chunk in plain)


def test_a_limit_cuts_at_exactly_that_many_tokens(client: openai.OpenAI) -> None:
    answer = _ask(client, max_completion_tokens=7)
    assert answer.usage is not None
    assert (answer.usage.completion_tokens, answer.choices[0].finish_reason) == (7, "length")


def test_a_stop_sequence_ends_the_answer_before_it(client: openai.OpenAI) -> None:
    whole = _ask(client).choices[0].message.content or ""
    stop = whole.split()[3]
    answer = _ask(client, stop=["never said", stop])
    assert answer.choices[0].message.content == whole[: whole.index(stop)]
    assert answer.choices[0].finish_reason == "stop"


def test_an_analysis_is_longer_than_a_greeting(client: openai.OpenAI) -> None:
    long = _ask(client, messages=[{"role": "user", "content": "Write a detailed analysis of cloud costs."}])
    short = _ask(client)
    assert long.usage is not None
    assert short.usage is not None
    assert 10 <= short.usage.completion_tokens <= 40
    assert 150 <= long.usage.completion_tokens <= 600


def test_several_choices_differ_and_are_all_billed(client: openai.OpenAI) -> None:
    answer = _ask(client, n=3)
    texts = [choice.message.content or "" for choice in answer.choices]
    assert len(set(texts)) == 3
    assert answer.usage is not None
    assert answer.usage.completion_tokens == sum(count_tokens(text) for text in texts)
    streamed = ["", "", ""]
    for chunk in _stream(client, n=3):
        streamed[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert streamed == texts


@pytest.mark.parametrize(
    ("choice", "finish"),
    [("required", "tool_calls"), ({"type": "function", "function": {"name": "weather"}}, "stop")],
)
def test_a_forced_tool_is_called_with_fitting_arguments(client: openai.OpenAI, choice: Any, finish: str) -> None:
    answer = _ask(client, tools=[WEATHER], tool_choice=choice)
    [call] = answer.choices[0].message.tool_calls or []
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert call.function.name == "weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    assert answer.choices[0].message.content is None
    assert answer.choices[0].finish_reason == finish


def test_a_tool_call_streams_its_arguments_in_pieces(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model=MODEL, messages=HI, tools=[WEATHER], tool_choice="required") as stream:
        [call] = stream.get_final_completion().choices[0].message.tool_calls or []
    assert json.loads(call.function.arguments) == {"city": "sample"}


def test_offered_tools_are_not_called_unasked(client: openai.OpenAI) -> None:
    assert _ask(client, tools=[WEATHER]).choices[0].finish_reason == "stop"


def test_a_tool_s_result_may_follow_its_call(client: openai.OpenAI) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    turns = [
        *HI,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "3"},
    ]
    assert _ask(client, messages=turns, tools=[WEATHER]).choices[0].message.content


def test_a_json_schema_is_satisfied(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "size": {"type": "integer", "minimum": 3}},
        "required": ["name", "size"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema, "strict": True}}
    answer = json.loads(_ask(client, response_format=wanted).choices[0].message.content or "")
    assert answer == {"name": "sample", "size": 3}


def test_pictures_are_accepted_and_counted(client: openai.OpenAI) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    answer = _ask(client, messages=[{"role": "user", "content": [{"type": "text", "text": "Hi"}, picture]}])
    plain = _ask(client)
    assert answer.usage is not None
    assert plain.usage is not None
    assert answer.usage.prompt_tokens == plain.usage.prompt_tokens + 85


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-0")


def test_older_models_take_the_older_limit(client: openai.OpenAI) -> None:
    answer = _ask(client, model="gpt-4o-mini", max_tokens=5)
    assert answer.choices[0].finish_reason == "length"


REFUSALS: list[tuple[dict[str, Any], str | None, str | None]] = [
    ({"foo": 1}, None, None),
    ({"messages": []}, "messages", "empty_array"),
    ({"messages": "Hi"}, "messages", "invalid_type"),
    ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages[0].role", "invalid_value"),
    ({"messages": [{"content": "Hi"}]}, "messages[0].role", "missing_required_parameter"),
    ({"messages": [{"role": "user", "content": None}]}, "messages[0].content", None),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "invalid_type"),
    ({"messages": [{"role": "user", "content": [{"type": "x"}]}]}, "messages[0].content[0].type", "invalid_value"),
    ({"messages": [{"role": "tool", "content": "Hi", "tool_call_id": "1"}]}, "messages[0].role", None),
    ({"max_tokens": 5}, "max_tokens", "unsupported_parameter"),
    ({"max_completion_tokens": 0}, "max_completion_tokens", "integer_below_min_value"),
    ({"max_completion_tokens": 10**9}, "max_completion_tokens", "invalid_value"),
    ({"max_completion_tokens": "5"}, "max_completion_tokens", "invalid_type"),
    ({"max_completion_tokens": 5, "max_tokens": 5}, "max_tokens", "invalid_parameter_combination"),
    ({"temperature": 3}, "temperature", "decimal_above_max_value"),
    ({"temperature": -1}, "temperature", "decimal_below_min_value"),
    ({"model": "gpt-5.6-luna", "temperature": 0.5}, "temperature", "unsupported_value"),
    ({"n": 500}, "n", "integer_above_max_value"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "array_above_max_length"),
    ({"stream_options": {"include_usage": True}}, "stream_options", None),
    ({"tool_choice": "required"}, "tool_choice", None),
    ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice", None),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name", "missing_required_parameter"),
    (
        {"tools": [{"type": "function", "function": {"name": "x", "parameters": {"$ref": "#/none"}}}]},
        "tools[0].function.parameters",
        "invalid_function_parameters",
    ),
    ({"response_format": {"type": "json_object"}}, "messages", None),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "missing_required_parameter"),
    (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "a", "strict": True, "schema": {"type": "object"}},
            }
        },
        "response_format",
        None,
    ),
]


@pytest.mark.parametrize(("change", "param", "code"), REFUSALS)
def test_bad_requests_are_refused_with_the_field_and_code(
    client: openai.OpenAI, change: dict[str, Any], param: str | None, code: str | None
) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        client.post("/chat/completions", body={"model": MODEL, "messages": HI, **change}, cast_to=ChatCompletion)
    assert (refusal.value.param, refusal.value.code, refusal.value.type) == (param, code, "invalid_request_error")


def test_logprobs_are_forbidden(client: openai.OpenAI) -> None:
    with pytest.raises(openai.PermissionDeniedError):
        _ask(client, logprobs=True)


def test_missing_fields_are_named(standin: Standin) -> None:
    headers = {"authorization": f"Bearer {standin.api_key}"}
    url = f"{standin.url}/v1/chat/completions"
    assert httpx.post(url, json={}, headers=headers).json()["error"]["message"] == "you must provide a model parameter"
    assert httpx.post(url, json={"model": MODEL}, headers=headers).json()["error"] == {
        "message": "Missing required parameter: 'messages'.",
        "type": "invalid_request_error",
        "param": "messages",
        "code": "missing_required_parameter",
    }


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"Hi"'])
def test_what_is_no_json_object_is_refused(standin: Standin, body: bytes) -> None:
    headers = {"authorization": f"Bearer {standin.api_key}"}
    answer = httpx.post(f"{standin.url}/v1/chat/completions", content=body, headers=headers)
    assert answer.status_code == 400
    assert "could not parse the JSON body" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/models", 405),
        ("POST", "/v1/nothing", 404),
        ("GET", "/", 404),
    ],
)
def test_other_routes_are_refused(standin: Standin, method: str, path: str, status: int) -> None:
    headers = {"authorization": f"Bearer {standin.api_key}"}
    answer = httpx.request(method, standin.url + path, headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, "invalid_request_error")


def test_a_wrong_key_is_refused_without_repeating_it(standin: Standin) -> None:
    wrong = openai.OpenAI(base_url=f"{standin.url}/v1", api_key="sk-wrong-key-of-somebody", max_retries=0)
    with wrong, pytest.raises(openai.AuthenticationError) as refusal:
        _ask(wrong)
    assert refusal.value.code == "invalid_api_key"
    assert "wrong-key" not in str(refusal.value)


def test_no_key_is_refused(standin: Standin) -> None:
    answer = httpx.get(f"{standin.url}/v1/models")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, None)


def test_an_unknown_model_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refusal:
        _ask(client, model="gpt-0")
    assert refusal.value.code == "model_not_found"


def test_a_prompt_beyond_the_window_is_refused() -> None:
    small = OpenAIModel(name="small", snapshot="small-1", context=50, max_output=40)
    with running_standins(openai=OpenAI(models=[small])) as standins:
        client = openai.OpenAI(base_url=f"{standins.openai.url}/v1", api_key=standins.openai.api_key, max_retries=0)
        with client, pytest.raises(openai.BadRequestError) as refusal:
            _ask(client, model="small", messages=[{"role": "user", "content": "word " * 50}])
    assert refusal.value.code == "context_length_exceeded"
    assert "maximum context length is 50 tokens" in str(refusal.value)


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ({"kind": "rate_limit", "retry_after": "2"}, openai.RateLimitError, "rate_limit_exceeded"),
        ({"kind": "quota"}, openai.RateLimitError, "insufficient_quota"),
        ({"kind": "overloaded"}, openai.InternalServerError, None),
        ({"kind": "status", "status": 500}, openai.InternalServerError, None),
        ({"kind": "status", "status": 403}, openai.PermissionDeniedError, None),
        ({"kind": "context_overflow"}, openai.BadRequestError, "context_length_exceeded"),
        ({"kind": "content_policy"}, openai.BadRequestError, "content_policy_violation"),
    ],
)
def test_faults_are_the_sdk_s_own_exceptions(
    client: openai.OpenAI, standin: Standin, fault: dict[str, Any], error: type[openai.APIStatusError], code: str | None
) -> None:
    standin.fault(**fault)
    with pytest.raises(error) as raised:
        _ask(client)
    assert raised.value.code == code
    assert raised.value.response.headers.get("retry-after") == fault.get("retry_after")


def test_the_sdk_retries_over_a_single_rate_limit(standin: Standin) -> None:
    standin.fault("rate_limit", times=1, retry_after="0.01")
    client = openai.OpenAI(base_url=f"{standin.url}/v1", api_key=standin.api_key, max_retries=1)
    with client:
        assert _ask(client).choices[0].message.content
    assert [request["status"] for request in standin.requests()] == [429, 200]


def test_an_error_inside_a_stream_reaches_the_caller(client: openai.OpenAI, standin: Standin) -> None:
    standin.fault("overloaded", after_events=3)
    stream = client.chat.completions.create(model=MODEL, messages=HI, stream=True)
    with pytest.raises(openai.APIError, match="overloaded"):
        list(stream)


def test_a_reset_is_a_connection_error(client: openai.OpenAI, standin: Standin) -> None:
    standin.fault("reset")
    with pytest.raises(openai.APIConnectionError):
        _ask(client)
