"""Reading traces: columns by name, holes marked, and nonsense refused with its line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from llm_router.errors import ConfigError
from llm_router.simulate.trace_file import read_trace

AZURE = Path(__file__).resolve().parents[3] / "examples/traces/azure-llm-2023-code.csv.gz"


def written(folder: Path, text: str, name: str = "trace.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_the_shipped_trace() -> None:
    trace = read_trace(AZURE)
    assert len(trace.requests) == 8819
    assert trace.span_s == pytest.approx(3435.948, abs=0.001)
    assert (trace.requests[0].input_tokens, trace.requests[0].output_tokens) == (4808, 10)
    assert trace.notes == ()


def test_columns_in_any_order_and_case_and_others_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path, "Model,OUTPUT_TOKENS,x,Time,Prompt_Tokens\nm,7,?,100.5,30\n,8,?,101,40\n")
    requests = read_trace(path).requests
    assert [(r.at_s, r.input_tokens, r.output_tokens, r.model) for r in requests] == [
        (0.0, 30, 7, "m"),
        (0.5, 40, 8, ""),
    ]


def test_json_lines_of_a_ledger(tmp_path: Path) -> None:
    rows = [
        {"settled_at": 1000.0, "model": "m", "usage": {"input_tokens": 5, "cache_read_tokens": 10, "output_tokens": 3}},
        {"time": "2026-01-01T00:00:02Z", "input_tokens": 20, "output_tokens": 4},
        {"time": "2026-01-01T00:00:03+00:00", "input_tokens": 20, "output_tokens": 0},
    ]
    rows[0]["settled_at"] = 1767225600.0
    trace = read_trace(written(tmp_path, "".join(json.dumps(row) + "\n" for row in rows), "ledger.jsonl"))
    assert [(r.at_s, r.input_tokens, r.output_tokens) for r in trace.requests] == [(0.0, 15, 3), (2.0, 20, 4)]
    assert trace.notes == ("1 requests without an answer are left out",)


def test_the_model_of_a_ledger_s_line_is_who_answered_not_what_was_asked_for(tmp_path: Path) -> None:
    row = {"time": 1.0, "settled_at": 2.0, "target": "gpu", "model": "m", "input_tokens": 5, "output_tokens": 3}
    [request] = read_trace(written(tmp_path, json.dumps(row), "ledger.jsonl")).requests
    assert (request.at_s, request.model) == (0.0, "")


def test_compressed_files(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(gzip.compress(b"time,input_tokens,output_tokens\n1,2,3\n"))
    assert len(read_trace(path).requests) == 1


def test_empty_cells_are_estimated_and_said_to_be(tmp_path: Path) -> None:
    path = written(tmp_path, "time,input_tokens,output_tokens\n1,10,\n2,,3\n3,30,5\n4,20,4\n")
    trace = read_trace(path)
    assert [(r.input_tokens, r.output_tokens) for r in trace.requests] == [(10, 4), (20, 3), (30, 5), (20, 4)]
    assert trace.notes == (
        "1 empty input_tokens taken as the median, 20",
        "1 empty output_tokens taken as the median, 4",
    )


def test_rows_out_of_order_are_sorted_and_holes_named(tmp_path: Path) -> None:
    rows = [f"{60 * minute},1,1" for minute in [*range(60, 120), *range(30)]]
    trace = read_trace(written(tmp_path, "time,input_tokens,output_tokens\n" + "\n".join(rows)))
    assert [r.at_s for r in trace.requests] == sorted(r.at_s for r in trace.requests)
    assert trace.notes == (
        "rows were not in order of time: sorted",
        "nothing arrives for 31 minutes from 1740 s on: is a part missing?",
    )


HEAD = "time,input_tokens,output_tokens\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("\n", "has no column of this kind: one of timestamp"),
        ("time;input_tokens;output_tokens\n1;2;3\n", ":1: has one column: commas separate them"),
        ("time,input_tokens\n1,2\n", "one of output_tokens, generatedtokens"),
        (HEAD, "holds no request that was answered"),
        (HEAD + "1,2,0\n", "holds no request that was answered"),
        (HEAD + "1,2,3\n1,2\n", ":3: has 2 columns, the header 3"),
        (HEAD + "yesterday,2,3\n", ":2: 'yesterday' is no time"),
        (HEAD + "nan,2,3\n", ":2: 'nan' is no time"),
        (HEAD + "1763316000000,2,3\n", "looks like milliseconds"),
        (HEAD + "1,2,3\n1700000000,2,3\n", "spans 19676 days"),
        (HEAD + "1,many,3\n", ":2: input tokens: 'many' is no number"),
        (HEAD + "1,2,1e12\n", ":2: output tokens: '1e12' is no count"),
        (HEAD + "1,-2,3\n", ":2: input tokens: '-2' is no count"),
        (HEAD + "1,2.5,3\n", ":2: input tokens: '2.5' is no count"),
        (HEAD + "1,,3\n", "says of no request how many input_tokens it had"),
        ('{"time": 1, "input_tokens": 2, "output_tokens": 3}\n{"time": 1, "inp', ":2: is not JSON, or cut off"),
        ('{"time": 1, "input_tokens": 2, "output_tokens": 3}\n[1]\n', ":2: is not a JSON object"),
    ],
)
def test_what_nobody_could_mean_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_trace(written(tmp_path, text))
    assert said in str(refused.value)


def test_only_the_first_problems_are_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read_trace(written(tmp_path, HEAD + "x,1,1\n" * 1000))
    assert len(refused.value.problems) == 21
    assert "only the first problems are shown" in str(refused.value)


@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz"])
def test_files_that_are_no_traces(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_trace(tmp_path / name)
    (tmp_path / name).write_bytes(b"\xff\xfe\x00binary\x80")
    with pytest.raises(ConfigError):
        read_trace(tmp_path / name)


def test_a_compressed_file_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(gzip.compress((HEAD + "1,2,3\n" * 10_000).encode())[:-20])
    with pytest.raises(ConfigError, match="neither CSV nor JSON lines"):
        read_trace(path)
