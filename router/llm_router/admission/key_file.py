"""The file of API keys: digests, names and scopes; never a key.

A change replaces the file as a whole, one writer at a time, readable by its owner alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from ..config.checks.limits import empty_budget
from ..config.decode import decode
from ..config.findings import Finding, show
from ..config.load import load_struct
from ..config.masked import plain
from ..config.scalars import ModelName, Name, Tag, Text
from ..config.schema import Base, Budget, RateLimit, Strategy
from ..config.secrets import KeepReferences
from ..config.yaml_writer import dump
from ..errors import ConfigError, Problem
from .keys import RANDOM_BYTES, ApiKey, digest, make_key
from .load import Criticality

HEADER = "# API keys: digests only. llm-router keys rewrites the whole file.\n"

_Sha256 = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{64}$", description="the 64 hexadecimal digits that llm-router keys create wrote")
]


class KeyEntry(Base):
    name: Annotated[Name, "Whose key it is; shown in logs, where the key never is."]
    sha256: _Sha256
    models: Annotated[tuple[ModelName, ...], Meta(min_length=1)] | None = None
    targets: Annotated[tuple[Text, ...], Meta(min_length=1)] | None = None
    strategies: Annotated[tuple[Strategy, ...], "Those that X-LLM-Strategy may ask for; [] for none."] | None = None
    tags: tuple[Tag, ...] = ()
    expires: str | None = None
    criticality: Annotated[
        Criticality, "Who is refused first under too much load: sheddable, then default, then critical."
    ] = "default"
    limits: Annotated[RateLimit | None, "What may be used with it; above it 429."] = None
    budget: Annotated[Budget | None, "What may be spent with it; above it 402."] = None


class KeyFile(Base):
    keys: tuple[KeyEntry, ...] = ()


def load_keys(path: str | Path) -> tuple[ApiKey, ...]:
    """Raises ``ConfigError`` with all problems."""
    return tuple(_api_key(entry) for entry in _read(Path(path)))


def create(
    path: str | Path,
    name: str,
    *,
    models: Collection[str] | None = None,
    targets: Collection[str] | None = None,
    strategies: Collection[str] | None = None,
    tags: Collection[str] | None = None,
    expires: str | None = None,
    criticality: Criticality = "default",
    limits: Mapping[str, int] | None = None,
    budget: Mapping[str, float] | None = None,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> str:
    """Adds a key and returns it: the only time that anybody sees it. Makes the file where there is none.

    ``expires`` is a day, which is the last one (UTC), or a moment with its time zone, in ISO 8601; ``limits``
    and ``budget`` are as in the file. Raises ``ConfigError`` for a name that is taken, for scopes that make no sense,
    and for a file in disorder.
    """
    key = make_key(random(RANDOM_BYTES))
    scopes = {"models": models, "targets": targets, "strategies": strategies, "tags": tags}
    data: dict[str, Any] = {"name": name, "sha256": digest(key), "expires": expires, "criticality": criticality}
    data |= {section: stated for section, stated in (("limits", limits), ("budget", budget)) if stated}
    data |= {scope: sorted(names) for scope, names in scopes.items() if names is not None}
    with _locked(Path(path)) as file:
        entry = _entry(data, file)
        entries = _read(file) if file.exists() else ()
        if any(other.name == name for other in entries):
            raise _refused(file, f"a key called {name} is there already: revoke it first, or choose another name")
        _replace(file, (*entries, entry))
    return key


def revoke(path: str | Path, name: str) -> None:
    """Takes a key out. Raises ``ConfigError`` where there is none of that name."""
    with _locked(Path(path)) as file:
        entries = _read(file)
        kept = tuple(entry for entry in entries if entry.name != name)
        if len(kept) == len(entries):
            known = ", ".join(entry.name for entry in entries) or "none"
            raise _refused(file, f"no key is called {name}; known are {known}")
        _replace(file, kept)


# ---------------------------------------------------------------- reading


def _read(file: Path) -> tuple[KeyEntry, ...]:
    return load_struct(str(file), KeyFile, {}, _findings).keys


def _findings(content: KeyFile) -> Iterator[Finding]:
    names: set[str] = set()
    digests: dict[str, str] = {}
    for i, entry in enumerate(content.keys):
        if entry.name in names:
            yield Finding(("keys", i, "name"), f"a key is called {entry.name} already: choose another name")
        names.add(entry.name)
        first = digests.setdefault(entry.sha256, entry.name)
        if first != entry.name:
            yield Finding(("keys", i, "sha256"), f"this is the key of {first}: create one of its own")
        yield from _expiry_findings(("keys", i, "expires"), entry)
        yield from empty_budget(("keys", i, "budget"), entry.budget)


def _expiry_findings(path: tuple[str | int, ...], entry: KeyEntry) -> Iterator[Finding]:
    try:
        _expiry(entry.expires)
    except (ValueError, OverflowError):
        yield Finding(path, "must be a day such as 2030-12-31, or a moment such as 2030-12-31T18:00:00Z")


def _expiry(text: str | None) -> float | None:
    """The Unix time from which a key is refused."""
    if text is None:
        return None
    if len(text) == len("2030-12-31"):
        after = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC) + timedelta(days=1)
        return after.timestamp()
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.timestamp()


def _api_key(entry: KeyEntry) -> ApiKey:
    return ApiKey(
        name=entry.name,
        sha256=entry.sha256,
        models=None if entry.models is None else frozenset(entry.models),
        targets=None if entry.targets is None else frozenset(entry.targets),
        strategies=None if entry.strategies is None else frozenset(entry.strategies),
        tags=frozenset(entry.tags),
        expires=_expiry(entry.expires),
        criticality=entry.criticality,
        limits=entry.limits,
        budget=entry.budget,
    )


def _entry(data: dict[str, Any], file: Path) -> KeyEntry:
    decoded = decode(data, KeyEntry, KeepReferences())
    problems = list(decoded.problems)
    if decoded.value is not None:
        problems += _expiry_findings(("expires",), decoded.value)
        problems += empty_budget(("budget",), decoded.value.budget)
    if decoded.value is None or problems:
        raise ConfigError([Problem(show(path), message, file=str(file)) for path, message in problems])
    return decoded.value


# ---------------------------------------------------------------- writing


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[Path]:
    """The file itself, behind links, with its directory locked against other writers."""
    file = path.resolve()
    try:
        directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _refused(
            file, f"its directory can not be opened: {(error.strerror or 'unknown reason').lower()}"
        ) from None
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(directory)


def _replace(file: Path, entries: tuple[KeyEntry, ...]) -> None:
    """A reader sees the old file or the new one, never a part; a crash leaves one of the two."""
    text = HEADER + dump({"keys": [_plain(entry) for entry in entries]})
    try:
        # mkstemp makes the file with mode 0600.
        handle, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, file)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise _refused(file, f"can not be written: {(error.strerror or 'unknown reason').lower()}") from None


def _plain(entry: KeyEntry) -> dict[str, Any]:
    # An empty list of strategies forbids them all; of tags it says nothing.
    return {key: value for key, value in plain(entry).items() if value or key == "strategies"}


def _refused(file: Path, message: str) -> ConfigError:
    return ConfigError([Problem("", message, file=str(file))])
