"""Three clouds, one router: the stacks' outputs become the file that the router serves with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from llm_infra.clouds import CLOUDS
from tests.infra.engine.workspace import Workspace
from tests.router.ports import free_port
from tests.router.processes import Process

pytestmark = [pytest.mark.built, pytest.mark.timeout(300)]


def test_from_three_ups_to_a_configuration_that_the_router_takes(place: Workspace, tmp_path: Path) -> None:
    place.init("router")
    for cloud in CLOUDS:
        place.init(cloud)
    place.up("aws").fine()
    one = place.up("router").fine()
    assert "organization/llm-gcp/dev is not up" in one.output
    assert names(place) == ["aws", "aws-gpu"]

    for cloud in ("gcp", "azure"):
        place.up(cloud).fine()
    place.up("router").fine()
    assert names(place) == ["aws", "aws-gpu", "azure", "azure-gpu", "gcp", "gcp-gpu"]
    place.up("router", "--expect-no-changes").fine()
    the_router_takes_it(place, tmp_path / "served")

    place.config("gcp", "gpuUsdPerHour", "0.111")
    place.up("gcp").fine()
    told = place.pulumi("router", "preview", "--diff").fine().output
    assert "costPerHour : 0.215 => 0.111" in told, "a preview shows what routing would change"

    place.pulumi("aws", "destroy", "--yes", "--skip-preview").fine()
    place.up("router").fine()
    assert names(place) == ["azure", "azure-gpu", "gcp", "gcp-gpu"]


def test_a_stack_that_does_not_exist_is_left_out(place: Workspace) -> None:
    place.init("router")
    told = place.up("router").fine().output
    assert told.count("there is no stack organization/llm-") >= 3
    assert names(place) == []


def names(place: Workspace) -> list[str]:
    config = yaml.safe_load(place.outputs("router")["routerConfig"])
    return [cluster["name"] for cluster in config["clusters"]]


def the_router_takes_it(place: Workspace, folder: Path) -> None:
    folder.mkdir()
    outputs = place.outputs("router")
    for name, key in outputs["gateKeys"].items():
        (folder / name).write_text(key)
    router = [sys.executable, "-m", "llm_router"]
    create = [*router, "keys", "create", "--file", str(folder / "keys.yaml"), "--name", "me"]
    key = subprocess.run(create, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    file = folder / "router.yaml"
    public, admin = free_port(), free_port()
    listeners = f"server: {{port: {public}}}\nadmin: {{port: {admin}}}\n"
    file.write_text(outputs["routerConfig"].replace("/etc/llm-router/", f"{folder}/") + listeners)
    secrets = {"LLM_ROUTER_SECRETS_DIR": str(folder), "OPENAI_API_KEY": "sk-0123456789abcdef0123"}
    with Process([*router, "check", "--config", file], folder / "check.log", secrets) as check:
        assert check.wait() == 0, check.output
        assert "6 clusters" in check.output
    with Process([*router, "serve", "--config", file], folder / "serve.log", secrets) as serving:
        serving.wait_until(lambda: answers(f"http://127.0.0.1:{public}/livez"), deadline_s=60)
        clusters = httpx.get(f"http://127.0.0.1:{admin}/ai/clusters").json()
        listed = httpx.get(f"http://127.0.0.1:{public}/v1/models", headers={"Authorization": f"Bearer {key}"}).json()
    assert all(name in str(clusters) for name in names(place))
    assert {"llama-2-7b-chat", "tinyllama-1.1b-chat"} <= {model["id"] for model in listed["data"]}


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.ConnectError:
        return False


HOST = "router.llm.example.com"


def test_the_name_of_a_machine_comes_follows_it_and_goes(place: Workspace) -> None:
    place.init("router")
    (place.folder / "infra" / "router" / "keys.yaml").write_text(f"keys: [{{name: me, sha256: {'0' * 64}}}]\n")
    given = {"deliver": "vm", "host": HOST, "image": "ghcr.io/example/llm-router:1", "dnsZone": "example.com"}
    for key, value in {**given, "dnsCloud": "aws"}.items():
        place.config("router", key, value)
    told = place.up("router").fine().output
    assert f"{HOST} gets its record once the machine has one" in told
    assert place.cloud.things == {}

    place.config("router", "addresses[0]", "198.51.100.7", "--path")
    assert [(step.op, step.type) for step in place.preview("router") if step.type.endswith("Record")] == [
        ("create", "aws:route53/record:Record")
    ]
    place.up("router").fine()
    place.up("router", "--expect-no-changes").fine()
    assert place.cloud.one("route53/record:Record").inputs["records"] == ["198.51.100.7"]

    place.config("router", "addresses[0]", "198.51.100.9", "--path")
    place.config("router", "addresses[1]", "2001:db8::9", "--path")
    place.up("router").fine()
    assert {thing.inputs["type"]: thing.inputs["records"] for thing in place.cloud.of("route53/record:Record")} == {
        "A": ["198.51.100.9"],
        "AAAA": ["2001:db8::9"],
    }
    assert not [deed for deed in place.cloud.deeds if deed[0] == "delete"], "the record was changed where it is"

    for cloud, kind in (("gcp", "dns/recordSet:RecordSet"), ("azure", "azure-native:dns:RecordSet")):
        place.config("router", "dnsCloud", cloud)
        if cloud == "azure":
            place.config("router", "dnsResourceGroup", "names")
        place.up("router").fine()
        assert len(place.cloud.of(kind)) == len(place.cloud.things) == 2, "the other cloud's are gone"
        place.up("router", "--expect-no-changes").fine()
    place.pulumi("router", "destroy", "--yes", "--skip-preview").fine()
    assert place.cloud.things == {}


def test_a_zone_that_is_not_there_stops_the_preview(place: Workspace) -> None:
    place.init("router")
    (place.folder / "infra" / "router" / "keys.yaml").write_text(f"keys: [{{name: me, sha256: {'0' * 64}}}]\n")
    given = {"deliver": "vm", "host": "router.example.org", "image": "ghcr.io/example/llm-router:1"}
    for key, value in {**given, "dnsCloud": "aws", "dnsZone": "example.org"}.items():
        place.config("router", key, value)
    place.config("router", "addresses[0]", "198.51.100.7", "--path")
    told = place.pulumi("router", "preview").refused().output
    assert "dnsZone: Route 53 does not tell of a public zone example.org (" in told
    assert "no matching Route 53 Hosted Zone found" in told
    assert "Traceback" not in told
