"""The router stack's program, step by step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
from pulumi_kubernetes.provider import Provider

from ..errors import Problem, SettingsError
from ..stack import config_value, given_keys
from . import cloud_init, merging, settings, stacks
from .dns import Dns, is_under
from .on_kubernetes import RouterOnKubernetes, RouterOnKubernetesArgs
from .records import RouterRecords, RouterRecordsArgs
from .settings import RouterSettings
from .stacks import Stack

SCHEMA_FILE = Path(__file__).parents[3] / "router" / "router.schema.json"


def run(folder: Path) -> None:
    """``folder`` holds base.yaml and keys.yaml."""
    try:
        chosen = settings.load(config_value, folder, given_keys())
        clouds = stacks.read(chosen.stacks)
        config = _merged(chosen, clouds)
        if chosen.dns is not None:
            _must_be_found(chosen.host, chosen.dns, clouds)
    except SettingsError as error:
        lines = "\n".join(f"  {problem}" for problem in error.problems)
        raise pulumi.RunError(f"the router's configuration cannot be made:\n{lines}") from None
    gate_keys = _gate_keys(clouds)
    environment = pulumi.Config("llm-router").get_secret_object("providerKeys") or pulumi.Output.secret({})
    pulumi.export("routerConfig", config)
    pulumi.export("gateKeys", gate_keys)
    pulumi.export("delegations", pulumi.Output.all(*(cloud.name_servers for cloud in clouds)).apply(_joined))
    if chosen.delivery == "kubernetes":
        _on_kubernetes(chosen, clouds, config, gate_keys, environment)
    if chosen.delivery == "vm":
        pulumi.export("cloudInit", _cloud_init(chosen, config, gate_keys, environment))
        if chosen.dns is not None:
            _publish(chosen.host, chosen.dns)


def _merged(chosen: RouterSettings, clouds: list[Stack]) -> str:
    schema = json.loads(SCHEMA_FILE.read_text())
    base = chosen.base
    if chosen.delivery == "kubernetes":
        # Elsewhere the router keeps to loopback, behind a proxy of its own machine.
        server = {"host": "0.0.0.0", **(base.get("server") or {})}  # noqa: S104 - in a pod
        admin = {**(base.get("admin") or {}), "metrics": "0.0.0.0:9464", "metricsToken": "${METRICS_TOKEN}"}
        base = {**base, "server": server, "admin": admin}
    config = merging.merged(base, [cloud.fragment for cloud in clouds], schema)
    return merging.text(config, [cloud.cloud for cloud in clouds])


def _gate_keys(clouds: list[Stack]) -> pulumi.Output[dict[str, str]]:
    return pulumi.Output.secret(pulumi.Output.all(*(cloud.gate_keys for cloud in clouds)).apply(_joined))


def _joined(parts: list[Any]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


def _on_kubernetes(
    chosen: RouterSettings,
    clouds: list[Stack],
    config: str,
    gate_keys: pulumi.Output[dict[str, str]],
    environment: pulumi.Output[Mapping[str, str]],
) -> None:
    found = [cloud for cloud in clouds if cloud.cloud == chosen.on_cloud]
    if not found:
        raise pulumi.RunError(f"onCloud: no stack of {chosen.on_cloud} is up: name one of {[c.cloud for c in clouds]}")
    if chosen.host not in found[0].hosts:
        raise pulumi.RunError(
            f"host: {found[0].name} has no DNS zone and no certificate for {chosen.host}: in infra/{chosen.on_cloud} "
            f"pulumi config set routerHost {chosen.host}, pulumi up, then this again"
        )
    provider = Provider(
        "router", kubeconfig=found[0].kubeconfig, cluster_identifier=found[0].name, enable_server_side_apply=True
    )
    args = RouterOnKubernetesArgs(
        host=chosen.host,
        image=chosen.image,
        gitops=chosen.gitops,
        config=config,
        keys=chosen.keys,
        gate_keys=gate_keys,
        environment=environment,
    )
    RouterOnKubernetes("router", args, pulumi.ResourceOptions(providers=[provider]))


def _cloud_init(
    chosen: RouterSettings,
    config: str,
    gate_keys: pulumi.Output[dict[str, str]],
    environment: pulumi.Output[Mapping[str, str]],
) -> pulumi.Output[str]:
    def document(known: list[Any]) -> str:
        machine = cloud_init.Machine(
            host=chosen.host,
            image=chosen.image,
            config=config,
            keys=chosen.keys,
            secrets=known[0],
            environment=known[1],
        )
        return cloud_init.document(machine)

    return pulumi.Output.secret(pulumi.Output.all(gate_keys, environment).apply(document))


def _must_be_found(host: str, dns: Dns, clouds: list[Stack]) -> None:
    """Names that the stacks delegate are not the zone's any more. Raises ``SettingsError``."""
    for cloud in clouds:
        if host in cloud.gates:
            raise SettingsError([Problem("host", f"{host} is a gate of {cloud.name}: choose another one")])
        for zone in cloud.hosts:
            if is_under(host, zone) and len(zone) > len(dns.zone):
                message = f"{host} would not be found in {dns.zone}: {cloud.name} has a zone {zone}; "
                raise SettingsError([Problem("host", message + "choose one beside it, or set dnsZone to that")])


def _publish(host: str, dns: Dns) -> None:
    if not dns.addresses:
        pulumi.log.info(f"addresses: none yet: {host} gets its record once the machine has one and it is set here")
        return
    RouterRecords("router", RouterRecordsArgs(host=host, dns=dns))
