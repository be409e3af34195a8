"""A Terraform provider as a process, asked over its own protocol to validate, plan and apply."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import msgpack

from tests.infra.terraform import values
from tests.infra.terraform.messages import messages

_COOKIE = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
_ERROR = 1
State = dict[str, Any]


class Refused(Exception):
    """What the provider, or AWS behind it, has against a resource."""


class TerraformProvider:
    """``schemas``: block of each resource type by name."""

    def __init__(self, address: str) -> None:
        self._messages = messages()
        self._channel = grpc.insecure_channel(f"unix:{address}", options=[("grpc.max_receive_message_length", 1 << 28)])
        answer = self._ask("GetSchema")
        self._provider = answer.provider.block
        self.schemas = {entry.key: entry.value.block for entry in answer.resource_schemas}

    def close(self) -> None:
        self._channel.close()

    def configure(self, settings: Mapping[str, Any]) -> None:
        config, _ = values.block(self._provider, settings)
        _raise(self._ask("Configure", terraform_version="1.11.4", config=self._packed(config)).diagnostics)

    def validate(self, kind: str, config: State) -> None:
        _raise(self._ask("ValidateResourceTypeConfig", type_name=kind, config=self._packed(config)).diagnostics)

    def plan(self, kind: str, prior: State | None, config: State) -> Any:
        proposed = values.proposed(self.schemas[kind], prior, config)
        answer = self._ask(
            "PlanResourceChange",
            type_name=kind,
            prior_state=self._packed(prior),
            proposed_new_state=self._packed(proposed),
            config=self._packed(config),
        )
        _raise(answer.diagnostics)
        return answer

    def replaced_by(self, kind: str, prior: State, config: State) -> set[str]:
        """Attributes whose change makes a new resource."""
        return {path.steps[0].attribute_name for path in self.plan(kind, prior, config).requires_replace}

    def create(self, kind: str, config: State) -> State:
        self.validate(kind, config)
        planned = self.plan(kind, None, config)
        answer = self._ask(
            "ApplyResourceChange",
            type_name=kind,
            prior_state=self._packed(None),
            planned_state=planned.planned_state,
            config=self._packed(config),
            planned_private=planned.planned_private,
        )
        _raise(answer.diagnostics)
        return dict(msgpack.unpackb(answer.new_state.msgpack, strict_map_key=False))

    def _packed(self, value: Any) -> Any:
        return self._messages["DynamicValue"](msgpack=msgpack.packb(value))

    def _ask(self, method: str, **fields: Any) -> Any:
        call = self._channel.unary_unary(
            f"/tfplugin5.Provider/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=self._messages[f"{method}Response"].FromString,
        )
        return call(self._messages[f"{method}Request"](**fields), timeout=300)


@contextmanager
def running(binary: Path) -> Iterator[TerraformProvider]:
    environment = {**os.environ, "TF_PLUGIN_MAGIC_COOKIE": _COOKIE, "PLUGIN_PROTOCOL_VERSIONS": "5"}
    with subprocess.Popen(
        [binary],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            # Core protocol, application protocol, network, address, …
            address = process.stdout.readline().split("|")[3]
            provider = TerraformProvider(address)
            yield provider
            provider.close()
        finally:
            process.kill()


def _raise(diagnostics: Any) -> None:
    errors = [
        f"{'.'.join(step.attribute_name for step in each.attribute.steps)}: {each.summary} {each.detail}".strip(": ")
        for each in diagnostics
        if each.severity == _ERROR
    ]
    if errors:
        raise Refused("; ".join(errors))
