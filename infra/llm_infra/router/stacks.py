"""The cloud stacks by their names. One that is not there, or not up, is a warning: the others get their router."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pulumi


@dataclass(frozen=True, slots=True)
class Stack:
    """``fragment`` is the router's part of it, plain data; ``hosts`` are those that it has a DNS zone for."""

    name: str
    fragment: dict[str, Any]
    hosts: frozenset[str]
    reference: pulumi.StackReference

    @property
    def cloud(self) -> str:
        return str(self.fragment["stack"])

    @property
    def gates(self) -> frozenset[str]:
        """Their hosts."""
        return frozenset(cluster["endpoint"].removeprefix("https://") for cluster in self.fragment["clusters"])

    @property
    def gate_keys(self) -> pulumi.Output[dict[str, str]]:
        return pulumi.Output.secret(self.reference.require_output("gateKeys"))

    @property
    def kubeconfig(self) -> pulumi.Output[str]:
        return self.reference.require_output("kubeconfig")

    @property
    def name_servers(self) -> pulumi.Output[dict[str, list[str]]]:
        return self.reference.require_output("nameServers")


def read(names: Iterable[str]) -> list[Stack]:
    """``names`` as ``pulumi stack ls`` prints them: ``organization/llm-aws/dev`` where the state is in a bucket."""
    found = []
    for name in names:
        outputs = _outputs(name)
        if outputs is None:
            pulumi.log.warn(f"stacks: there is no stack {name}: going on without it")
        elif "routerFragment" not in outputs:
            pulumi.log.warn(f"stacks: {name} is not up (it has no routerFragment): going on without it")
        else:
            hosts = frozenset(outputs.get("nameServers") or ())
            found.append(Stack(name, outputs["routerFragment"], hosts, pulumi.StackReference(name)))
    return found


def _outputs(name: str) -> dict[str, Any] | None:
    """What the stack put out; None where it does not exist, since a reference to nothing ends the program."""
    try:
        answer = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": name}).value
    except Exception as error:  # The engine's errors have no type of their own.
        if "unknown stack" in str(error) or "no stack named" in str(error):
            return None
        raise
    return dict(answer["outputs"])
