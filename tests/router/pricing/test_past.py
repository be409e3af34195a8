"""Of records that are no longer kept the sums stay, by day; the details of old days go first."""

from __future__ import annotations

from llm_router.pricing.past import OLD, Past
from llm_router.pricing.savings import Group, Query, Tally
from tests.router.pricing.record_samples import MIDNIGHT, make_record


def tallies(past: Past, **query: object) -> tuple[dict[Group, Tally], bool]:
    found: dict[Group, Tally] = {}
    complete = past.add_to(found, Query(**query))  # type: ignore[arg-type]
    return found, complete


def test_whole_days_are_known_and_parts_of_days_are_not() -> None:
    past = Past()
    for number, at in enumerate((MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + 86399)):
        past.add(make_record(str(number), settled_at=at))
    assert sum(tally.requests for tally in tallies(past)[0].values()) == 3
    found, complete = tallies(past, since=MIDNIGHT)
    assert (sum(tally.requests for tally in found.values()), complete) == (2, True)
    found, complete = tallies(past, since=MIDNIGHT + 1)
    assert (found, complete) == ({}, False)
    found, complete = tallies(past, since=MIDNIGHT + 86400)
    assert (found, complete) == ({}, True)
    found, complete = tallies(past, until=MIDNIGHT)
    assert (sum(tally.requests for tally in found.values()), complete) == (1, True)


def test_where_details_take_too_much_room_the_oldest_day_loses_them_and_keeps_its_sums() -> None:
    past = Past(max_cells=10)
    for number in range(40):
        at = MIDNIGHT + 86400 * (number // 10)
        past.add(make_record(str(number), settled_at=at, key=f"key-{number}"))
    found, _ = tallies(past, by=("key", "day"))
    assert sum(tally.requests for tally in found.values()) == 40
    assert len(found) <= 13
    assert {group.day for group in found if group.key == OLD} >= {"2023-11-15", "2023-11-16", "2023-11-17"}
    assert Group(key="key-39", day="2023-11-18", baseline="openai") in found
