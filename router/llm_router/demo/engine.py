"""Runs llama.cpp's own HTTP server in this process: one "cluster node" of the demo and of the tests.

    LLAMA_API_KEY=… python -m llm_router.demo.engine --model F.gguf --port 8081 --alias tinyllama

The server is llama.cpp's C++ code out of the ``xllamacpp`` wheel: paths, metrics, errors and streams are the real
ones, ``/health`` answers 503 while the model loads and 200 from then on. ``--engine llama-cpp-python`` runs the server
of that package instead (extra ``local``): one request at a time, no ``/metrics``, no usage in streams.

The API key comes from the environment or a file, never from the command line, which every user of a machine can read.
Exit codes: 0 after SIGTERM or SIGINT, 1 where the server could not start, 2 for a wrong command line.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

API_KEY_VARIABLE = "LLAMA_API_KEY"
_GGUF_MAGIC = b"GGUF"


class EngineError(Exception):
    """The engine cannot start; the text says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How to serve one model. ``context_tokens`` is shared out evenly among ``slots``."""

    model: Path
    host: str
    port: int
    alias: str
    api_key: str | None
    slots: int
    context_tokens: int
    threads: int
    embeddings: bool
    verbose: bool


def check_model(path: Path) -> None:
    """Raises ``EngineError`` unless ``path`` is a readable file that begins as GGUF files do."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(_GGUF_MAGIC))
    except OSError as error:
        raise EngineError(f"cannot read the model {path}: {error.strerror}") from error
    if magic != _GGUF_MAGIC:
        raise EngineError(f"{path} is not a GGUF file: llama.cpp loads models in that format only")


def check_port(host: str, port: int) -> None:
    """Raises ``EngineError`` where nobody can listen on ``host`` and ``port`` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server itself does: connections of an earlier run that linger in TIME_WAIT are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise EngineError(
                f"cannot listen on {host} port {port}: {error.strerror}; choose another port, or end what uses it"
            ) from error


def run_llama_cpp(options: EngineOptions) -> NoReturn:
    """Serves with llama.cpp's own server until a signal ends the process."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(options.model)
    params.model_alias = {options.alias}
    params.hostnames = [options.host]
    params.port = options.port
    params.api_keys = [options.api_key] if options.api_key else []
    params.n_parallel = options.slots
    params.n_ctx = options.context_tokens
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.threads
    params.endpoint_metrics = True
    params.ui = False
    params.embedding = options.embeddings
    if options.embeddings:
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.verbosity = 3 if options.verbose else 2
    # The constructor loads the model, and no handler in Python runs before it is back: SIGINT's own action ends it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        raise EngineError(f"llama.cpp did not start with {options.model}: see its messages above") from error
    _leave_on_signals()
    print(f"serving {options.alias} on {server.listening_address}", flush=True)
    while True:
        signal.pause()


def run_llama_cpp_python(options: EngineOptions) -> NoReturn:
    """Serves with llama-cpp-python's FastAPI server, with ``/health`` added, until a signal ends the process."""
    import uvicorn
    from llama_cpp.server.app import create_app
    from llama_cpp.server.settings import ModelSettings, ServerSettings

    model = ModelSettings(
        model=str(options.model),
        model_alias=options.alias,
        n_ctx=options.context_tokens // options.slots,
        n_threads=options.threads,
        n_threads_batch=options.threads,
        verbose=options.verbose,
    )
    # With its default a new request would end the running one's stream as if it were complete.
    server = ServerSettings(host=options.host, port=options.port, api_key=options.api_key, interrupt_requests=False)
    try:
        app = create_app(server_settings=server, model_settings=[model])
    except ValueError as error:
        raise EngineError(f"llama-cpp-python did not start with {options.model}: {error}") from error
    app.add_api_route("/health", lambda: {"status": "ok"})
    _leave_on_signals()
    uvicorn.run(app, host=options.host, port=options.port, log_level="info" if options.verbose else "warning")
    os._exit(0)


def _leave_on_signals() -> None:
    """Ends the process at once: the C++ server's destructor would wait until each queued client has hung up."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: os._exit(0))


def _end_with_parent() -> None:
    """Ends this process soon after the one that started it, even where that one was killed and could tell nobody."""
    parent = os.getppid()

    def watch() -> NoReturn:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(0)

    threading.Thread(target=watch, daemon=True, name="parent watch").start()


@dataclass(frozen=True, slots=True)
class Engine:
    """``package`` is what it imports, ``how_to_get`` what to do where that is not installed. ``counts`` says that it
    tells what it does: how fast a pool is can be measured."""

    run: Callable[[EngineOptions], NoReturn]
    package: str
    how_to_get: str
    counts: bool = True


ENGINES: Mapping[str, Engine] = {
    "xllamacpp": Engine(run_llama_cpp, "xllamacpp", "make demo, or the package's extra demo, installs it"),
    "llama-cpp-python": Engine(
        run_llama_cpp_python,
        "llama_cpp",
        "make demo ARGS='--engine llama-cpp-python', or the package's extra local, compiles it, which takes minutes "
        "and a C++ compiler",
        counts=False,
    ),
}


def check_installed(engine: str) -> None:
    """Raises ``EngineError`` where the engine's package is not there."""
    if importlib.util.find_spec(ENGINES[engine].package) is None:
        raise EngineError(f"the package {engine} is not installed: {ENGINES[engine].how_to_get}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; only comes back where the server could not start."""
    parser = _parser()
    args = parser.parse_args(arguments)
    try:
        check_installed(args.engine)
        check_model(args.model)
        check_port(args.host, args.port)
        options = EngineOptions(
            model=args.model,
            host=args.host,
            port=args.port,
            alias=args.alias,
            api_key=_api_key(args.api_key_file, os.environ),
            slots=args.parallel,
            context_tokens=args.ctx_size,
            threads=args.threads,
            embeddings=args.embeddings,
            verbose=args.verbose,
        )
        if args.end_with_parent:
            _end_with_parent()
        ENGINES[args.engine].run(options)
    except EngineError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="llm_router.demo.engine",
        description="Serve one GGUF model with llama.cpp's own HTTP server.",
        epilog=f"The API key is taken from ${API_KEY_VARIABLE} or --api-key-file; without one the server is open.",
    )
    parser.add_argument("--model", type=Path, required=True, metavar="F", help="GGUF file")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, required=True, metavar="P")
    parser.add_argument("--alias", required=True, metavar="NAME", help="model name to answer with")
    parser.add_argument("--api-key-file", type=Path, metavar="F", help="file that holds the API key")
    parser.add_argument("--parallel", type=_count, default=4, metavar="N", help="slots (default: %(default)s)")
    parser.add_argument("--ctx-size", type=_count, default=8192, metavar="N", help="tokens of all slots together")
    parser.add_argument("--threads", type=_count, default=1, metavar="N", help="of computation (default: %(default)s)")
    parser.add_argument("--embeddings", action="store_true", help="answer /v1/embeddings, and no chats")
    parser.add_argument("--engine", choices=list(ENGINES), default="xllamacpp", help="(default: %(default)s)")
    parser.add_argument("--end-with-parent", action="store_true", help="end when the process that started this ends")
    parser.add_argument("--verbose", action="store_true", help="log each request")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _api_key(file: Path | None, environ: Mapping[str, str]) -> str | None:
    if file is None:
        return environ.get(API_KEY_VARIABLE) or None
    try:
        return file.read_text().strip() or None
    except OSError as error:
        raise EngineError(f"cannot read the API key from {file}: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
