"""What all tests of the router may share: the tiny models, a running llama.cpp, a real Kubernetes API server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llm_router.demo.models import Models
from llm_router.demo.models import tiny_models as make_tiny_models
from tests.router.canaries import Canaries, joined
from tests.router.discovery.kube_server import ApiServer, running_api_server
from tests.router.llama import Llama, running_llama
from tests.router.processes import Process


@pytest.fixture(scope="session")
def tiny_models(request: pytest.FixtureRequest) -> Models:
    """The paths of both tiny GGUF models, made once into the user's cache and said so."""
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    return make_tiny_models(lambda line: terminal.write_line(line) if terminal else None)


@pytest.fixture(scope="session")
def llama(tiny_models: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Llama]:
    """One llama.cpp with the small model, 4 slots of 2048 tokens, for the whole session: leave no request running."""
    with running_llama(tiny_models.small, tmp_path_factory.mktemp("llama") / "llama.log") as server:
        yield server


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running_api_server(tmp_path_factory.mktemp("kubernetes")) as server:
        yield server


@pytest.fixture(scope="session")
def canaries() -> Iterator[Canaries]:
    """Looks for the tests' secrets in all that is answered and logged from now on."""
    watcher = Canaries()
    with watcher.watching():
        yield watcher


@pytest.fixture(autouse=True)
def no_secret_gets_out(canaries: Canaries, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails the test in which one did. Programs log all that they can."""

    def scan(process: Process) -> None:
        if "llm_router.demo.standins" not in process.command:  # they say at the start which keys they take
            canaries.scan_file(process.log)

    monkeypatch.setattr(Process, "ended", scan)
    monkeypatch.setenv("LOG_LEVEL", "debug")
    yield
    if found := canaries.found.copy():
        canaries.found.clear()
        pytest.fail(joined(found))
