"""Grafana's dashboard over a running demo: a real Prometheus scrapes it, and every panel has something to show."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator

import httpx
import pytest
import yaml

from tests.charts.helm import CHARTS
from tests.e2e.conftest import Demo
from tests.router.ports import free_port
from tests.router.processes import Process, answers

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PANELS = json.loads((CHARTS / "router/files/dashboard.json").read_text())["panels"]
QUERIES = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]


def configured(demo: Demo, kind: str) -> dict[str, dict[str, str]]:
    """The files of the demo's gates or exporters, by pool."""
    files = sorted(demo.folder.rglob(f"*-{kind}.yaml"))
    return {file.name.removesuffix(f"-{kind}.yaml"): yaml.safe_load(file.read_text()) for file in files}


def scrape_configs(demo: Demo) -> list[dict[str, object]]:
    """As the charts' monitors have it: gates do not know their pool's name, PodMonitors write it beside."""
    gates = [
        {"targets": [each["metrics"]], "labels": {"pool": name}} for name, each in configured(demo, "gate").items()
    ]
    exporters = [{"targets": [each["listen"]]} for each in configured(demo, "exporter").values()]
    assert len(gates) == len(exporters) == 4
    router = [{"targets": [demo.url.removeprefix("http://")]}]
    return [
        {"job_name": "router", "static_configs": router},
        {"job_name": "gates", "static_configs": gates},
        {"job_name": "exporters", "static_configs": exporters, "honor_labels": True},
    ]


@pytest.fixture(scope="module")
def prometheus(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Has seen each target before and after some questions."""
    program = shutil.which("prometheus")
    assert program is not None, "there is no Prometheus: sudo apt-get install prometheus"
    folder = tmp_path_factory.mktemp("prometheus")
    config = {"global": {"scrape_interval": "500ms"}, "scrape_configs": scrape_configs(demo)}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    flags = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    command = [program, *flags, f"--web.listen-address=127.0.0.1:{port}"]
    with (
        Process(command, folder / "prometheus.log") as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        process.wait_until(lambda: answers(f"http://127.0.0.1:{port}/-/ready"))
        process.wait_until(lambda: len(found(client, "count_over_time(up[1m]) >= 2")) == 9)
        ask(demo)
        process.wait_until(lambda: len(found(client, "count_over_time(up[1m]) >= 6")) == 9)
        yield client


def ask(demo: Demo) -> None:
    """Questions that are answered, one that nobody may answer, and one that a gate refuses."""
    url, body = f"{demo.url}/v1/chat/completions", {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}
    for _ in range(4):
        assert httpx.post(url, json=body, trust_env=False).is_success
    assert httpx.post(url, json=body, headers={"x-llm-region": "antarctica-1"}, trust_env=False).is_error
    gate = next(iter(configured(demo, "gate").values()))["listen"]
    assert httpx.get(f"http://{gate}/v1/models", trust_env=False).status_code == 401


def found(prometheus: httpx.Client, query: str) -> list[float]:
    """The values now."""
    said = prometheus.get("/api/v1/query", params={"query": query}).json()
    assert said["status"] == "success", said
    return [float(each["value"][1]) for each in said["data"]["result"]]


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_a_panel_has_something_to_show(prometheus: httpx.Client, title: str, query: str) -> None:
    assert any(not math.isnan(value) for value in found(prometheus, query)), title
