"""What several workers answer as one answer."""

from __future__ import annotations

from typing import Any

from llm_router.workers import merging


def owner(status: str, last_check: str | None, **of_target: Any) -> dict[str, Any]:
    target = {"target": "a", "pending": 0, "probing": False, "limited": [], "retry_in_s": None, "retry_reason": ""}
    return {"name": "a", "status": status, "last_check": last_check, "targets": [target | of_target]}


def test_health_is_that_of_who_sees_it_worst_and_looked_last() -> None:
    well, ill, worse = owner("healthy", "12:05"), owner("unhealthy", "12:01"), owner("unhealthy", "12:02")
    assert merging.health([well, ill, worse])["last_check"] == "12:02"
    assert merging.health([owner("unknown", None), well])["status"] == "healthy", "a new one has not looked yet"
    assert merging.health([owner("unknown", None)])["status"] == "unknown"


def test_targets_add_up_what_is_under_way_and_show_what_one_has_come_to_know() -> None:
    seen = [
        [owner("healthy", "12:01", pending=2, limited=["tpm 9"], p95=1)],
        [owner("healthy", "12:02", pending=3, probing=True, retry_in_s=2.5, retry_reason="circuit open", p95=2)],
    ]
    (merged,) = merging.owners(seen)
    assert merged["targets"] == [
        {
            "target": "a",
            "pending": 5,
            "probing": True,
            "limited": ["tpm 9"],
            "retry_in_s": 2.5,
            "retry_reason": "circuit open",
            "p95": 2,
        }
    ]


def test_lists_go_by_time_and_no_longer_than_one_workers() -> None:
    merge = merging.newest("at", 3)
    assert [one["at"] for one in merge([[{"at": "3"}, {"at": "1"}], [{"at": "4"}, {"at": "2"}]])] == ["4", "3", "2"]


def test_stats_add_up_exactly() -> None:
    mine = {"requests": 1, "cost_usd": 0.1}
    merged = merging.stats(
        [{"name": "a", "targets": {"a": mine}}, {"name": "a", "targets": {"a": {**mine, "cost_usd": 0.2}}}]
    )
    assert merged == {"name": "a", "targets": {"a": {"requests": 2, "cost_usd": 0.3}}}


def test_of_a_pool_who_wants_most_of_it_says_why() -> None:
    def answer(wanted: int | None, in_flight: int, why: str) -> dict[str, Any]:
        pool = {"nodes": 1, "wanted": wanted, "in_flight": in_flight, "unread_tokens": 10, "decoding": 1}
        return {"name": "a", "targets": {}, "pool": pool, "rent": {"reason": why}}

    merged = merging.stats([answer(0, 1, "idle"), answer(2, 3, "busy"), answer(None, 0, "?")])
    assert merged["rent"] == {"reason": "busy"}
    assert merged["pool"] == {"nodes": 1, "wanted": 2, "in_flight": 4, "unread_tokens": 30, "decoding": 3}


def test_a_ledger_is_well_where_it_is_for_all() -> None:
    one = {"backend": "sqlite", "up": True, "error": None, "waiting": 1, "delay_s": 0.5, "written": 2, "lost": 0}
    both = merging.ledger([one, one | {"up": False, "error": "full", "delay_s": 2.0}])
    assert both == one | {"up": False, "error": "full", "waiting": 2, "delay_s": 2.0, "written": 4}


def test_what_is_used_of_a_limit_is_what_the_workers_together_take_it_for() -> None:
    def answer(used: int, usd: float) -> list[Any]:
        limits, budgets = (
            [{"limit": "rpm", "ceiling": 9, "used": used}],
            [{"budget": "daily", "usd": 5, "used_usd": usd}],
        )
        return [{"scope": "key", "name": "ci", "limits": limits, "budgets": budgets}]

    (merged,) = merging.budgets([answer(4, 1.0), answer(0, 0.5)])
    assert merged["limits"] == [{"limit": "rpm", "ceiling": 9, "used": 2}]
    assert merged["budgets"] == [{"budget": "daily", "usd": 5, "used_usd": 0.75}]
