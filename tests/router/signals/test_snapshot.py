"""The board: signals are posted, snapshots do not change under the hands of who took them."""

from __future__ import annotations

from typing import Any

import pytest

from llm_router.model import PoolView, Target
from llm_router.signals.snapshot import Board

A1 = Target(name="a/1", kind="provider", owner="a", model="1")
A2 = Target(name="a/2", kind="provider", owner="a", model="2")
B = Target(name="b", kind="cluster", owner="b", model="3")


@pytest.mark.parametrize("away", [{"state": "zero"}, {"state": "starting"}, {"health": "unhealthy"}])
def test_who_was_away_and_is_there_again_is_back(away: dict[str, Any]) -> None:
    now = [100.0]
    target = Target(name="a", kind="cluster", owner="a", model="m")
    board = Board([target], lambda: now[0])
    board.post("a", health="healthy")
    board.post("a", **away)
    board.post("a", pending=1)
    assert board.view("a").back_at < 0
    now[0] = 160.0
    board.post("a", state="up", health="healthy")
    now[0] = 170.0
    board.post("a", health="healthy")
    assert board.view("a").back_at == 160.0


def board() -> Board:
    return Board([A1, A2, B], lambda: 7.0)


def test_a_snapshot_has_every_target_in_order_and_its_moment() -> None:
    snapshot = board().snapshot()
    assert [view.target for view in snapshot.views] == [A1, A2, B]
    assert snapshot.now == 7.0


def test_a_snapshot_stays_as_it_was_taken() -> None:
    mine = board()
    before = mine.snapshot()
    mine.post("b", health="healthy", queue_depth=3)
    assert before.views[2].health == "unknown"
    assert (mine.view("b").health, mine.view("b").queue_depth) == ("healthy", 3)
    assert mine.snapshot().views[2].queue_depth == 3


def test_an_owners_signal_reaches_all_its_targets_and_nobody_else() -> None:
    mine = board()
    mine.post_owner("a", health="unhealthy")
    assert [view.health for view in mine.snapshot().views] == ["unhealthy", "unhealthy", "unknown"]


def test_a_new_generation_adopts_what_is_known_of_unchanged_targets() -> None:
    old = board()
    old.post_owner("a", health="healthy", pending=4, retry_at=99.0)
    old.post("b", health="healthy")
    changed = Target(name="b", kind="cluster", owner="b", model="another")
    new = Board([A1, changed], lambda: 8.0)
    new.adopt(old)
    assert (new.view("a/1").health, new.view("a/1").retry_at, new.view("a/1").pending) == ("healthy", 0.0, 0)
    assert new.view("b").health == "unknown"


def test_clusters_have_pools_and_a_snapshot_keeps_them_as_they_were() -> None:
    mine = board()
    before = mine.snapshot()
    mine.post_pool("b", nodes=3, in_flight=2)
    mine.post_pool("gone", nodes=1)
    assert before.pools == {"b": PoolView()}
    assert mine.snapshot().pools == {"b": PoolView(nodes=3, in_flight=2)} == {"b": mine.pool("b")}
    assert mine.pool("a") is None


def test_a_new_generation_adopts_a_pool_but_not_what_others_post_of_it() -> None:
    old = board()
    old.post_pool("b", nodes=2, slots=8, in_flight=3, unread_tokens=100, decoding=1, wanted=2)
    new = board()
    new.adopt(old)
    assert new.pool("b") == PoolView(nodes=2, slots=8)


def test_latencies_are_forgotten_each_at_its_own_time() -> None:
    now = [100.0]
    mine = Board([A1, A2, B], lambda: now[0])
    mine.post("a/1", p95_latency_ms=1.0, latency_until=110.0)
    mine.post("a/2", p95_latency_ms=2.0, latency_until=120.0)
    seen = []
    for now[0] in (110.0, 110.1, 120.0, 120.1):
        seen.append([view.p95_latency_ms for view in mine.snapshot().views])
    assert seen == [[1.0, 2.0, None], [None, 2.0, None], [None, 2.0, None], [None, None, None]]
