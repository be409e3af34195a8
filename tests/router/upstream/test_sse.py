"""The splitter yields what WHATWG's algorithm yields, however the bytes are cut; the encoders are its inverse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.errors import UpstreamBroken
from llm_router.upstream.sse import Event, Splitter, comment, event


def split(stream: bytes, *cuts: int) -> list[Event]:
    splitter = Splitter()
    found: list[Event] = []
    for start, end in zip((0, *cuts), (*cuts, len(stream)), strict=True):
        found += splitter.feed(stream[start:end])
    return found


def reference(stream: bytes) -> list[Event]:
    """HTML 9.2.6, word for word, over the whole stream at once."""
    stream = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events: list[Event] = []
    data: list[bytes] = []
    name = b""
    for line in stream.split(b"\n")[:-1]:
        if line == b"":
            if data:
                events.append(Event(b"\n".join(data), name.decode(errors="replace")))
            data, name = [], b""
            continue
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        pytest.param(b'data: {"a":1}\n\n', [Event(b'{"a":1}')], id="the usual"),
        pytest.param(b"data:x\n\n", [Event(b"x")], id="no space"),
        pytest.param(b"data:  x\n\n", [Event(b" x")], id="one space is taken off, not two"),
        pytest.param(b"data: x\r\n\r\n", [Event(b"x")], id="CRLF"),
        pytest.param(b"data: x\r\r", [Event(b"x")], id="CR"),
        pytest.param(b"data: x\r\n\ndata: y\n\r\n", [Event(b"x"), Event(b"y")], id="mixed line ends"),
        pytest.param(b"data: a\ndata: b\n\n", [Event(b"a\nb")], id="several data lines"),
        pytest.param(b"event: ping\ndata: {}\n\n", [Event(b"{}", "ping")], id="named"),
        pytest.param(b"event: ping\n\n", [], id="a name without data is nothing"),
        pytest.param(b": ping\n\n:\n\ndata: x\n\n", [Event(b"x")], id="comments"),
        pytest.param(b"data: a\n: between\ndata: b\n\n", [Event(b"a\nb")], id="a comment inside an event"),
        pytest.param(b"id: 7\nretry: 10\ndata: x\n\n", [Event(b"x")], id="id and retry"),
        pytest.param(b"\n\n\ndata: x\n\n\n\n\ndata: y\n\n", [Event(b"x"), Event(b"y")], id="empty lines"),
        pytest.param(b"\xef\xbb\xbfdata: x\n\n", [Event(b"x")], id="BOM at the start"),
        pytest.param(b"data: x\n\n\xef\xbb\xbfdata: y\n\n", [Event(b"x")], id="BOM elsewhere is a strange field"),
        pytest.param(b"data: x", [], id="cut"),
        pytest.param(b"data: x\n", [], id="cut before the empty line"),
        pytest.param(b"data\n\n", [Event(b"")], id="a field without a value"),
        pytest.param("data: ü€🙂\n\n".encode(), [Event("ü€🙂".encode())], id="UTF-8"),
    ],
)
def test_every_split_at_one_byte_gives_the_same_events(stream: bytes, events: list[Event]) -> None:
    assert split(stream) == events
    for cut in range(len(stream) + 1):
        assert split(stream, cut) == events
    assert split(stream, *range(1, len(stream))) == events


PIECES = st.sampled_from(
    [
        b"data: ",
        b"data:",
        b"data",
        b"event: e",
        b": c",
        b"id: 1",
        b":",
        b" ",
        b"x",
        b"{}",
        "ü".encode(),
        b"\xef\xbb\xbf",
    ]
) | st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n"])


@given(st.lists(PIECES, max_size=40), st.data())
def test_any_chunking_of_any_stream_gives_the_events_of_the_standard(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    assert split(stream, *cuts) == reference(stream)


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_what_is_encoded_is_split_into_the_same_again(payloads: list[bytes]) -> None:
    stream = comment("hello\nworld") + b"".join(event(data) + comment("between") for data in payloads)
    expected = [Event(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")) for data in payloads]
    assert split(stream) == expected


def test_an_event_comes_as_soon_as_the_line_that_ends_it() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: x\r\n\r") == [Event(b"x")]
    assert splitter.feed(b"\ndata: y\n") == []
    assert splitter.feed(b"\n") == [Event(b"y")]


@pytest.mark.parametrize("step", [1, 7, 64, 10_000])
def test_the_size_limit_holds_for_every_chunking(step: int) -> None:
    fits, too_large = b"data: " + b"x" * 94 + b"\n\n", b"data: " + b"x" * 95 + b"\n\n"

    def feed(stream: bytes) -> list[Event]:
        splitter = Splitter(max_event_bytes=100)
        return [event for at in range(0, len(stream), step) for event in splitter.feed(stream[at : at + step])]

    assert feed(fits * 3) == [Event(b"x" * 94)] * 3
    with pytest.raises(UpstreamBroken, match="larger than 100 bytes"):
        feed(too_large)


def test_an_endless_event_is_refused_before_it_ends() -> None:
    splitter = Splitter(max_event_bytes=1000)
    for _ in range(250):
        splitter.feed(b"xxxx")
    with pytest.raises(UpstreamBroken):
        splitter.feed(b"xxxx")


@pytest.mark.parametrize(
    ("stream", "cut"),
    [
        (b"", False),
        (b"data: x\n\n", False),
        (b"data: x\n\n\n", False),
        (b"data: x\n\n: ping", False),
        (b"\xef\xbb\xbf", False),
        (b"data: x\n\ndata: y", True),
        (b"data: x\n", True),
        (b"da", True),
    ],
)
def test_close_tells_whether_the_stream_was_cut_inside_an_event(stream: bytes, cut: bool) -> None:
    splitter = Splitter()
    splitter.feed(stream)
    assert splitter.close() is cut


def test_encoders() -> None:
    assert event(b'{"a":1}') == b'data: {"a":1}\n\n'
    assert event(b"a\nb\r\nc\rd") == b"data: a\ndata: b\ndata: c\ndata: d\n\n"
    assert comment("cost 0.1") == b": cost 0.1\n\n"
    assert comment("a\ndata: injected") == b": a\n: data: injected\n\n"
