"""What keeps records at rest: the protocol of a store, its errors, and which URL means which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from ...config.checks.ledger import backend_of, fault_of
from ...errors import ConfigError, Problem, RouterError
from ...pricing.records import Record
from ...pricing.savings import Query, Tallies


class StoreUnavailable(RouterError):
    """The store does not answer, or not as it should: worth another try. The text names no secret."""


class RecordsRefused(RouterError):
    """The store is well and does not take these records."""


class Store(Protocol):
    """Every method blocks, may be called from any thread, and raises ``StoreUnavailable``."""

    backend: str

    def write(self, records: Sequence[Record]) -> None:
        """Keeps each of the records, once: one whose request is known already changes nothing. All or nothing. Without
        records it makes sure that the store is there.

        Raises ``RecordsRefused`` where another try is of no use."""

    def tallies(self, query: Query) -> Tallies: ...

    def export(self, query: Query) -> Iterator[dict[str, Any]]:
        """The lines of ``pricing.records.exported`` in order of settlement."""

    def delete_before(self, unix_time: float) -> int:
        """Deletes what was settled before; how many records that were."""

    def close(self) -> None: ...


_NEEDED = {
    "sqlite": ("sql", ("sqlalchemy",)),
    "postgresql": ("sql", ("sqlalchemy", "psycopg")),
    "redis": ("redis", ("redis",)),
}


def open_store(url: str, *, folder: Path, must_exist: bool = False) -> Store:
    """The store that ``url`` names; nothing is connected to yet. A relative file counts from ``folder``;
    ``must_exist`` refuses to make one.

    Raises ``ConfigError`` for what is no URL, and where the libraries that it takes are not installed.
    """
    backend = backend_of(url)
    fault = fault_of(url)
    if fault is not None or backend is None:
        raise _refused(fault or "this is no ledger's URL")
    extra, modules = _NEEDED[backend]
    if any(find_spec(module) is None for module in modules):
        raise _refused(f"a ledger in {backend} takes the extra {extra}: pip install 'multicloud-llm-router[{extra}]'")
    if backend == "redis":
        from .redis import RedisStore

        return RedisStore(url)
    from .sql import SqlStore, file_engine, server_engine

    if backend == "postgresql":
        return SqlStore(backend, server_engine(url))
    file = folder / url.removeprefix("sqlite:///")
    if must_exist and not file.is_file():
        raise _refused(f"there is no file {file}")
    if not file.parent.is_dir():
        raise _refused(f"there is no directory {file.parent}: make it first")
    return SqlStore(backend, file_engine(file))


def _refused(message: str) -> ConfigError:
    return ConfigError([Problem("ledger.url", message)])
