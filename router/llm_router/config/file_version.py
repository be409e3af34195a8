"""Whether files are still what they were, without reading them."""

from __future__ import annotations

import os
from collections.abc import Iterable

FileVersion = tuple[tuple[int, int], ...]


def file_version(paths: Iterable[str | os.PathLike[str]]) -> FileVersion | None:
    """Changes when one of the files does; ``None`` while one is missing, as in the middle of a swap."""
    try:
        return tuple((stat.st_mtime_ns, stat.st_ino) for stat in map(os.stat, paths))
    except OSError:
        return None
