"""Runs a stack's program under Pulumi's mocks and keeps what it registered."""

from __future__ import annotations

import asyncio
import json
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import grpc
import pulumi
import yaml
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import mocks, rpc, settings, stack
from pulumi.runtime.proto import provider_pb2, resource_pb2

from tests.infra.emulation import check, outputs, sdk

INFRA = Path(__file__).parents[2] / "infra"


@dataclass(frozen=True, slots=True)
class Registered:
    """One resource as the engine would get it. ``secrets`` are the paths of inputs that are marked secret."""

    urn: str
    type: str
    name: str
    parent: str
    custom: bool
    inputs: dict[str, Any]
    secrets: frozenset[str]
    options: dict[str, Any]
    depends_on: frozenset[str]


@dataclass(slots=True)
class Recorded:
    """A whole program's run. ``outputs``: of the components and of the stack, by URN; ``secret_outputs`` likewise."""

    stack: str
    resources: list[Registered] = field(default_factory=list)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    secret_outputs: dict[str, frozenset[str]] = field(default_factory=dict)

    def of(self, kind: str) -> list[Registered]:
        """All resources whose type ends with ``kind``."""
        return [resource for resource in self.resources if resource.type.endswith(kind)]

    def one(self, kind: str, name: str = "") -> Registered:
        (found,) = [resource for resource in self.of(kind) if name in resource.name]
        return found

    @property
    def stack_outputs(self) -> dict[str, Any]:
        (found,) = [values for urn, values in self.outputs.items() if "pulumi:pulumi:Stack" in urn]
        return found

    @property
    def secret_stack_outputs(self) -> frozenset[str]:
        (found,) = [paths for urn, paths in self.secret_outputs.items() if "pulumi:pulumi:Stack" in urn]
        return found


#: Type, name, inputs → id, outputs.
Make = Callable[[str, str, dict[str, Any]], tuple[str, dict[str, Any]]]


class _Nobody(mocks.Mocks):
    """Pulumi wants mocks; the recorder answers before they are asked."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        raise NotImplementedError

    def call(self, args: mocks.MockCallArgs) -> Any:
        raise NotImplementedError


class _Refused(grpc.RpcError):  # type: ignore[misc]
    """As the engine's errors arrive."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return str(self)


class _Recorder:
    """Takes the engine's place: answers as the emulated clouds do, refuses what they refuse."""

    def __init__(self, recorded: Recorded, stacks: Mapping[str, dict[str, Any]], make: Make) -> None:
        self._recorded = recorded
        self._stacks = stacks
        self._make = make

    def RegisterResource(self, request: Any) -> Any:
        inputs, secrets = _plain(json_format.MessageToDict(request.object))
        urn = _urn(request)
        options = {
            "protect": request.protect,
            "ignore_changes": list(request.ignoreChanges),
            "deleted_with": request.deletedWith,
            "provider": request.provider,
        }
        depends_on = frozenset(request.dependencies)
        self._recorded.resources.append(
            Registered(
                urn, request.type, request.name, request.parent, request.custom, inputs, secrets, options, depends_on
            )
        )
        if not request.custom:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        if not request.type.startswith("pulumi:"):
            found = check.problems(sdk.package(request.type.split(":")[0]), request.type, inputs)
            if found:
                raise ValueError(f"{request.type} {request.name}: " + "; ".join(found))
        ident, state = self._make(request.type, request.name, inputs)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=ident, object=_struct(state))

    def ReadResource(self, request: Any) -> Any:
        """A reference to another stack."""
        outputs_of = self._stacks[request.id]
        state = {"name": request.id, "outputs": outputs_of, "secretOutputNames": ["gateKeys"]}
        return resource_pb2.ReadResourceResponse(urn=_urn(request), properties=_struct(state))

    def RegisterResourceOutputs(self, request: Any) -> Any:
        values, secrets = _plain(json_format.MessageToDict(request.outputs))
        self._recorded.outputs[request.urn] = values
        self._recorded.secret_outputs[request.urn] = secrets
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:
        args, _ = _plain(json_format.MessageToDict(request.args))
        if request.tok == "pulumi:pulumi:readStackOutputs":
            if args["name"] not in self._stacks:
                raise _Refused(f'unknown stack "{args["name"]}"')
            return provider_pb2.InvokeResponse(**{"return": _struct({"outputs": self._stacks[args["name"]]})})
        try:
            answer = outputs.calls(request.tok, args)
        except outputs.Missing as missing:
            raise _Refused(str(missing)) from None
        return provider_pb2.InvokeResponse(**{"return": _struct(answer)})

    def SupportsFeature(self, request: Any) -> Any:
        # Plain secrets rather than output values: all that is asked of them here is whether they are marked.
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id != "outputValues")

    def RegisterPackage(self, request: Any) -> Any:
        return resource_pb2.RegisterPackageResponse(ref="package")

    def SignalAndWaitForShutdown(self, request: Any) -> Any:
        return empty_pb2.Empty()


