"""The models that the demo serves: the two tiny ones made by the checkout's generator, or a GGUF file of the user's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import RouterError

_CHECKOUT = Path(__file__).resolve().parents[3]


class ModelsUnavailable(RouterError):
    """There are no models to serve; the text says what to do."""


@dataclass(frozen=True)
class Models:
    """Two GGUF files. ``large`` says what ``small`` says and takes many times longer; they may be the same file."""

    small: Path
    large: Path


def tiny_models(
    report: Callable[[str], None], *, folder: Path | None = None, generator: Path = _CHECKOUT / "models/tiny_models.py"
) -> Models:
    """The tiny models, made in a few seconds where the cache does not hold them yet.

    ``report`` gets each line of progress. ``folder`` overrides the cache, ``$XDG_CACHE_HOME/llm-router/models``.
    Raises ``ModelsUnavailable`` where there is no generator, as in an installed wheel, or where it fails.
    """
    if not generator.is_file():
        raise ModelsUnavailable(
            f"the generator of the tiny models is not at {generator}: it comes with a checkout of the project, not "
            "with the installed package; give a model of your own with --model PATH.gguf"
        )
    command = [sys.executable, str(generator), *(["--out", str(folder)] if folder else [])]
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr or ():
            said.append(line.rstrip())
            report(said[-1])
        answer = process.communicate()[0]
    if process.returncode != 0:
        raise ModelsUnavailable("\n".join(["the tiny models could not be made:", *said[-3:]]))
    paths = json.loads(answer)
    return Models(small=Path(paths["small"]), large=Path(paths["large"]))


def own_model(path: Path) -> Models:
    """One file of the user's in both places."""
    return Models(small=path, large=path)
