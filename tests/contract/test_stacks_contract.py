"""What the Pulumi programs emit, the router loads: three fragments, merged, with the keys that the stacks made."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from llm_infra.clouds import CLOUDS, Cloud
from llm_router.config.fragments import fragment, merge
from llm_router.config.fragments import render as render_config
from llm_router.config.json_schema import fragment_schema
from llm_router.config.load import load
from llm_router.upstream.signing import authority_of
from tests.infra import programs

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_each_stacks_fragment_is_one_for_the_router(cloud: Cloud, stack: str) -> None:
    Draft202012Validator(fragment_schema()).validate(programs.as_shipped(cloud, stack).stack_outputs["routerFragment"])


def test_three_stacks_make_one_configuration_that_the_router_loads(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    stacks = {cloud: programs.as_shipped(cloud, "dev").stack_outputs for cloud in CLOUDS}
    for outputs in stacks.values():
        for name, key in outputs["gateKeys"].items():
            (secrets / name).write_text(key)
    file = tmp_path / "router.yaml"
    parts = [fragment(outputs["routerFragment"]) for outputs in stacks.values()]
    file.write_text(render_config(merge({}, parts), stacks=stacks))
    loaded = load(str(file), {"LLM_ROUTER_SECRETS_DIR": str(secrets)})
    assert not loaded.warnings
    assert [cluster.name for cluster in loaded.config.clusters] == [
        "aws",
        "aws-gpu",
        "azure",
        "azure-gpu",
        "gcp",
        "gcp-gpu",
    ]
    for cluster in loaded.config.clusters:
        host = stacks[cluster.provider]["hosts"]["gpu" if cluster.name.endswith("-gpu") else "cpu"]  # type: ignore[index]
        assert authority_of(cluster.endpoint) == host
        assert cluster.shared_secret == stacks[cluster.provider]["gateKeys"][f"{cluster.name}-gate-key"]  # type: ignore[index]
        assert cluster.key_id == f"{cluster.name}.1"
        least, cold_start_s = (0, 300.0) if cluster.name.endswith("-gpu") else (2, 90.0)
        assert cluster.scaling.min_nodes == least, "GPU pools go to zero"
        assert float(cluster.scaling.cold_start) == cold_start_s


def test_the_router_stack_makes_the_very_file_that_llm_router_merge_would_make(tmp_path: Path) -> None:
    stacks = {f"organization/llm-{cloud}/dev": programs.as_shipped(cloud, "dev").stack_outputs for cloud in CLOUDS}
    made = programs.run("router", "dev", stacks=stacks).stack_outputs
    base = yaml.safe_load((programs.INFRA / "router" / "base.yaml").read_text())
    assert yaml.safe_load(made["routerConfig"]) == merge(base, [fragment(s["routerFragment"]) for s in stacks.values()])
    for name, key in made["gateKeys"].items():
        (tmp_path / name).write_text(key)
    file = tmp_path / "router.yaml"
    (tmp_path / "keys.yaml").write_text("keys: []\n")
    file.write_text(made["routerConfig"].replace("/etc/llm-router/", f"{tmp_path}/"))
    environment = {"LLM_ROUTER_SECRETS_DIR": str(tmp_path), "OPENAI_API_KEY": "sk-0123456789abcdef0123"}
    assert len(load(str(file), environment).config.clusters) == 6
