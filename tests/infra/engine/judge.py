"""Judges inputs in a fork of the warm Python: the SDKs that say what is right take seconds to import elsewhere."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

from tests.infra.emulation import check, sdk
from tests.infra.engine.warm_python import Program

ROOT = Path(__file__).parents[3]


class Judge:
    """``warm``: the socket of the warm Python beside which one is ``judging``."""

    def __init__(self, warm: Path) -> None:
        self._connection = Client(_socket(warm), family="AF_UNIX")
        self._lock = threading.Lock()

    def close(self) -> None:
        self._connection.close()

    def properties(self, package: str, token: str) -> frozenset[str]:
        """Names of a type's inputs; none where there is no such type."""
        return self._asked("properties", package, token)  # type: ignore[no-any-return]

    def problems(self, package: str, token: str, inputs: dict[str, Any]) -> list[str]:
        """As ``check.problems`` has it."""
        return self._asked("problems", package, token, inputs)  # type: ignore[no-any-return]

    def _asked(self, *question: Any) -> Any:
        with self._lock:
            self._connection.send(question)
            answer = self._connection.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


@contextmanager
def judging(warm: Path) -> Iterator[None]:
    reading, writing = os.pipe()
    program = Program(str(warm), [__file__, _socket(warm)], os.environ, root=str(ROOT), output=writing)
    os.close(writing)
    with open(reading) as told:
        assert told.readline() == "ready\n"
        try:
            yield
        finally:
            program.kill()
            program.wait()


def _socket(warm: Path) -> str:
    return f"{warm}-judge"


def main(path: str) -> None:
    with Listener(path, family="AF_UNIX") as listener:
        print("ready", flush=True)
        while True:
            threading.Thread(target=_answer, args=(listener.accept(),), daemon=True).start()


def _answer(asker: Connection) -> None:
    with closing(asker):
        while True:
            try:
                kind, package, token, *inputs = asker.recv()
            except EOFError:
                return
            try:
                asker.send(_problems(package, token, *inputs) if kind == "problems" else _properties(package, token))
            except LookupError as error:
                asker.send(error)


def _problems(package: str, token: str, inputs: dict[str, Any]) -> list[str]:
    return check.problems(sdk.package(package), token, inputs)


def _properties(package: str, token: str) -> frozenset[str]:
    args = sdk.package(package).arguments(token)
    return frozenset(sdk.properties(args) if args is not None else ())


if __name__ == "__main__":
    main(sys.argv[1])
