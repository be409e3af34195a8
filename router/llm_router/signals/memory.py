"""How much of its part of the memory limit this process uses, as the kernel tells it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Of the container, in version 2 and 1 of control groups; without a limit the one says ``max``, the other a number
larger than any memory."""
STATM = Path("/proc/self/statm")
_NO_LIMIT_BYTES = 1 << 50


def limit_bytes(files: Sequence[Path] = LIMITS) -> int | None:
    """``None`` where there is no limit, or nobody to ask."""
    for file in files:
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdigit() and int(text) < _NO_LIMIT_BYTES else None
    return None


def resident_bytes(statm: Path = STATM) -> int:
    """0 where nobody says."""
    try:
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0


def memory_share(files: Sequence[Path] = LIMITS, statm: Path = STATM, *, processes: int = 1) -> float:
    """0 to 1, and above; 0 without a limit. So many ``processes`` like this one live in it."""
    limit = limit_bytes(files)
    return processes * resident_bytes(statm) / limit if limit else 0.0
