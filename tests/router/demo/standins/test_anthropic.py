"""The official anthropic SDK takes the stand-in for the real thing, in both dated versions of the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest
from anthropic.types import Message, RawMessageStreamEvent, TextBlock, ToolUseBlock

from llm_router.demo.standins.anthropic import Anthropic
from llm_router.demo.standins.models import AnthropicModel
from llm_router.demo.standins.text import count_tokens
from tests.router.standins import Standin, Standins, running_standins

pytestmark = pytest.mark.usefixtures("standins")

MODEL = "claude-haiku-5-5"
OLD_MODEL = "claude-haiku-4-5"
OLD = {"anthropic-version": "2023-06-01"}
HI: list[Any] = [{"role": "user", "content": "Hi"}]
WEATHER: Any = {
    "name": "weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}


@pytest.fixture
def standin(standins: Standins) -> Standin:
    return standins.anthropic


@pytest.fixture(scope="module")
def client(running: Standins) -> Iterator[anthropic.Anthropic]:
    standin = running.anthropic
    with anthropic.Anthropic(base_url=standin.url, api_key=standin.api_key, max_retries=0, timeout=10) as client:
        yield client


def _ask(client: anthropic.Anthropic, headers: dict[str, str] | None = None, **options: Any) -> Message:
    """Asks past the SDK's own checks, so that what it would not send is sent."""
    body = {"model": MODEL, "max_tokens": 1000, "messages": HI, **options}
    return client.post("/v1/messages", body=body, cast_to=Message, options={"headers": headers or {}})


def _stream(client: anthropic.Anthropic, **options: Any) -> list[RawMessageStreamEvent]:
    return list(client.messages.create(model=MODEL, max_tokens=1000, messages=HI, stream=True, **options))


def _text(message: Message) -> str:
    [block] = message.content
    assert isinstance(block, TextBlock)
    return block.text


def test_an_answer_has_text_and_true_usage(client: anthropic.Anthropic) -> None:
    message = client.messages.create(model=MODEL, max_tokens=1000, messages=HI, system="Be kind.")
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens == count_tokens(_text(message))
    assert (
        message.usage.input_tokens
        == client.messages.count_tokens(model=MODEL, messages=HI, system="Be kind.").input_tokens
    )


def test_a_stream_has_the_named_events_in_their_order(client: anthropic.Anthropic) -> None:
    events = _stream(client)
    names = [event.type for event in events if event.type != "content_block_delta"]
    expected = ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]
    assert names == expected
    assert len(events) > 10


def test_a_stream_adds_up_to_the_whole_answer(client: anthropic.Anthropic) -> None:
    with client.messages.stream(model=MODEL, max_tokens=1000, messages=HI) as stream:
        streamed = stream.get_final_message()
    whole = _ask(client)
    assert _text(streamed) == _text(whole)
    assert (streamed.usage.input_tokens, streamed.usage.output_tokens) == (
        whole.usage.input_tokens,
        whole.usage.output_tokens,
    )


def test_a_limit_cuts_at_exactly_that_many_tokens(client: anthropic.Anthropic) -> None:
    message = _ask(client, max_tokens=7)
    assert (message.usage.output_tokens, message.stop_reason) == (7, "max_tokens")


def test_no_tokens_at_all_only_warms_the_cache(client: anthropic.Anthropic) -> None:
    message = _ask(client, max_tokens=0)
    assert (message.content, message.stop_reason, message.usage.output_tokens) == ([], "max_tokens", 0)


def test_a_stop_sequence_is_named(client: anthropic.Anthropic) -> None:
    whole = _text(_ask(client))
    stop = whole.split()[3]
    message = _ask(client, stop_sequences=[stop])
    assert _text(message) == whole[: whole.index(stop)]
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", stop)


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "weather"}])
def test_a_forced_tool_is_called(client: anthropic.Anthropic, choice: dict[str, str]) -> None:
    message = _ask(client, tools=[WEATHER], tool_choice=choice)
    [block] = message.content
    assert isinstance(block, ToolUseBlock)
    assert (block.name, block.input, message.stop_reason) == ("weather", {"city": "sample"}, "tool_use")


def test_a_tool_call_streams_its_input_in_pieces(client: anthropic.Anthropic) -> None:
    choice: Any = {"type": "any"}
    options: Any = {"tools": [WEATHER], "tool_choice": choice}
    with client.messages.stream(model=MODEL, max_tokens=100, messages=HI, **options) as stream:
        [block] = stream.get_final_message().content
    assert isinstance(block, ToolUseBlock)
    assert block.input == {"city": "sample"}


