"""Each kind of fault really happens: seen by a client that reads bare sockets."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.router.standins import Standin, Standins

from .raw import Wire, ask

NAMES = ["openai", "anthropic", "gemini"]
BEFORE_CONTENT = {"openai": 1, "anthropic": 3, "gemini": 0}
QUIET_S = 1.2
OVERLOADED = {"openai": 503, "anthropic": 529, "gemini": 503}

each = pytest.mark.parametrize("name", NAMES)
streamed_or_not = pytest.mark.parametrize("stream", [True, False])


def _standin(standins: Standins, name: str) -> Standin:
    found = getattr(standins, name)
    assert isinstance(found, Standin)
    return found


def _has_content(event: Any) -> bool:
    """Whether one event of any of the three protocols carries words."""
    if not isinstance(event, dict):
        return False
    if event.get("choices"):
        return bool(event["choices"][0]["delta"].get("content"))
    if event.get("candidates"):
        return bool(event["candidates"][0]["content"]["parts"][0]["text"])
    return event.get("type") == "content_block_delta"


def _complete(name: str, wire: Wire) -> bool:
    """Whether the protocol's own end marker came."""
    last = wire.data[-1] if wire.data else None
    if name == "openai":
        return last == "[DONE]"
    if name == "anthropic":
        return isinstance(last, dict) and last["type"] == "message_stop"
    return isinstance(last, dict) and "finishReason" in last["candidates"][0]


@each
def test_without_a_fault_a_stream_is_whole(standins: Standins, name: str) -> None:
    wire = ask(_standin(standins, name), name)
    assert (wire.status, wire.ended, wire.whole) == (200, "fin", True)
    assert wire.headers["content-type"] == "text/event-stream"
    assert _complete(name, wire)
    assert [_has_content(event) for event in wire.data].index(True) == BEFORE_CONTENT[name]


@each
@streamed_or_not
def test_reset_is_a_tcp_rst_before_any_byte(standins: Standins, name: str, stream: bool) -> None:
    standin = _standin(standins, name)
    standin.fault("reset", times=1)
    wire = ask(standin, name, stream=stream)
    assert (wire.head, wire.body, wire.ended) == (b"", b"", "rst")
    assert ask(standin, name, stream=stream).status == 200
    assert [request["outcome"] for request in standin.settled()] == ["broken", "complete"]


@each
@streamed_or_not
def test_silence_sends_nothing_until_the_caller_leaves(standins: Standins, name: str, stream: bool) -> None:
    standin = _standin(standins, name)
    standin.fault("silence")
    wire = ask(standin, name, stream=stream, timeout_s=0.3)
    assert (wire.head, wire.ended) == (b"", "timeout")
    [request] = standin.settled()
    assert (request["outcome"], request["status"], request["fault"]) == ("left", None, "silence")


def test_silence_can_end_in_an_answer(standins: Standins) -> None:
    standins.openai.fault("silence", seconds=0.3)
    wire = ask(standins.openai, "openai")
    assert _complete("openai", wire)
    assert wire.gaps_s[0] >= 0.25  # two clocks: the question is read a little after it was written


@streamed_or_not
@pytest.mark.parametrize(
    "fault", [{"kind": "silence"}, {"kind": "stall", "after_events": 2}, {"kind": "slow_first_token", "ping_s": 0.05}]
)
def test_who_is_held_up_goes_on_once_the_fault_is_taken_back(
    standins: Standins, stream: bool, fault: dict[str, Any]
) -> None:
    standins.openai.fault(**fault)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(ask, standins.openai, "openai", stream=stream, timeout_s=30)
        while not any(request["fault"] for request in standins.openai.requests()):
            assert not asked.done()
        standins.openai.go_on()
        wire = asked.result()
    assert (wire.status, wire.ended, wire.whole) == (200, "fin", True)


@each
def test_slow_first_token_sends_headers_and_metadata_at_once(standins: Standins, name: str) -> None:
    standin = _standin(standins, name)
    standin.fault("slow_first_token", seconds=0.5)
    wire = ask(standin, name)
    assert _complete(name, wire)
    longest_s = max(wire.gaps_s)
    assert longest_s >= 0.45
    assert wire.gaps_s.index(longest_s) > 0


