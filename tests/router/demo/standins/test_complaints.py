"""What is wrong with a request's fields is understood with its place and its value."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from llm_router.demo.standins.complaints import Complaint, Unfit, fit


class Inner(Struct, forbid_unknown_fields=True):
    role: Literal["a", "b"]
    text: str = ""


class Outer(Struct, forbid_unknown_fields=True):
    inner: Annotated[list[Inner], Meta(min_length=1, max_length=2)]
    share: Annotated[float, Meta(ge=0, le=1)] | None = None


GOOD = {"role": "a"}


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({}, Complaint(kind="missing", path=("inner",))),
        ({"inner": [GOOD], "x": 1}, Complaint(kind="unknown", path=("x",))),
        ({"inner": [GOOD], "": 1}, Complaint(kind="unknown", path=("",))),
        ({"inner": [GOOD, {}]}, Complaint(kind="missing", path=("inner", 1, "role"))),
        ({"inner": [{**GOOD, "x": 1}]}, Complaint(kind="unknown", path=("inner", 0, "x"))),
        ({"inner": [{"role": "c"}]}, Complaint(kind="choice", path=("inner", 0, "role"), value="c")),
        ({"inner": "x"}, Complaint(kind="type", path=("inner",), expected="array", value="x")),
        ({"inner": [{**GOOD, "text": 5}]}, Complaint(kind="type", path=("inner", 0, "text"), expected="str", value=5)),
        ({"inner": []}, Complaint(kind="short", path=("inner",), expected="1", value=[])),
        ({"inner": [GOOD] * 3}, Complaint(kind="long", path=("inner",), expected="2", value=[GOOD] * 3)),
        ({"inner": [GOOD], "share": -1}, Complaint(kind="low", path=("share",), expected="0", value=-1)),
        ({"inner": [GOOD], "share": 2.5}, Complaint(kind="high", path=("share",), expected="1", value=2.5)),
    ],
)
def test_the_first_thing_wrong_is_told(fields: dict[str, Any], complaint: Complaint) -> None:
    with pytest.raises(Unfit) as unfit:
        fit(fields, Outer)
    assert unfit.value.complaint == complaint


def test_what_fits_is_returned_as_its_shape() -> None:
    assert fit({"inner": [GOOD], "share": 1}, Outer) == Outer([Inner("a")], 1.0)