def test_a_tool_s_result_may_follow_its_call(client: anthropic.Anthropic) -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "3"}]}
    turns = [*HI, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    assert _text(_ask(client, messages=turns, tools=[WEATHER]))


def test_a_json_schema_is_satisfied(client: anthropic.Anthropic) -> None:
    properties = {"size": {"type": "integer"}}
    schema = {"type": "object", "properties": properties, "required": ["size"], "additionalProperties": False}
    message = _ask(client, output_config={"format": {"type": "json_schema", "schema": schema}})
    assert json.loads(_text(message)) == {"size": 1}


def test_pictures_are_accepted_and_counted(client: anthropic.Anthropic) -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    message = _ask(client, messages=[{"role": "user", "content": [{"type": "text", "text": "Hi"}, picture]}])
    assert message.usage.input_tokens == _ask(client).usage.input_tokens + 85


def test_models_are_listed_and_found(client: anthropic.Anthropic) -> None:
    assert MODEL in [model.id for model in client.models.list()]
    card = client.models.retrieve(MODEL)
    assert (card.max_input_tokens, card.max_tokens, card.lifecycle) == (1_000_000, 128_000, "active")
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("claude-0")


def test_older_models_sample_and_continue_what_the_caller_began(client: anthropic.Anthropic) -> None:
    begun = [*HI, {"role": "assistant", "content": "Well"}]
    message = _ask(client, OLD, model=OLD_MODEL, messages=begun, temperature=0.5, top_k=3, top_p=0.9)
    assert _text(message)


def test_sampling_is_unknown_to_the_new_version_even_for_older_models(client: anthropic.Anthropic) -> None:
    for name in ("temperature", "top_p", "top_k"):
        sampling: Any = {name: 1}
        with pytest.raises(anthropic.BadRequestError) as refusal:
            _ask(client, model=OLD_MODEL, **sampling)
        assert refusal.value.api_message == f"{name}: Extra inputs are not permitted"


def test_newer_models_take_no_sampling_but_the_default_in_the_old_version(client: anthropic.Anthropic) -> None:
    assert _text(_ask(client, OLD, temperature=1))
    for name, value in {"temperature": 0.5, "top_p": 1, "top_k": 0}.items():
        with pytest.raises(anthropic.BadRequestError) as refusal:
            _ask(client, OLD, **{name: value})
        assert refusal.value.api_message == f"`{name}` is deprecated for this model."


ASSISTANT_DOCUMENT = [*HI, {"role": "assistant", "content": [DOCUMENT]}, *HI]
CITED = [{"role": "user", "content": [{"type": "text", "text": "Hi", "citations": [{"type": "char_location"}]}]}]


@pytest.mark.parametrize("messages", [ASSISTANT_DOCUMENT, CITED])
def test_what_the_new_version_removed_still_works_in_the_old(
    client: anthropic.Anthropic, messages: list[dict[str, Any]]
) -> None:
    with pytest.raises(anthropic.BadRequestError):
        _ask(client, messages=messages)
    assert _text(_ask(client, OLD, messages=messages))


ORPHAN = {"type": "tool_result", "tool_use_id": "toolu_9", "content": "3"}
REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"foo": 1}, "foo: Extra inputs are not permitted"),
    ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
    ({"max_tokens": "5"}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": 10**6}, "max_tokens: 1000000 > 128000, which is the maximum allowed number of output tokens"),
    ({"messages": []}, "messages: at least one message is required"),
    ({"messages": "Hi"}, "messages: Input should be a valid list"),
    ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages.0: all messages must have non-empty content"),
    (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]},
        "text content blocks must be non-empty",
    ),
    ({"messages": [{"role": "user", "content": [{"type": "x"}]}]}, "messages.0.content.0: Input tag 'x' found using"),
    ({"messages": [{"role": "user", "content": "Hi", "name": "x"}]}, "messages.0.name: Extra inputs are not permitted"),
    ({"messages": [{"role": "tool", "content": "Hi"}]}, "messages.0.role: Input should be 'user' or 'assistant'"),
    ({"messages": [{"role": "system", "content": "Hi"}]}, 'messages: Unexpected role "system"'),
    ({"messages": [{"role": "assistant", "content": "Hi"}, *HI]}, 'first message must use the "user" role'),
    ({"messages": [*HI, {"role": "assistant", "content": "Hi"}]}, "does not support assistant message prefill"),
    ({"messages": [{"role": "user", "content": [ORPHAN]}]}, "unexpected `tool_use_id` found in `tool_result` blocks"),
    ({"stop_sequences": [" "]}, "each stop sequence must contain non-whitespace"),
    ({"metadata": {"x": 1}}, "metadata.x: Extra inputs are not permitted"),
    ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, '"thinking.type.enabled" is not supported'),
    ({"tools": [{"name": "x"}]}, "tools.0.custom.input_schema: Field required"),
    ({"tools": [{"name": "x", "input_schema": {"$ref": "#/none"}}]}, "input_schema: JSON schema is invalid"),
    ({"tool_choice": {"type": "any"}}, "tool_choice: may only be specified while providing tools"),
    ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "x"}}, "Tool 'x' not found in provided tools"),
    (
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        "must be explicitly set to false",
    ),
]


