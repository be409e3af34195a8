"""How much this process may open at once, and whether it can open anything at all."""

from __future__ import annotations

import contextlib
import errno
import os
import resource

ENOUGH = 65_536
"""File descriptors: a streamed answer takes two."""

_OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})


def take_descriptors() -> None:
    """As many as the system grants to who asks, up to ``ENOUGH``. Who does not ask has 1024 on most systems, for the
    sake of programs that wait with ``select``."""
    asked_for, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if most == resource.RLIM_INFINITY else min(ENOUGH, most)
    if asked_for != resource.RLIM_INFINITY and asked_for < wanted:
        # macOS grants fewer than it says, and a sandbox none.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def out_of_descriptors() -> bool:
    """Asked of the system, because a resolver that cannot open its socket says only that it does not know the name, and
    clients say only that there is no connection."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as exc:
        return exc.errno in _OUT_OF_DESCRIPTORS
    return False
