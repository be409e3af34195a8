"""``llm-router prices``: what it prints for people and machines, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from llm_router.cli import main

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "router/router.example.yaml"
OVERRIDES = """
externalProviders:
  - name: openai
    type: openai
    apiKey: ${NOT_SET_ANYWHERE}
    models: [gpt-5.4-mini, gpt-unheard-of, {name: gpt-5.4, price: {inputPer1k: 0.5, outputPer1k: 0.015}}]
  - name: gone
    type: openai
    enabled: false
    models: [gpt-4]
"""


@pytest.fixture
def overrides(tmp_path: Path) -> Path:
    path = tmp_path / "router.yaml"
    path.write_text(OVERRIDES)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["prices", *map(str, arguments)])


def read(*arguments: str | Path) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def test_lists_what_the_example_uses_without_a_single_secret() -> None:
    shown = {one["provider"]: one for one in read("list", "--config", EXAMPLE)["prices"]}
    assert shown.keys() == {"openai", "anthropic", "gemini"}
    haiku = shown["anthropic"]["usd_per_1k_tokens"]
    assert haiku["input"] == {"usd": 0.0001, "tiers": [{"above": 100_000, "usd": 0.0005}]}
    assert haiku["cache_read"]["usd"] < haiku["input"]["usd"] < haiku["cache_write"]["usd"]


def test_lists_the_data_and_filters_it() -> None:
    found = read("list", "--provider", "anthropic", "--model", "haiku")["prices"]
    assert {one["provider"] for one in found} == {"anthropic"}
    assert all("haiku" in one["model"] for one in found)
    assert "claude-haiku-5-5" in run("list", "--model", "haiku-5-5").stdout


def test_a_price_is_that_of_the_day_that_is_asked_for() -> None:
    before, after = (
        read("list", "--provider", "openai", "--model", "o3-pro", "--at", day)["prices"]
        or read("list", "--provider", "openai", "--model", "o3", "--at", day)["prices"]
        for day in ("2025-06-09", "2025-06-11")
    )
    assert before
    assert len(before) == len(after)
    assert all(one["as_of"] == "2025-06-09" for one in before if one["as_of"])


def test_an_unknown_price_is_null_and_never_zero(overrides: Path) -> None:
    (unknown,) = read("list", "--config", overrides, "--model", "unheard")["prices"]
    assert unknown["usd_per_1k_tokens"] is None
    assert "unknown" in run("list", "--config", overrides, "--model", "unheard").stdout


def test_check_is_content_with_the_example() -> None:
    done = run("check", "--config", EXAMPLE)
    assert done.exit_code == 0, done.output
    assert "all fine" in done.stdout


def test_check_names_what_is_wrong_and_fails(overrides: Path) -> None:
    done = run("check", "--config", overrides)
    assert done.exit_code == 1
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["unknown", "far", "old"]
    assert "newest dated price" in done.stderr
    found = read("check", "--config", overrides)
    assert [(remark["target"], remark["kind"]) for remark in found["remarks"]] == [
        ("openai/gpt-unheard-of", "unknown"),
        ("openai/gpt-5.4", "far"),
        ("openai/gpt-5.4", "old"),
    ]


def test_diff_shows_overrides_beside_the_data(overrides: Path) -> None:
    found = read("diff", "--config", overrides)
    assert (found["before"], found["after"]) == ("data", "in use")
    rates = {d["rate"]: (d["before"]["usd"], d["after"]["usd"]) for d in found["differences"]}
    assert rates["input"] == (0.0025, 0.5)
    assert "gpt-5.4" in run("diff", "--config", overrides).stdout


def test_diff_shows_what_has_changed_since_a_day() -> None:
    found = read("diff", "--since", "2025-06-09")["differences"]
    (o3,) = (d for d in found if d["target"] == "openai" and d["model"] == "o3" and d["rate"] == "input")
    assert o3["before"]["usd"] == pytest.approx(5 * o3["after"]["usd"])
    assert "no difference" in run("diff", "--since", "2025-06-09", "--config", EXAMPLE).stdout


def test_diff_of_nothing_with_nothing_says_what_to_give() -> None:
    done = run("diff")
    assert done.exit_code == 2
    assert "--since" in done.output


@pytest.mark.parametrize(
    ("price", "path", "word"),
    [
        ("{inputPer1k: 0.01}", "outputPer1k", "missing"),
        ("{inputPer1k: 0.01, outputPer1k: .nan}", "outputPer1k", "number"),
        ("{inputPer1k: 0.01, outputPer1k: -1}", "outputPer1k", "at least 0"),
        ("{inputPer1k: cheap, outputPer1k: 1}", "inputPer1k", "number"),
        ("{inputPer1k: 0.01, outputPer1k: 0.01, asOf: 2026-02-30}", "asOf", "calendar"),
        ("{inputPer1k: 0.01, outputPer1k: 0.01, asOf: yesterday}", "asOf", "2026-11-20"),
        ("{inputPer1k: 0.01, outputPer1", "line 2", "not closed"),
    ],
)
def test_a_corrupt_or_half_written_price_is_refused_with_its_place(
    tmp_path: Path, price: str, path: str, word: str
) -> None:
    file = tmp_path / "router.yaml"
    provider = f"  - {{name: o, type: openai, apiKey: ${{KEY}}, models: [gpt-5.4-mini], price: {price}}}\n"
    file.write_text("externalProviders:\n" + provider)
    done = run("check", "--config", file)
    assert done.exit_code == 78
    assert f"{file}:" in done.stderr
    assert path in done.stderr
    assert word in done.stderr
    assert "Traceback" not in done.output
