"""Where the demo's models come from: the checkout's generator, or a clear word where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_router.demo.models import Models, ModelsUnavailable, tiny_models

WORDS = "import json, sys; print('step 1', file=sys.stderr); "


def generator(folder: Path, rest: str) -> Path:
    path = folder / "generator.py"
    path.write_text(WORDS + rest)
    return path


def test_without_a_checkout_it_says_to_bring_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelsUnavailable, match=r"--model PATH\.gguf"):
        tiny_models(print, generator=tmp_path / "none.py")


def test_progress_is_passed_on_and_the_paths_come_back(tmp_path: Path) -> None:
    said: list[str] = []
    answer = "print(json.dumps({'small': sys.argv[2] + '/s', 'large': sys.argv[2] + '/l'}))"
    models = tiny_models(said.append, folder=tmp_path, generator=generator(tmp_path, answer))
    assert models == Models(small=tmp_path / "s", large=tmp_path / "l")
    assert said == ["step 1"]


def test_a_generator_that_fails_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(ModelsUnavailable, match="could not be made:\nstep 1\ndisk full"):
        tiny_models(print, generator=generator(tmp_path, "sys.exit('disk full')"))
