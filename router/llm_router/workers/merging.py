"""What several workers say of the same thing, as one answer. Pure: JSON values in order of the workers in, one out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from ..pricing.money import in_usd, picousd
from ..pricing.savings import Group, Tally

Answers = Sequence[Any]


def newest(at: str, limit: int) -> Callable[[Answers], Any]:
    """Lists of things, each with its time under ``at``: the last ``limit`` of all, newest first."""

    def merge(answers: Answers) -> Any:
        everything = [thing for answer in answers for thing in answer]
        return sorted(everything, key=lambda thing: str(thing[at]), reverse=True)[:limit]

    return merge


def owners(answers: Answers) -> Any:
    """Clusters or providers: the health as who sees it worst, signals as who looked last."""
    by_name: dict[str, list[Any]] = {}
    for owner in (owner for answer in answers for owner in answer):
        by_name.setdefault(owner["name"], []).append(owner)
    return [health(seen) | {"targets": _targets(seen)} for seen in by_name.values()]


def health(answers: Answers) -> Any:
    """Who has not looked yet says nothing as long as somebody else has."""
    order = {"unhealthy": 0, "healthy": 1, "unknown": 2}
    worst = min(answers, key=lambda seen: order.get(seen["status"], 0))
    alike = [seen for seen in answers if seen["status"] == worst["status"]]
    return {name: value for name, value in _last(alike).items() if name != "targets"}


def stats(answers: Answers) -> Any:
    """Sums by target; of a pool what is under way adds up, and who wants most of it says why."""
    targets: dict[str, dict[str, Any]] = {}
    for name, totals in (pair for answer in answers for pair in answer["targets"].items()):
        known = targets.get(name)
        targets[name] = totals if known is None else {key: _sum(key, known[key], totals[key]) for key in known}
    return (
        max(answers, key=_wanted) | {"targets": targets} | _pool([seen["pool"] for seen in answers if "pool" in seen])
    )


def ledger(answers: Answers) -> Any:
    """How the ledger is doing: well where it is for all."""
    whole = dict(answers[0])
    for state in answers[1:]:
        for key, value in state.items():
            whole[key] = _STATE[key](whole[key], value)
    return whole


def budgets(answers: Answers) -> Any:
    """Limits as the first one has them. Each worker says what is used by all, as far as it knows."""
    alike: dict[tuple[str, ...], list[Any]] = {}
    for owner in (owner for answer in answers for owner in answer):
        for one in (*owner["limits"], *owner["budgets"]):
            alike.setdefault(_place(owner, one), []).append(one)
    return [
        owner | {kind: [_used(alike[_place(owner, one)]) for one in owner[kind]] for kind in ("limits", "budgets")}
        for owner in answers[0]
    ]


def tallies(several: Sequence[Sequence[tuple[Group, Tally]]]) -> dict[Group, Tally]:
    whole: dict[Group, Tally] = {}
    for group, tally in (pair for one in several for pair in one):
        whole.setdefault(group, Tally()).include(tally)
    return whole


_STATE: dict[str, Callable[[Any, Any], Any]] = {
    "backend": lambda mine, _: mine,
    "up": lambda mine, other: mine and other,
    "error": lambda mine, other: mine or other,
    "delay_s": max,
    **dict.fromkeys(("waiting", "written", "lost", "kept", "duplicates"), lambda mine, other: mine + other),
}


def _wanted(stats: Any) -> int:
    return stats.get("pool", {}).get("wanted") or 0


def _pool(seen: Answers) -> dict[str, Any]:
    if not seen:
        return {}
    under_way = {key: sum(pool[key] for pool in seen) for key in ("in_flight", "unread_tokens", "decoding")}
    return {"pool": max(seen, key=lambda pool: pool["wanted"] or 0) | under_way}


def _place(owner: Any, one: Any) -> tuple[str, ...]:
    return owner["scope"], owner["name"], one.get("limit", ""), one.get("budget", "")


def _used(alike: Sequence[Any]) -> Any:
    key = "used" if "used" in alike[0] else "used_usd"
    mean = fmean(one[key] for one in alike)
    return alike[0] | {key: round(mean) if key == "used" else mean}


def _last(seen: Sequence[Any]) -> Any:
    """Moments of one form are in the order of their texts."""
    return max(seen, key=lambda one: one["last_check"] or "")


def _sum(key: str, mine: Any, other: Any) -> Any:
    return in_usd(picousd(mine) + picousd(other)) if key.endswith("_usd") else mine + other


def _targets(seen: Sequence[Any]) -> list[Any]:
    """What is under way adds up; a target that one worker leaves alone for a while is shown so."""
    of_all: dict[str, list[Any]] = {}
    for target in (target for owner in seen for target in owner["targets"]):
        of_all.setdefault(target["target"], []).append(target)
    return [_target(target, of_all[target["target"]]) for target in _last(seen)["targets"]]


def _target(shown: Any, all_of_it: Sequence[Any]) -> Any:
    longest = max(all_of_it, key=lambda one: one["retry_in_s"] or 0.0)
    return shown | {
        "pending": sum(one["pending"] for one in all_of_it),
        "probing": any(one["probing"] for one in all_of_it),
        "limited": list(dict.fromkeys(text for one in all_of_it for text in one["limited"])),
        "retry_in_s": longest["retry_in_s"],
        "retry_reason": longest["retry_reason"],
    }
