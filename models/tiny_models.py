#!/usr/bin/env python3
"""Makes the two tiny GGUF models that the demo and the tests run llama.cpp with.

    python models/tiny_models.py [--out DIR] [--steps N] [--idle-layers N]

``small.gguf`` is a two-layer network trained here, in seconds, on a template grammar; ``large.gguf`` is the same one
with more layers that change nothing: it says the same, and takes as much longer as it has more layers. Nothing is
downloaded. Files that are there and whole, by the sha256 in the folder's manifest.json, are used again at once.

Progress goes to stderr, one JSON object with the two paths to stdout. The bytes depend on the machine's floating-point
units and on NumPy, so the manifest is the folder's own and belongs to no repository.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SMALL, LARGE = "small.gguf", "large.gguf"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Recipe:
    """What the command line may choose about the models."""

    steps: int = 240
    idle_layers: int = 40

    def digest(self) -> str:
        """Changes with the choices and with every source file that the models depend on."""
        here = Path(__file__).resolve().parent
        sources = [Path(__file__).resolve(), *sorted((here / "tiny").glob("*.py"))]
        told = json.dumps(asdict(self), sort_keys=True).encode()
        return hashlib.sha256(told + b"".join(source.read_bytes() for source in sources)).hexdigest()


def default_folder(environ: Mapping[str, str]) -> Path:
    """Where the models are kept: ``$XDG_CACHE_HOME/llm-router/models``, below ``~/.cache`` where that is not set."""
    cache = environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "llm-router" / "models"


def ensure(folder: Path, recipe: Recipe) -> None:
    """Leaves both models and their manifest in ``folder``; whoever comes second at the same time waits."""
    folder.mkdir(parents=True, exist_ok=True)
    with _exclusive(folder / ".lock"):
        if _whole(folder, recipe):
            _say(f"tiny models: already in {folder}")
        else:
            _make(folder, recipe)


def _whole(folder: Path, recipe: Recipe) -> bool:
    """Whether the manifest is of this recipe and each file has the sha256 that it names."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        return bool(manifest["recipe"] == recipe.digest()) and all(
            manifest["sha256"][name] == _sha256(folder / name) for name in (SMALL, LARGE)
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False


def _make(folder: Path, recipe: Recipe) -> None:
    # One BLAS thread: sums in one order, and no spinning on a machine that has other work. Read when NumPy is imported.
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    from tiny import gguf_file, training

    _say(f"tiny models: making them in {folder}, some seconds, once")
    started = time.monotonic()
    model = training.train(training.Plan(steps=recipe.steps), _Progress(recipe.steps))
    with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as making:
        digests: dict[str, str] = {}
        for name, idle_layers in ((SMALL, 0), (LARGE, recipe.idle_layers)):
            gguf_file.write(Path(making, name), model, name=f"tiny-{Path(name).stem}", idle_layers=idle_layers)
            digests[name] = _sha256(Path(making, name))
        manifest = json.dumps({"recipe": recipe.digest(), "sha256": digests}, indent=2)
        Path(making, MANIFEST).write_text(f"{manifest}\n")
        # The manifest last: until it is there, nothing that it vouches for is half made.
        for name in (SMALL, LARGE, MANIFEST):
            os.replace(Path(making, name), folder / name)
    _say(f"tiny models: done in {time.monotonic() - started:.0f} s")


class _Progress:
    """Says how far the training is, about once a second."""

    def __init__(self, steps: int) -> None:
        self._steps, self._said_at = steps, 0.0

    def __call__(self, step: int, loss: float) -> None:
        if time.monotonic() - self._said_at >= 1.0 or step == self._steps:
            self._said_at = time.monotonic()
            _say(f"tiny models: step {step} of {self._steps}, loss {loss:.2f}")


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the two tiny GGUF models for the demo and the tests.")
    parser.add_argument("--out", type=Path, default=default_folder(os.environ), help="folder (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=Recipe.steps, help="of training; 0: random words (%(default)s)")
    parser.add_argument("--idle-layers", type=int, default=Recipe.idle_layers, help="of large.gguf (%(default)s)")
    args = parser.parse_args()
    folder = args.out.resolve()
    try:
        ensure(folder, Recipe(steps=args.steps, idle_layers=args.idle_layers))
    except ImportError as missing:
        _say(f"{parser.prog}: {missing}; install the extra that brings it: pip install 'multicloud-llm-router[demo]'")
        return 1
    except OSError as error:
        _say(f"{parser.prog}: cannot write the models to {folder}: {error}; choose another folder with --out")
        return 1
    print(json.dumps({"small": str(folder / SMALL), "large": str(folder / LARGE)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
