"""The registry of wires: what is in it, and that every wire keeps the protocol's promises."""

from __future__ import annotations

import pytest

from llm_router.routing.facts import NEEDS
from llm_router.upstream.wire import WIRES
from llm_router.upstream.wire.base import Wire
from tests.router.upstream.wire.support import chat


def test_the_wires_and_who_of_them_is_always_collected() -> None:
    assert {name: wire.collects for name, wire in WIRES.items()} == {
        "openai": False,
        "llama.cpp": True,
        "anthropic": True,
        "gemini": True,
    }
    assert all(wire.name == name for name, wire in WIRES.items())


def test_the_registry_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        WIRES["openai"] = WIRES["gemini"]  # type: ignore[index]  # a read-only mapping


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
def test_keys_are_in_headers_only_and_paths_are_relative_to_the_base(wire: Wire) -> None:
    outgoing = wire.outgoing(chat(), "m", stream=True)
    assert outgoing.path.startswith("/")
    assert all(name == name.lower() for name, _ in outgoing.headers + wire.credentials("key-1"))
    assert [value for _, value in wire.credentials("key-1") if "key-1" in value]
    assert b"key-1" not in outgoing.body


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
def test_readers_share_nothing(wire: Wire) -> None:
    assert wire.reader() is not wire.reader()


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
def test_only_what_is_needed_is_missed(wire: Wire) -> None:
    assert wire.unsupported(frozenset()) == frozenset()
    assert wire.unsupported(NEEDS) <= NEEDS