@each
def test_slow_first_token_shows_no_content_before(standins: Standins, name: str) -> None:
    standin = _standin(standins, name)
    standin.fault("slow_first_token", seconds=30)
    wire = ask(standin, name, timeout_s=QUIET_S)
    assert (wire.status, wire.ended, len(wire.events)) == (200, "timeout", BEFORE_CONTENT[name])
    assert not any(_has_content(event) for event in wire.data)


def test_a_slow_document_has_its_headers_at_once(standins: Standins) -> None:
    standins.anthropic.fault("slow_first_token", seconds=30)
    wire = ask(standins.anthropic, "anthropic", stream=False, timeout_s=QUIET_S)
    assert (wire.status, wire.body, wire.ended) == (200, b"", "timeout")


@each
def test_keep_alives_come_while_nothing_else_does(standins: Standins, name: str) -> None:
    standin = _standin(standins, name)
    standin.fault("slow_first_token", seconds=1.0, ping_s=0.1)
    wire = ask(standin, name)
    pings = [event for event in wire.events if event.startswith(b":") or b'"ping"' in event]
    assert len(pings) >= 2
    assert _complete(name, wire)


@each
@pytest.mark.parametrize("events", [0, 6])
def test_stall_falls_silent_after_so_many_events(standins: Standins, name: str, events: int) -> None:
    standin = _standin(standins, name)
    standin.fault("stall", after_events=events)
    wire = ask(standin, name, timeout_s=QUIET_S)
    assert (wire.status, wire.ended, len(wire.events)) == (200, "timeout", events)
    [request] = standin.settled()
    assert (request["outcome"], request["events"]) == ("left", events)


def test_a_stall_can_end(standins: Standins) -> None:
    standins.openai.fault("stall", after_events=4, seconds=0.3)
    wire = ask(standins.openai, "openai")
    assert _complete("openai", wire)
    assert max(wire.gaps_s) >= 0.25


@each
@pytest.mark.parametrize(("how", "ended"), [("chunked", "fin"), ("eof", "fin"), ("reset", "rst")])
def test_cut_ends_the_connection_after_so_many_events(standins: Standins, name: str, how: str, ended: str) -> None:
    standin = _standin(standins, name)
    standin.fault("cut", after_events=4, how=how)
    wire = ask(standin, name)
    assert (wire.status, wire.ended, len(wire.events)) == (200, ended, 4)
    assert not _complete(name, wire)
    [request] = standin.settled()
    assert (request["outcome"], request["events"]) == ("broken", 4)


def test_a_cut_in_chunks_shows_in_the_framing(standins: Standins) -> None:
    standins.openai.fault("cut", after_events=4)
    wire = ask(standins.openai, "openai")
    assert wire.headers["transfer-encoding"] == "chunked"
    assert not wire.whole


def test_a_cut_at_the_end_of_the_connection_does_not_show_in_the_framing(standins: Standins) -> None:
    standins.openai.fault("cut", after_events=4, how="eof")
    wire = ask(standins.openai, "openai")
    assert not {"transfer-encoding", "content-length"} & wire.headers.keys()
    assert wire.headers["connection"] == "close"
    assert wire.whole


@each
def test_a_cut_before_any_event_is_headers_only(standins: Standins, name: str) -> None:
    standin = _standin(standins, name)
    standin.fault("cut", after_events=0)
    wire = ask(standin, name)
    assert (wire.status, wire.body) == (200, b"")


@each
def test_a_document_is_cut_in_the_middle(standins: Standins, name: str) -> None:
    standin = _standin(standins, name)
    standin.fault("cut")
    wire = ask(standin, name, stream=False)
    assert 0 < len(wire.body) < int(wire.headers["content-length"])
    assert wire.ended == "fin"


