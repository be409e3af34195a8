from __future__ import annotations

import multiprocessing
import os
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from llm_router.admission.key_file import create, load_keys, revoke
from llm_router.admission.keys import ApiKey, KeyRing, digest
from llm_router.config.schema import Budget, RateLimit
from llm_router.errors import ConfigError, Problem


def refusal(action: Callable[[], object]) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        action()
    return caught.value.problems


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.yaml"


def test_a_created_key_opens_and_only_its_digest_is_kept(file: Path) -> None:
    key = create(file, "alice")
    assert KeyRing(load_keys(file)).find(key, time.time()) == ApiKey(name="alice", sha256=digest(key))
    content = file.read_text()
    assert key not in content
    assert key[5:48] not in content
    assert digest(key) in content


def test_limits_and_budgets_are_kept(file: Path) -> None:
    create(file, "a", limits={"requestsPerMinute": 5}, budget={"daily": 1.5, "softPercent": 50, "hard": False})
    (key,) = load_keys(file)
    assert key.limits == RateLimit(requests_per_minute=5)
    assert key.budget == Budget(daily=1.5, soft_percent=50, hard=False)


@pytest.mark.parametrize(("what", "path"), [({"softPercent": 50}, "budget"), ({"daily": 0}, "budget.daily")])
def test_a_budget_of_nothing_is_refused(file: Path, what: dict[str, float], path: str) -> None:
    assert [problem.path for problem in refusal(lambda: create(file, "a", budget=what))] == [path]
    file.write_text(yaml.safe_dump({"keys": [{"name": "a", "sha256": "0" * 64, "budget": what}]}))
    assert [problem.path for problem in refusal(lambda: load_keys(file))] == [f"keys[0].{path}"]


def test_scopes_are_kept(file: Path) -> None:
    create(
        file, "a", models={"m2", "m1"}, targets=["aws", "openai/gpt"], tags={"hipaa"}, expires="2030-12-31T12:00:00Z"
    )
    (key,) = load_keys(file)
    assert key.models == frozenset({"m1", "m2"})
    assert key.targets == frozenset({"aws", "openai/gpt"})
    assert key.tags == frozenset({"hipaa"})
    assert key.expires == datetime(2030, 12, 31, 12, tzinfo=UTC).timestamp()


def test_an_empty_list_of_strategies_forbids_all_and_survives_the_next_change(file: Path) -> None:
    create(file, "none", strategies=[])
    create(file, "some", strategies=["latency", "cost"])
    create(file, "all")
    assert [key.strategies for key in load_keys(file)] == [frozenset(), frozenset({"cost", "latency"}), None]


def test_a_strategy_that_there_is_not_is_refused(file: Path) -> None:
    (problem,) = refusal(lambda: create(file, "a", strategies=["cheapest"]))
    assert "must be one of hybrid, cost" in problem.message


def test_a_day_is_the_last_one_on_which_a_key_is_good(file: Path) -> None:
    key = create(file, "a", expires="2030-12-31")
    ring = KeyRing(load_keys(file))
    assert ring.find(key, datetime(2030, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
    assert ring.find(key, datetime(2031, 1, 1, tzinfo=UTC).timestamp()) is None


def test_a_revoked_key_opens_no_more_and_the_others_do(file: Path) -> None:
    alice, bob = create(file, "alice"), create(file, "bob")
    revoke(file, "alice")
    ring = KeyRing(load_keys(file))
    assert ring.find(alice, time.time()) is None
    assert ring.find(bob, time.time())


def test_the_file_is_its_owners_alone_whatever_it_was_before(file: Path) -> None:
    create(file, "alice")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    create(file, "bob")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_change_replaces_the_file_and_leaves_nothing_beside_it(file: Path) -> None:
    create(file, "alice")
    with file.open() as before:
        create(file, "bob")
        assert "bob" not in before.read(), "whoever has the old file open keeps reading the old file"
    assert os.listdir(file.parent) == ["keys.yaml"]


def test_a_link_to_the_file_stays_a_link(file: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "keys.yaml"
    create(real, "alice")
    file.symlink_to(real)
    create(file, "bob")
    assert file.is_symlink()
    assert [key.name for key in load_keys(real)] == ["alice", "bob"]


def test_a_name_is_given_once(file: Path) -> None:
    create(file, "alice")
    before = file.read_text()
    (problem,) = refusal(lambda: create(file, "alice"))
    assert "revoke it first" in problem.message
    assert file.read_text() == before


def test_what_makes_no_sense_is_refused_at_once_and_makes_no_file(file: Path) -> None:
    problems = refusal(lambda: create(file, "a b", models=[], tags=["HIPAA"]))
    assert [p.path for p in problems] == ["name", "models", "tags[0]"]
    for moment in ("tomorrow", "2030-13-01", "2030-12-31T12:00:00", "9999-12-31", ""):
        (problem,) = refusal(lambda moment=moment: create(file, "a", expires=moment))  # type: ignore[misc]
        assert problem.path == "expires"
    assert not file.exists()


def test_revoking_a_name_that_is_not_there_says_which_are(file: Path) -> None:
    create(file, "alice")
    (problem,) = refusal(lambda: revoke(file, "bob"))
    assert problem.message == "no key is called bob; known are alice"


def test_a_file_in_disorder_is_told_with_lines_and_not_overwritten(file: Path) -> None:
    text = "\n".join(
        [
            "keys:",
            f"  - {{name: a, sha256: {'0' * 64}}}",
            f"  - {{name: a, sha256: {'1' * 64}}}",
            f"  - {{name: b, sha256: {'0' * 64}}}",
            f"  - {{name: c, sha256: {'2' * 64}, expires: never}}",
            "",
        ]
    ).replace("0" * 64, "a" * 64)
    file.write_text(text)
    expected = {(3, "keys[1].name"), (4, "keys[2].sha256"), (5, "keys[3].expires")}
    for action in (lambda: load_keys(file), lambda: create(file, "d"), lambda: revoke(file, "a")):
        assert {(p.line, p.path) for p in refusal(action)} == expected
    assert file.read_text() == text


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ("keys: [{name: a, sha256: tooshort}]\n", "keys[0].sha256"),
        ("keys: [{name: a}]\n", "keys[0].sha256"),
        ("keys: [{name: a, sha256: x, role: admin}]\n", "keys[0].role"),
        ("- a\n", ""),
        ("", ""),
    ],
)
def test_a_file_of_another_form_is_refused(file: Path, content: str, path: str) -> None:
    file.write_text(content)
    assert path in [p.path for p in refusal(lambda: load_keys(file))]


def test_places_where_no_file_can_be_are_refused(tmp_path: Path) -> None:
    for place in (tmp_path / "gone" / "keys.yaml", Path("/proc/keys.yaml")):
        (problem,) = refusal(lambda place=place: create(place, "a"))  # type: ignore[misc]
        assert problem.file == str(place)


def test_a_missing_file_is_refused_where_keys_are_looked_for(file: Path) -> None:
    (problem,) = refusal(lambda: load_keys(file))
    assert "can not be read" in problem.message


def _create_some(file: str, who: int) -> None:
    for i in range(5):
        create(file, f"key-{who}-{i}")


def test_writers_side_by_side_lose_no_key(file: Path) -> None:
    """Four processes create five keys each; without the lock most of them would be lost."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_create_some, args=(str(file), who)) for who in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert len(load_keys(file)) == 20
