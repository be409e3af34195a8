"""The charts' pods as real processes, which takes a network of their own: see live/."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.charts.helm import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.built, pytest.mark.timeout(400)]


def test_real_processes_behind_the_pods(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    assert unshare is not None, "there is no unshare: sudo apt-get install util-linux"
    # A folder of its own: two pytests that share one clean up after each other, and warn of what is already gone.
    options = ["-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'inside'}"]
    inside = [sys.executable, "-m", "pytest", *options, "tests/gitops/live/scenes.py"]
    done = subprocess.run(
        [
            unshare,
            "--user",
            "--map-root-user",
            "--net",
            "--mount",
            sys.executable,
            "-m",
            "tests.gitops.live.network",
            *inside,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
