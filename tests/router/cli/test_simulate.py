"""``llm-router simulate`` as users type it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COMMAND = Path(sys.executable).with_name("llm-router")
EXAMPLE = ROOT / "examples/simulate.yaml"
TRACE = ROOT / "examples/traces/azure-llm-2023-code.csv.gz"


def simulate(*options: str | Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [COMMAND, "simulate", *options]
    return subprocess.run(
        command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_shipped_example_in_json() -> None:
    done = simulate("--config", EXAMPLE, "--trace", TRACE, "--thin", "100", "--capable", "0.3", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    hybrid = document["strategies"]["hybrid"]
    assert set(hybrid["ttft_s"]) == {"p50", "p95", "p99"}
    assert hybrid["usd"] == pytest.approx(hybrid["usd_nodes"] + hybrid["usd_external"])
    assert sum(hybrid["share"].values()) == pytest.approx(1.0)
    assert document["optimum"].keys() >= {"usd", "method", "status"}
    assert document["optimum"]["usd"] <= document["reached"]["usd"]
    assert document["fixed_usd"] > 0
    assert "simulating hybrid" in done.stderr


def test_thinning_stretching_and_seeds() -> None:
    seen = set()
    for options in (["--seed", "1"], ["--seed", "1"], ["--seed", "2"], ["--seed", "1", "--stretch", "4"]):
        done = simulate(
            "--config", EXAMPLE, "--trace", TRACE, "--thin", "300", "--solver-time", "0.1", "--json", *options
        )
        document = json.loads(done.stdout)
        seen.add((document["trace"]["requests"], round(document["trace"]["span_s"])))
    assert len(seen) == 3


def test_a_table_for_people() -> None:
    done = simulate("--config", EXAMPLE, "--trace", TRACE, "--thin", "300", "--solver-time", "1")
    assert done.returncode == 0, done.stderr
    assert "external_first" in done.stdout
    assert "The best run found costs" in done.stdout


def test_a_broken_trace_is_refused_with_its_line(tmp_path: Path) -> None:
    broken = tmp_path / "trace.csv"
    broken.write_text("time,input_tokens,output_tokens\n1,2,3\n2,many,3\n")
    done = simulate("--config", EXAMPLE, "--trace", broken)
    assert done.returncode != 0
    assert done.stderr.splitlines() == [f"{broken}:3: input tokens: 'many' is no number"]


def test_a_configuration_that_says_too_little_is_refused_with_the_key(tmp_path: Path) -> None:
    config = tmp_path / "router.yaml"
    config.write_text(EXAMPLE.read_text().replace("      prefillTokensPerSecond: 1200\n", ""))
    done = simulate("--config", config, "--trace", TRACE, "--thin", "300")
    assert done.returncode == 78
    assert "clusters[1].capacity.prefillTokensPerSecond: missing" in done.stderr


@pytest.mark.parametrize("options", [["--thin", "0"], ["--stretch", "0"], ["--stretch", "nan"], ["--capable", "1.5"]])
def test_options_that_make_no_sense(options: list[str]) -> None:
    done = simulate("--config", EXAMPLE, "--trace", TRACE, *options)
    assert done.returncode == 2
    assert options[0] in done.stderr
