"""Stands in for Pulumi's language host of Python, whose program no package registry has.

The engine starts it as ``pulumi-language-python``, or is told where it is ``attached``, and asks it over gRPC to run
programs and policy packs. It runs them by Pulumi's own script (``pulumi-language-python-exec``), in the virtual
environment that Pulumi.yaml names.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from tests.infra.engine.warm_python import SOCKET, Program

#: What the script exits with when it has shown the error already.
_ERROR_SHOWN = 32
SCRIPT = "LANGUAGE_HOST_SCRIPT"


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    def __init__(self, engine: str, environment: Mapping[str, str]) -> None:
        self._engine = engine
        self._environment = environment
        self._running: set[Program] = set()

    def Handshake(self, request: Any, context: Any) -> Any:
        self._engine = request.engine_address or self._engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="3.250.0")

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        # Providers are attached by the tests; nothing is to be looked for.
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request: Any, context: Any) -> Any:
        return language_pb2.GetRequiredPluginsResponse()

    def Run(self, request: Any, context: Any) -> Any:
        options = {
            "monitor": request.monitor_address,
            "engine": self._engine,
            "project": request.project,
            "root_directory": request.info.root_directory,
            "stack": request.stack,
            "pwd": request.pwd,
            "dry_run": "true" if request.dryRun else "false",
            "parallel": str(request.parallel),
            "organization": request.organization,
        }
        _check_virtualenv(request.info)
        command = [self._environment[SCRIPT]]
        for name, value in options.items():
            if value:
                command += [f"--{name}", value]
        config = {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        program = self._start([*command, request.info.entry_point, *request.args], {**self._environment, **config})
        code = program.wait()
        self._running.discard(program)
        if code == _ERROR_SHOWN:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(error=f"the program exited with {code}" if code else "")

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:
        """A policy pack: its first line is the port that it listens on."""
        _check_virtualenv(request.info)
        environment = {**self._environment, **dict(variable.split("=", 1) for variable in request.env)}
        pack = request.info.program_directory
        reading, writing = os.pipe()
        with open(reading, "rb") as told:
            plugin = self._start([pack, *request.args], environment, root=pack, folder=request.pwd, output=writing)
            os.close(writing)
            context.add_callback(plugin.kill)
            for line in told:
                yield language_pb2.RunPluginResponse(stdout=line)
        yield language_pb2.RunPluginResponse(exitcode=plugin.wait())

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:
        yield language_pb2.InstallDependenciesResponse(stdout=b"")

    def About(self, request: Any, context: Any) -> Any:
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        return language_pb2.GetProgramDependenciesResponse()

    def Cancel(self, request: Any, context: Any) -> Any:
        self.stop()
        return empty_pb2.Empty()

    def stop(self) -> None:
        for program in list(self._running):
            program.kill()

    def _start(self, arguments: list[str], environment: Mapping[str, str], **more: Any) -> Program:
        program = Program(self._environment[SOCKET], arguments, environment, **more)
        self._running.add(program)
        return program


def _check_virtualenv(info: Any) -> None:
    """It is there, where one is named; what is in it, the warm Python has imported."""
    chosen = dict(info.options).get("virtualenv")
    if chosen and not Path(info.root_directory, chosen, "bin", "python").exists():
        raise RuntimeError(f"virtualenv {chosen}: it has no bin/python")


def main(arguments: list[str]) -> None:
    host = LanguageHost(arguments[-1] if arguments else "", os.environ)
    server, port = _serving(host, futures.ThreadPoolExecutor(8))
    print(port, flush=True)

    def end(*_: Any) -> None:
        host.stop()
        os._exit(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    server.wait_for_termination()


@contextmanager
def attached(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The environment of one command whose engine finds a language host here, and starts none."""
    host = LanguageHost("", environment)
    with futures.ThreadPoolExecutor(8) as threads:
        server, port = _serving(host, threads)
        try:
            yield {**environment, "PULUMI_DEBUG_LANGUAGES": f"python:{port}"}
        finally:
            host.stop()
            server.stop(None).wait()


def _serving(host: LanguageHost, threads: futures.ThreadPoolExecutor) -> tuple[grpc.Server, int]:
    server = grpc.server(threads, options=[("grpc.max_receive_message_length", 400 << 20)])
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


if __name__ == "__main__":
    main([argument for argument in sys.argv[1:] if not argument.startswith("-")])
