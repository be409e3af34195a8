"""llama-server starts with what the chart gives it: llama.cpp's own parser judges the arguments, name and form."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tests.charts.helm import containers, pod_spec, render
from tests.charts.pools import MINIMAL, PLACES, on

IMAGE = {
    "source": "image",
    "image": {"reference": f"registry.example.com/tiny@sha256:{'cd' * 32}", "file": "tiny.gguf"},
}


def judged(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.charts.llm_server.llama_parser", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def arguments(*values: dict[str, Any]) -> list[str]:
    spec = pod_spec(render("llm-server", *values).one("Deployment"))
    assert spec is not None
    listed: list[str] = containers(spec)["llama"]["args"]
    assert all(isinstance(each, str) for each in listed), listed
    return listed


@pytest.mark.parametrize(
    "values",
    [
        *((on(cloud, kind),) for cloud, kind in PLACES),
        (MINIMAL, {"server": {"threads": 3, "cacheRamMiB": 0, "extraArgs": ["--flash-attn", "on", "--no-warmup"]}}),
        (MINIMAL, {"delivery": IMAGE}),
    ],
    ids=[*("-".join(place) for place in PLACES), "all-values", "image"],
)
def test_llama_server_takes_what_it_is_given(values: tuple[dict[str, Any], ...]) -> None:
    done = judged(arguments(*values))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("wrong", [["--ctx-size=2048"], ["--ctx-size"], ["--ctx-size", "many"], ["--no-such-thing"]])
def test_what_it_does_not_take_is_noticed(wrong: list[str]) -> None:
    done = judged([*arguments(MINIMAL), *wrong])
    assert done.returncode == 1, done.stderr
    assert wrong[0] in done.stderr or "expected value" in done.stderr
