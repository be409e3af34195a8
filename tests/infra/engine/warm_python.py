"""A Python that has the SDKs imported already, and forks for each program: most of a run's time would be that import.

Whoever starts a program sends its arguments, environment and output, gets its process id and at last its exit code, and
takes the program along when it ends before. Nothing of Pulumi is started before the fork, so that each program begins
as in a fresh interpreter. The engine's language host is started so, too: ``python warm_python.py host SCRIPT …``.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

#: Where a test runs one, the language host finds its socket here.
SOCKET = "LANGUAGE_HOST_WARM_PYTHON"
_MODULES = (
    "llm_infra.aws.platform",
    "llm_infra.gcp.platform",
    "llm_infra.azure.platform",
    "llm_infra.router.stack",
    "llm_policy.pack",
)


class Program:
    """One that runs in a fork, as ``subprocess.Popen`` has it.

    ``arguments``: the script and what it is given; ``root``: where it imports from first, else its own folder;
    ``folder``: where it runs; ``output``: its standard output.
    """

    def __init__(
        self,
        path: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        root: str = "",
        folder: str = "",
        output: int = 1,
    ) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        root = root or str(Path(arguments[0]).parent)
        told = {"arguments": list(arguments), "environment": dict(environment), "root": root, "folder": folder}
        message = json.dumps(told).encode()
        socket.send_fds(self._socket, [len(message).to_bytes(4, "big")], [output, 2])
        self._socket.sendall(message)
        self._answers = self._socket.makefile()
        self._answers.readline()

    def wait(self) -> int:
        """1, too, where it was killed before it could say."""
        code = int(self._answers.readline() or 1)
        self._socket.close()
        return code

    def kill(self) -> None:
        """Ends with the connection: its process id might be somebody else's by now."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


def main(path: str) -> None:
    """Until its standard input ends, as it does when the tests do, however they end."""
    # All that is imported stays: looking through it for garbage takes a fifth of the time.
    gc.disable()
    for module in _MODULES:
        importlib.import_module(module)
    _drop_what_the_engine_would()
    _load_what_is_lazy()
    gc.freeze()
    gc.enable()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        print("ready", flush=True)
        while sys.stdin not in select.select([server, sys.stdin], [], [])[0]:
            client, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _run(client)
            client.close()
            # Those that are through: what they cost counts as this process' own.
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _drop_what_the_engine_would() -> None:
    """Unless it is told to be verbose: each of a program's five hundred debug messages is a call over gRPC."""
    vars(importlib.import_module("pulumi.log"))["debug"] = lambda *_, **__: None


def _load_what_is_lazy() -> None:
    """The SDKs' modules load when an attribute is asked for: without this in every program anew, seconds each time."""
    for name in [name for name in sys.modules if name.startswith("llm_infra")]:
        for imported in vars(sys.modules[name]).values():
            if isinstance(imported, ModuleType):
                hasattr(imported, "any attribute")


def _run(client: socket.socket) -> None:
    """Never returns: what the parent was about to do is not this process' business."""
    size, outputs, _, _ = socket.recv_fds(client, 4, 2)
    message = json.loads(_received(client, int.from_bytes(size, "big")))
    client.sendall(f"{os.getpid()}\n".encode())
    # A session of its own, as the language host gives every program.
    os.setsid()
    for given, standard in zip(outputs, (1, 2), strict=True):
        os.dup2(given, standard)
        os.close(given)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.chdir(message["folder"] or ".")
    os.environ.clear()
    os.environ.update(message["environment"])
    sys.argv = message["arguments"]
    sys.path[0] = message["root"]
    threading.Thread(target=_end_with, args=(client,), daemon=True).start()
    code = _code_of(sys.argv[0])
    sys.stdout.flush()
    sys.stderr.flush()
    client.sendall(f"{code}\n".encode())
    os._exit(code)


def _end_with(client: socket.socket) -> None:
    try:
        client.recv(1)
    finally:
        # Also where the connection is reset, by one that was killed before it read what it was sent.
        os._exit(1)


def _code_of(script: str) -> int:
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _received(client: socket.socket, size: int) -> bytes:
    message = b""
    while len(message) < size:
        message += client.recv(size - len(message))
    return message


def host(arguments: Sequence[str]) -> None:
    """Starts a script and stays as long as it does, or until it is told to end, or who started it has gone."""
    starter = os.getppid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    program = Program(os.environ[SOCKET], arguments, os.environ, root=str(Path(__file__).parents[3]))
    threading.Thread(target=_end_after, args=(starter,), daemon=True).start()
    sys.exit(program.wait())


def _end_after(starter: int) -> None:
    """A Pulumi that is killed tells nobody."""
    while os.getppid() == starter:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    if sys.argv[1] == "host":
        host(sys.argv[2:])
    else:
        main(sys.argv[1])
