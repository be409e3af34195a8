"""How much of its memory a process uses, from the files in which the kernel says so."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from llm_router.signals.memory import limit_bytes, memory_share, resident_bytes


def test_this_process_is_as_large_as_others_say() -> None:
    assert resident_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)


@pytest.mark.parametrize(
    ("text", "limit"), [("1073741824\n", 1 << 30), ("max\n", None), (f"{(1 << 63) - 4096}\n", None), ("", None)]
)
def test_the_limit_of_the_container(tmp_path: Path, text: str, limit: int | None) -> None:
    file = tmp_path / "memory.max"
    file.write_text(text)
    assert limit_bytes([tmp_path / "missing", file]) == limit


def test_the_share_is_of_the_limit_and_nothing_without_one(tmp_path: Path) -> None:
    limit, statm = tmp_path / "memory.max", tmp_path / "statm"
    limit.write_text("409600000")
    statm.write_text("90000 50000 7 1 0 3 0")
    assert memory_share([limit], statm) == 50_000 * os.sysconf("SC_PAGESIZE") / 409_600_000
    assert memory_share([limit], statm, processes=4) == 4 * memory_share([limit], statm), "workers share the limit"
    assert memory_share([tmp_path / "missing"], statm) == 0.0
    assert memory_share([limit], tmp_path / "missing") == 0.0
