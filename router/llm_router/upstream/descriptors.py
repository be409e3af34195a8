"""Whether this process can open anything at all."""

from __future__ import annotations

import errno
import os

_OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})


def out_of_descriptors() -> bool:
    """Asked of the system, because a resolver that cannot open its socket says only that it does not know the name, and
    clients say only that there is no connection."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as exc:
        return exc.errno in _OUT_OF_DESCRIPTORS
    return False
