"""What people write as a time and as groups is understood, or refused with what to write instead."""

from __future__ import annotations

import pytest

from llm_router.pricing.savings_query import query_of
from tests.router.pricing.record_samples import MIDNIGHT


@pytest.mark.parametrize(
    ("since", "moment"),
    [
        ("7d", MIDNIGHT - 7 * 86400),
        ("12h", MIDNIGHT - 43200),
        ("2023-11-14", MIDNIGHT - 86400),
        ("2023-11-14T23:00:00Z", MIDNIGHT - 3600),
        ("2023-11-15T00:30:00+01:00", MIDNIGHT - 1800),
    ],
)
def test_a_time_ago_a_day_and_a_moment(since: str, moment: float) -> None:
    assert query_of(since=since, until=None, by=None, now=MIDNIGHT).since == moment


@pytest.mark.parametrize(
    "text", ["", "yesterday", "7", "7 d", "-7d", "2023-13-01", "2023-11-14T23:00:00", "99999-01-01"]
)
def test_anything_else_is_refused_with_what_is_right(text: str) -> None:
    with pytest.raises(ValueError, match="until must be a time ago such as 7d"):
        query_of(since=None, until=text, by=None, now=MIDNIGHT)


def test_groups_keep_their_order_and_a_wrong_one_gets_the_nearest() -> None:
    assert query_of(since=None, until=None, by="day, target,day", now=0).by == ("day", "target")
    assert query_of(since=None, until=None, by="", now=0).by == ()
    with pytest.raises(ValueError, match='did you mean "target"'):
        query_of(since=None, until=None, by="targets", now=0)
