"""The rules of faults, without a wire: which applies when, and what a stream becomes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.demo.standins.dialect import Document, Frame
from llm_router.demo.standins.faults import Break, Fault, Faults, Pause, in_parts, play

ERROR = Frame(data=b"error")
ROLE, END = Frame(data=b'data: {"role":"assistant"}\n\n'), Frame(data=b"data: [DONE]\n\n", terminal=True)
WORDS = [Frame(data=f'data: {{"content":"word {number}"}}\n\n'.encode(), tokens=1) for number in range(6)]
STREAM = [ROLE, *WORDS, END]

streams = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(lambda words: [ROLE, *words, END])
positions = st.none() | st.integers(min_value=0, max_value=20)


def _played(frames: Sequence[Frame], fault: Fault | None) -> list[Frame | Pause | Break]:
    return list(play(frames, fault, ERROR))


def test_a_fault_applies_as_often_as_it_says_then_the_next_one() -> None:
    faults = Faults()
    faults.add(Fault(kind="status", times=2))
    faults.add(Fault(kind="reset"))
    taken = [faults.take(generates=True) for _ in range(5)]
    assert [fault.kind if fault else None for fault in taken] == ["status", "status", "reset", "reset", "reset"]
    faults.clear()
    assert faults.take(generates=True) is None


def test_a_fault_for_answers_waits_while_other_requests_pass() -> None:
    faults = Faults()
    faults.add(Fault(kind="status", times=1))
    faults.add(Fault(kind="reset", times=1, everywhere=True))
    taken = [faults.take(generates=False), faults.take(generates=True), faults.take(generates=True)]
    assert [fault.kind if fault else None for fault in taken] == ["reset", "status", None]


@pytest.mark.parametrize("fault", [None, Fault(kind="silence"), Fault(kind="rate_limit"), Fault(kind="reset")])
def test_faults_that_do_not_concern_the_stream_leave_it_alone(fault: Fault | None) -> None:
    assert _played(STREAM, fault) == STREAM


@given(streams, positions, st.sampled_from(["chunked", "eof", "reset"]))
def test_a_cut_stream_is_a_true_beginning_of_it(frames: list[Frame], after: int | None, how: str) -> None:
    fault = msgspec.convert({"kind": "cut", "after_events": after, "how": how}, Fault)
    *sent, last = _played(frames, fault)
    assert isinstance(last, Break)
    assert last.how == how
    assert sent == frames[: len(sent)]
    assert END not in sent
    if after is not None and after < len(frames):
        assert len(sent) == after


@given(streams, positions)
def test_a_stall_interrupts_once_and_loses_nothing(frames: list[Frame], after: int | None) -> None:
    played = _played(frames, Fault(kind="stall", after_events=after, seconds=1.0))
    assert [act for act in played if isinstance(act, Frame)] == frames
    assert [act for act in played if not isinstance(act, Frame)] == [Pause(1.0)]


@given(streams, positions)
def test_malformed_spoils_one_frame_and_keeps_all_sizes(frames: list[Frame], after: int | None) -> None:
    played = [act for act in _played(frames, Fault(kind="malformed", after_events=after)) if isinstance(act, Frame)]
    assert [len(act.data) for act in played] == [len(frame.data) for frame in frames]
    [spoilt] = [act for act, frame in zip(played, frames, strict=True) if act != frame]
    assert spoilt.data.endswith(b" \n\n")
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(spoilt.data.removeprefix(b"data: "))


@given(streams)
def test_a_slow_first_token_waits_before_the_first_content(frames: list[Frame]) -> None:
    played = _played(frames, Fault(kind="slow_first_token", seconds=2.0, ping_s=0.5))
    assert played == [ROLE, Pause(2.0, 0.5), *frames[1:]]


def test_no_done_leaves_out_the_end_marker_alone() -> None:
    assert _played(STREAM, Fault(kind="no_done")) == [*STREAM[:-1], Pause(0.0)]


@given(streams, st.integers(min_value=0, max_value=20))
def test_an_error_in_the_stream_is_the_last_thing_said(frames: list[Frame], after: int) -> None:
    played = _played(frames, Fault(kind="overloaded", after_events=after))
    assert played == [*frames[: min(after, len(frames) - 1)], ERROR]
    assert _played(frames, Fault(kind="error_first_event", after_events=after)) == [ERROR]


@given(st.binary(max_size=50))
def test_a_document_in_parts_is_the_document(body: bytes) -> None:
    parts = in_parts(Document(body=body))
    assert b"".join(part.data for part in parts) == body


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        (Fault(kind="status"), "status"),
        (Fault(kind="quota"), "quota"),
        (Fault(kind="empty_200_error"), "status"),
        (Fault(kind="overloaded"), "overloaded"),
        (Fault(kind="overloaded", after_events=0), None),
        (Fault(kind="cut"), None),
    ],
)
def test_some_faults_are_errors_in_the_answer_s_place(fault: Fault, trouble: str | None) -> None:
    assert fault.trouble == trouble
