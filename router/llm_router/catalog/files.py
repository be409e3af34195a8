"""The catalog as a file, and the weights as one: reading, appending, verifying."""

from __future__ import annotations

import hashlib
import os
import textwrap
from pathlib import Path

from ..config.findings import meant
from ..config.load import load_struct
from ..config.masked import plain
from ..config.yaml_writer import dump
from ..errors import ConfigError, Problem, RouterError
from .entry import Catalog, Model, findings


class WrongWeights(RouterError):
    """A file is not the one that the catalog means; the text says how it differs."""


def read_catalog(path: Path) -> Catalog:
    """Raises ``ConfigError`` with all problems."""
    return load_struct(str(path), Catalog, {}, findings)


def known(catalog: Catalog, name: str, file: Path) -> Model:
    """Raises ``ConfigError`` that names the nearest known one."""
    model = catalog.find(name)
    if model is None:
        names = [model.name for model in catalog.models]
        raise ConfigError([Problem("models", f"there is no {name!r}{meant(name, names)}", file=str(file))])
    return model


def append(path: Path, model: Model) -> None:
    """Puts ``model`` at the end, where comments and order of what is there stay. Raises ``ConfigError``, and changes
    nothing, where the result would be refused."""
    data = {key: value for key, value in plain(model).items() if value != []}
    entry = textwrap.indent(dump({"models": [data]}).removeprefix("models:\n"), "  ")
    making = path.with_name(f".{path.name}.new")
    try:
        making.write_text(path.read_text(encoding="utf-8").rstrip("\n") + "\n\n" + entry, encoding="utf-8")
        read_catalog(making)
        os.replace(making, path)
    except ConfigError as error:
        problems = [Problem(problem.path, problem.message, file=str(path)) for problem in error.problems]
        raise ConfigError(problems) from error
    finally:
        making.unlink(missing_ok=True)


def verify(model: Model, file: Path) -> None:
    """Reads all of ``file``. Raises ``WrongWeights``."""
    wanted = model.file
    if wanted.sha256 is None:
        raise WrongWeights(f"the catalog knows no sha256 of {model.name}: have it from the publisher, and fill it in")
    size = file.stat().st_size
    if size != wanted.size_bytes:
        raise WrongWeights(f"{file} has {size} bytes, {model.name} has {wanted.size_bytes}: download it anew")
    found = sha256_of(file)
    if found != wanted.sha256:
        raise WrongWeights(f"{file} has the sha256 {found}, {model.name} has {wanted.sha256}: do not use it")


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
