"""Between a Pulumi program and the library: configuration in, outputs out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any, TypeVar

import pulumi
from pulumi.runtime.config import CONFIG

from . import estimate, fragment
from .clouds import Cloud
from .errors import SettingsError
from .gate_keys import GateKeys, GateKeysArgs
from .live import LiveError
from .settings.load import load
from .settings.model import Kind, NodePool, Platform
from .tables.prices import NodePrice


def platform_of_stack(cloud: Cloud) -> Platform:
    """The stack's configuration. Ends the program with one line for each problem."""
    try:
        loaded = load(cloud, config_value, today=date.today(), given=given_keys())
    except SettingsError as error:
        lines = "\n".join(f"  {problem}" for problem in error.problems)
        raise pulumi.RunError(
            f"the configuration of the stack {pulumi.get_stack()} cannot be built:\n{lines}"
        ) from None
    for warning in loaded.warnings:
        pulumi.log.warn(warning)
    return loaded.platform


_Answer = TypeVar("_Answer")
_SIGN_IN: dict[Cloud, str] = {
    "aws": "AWS does not answer ({}): sign in with aws sso login, or name a profile in AWS_PROFILE",
    "gcp": "Google Cloud does not answer ({}): sign in with gcloud auth application-default login",
    "azure": "Azure does not answer ({}): sign in with az login",
}


def asked(cloud: Cloud, question: Callable[[], _Answer]) -> _Answer:
    """What the cloud answers. Ends the program where it does not: nothing can be planned without."""
    try:
        return question()
    except Exception as error:  # The engine's errors have no type of their own.
        said = str(error).rpartition("returned an error: ")[2]
        raise pulumi.RunError(_SIGN_IN[cloud].format(said)) from None


#: Asks a cloud what a node of the pool costs; None where it does not say. Raises ``LiveError``.
AskPrice = Callable[[Platform, NodePool], NodePrice | None]


def with_live_prices(platform: Platform, ask: AskPrice) -> Platform:
    """What the cloud says where it may be asked; a warning, and the table, where it cannot be."""
    if not platform.live_prices:
        return platform

    def priced(pool: NodePool) -> NodePool:
        if pool.usd_per_hour is not None:
            return pool
        try:
            return replace(pool, live_price=ask(platform, pool))
        except LiveError as error:
            pulumi.log.warn(f"livePrices: {error}; going on with the table's price of {pool.machine_types[0]}")
            return pool

    return replace(platform, cpu=priced(platform.cpu), gpu=None if platform.gpu is None else priced(platform.gpu))


def config_value(full_key: str) -> str | None:
    namespace, key = full_key.split(":", 1)
    return pulumi.Config(namespace).get(key)


def given_keys() -> frozenset[str]:
    """Everything that the stack is configured with, by full key."""
    return frozenset(CONFIG.get())


def gate_keys(
    platform: Platform, component: pulumi.ComponentResource, kinds: Iterable[Kind] | None = None
) -> dict[str, GateKeys]:
    """A pair of keys for each pool that there is, or for each of ``kinds``, by the pool's name."""
    opts = pulumi.ResourceOptions(parent=component)
    names = [platform.pool_name(kind) for kind in kinds or [pool.kind for pool in platform.pools]]
    return {
        name: GateKeys(name, GateKeysArgs(pool=name, generation=platform.gate_key_generation), opts) for name in names
    }


def export(
    platform: Platform,
    *,
    kubeconfig: pulumi.Output[str],
    registry_url: pulumi.Input[str],
    name_servers: Mapping[str, Any],
    keys: Mapping[str, GateKeys],
) -> None:
    """The outputs, the same ones on each cloud. ``gateKeys`` alone is secret: file name → the router's current key."""
    pulumi.export("cluster", platform.cluster)
    pulumi.export("kubeconfig", kubeconfig)
    pulumi.export("registryUrl", registry_url)
    pulumi.export("nameServers", dict(name_servers))
    pulumi.export("hosts", {pool.kind: platform.host(pool.kind) for pool in platform.pools})
    pulumi.export("routerFragment", fragment.of(platform))
    current = {fragment.secret_name(pool): key.current for pool, key in keys.items()}
    pulumi.export("gateKeys", pulumi.Output.secret(current))
    pulumi.export("monthlyEstimate", estimate.monthly(platform).as_output())