@each
def test_malformed_is_one_broken_event_among_good_ones(standins: Standins, name: str) -> None:
    standin = _standin(standins, name)
    good = ask(standin, name)
    standin.fault("malformed", after_events=5)
    wire = ask(standin, name)
    assert (wire.whole, len(wire.events)) == (True, len(good.events))
    assert [index for index, event in enumerate(wire.data) if isinstance(event, str) and event != "[DONE]"] == [5]
    assert _complete(name, wire)


@each
def test_a_malformed_document_is_complete_but_no_json(standins: Standins, name: str) -> None:
    standin = _standin(standins, name)
    standin.fault("malformed")
    wire = ask(standin, name, stream=False)
    assert wire.whole
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        json.loads(wire.body)


@each
@pytest.mark.parametrize("how", ["chunked", "eof"])
def test_no_done_lacks_only_the_end_marker(standins: Standins, name: str, how: str) -> None:
    standin = _standin(standins, name)
    good = ask(standin, name)
    standin.fault("no_done", how=how)
    wire = ask(standin, name)
    assert (wire.whole, wire.ended, len(wire.events)) == (True, "fin", len(good.events) - 1)
    assert not _complete(name, wire)


def test_no_done_may_leave_the_connection_open_for_a_while(standins: Standins) -> None:
    standins.openai.fault("no_done", seconds=0.3)
    wire = ask(standins.openai, "openai")
    assert wire.gaps_s[-1] >= 0.25


@each
def test_overloaded_is_a_status_before_the_answer(standins: Standins, name: str) -> None:
    standin = _standin(standins, name)
    standin.fault("overloaded")
    assert ask(standin, name).status == OVERLOADED[name]


@each
@pytest.mark.parametrize("fault", [{"kind": "overloaded", "after_events": 4}, {"kind": "error_first_event"}])
def test_overloaded_is_an_event_inside_the_answer(standins: Standins, name: str, fault: dict[str, Any]) -> None:
    standin = _standin(standins, name)
    standin.fault(**fault)
    wire = ask(standin, name)
    assert (wire.status, wire.whole, len(wire.events)) == (200, True, fault.get("after_events", 0) + 1)
    assert "overloaded" in wire.data[-1]["error"]["message"].lower()
    assert wire.events[-1].startswith(b"event: error\n") == (name == "anthropic")


@each
@pytest.mark.parametrize("kind", ["overloaded", "error_first_event"])
def test_without_a_stream_an_overload_is_always_a_status(standins: Standins, name: str, kind: str) -> None:
    standin = _standin(standins, name)
    standin.fault(kind, after_events=4)
    assert ask(standin, name, stream=False).status == OVERLOADED[name]


@each
@streamed_or_not
def test_empty_200_error_is_an_error_that_calls_itself_a_success(standins: Standins, name: str, stream: bool) -> None:
    standin = _standin(standins, name)
    standin.fault("empty_200_error")
    wire = ask(standin, name, stream=stream)
    assert wire.status == 200
    assert wire.headers["content-type"].startswith("application/json")
    assert json.loads(wire.body)["error"]["message"]


@each
@pytest.mark.parametrize("status", [400, 404, 408, 418, 500, 502, 529])
def test_status_is_any_status_with_the_protocol_s_own_body(standins: Standins, name: str, status: int) -> None:
    standin = _standin(standins, name)
    standin.fault("status", status=status)
    wire = ask(standin, name)
    assert wire.status == status
    assert json.loads(wire.body)["error"]["message"]


def test_a_fault_counts_down_and_the_next_one_follows(standins: Standins) -> None:
    standins.openai.fault("status", status=500, times=2)
    standins.openai.fault("rate_limit", times=1)
    assert [ask(standins.openai, "openai").status for _ in range(4)] == [500, 500, 429, 200]


def test_clearing_takes_all_faults_back(standins: Standins) -> None:
    standins.openai.fault("status")
    standins.openai.fault("rate_limit")
    standins.openai.clear()
    assert ask(standins.openai, "openai").status == 200


def test_one_stand_in_s_faults_are_not_another_s(standins: Standins) -> None:
    standins.openai.fault("status")
    assert ask(standins.anthropic, "anthropic").status == 200