def _urn(request: Any) -> str:
    parents = request.parent.split("::")[2] + "$" if request.parent and "pulumi:Stack" not in request.parent else ""
    return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{parents}{request.type}::{request.name}"


def _struct(state: dict[str, Any]) -> Any:
    made = struct_pb2.Struct()
    made.update(state)
    return made


def _plain(wire: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """Secrets unwrapped, with their paths; whole numbers as int."""
    secrets: set[str] = set()

    def strip(value: Any, path: str) -> Any:
        if isinstance(value, dict):
            if value.get(rpc._special_sig_key) == rpc._special_secret_sig:
                secrets.add(path)
                return strip(value["value"], path)
            return {key: strip(item, f"{path}.{key}" if path else key) for key, item in value.items()}
        if isinstance(value, list):
            return [strip(item, f"{path}[]") for item in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return strip(wire, ""), frozenset(secrets)


def config_of(project: str, stack_name: str) -> dict[str, str]:
    """What the engine makes of Pulumi.yaml's defaults and the stack's file: text, JSON where it is a list."""
    declared = yaml.safe_load((INFRA / project / "Pulumi.yaml").read_text())
    chosen = yaml.safe_load((INFRA / project / f"Pulumi.{stack_name}.yaml").read_text())["config"]
    config: dict[str, Any] = {}
    for key, value in declared["config"].items():
        given = value.get("value", value.get("default"))
        if given is not None:
            config[key if ":" in key else f"{declared['name']}:{key}"] = given
    # Their prices come from the network, not from a provider.
    if project in ("gcp", "azure"):
        config[f"llm-{project}:livePrices"] = False
    return {key: text_of(value) for key, value in {**config, **chosen}.items()}


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def run(
    project: str,
    stack_name: str,
    changes: Mapping[str, Any] | None = None,
    *,
    stacks: Mapping[str, dict[str, Any]] | None = None,
    make: Make = outputs.of,
) -> Recorded:
    """``changes`` of the configuration by full key, None takes it away; ``stacks``: others that can be referred to.

    ``make`` is who makes the resources: the emulated clouds, if nobody else.
    """
    config = config_of(project, stack_name)
    for key, value in (changes or {}).items():
        config.pop(key, None)
        if value is not None:
            config[key] = text_of(value)
    recorded = Recorded(stack_name)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    pulumi.runtime.set_mocks(
        _Nobody(),
        project=f"llm-{project}",
        stack=stack_name,
        monitor=cast("Any", _Recorder(recorded, stacks or {}, make)),
    )
    settings.set_root_resource(None)  # type: ignore[arg-type]
    pulumi.runtime.set_all_config(config)
    try:
        program = str(INFRA / project / "__main__.py")
        loop.run_until_complete(stack.run_in_stack(lambda: cast("None", runpy.run_path(program) and None)))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
        pulumi.runtime.set_all_config({})
    return recorded


@lru_cache
def as_shipped(project: str, stack_name: str) -> Recorded:
    """The project's stack with nothing changed, run once."""
    return run(project, stack_name)
