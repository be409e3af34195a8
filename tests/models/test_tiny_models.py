"""The generator of the tiny models: the same bytes each time, used again when whole, made anew when not."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GENERATOR = Path(__file__).resolve().parents[2] / "models" / "tiny_models.py"


def make(folder: Path, *options: str) -> str:
    """Runs the generator; what it said on stderr."""
    command = [sys.executable, str(GENERATOR), "--out", str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert json.loads(done.stdout) == {"small": str(folder / "small.gguf"), "large": str(folder / "large.gguf")}
    return done.stderr


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.gguf")}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with barely trained models; a test that spoils a file makes it whole again."""
    folder = tmp_path_factory.mktemp("models")
    make(folder, "--steps", "3")
    return folder


@pytest.mark.slow
def test_two_runs_give_the_same_bytes(made: Path, tmp_path: Path) -> None:
    make(tmp_path, "--steps", "3")
    assert digests(tmp_path) == digests(made)
    assert set(digests(made)) == {"small.gguf", "large.gguf"}


def test_the_manifest_tells_the_sha256_of_both_files(made: Path) -> None:
    assert json.loads((made / "manifest.json").read_text())["sha256"] == digests(made)


def test_whole_files_are_used_again(made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.glob("*.gguf")}
    assert "already in" in make(made, "--steps", "3")
    assert {path: path.stat().st_mtime_ns for path in made.glob("*.gguf")} == before


@pytest.mark.parametrize("name", ["small.gguf", "large.gguf"])
def test_a_corrupt_file_is_made_anew(made: Path, name: str) -> None:
    whole = digests(made)
    with (made / name).open("r+b") as file:
        file.seek(1000)
        file.write(b"spoilt")
    assert digests(made) != whole
    assert "already in" not in make(made, "--steps", "3")
    assert digests(made) == whole


@pytest.mark.parametrize("manifest", ["", "[]", '{"recipe": "other"}', "{"])
def test_a_broken_manifest_vouches_for_nothing(made: Path, manifest: str) -> None:
    (made / "manifest.json").write_text(manifest)
    assert "already in" not in make(made, "--steps", "3")
    assert json.loads((made / "manifest.json").read_text())["sha256"] == digests(made)


@pytest.mark.slow
def test_another_recipe_makes_other_models(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    make(tmp_path, "--steps", "3", "--idle-layers", "2")
    assert digests(tmp_path)["small.gguf"] == digests(made)["small.gguf"]
    assert digests(tmp_path)["large.gguf"] != digests(made)["large.gguf"]


def test_nothing_is_left_of_an_interrupted_run(made: Path) -> None:
    assert sorted(path.name for path in made.iterdir()) == [".lock", "large.gguf", "manifest.json", "small.gguf"]


@pytest.mark.slow
def test_runs_at_the_same_time_make_the_models_once(tmp_path: Path) -> None:
    command = [sys.executable, str(GENERATOR), "--out", str(tmp_path), "--steps", "3"]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) for _ in range(3)]
    said = [run.communicate(timeout=110)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert sum("already in" in text for text in said) == 2


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    command = [sys.executable, str(GENERATOR), "--out", str(tmp_path / "file" / "models"), "--steps", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "choose another folder with --out" in done.stderr
    assert "Traceback" not in done.stderr
