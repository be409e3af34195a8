"""Places, trees, gaps, and the way back from a native path to what a person has written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.config.dialects.base import Notes, Place, Told, is_off, locate, unfold, without_gaps
from llm_router.config.findings import Finding, Path

WRITTEN = {"providers": [{"name": "a", "keys": {"token": "t"}}], "empty": None}


def test_a_place_knows_what_is_written_and_where() -> None:
    place = Place(WRITTEN).within("providers", 0)
    assert place("name") == Told("a", ("providers", 0, "name"))
    assert place("keys", "token") == Told("t", ("providers", 0, "keys", "token"))
    assert place.says(5, "name") == Told(5, ("providers", 0, "name"))


@pytest.mark.parametrize(
    "steps", [("nothing",), ("empty",), ("providers", 7), ("providers", "name"), ("empty", "x", 0)]
)
def test_what_is_not_written_is_none(steps: Path) -> None:
    assert Place(WRITTEN)(*steps) is None


def test_a_tree_unfolds_to_data_and_the_places_that_say_it() -> None:
    origins: dict[Path, Path] = {}
    tree = {
        "clusters": [Told({"name": Told("a", ("providers", 0, "name")), "key": None}, ("providers", 0)), None],
        "router": {"nothing": {"left": None}},
        "kept": Told({}, ("empty",)),
    }
    assert unfold(tree, origins) == {"clusters": [{"name": "a"}], "kept": {}}
    assert origins == {
        ("clusters", 0): ("providers", 0),
        ("clusters", 0, "name"): ("providers", 0, "name"),
        ("kept",): ("empty",),
    }


@pytest.mark.parametrize(
    ("path", "expected", "message"),
    [
        (("clusters", 0, "name"), ("providers", 0, "name"), "wrong"),
        (("clusters", 0, "headers", "X"), ("providers", 0, "headers", "X"), "wrong"),
        (("clusters", 0, "apiKey"), ("providers", 0), "apiKey: wrong"),
        (("router", "cost"), (), "router.cost: wrong"),
        ((), (), "wrong"),
    ],
)
def test_a_native_finding_is_told_where_a_person_has_to_look(path: Path, expected: Path, message: str) -> None:
    origins: dict[Path, Path] = {("clusters", 0): ("providers", 0), ("clusters", 0, "name"): ("providers", 0, "name")}
    written = dict.fromkeys([("providers", 0), ("providers", 0, "name"), ("providers", 0, "headers", "X")], 1)
    assert locate(Finding(path, "wrong"), origins, written) == Finding(expected, message)


@pytest.mark.parametrize("value", [None, False, "", [], {}, {"enabled": False, "type": "redis"}])
def test_a_gap_that_says_nothing_is_accepted(value: object) -> None:
    notes = Notes()
    assert without_gaps({"cache": value, "kept": 1}, {"cache": "there is none"}, notes) == {"kept": 1}
    assert is_off(value)
    assert not notes.problems


@pytest.mark.parametrize("value", [True, 0, "x", [1], {"enabled": True}, {"type": "redis"}])
def test_a_gap_that_says_something_is_refused_and_left_out(value: object) -> None:
    notes = Notes()
    assert without_gaps({"list": [{"cache": value}]}, {"list": {"*": {"cache": "no"}}}, notes) == {"list": [{}]}
    assert notes.problems == [Finding(("list", 0, "cache"), "no")]


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
)


@given(anything)
def test_every_path_of_unfolded_data_has_an_origin_around_it(data: Any) -> None:
    origins: dict[Path, Path] = {}
    unfold(Told(data, ("there",)), origins)
    assert locate(Finding(("a", 0, "b"), "m"), origins, {}).path == ("there",)


@given(anything, anything)
def test_gaps_never_fail_and_never_add(data: Any, gaps: Any) -> None:
    notes = Notes()
    kept = without_gaps(data, {"a": "no", "b": {"*": {"c": "no"}}}, notes)
    assert isinstance(kept, type(data))