@pytest.mark.parametrize(("change", "message"), REFUSALS)
def test_bad_requests_are_refused_with_the_field(
    client: anthropic.Anthropic, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(anthropic.BadRequestError) as refusal:
        _ask(client, **change)
    assert message in (refusal.value.api_message or "")
    assert refusal.value.type == "invalid_request_error"
    assert refusal.value.request_id


@pytest.mark.parametrize("name", ["model", "max_tokens", "messages"])
def test_required_fields_are_required(client: anthropic.Anthropic, name: str) -> None:
    body = {"model": MODEL, "max_tokens": 10, "messages": HI}
    del body[name]
    with pytest.raises(anthropic.BadRequestError, match=f"{name}: Field required"):
        client.post("/v1/messages", body=body, cast_to=Message)


def test_counting_takes_no_limit(client: anthropic.Anthropic) -> None:
    body = {"model": MODEL, "max_tokens": 10, "messages": HI}
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: Extra inputs are not permitted"):
        client.post("/v1/messages/count_tokens", body=body, cast_to=Message)


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({}, 400, "anthropic-version: header is required"),
        ({"anthropic-version": "2024-01-01"}, 400, 'anthropic-version: "2024-01-01" is not a valid version'),
    ],
)
def test_the_version_is_required(standin: Standin, headers: dict[str, str], status: int, message: str) -> None:
    answer = httpx.get(f"{standin.url}/v1/models", headers={"x-api-key": standin.api_key, **headers})
    assert (answer.status_code, answer.json()["error"]["message"]) == (status, message)


def test_the_key_header_wins_over_the_bearer_token(standin: Standin) -> None:
    right, wrong = standin.api_key, "sk-wrong"
    for headers, status in [
        ({"x-api-key": right}, 200),
        ({"authorization": f"Bearer {right}"}, 200),
        ({"x-api-key": right, "authorization": f"Bearer {wrong}"}, 200),
        ({"x-api-key": wrong, "authorization": f"Bearer {right}"}, 401),
        ({"authorization": f"Bearer {wrong}"}, 401),
        ({}, 401),
    ]:
        assert httpx.get(f"{standin.url}/v1/models", headers={**OLD, **headers}).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/messages", 405), ("POST", "/v1/nothing", 404), ("GET", "/", 404)]
)
def test_other_routes_are_refused(standin: Standin, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, standin.url + path, headers={**OLD, "x-api-key": standin.api_key})
    assert (answer.status_code, answer.json()["type"]) == (status, "error")


def test_broken_json_is_refused(standin: Standin) -> None:
    headers = {**OLD, "x-api-key": standin.api_key}
    answer = httpx.post(f"{standin.url}/v1/messages", content=b'{"model":', headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_a_wrong_key_and_an_unknown_model_are_the_sdk_s_exceptions(
    client: anthropic.Anthropic, standin: Standin
) -> None:
    with pytest.raises(anthropic.NotFoundError, match="claude-0"):
        _ask(client, model="claude-0")
    wrong = anthropic.Anthropic(base_url=standin.url, api_key="sk-wrong", max_retries=0)
    with wrong, pytest.raises(anthropic.AuthenticationError):
        _ask(wrong)


def test_a_prompt_beyond_the_window_is_refused() -> None:
    small = AnthropicModel(name="small", display_name="Small", context=50, max_output=40)
    with running_standins(anthropic=Anthropic(models=[small])) as standins:
        there = standins.anthropic
        client = anthropic.Anthropic(base_url=there.url, api_key=there.api_key, max_retries=0)
        with client, pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: \d+ tokens > 50 maximum"):
            _ask(client, model="small", max_tokens=5, messages=[{"role": "user", "content": "word " * 50}])


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ({"kind": "rate_limit", "retry_after": "2"}, anthropic.RateLimitError, None),
        ({"kind": "quota"}, anthropic.RateLimitError, "enforced_spend_limit_reached"),
        ({"kind": "overloaded", "retry_after": "3"}, anthropic.InternalServerError, None),
        ({"kind": "status", "status": 500}, anthropic.InternalServerError, None),
        ({"kind": "status", "status": 403}, anthropic.PermissionDeniedError, None),
        ({"kind": "context_overflow"}, anthropic.BadRequestError, None),
        ({"kind": "content_policy"}, anthropic.BadRequestError, None),
    ],
)
def test_faults_are_the_sdk_s_own_exceptions(
    client: anthropic.Anthropic,
    standin: Standin,
    fault: dict[str, Any],
    error: type[anthropic.APIStatusError],
    code: str | None,
) -> None:
    standin.fault(**fault)
    with pytest.raises(error) as raised:
        _ask(client)
    assert raised.value.error_code == code
    assert raised.value.response.headers.get("retry-after") == fault.get("retry_after")


def test_overload_is_529_with_its_own_type(client: anthropic.Anthropic, standin: Standin) -> None:
    standin.fault("overloaded")
    with pytest.raises(anthropic.APIStatusError) as raised:
        _ask(client)
    assert (raised.value.status_code, raised.value.type) == (529, "overloaded_error")


@pytest.mark.parametrize("fault", [{"kind": "overloaded", "after_events": 5}, {"kind": "error_first_event"}])
def test_an_error_inside_a_stream_reaches_the_caller(
    client: anthropic.Anthropic, standin: Standin, fault: dict[str, Any]
) -> None:
    standin.fault(**fault)
    with pytest.raises(anthropic.APIStatusError) as raised:
        _stream(client)
    assert (raised.value.status_code, raised.value.type) == (200, "overloaded_error")
