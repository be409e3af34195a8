"""The checker finds what it is there to find."""

from __future__ import annotations

from pathlib import Path

from tests.router.state.history import Worker, money, most_at_a_time, most_in_any_minute


def worker(folder: Path, *lines: str, killed_at: float | None = None, paused_at: tuple[float, ...] = ()) -> Worker:
    log = folder / f"{len(list(folder.iterdir()))}.log"
    log.write_text("".join(f"{line}\n" for line in ("0.0 ready 0 0 0", *lines)))
    return Worker.read(log, paused_at=paused_at) if killed_at is None else Worker.read(log, killed_at=killed_at)


def test_overlapping_grants_are_counted_over_all_processes(tmp_path: Path) -> None:
    one = worker(tmp_path, "1.0 granted 1 5 5", "2.0 granted 2 5 5", "3.0 settled 1 5 5", "4.0 settled 2 5 5")
    other = worker(tmp_path, "2.5 granted 1 5 5", "3.5 settled 1 5 5")
    assert most_at_a_time([one]) == 2
    assert most_at_a_time([one, other]) == 3


def test_what_was_never_settled_is_held_until_its_process_was_killed_or_paused(tmp_path: Path) -> None:
    for options in ({"killed_at": 2.0}, {"paused_at": (0.5, 2.0)}):
        lost = worker(tmp_path, "1.0 granted 1 5 5", **options)
        later = worker(tmp_path, "2.5 granted 1 5 5", "3.0 settled 1 5 5")
        earlier = worker(tmp_path, "1.5 granted 1 5 5", "3.0 settled 1 5 5")
        assert most_at_a_time([lost, later]) == 1
        assert most_at_a_time([lost, earlier]) == 2
    forgotten = worker(tmp_path, "1.0 granted 1 5 5")
    assert most_at_a_time([forgotten, later]) == 2


def test_a_window_is_as_full_as_its_fullest_minute(tmp_path: Path) -> None:
    lines = [f"{second}.0 granted {second} 1 1" for second in (1, 2, 3, 61, 62)]
    assert most_in_any_minute([worker(tmp_path, *lines)]) == 3


def test_money_of_the_killed_may_or_may_not_be_booked(tmp_path: Path) -> None:
    lives = worker(tmp_path, "1.0 granted 1 5 500", "2.0 settled 1 5 300", "3.0 granted 2 5 50")
    dead = worker(tmp_path, "1.0 granted 1 5 500", "2.0 settled 1 5 40", killed_at=2.1)
    assert money([lives, dead]) == (300, 340)
