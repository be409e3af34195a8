"""What nobody may get: a start with an insecure configuration, and somebody else's credential."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.router.insecure import INSECURE, is_refused


def p20_insecure() -> str:
    with tempfile.TemporaryDirectory() as folder:
        refused = sum(is_refused(insecure, Path(folder)) for insecure in INSECURE.values())
    return (
        f"{refused} of {len(INSECURE)} insecure configurations refused at the start, each with its place and a remedy"
    )
