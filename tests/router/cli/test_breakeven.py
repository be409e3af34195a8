"""``llm-router breakeven``: tables, JSON and picture on the example that ships, and its refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from llm_router.cli import main
from llm_router.model import Usage
from llm_router.pricing.records import Record, exported

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "router/router.example.yaml"
TRACE = "TIMESTAMP,ContextTokens,GeneratedTokens\n2026-11-16 18:00:00.1234567,100,20\n2026-11-16 18:01:00,300,40\n"
SVG = "{http://www.w3.org/2000/svg}"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["breakeven", *map(str, arguments)])


def read(*arguments: str | Path) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_works_on_the_example_without_a_single_secret() -> None:
    done = run("--config", EXAMPLE)
    assert done.exit_code == 0, done.output
    for text in ("aws-us-west-2", "gcp-europe-west1-gpu", "openai", "anthropic", "turn this pool off", "never"):
        assert text in done.stdout


def test_says_the_same_to_machines() -> None:
    shown = read("--config", EXAMPLE, "--requests-per-day", "5000")
    assert shown["traffic"] == {"input_tokens": 1147.0, "output_tokens": 211.0, "requests_per_day": 5000.0}
    aws = shown["pools"][0]
    assert (aws["pool"], aws["nodes"]) == ("aws-us-west-2", {"least": 1, "most": 3})
    assert aws["fixed_usd_per_hour"] == pytest.approx(0.1725)
    assert [one["target"] for one in aws["against"]] == ["anthropic", "gemini", "openai"], "the cheapest first"
    by_target = {one["target"]: one for one in aws["against"]}
    assert by_target["anthropic"]["breakeven"] is None
    point = by_target["openai"]["breakeven"]
    assert point["requests_per_day"] == pytest.approx(24 * point["requests_per_hour"])
    assert by_target["openai"]["lacks"] == ["gdpr", "hipaa"]
    assert aws["verdict"]["word"] == "off"


def test_a_trace_gives_the_means_and_the_load(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text(TRACE)
    traffic = read("--config", EXAMPLE, "--trace", trace)["traffic"]
    assert (traffic["input_tokens"], traffic["output_tokens"]) == (200.0, 30.0)
    assert traffic["requests_per_day"] == pytest.approx(2 / 59.876544 * 86_400)
    assert read("--config", EXAMPLE, "--trace", trace, "--output-tokens", "99")["traffic"]["output_tokens"] == 99.0


def test_what_the_ledger_exports_is_a_trace_too_and_who_got_no_answer_does_not_count(tmp_path: Path) -> None:
    trace = tmp_path / "ledger.jsonl"
    usage = Usage(input_tokens=6, cache_read_tokens=4, output_tokens=5)
    common: dict[str, Any] = {"target": "t", "kind": "cluster", "model": "m", "reason": "r", "status": 200}
    answered = [
        Record(request_id=str(at), started_at=at, settled_at=at + 9, usage=usage, **common) for at in (1e9, 1e9 + 864)
    ]
    refused = Record(request_id="no", started_at=0.0, settled_at=0.0, **common | {"target": None, "status": 503})
    trace.write_text("\n".join(json.dumps(exported(record)) for record in (refused, *answered)))
    traffic = read("--config", EXAMPLE, "--trace", trace)["traffic"]
    assert traffic == {"input_tokens": 10.0, "output_tokens": 5.0, "requests_per_day": 200.0}


def test_what_is_odd_about_a_trace_is_said_beside_the_figures(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("time,input_tokens,output_tokens\n0,10,5\n8,,5\n4,10,5\n")
    answer = run("--config", EXAMPLE, "--trace", trace, "--json")
    assert answer.exit_code == 0
    assert json.loads(answer.stdout)["traffic"]["input_tokens"] == 10.0
    for said in ("1 empty input_tokens taken as the median", "not in order", "spans 8.0 s only"):
        assert said in answer.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n", "holds no request that was answered"),
        ("TIMESTAMP,ContextTokens\n2026-11-16,1\n", ":1: has no column of this kind: one of output_tokens"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n2026-11-16,1,many\n", ":2: output tokens: 'many' is no number"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n2026-11-16,1e12,1\n", ":2: input tokens: '1e12' is no count"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\nnoon,1,1\n", ":2: 'noon' is no time"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\nnan,1,1\n", ":2: 'nan' is no time"),
        ('{"settled_at": 1, "input_tok', ":1: is not JSON, or cut off"),
    ],
)
def test_a_trace_that_cannot_be_meant_is_refused_with_its_line(tmp_path: Path, content: str, said: str) -> None:
    trace = tmp_path / "trace"
    trace.write_text(content)
    done = run("--config", EXAMPLE, "--trace", trace)
    assert done.exit_code == 78
    assert str(trace) in done.stderr
    assert said in done.stderr


def test_a_trace_that_is_not_there_is_refused(tmp_path: Path) -> None:
    done = run("--config", EXAMPLE, "--trace", tmp_path / "none.csv")
    assert done.exit_code == 78
    assert "none.csv" in done.stderr


def test_only_those_that_are_asked_for_are_compared() -> None:
    (one,) = read("--config", EXAMPLE, "--against", "gemini")["pools"][0]["against"]
    assert one["target"] == "gemini"
    done = run("--config", EXAMPLE, "--against", "gemin")
    assert done.exit_code == 2
    assert "known are openai, anthropic, gemini" in done.output


def test_draws_a_panel_for_each_pool_whose_price_is_known(tmp_path: Path) -> None:
    file = tmp_path / "plot.svg"
    assert run("--config", EXAMPLE, "--plot", file, "--requests-per-day", "1000").exit_code == 0
    root = ElementTree.fromstring(file.read_text())  # noqa: S314 - our own
    panels = root.findall(f"{SVG}g")
    assert len(panels) == 2
    text = {node.text for node in panels[0].iter(f"{SVG}text")}
    assert {"openai", "anthropic", "gemini", "present load"} <= text
    assert len(list(panels[0].iter(f"{SVG}circle"))) == 1, "one API is ever dearer than this pool"
    numbers = [
        float(x) for line in root.iter(f"{SVG}polyline") for x in line.attrib["points"].replace(",", " ").split()
    ]
    assert all(0 <= number <= 760 for number in numbers)


@pytest.mark.parametrize(("name", "said"), [("plot.png", "must end in .svg"), ("no/where/plot.svg", "cannot write")])
def test_what_cannot_be_drawn_is_said(tmp_path: Path, name: str, said: str) -> None:
    done = run("--config", EXAMPLE, "--plot", tmp_path / name)
    assert done.exit_code != 0
    assert said in done.output


def test_without_clusters_there_is_nothing_to_compare(tmp_path: Path) -> None:
    config = tmp_path / "router.yaml"
    config.write_text("externalProviders: [{name: openai, type: openai, apiKey: '${K}', models: [gpt-5.4-mini]}]\n")
    done = run("--config", config)
    assert done.exit_code == 1
    assert "no clusters" in done.output


def test_unknown_prices_are_unknown(tmp_path: Path) -> None:
    config = tmp_path / "router.yaml"
    config.write_text(
        "clusters: [{name: a, endpoint: 'http://127.0.0.1:1', authType: none}]\n"
        "externalProviders: [{name: openai, type: openai, apiKey: '${K}', models: [gpt-unheard-of]}]\n"
    )
    (pool,) = read("--config", config)["pools"]
    assert pool["node_usd_per_hour"] is None
    assert pool["fixed_usd_per_hour"] is None
    assert pool["against"][0]["usd_per_request"] is None
    assert pool["verdict"]["word"] == "unknown"
    shown = run("--config", config).stdout
    assert "no list price is known" in shown
    assert "set costPerHour" in shown
