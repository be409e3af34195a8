"""One stand-in provider per package, speaking the engine's protocol, over the pretended clouds."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from google.rpc import status_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from tests.infra.emulation import check, outputs, sdk, values
from tests.infra.engine.cloud import Cloud, Refusal, Thing, Unfinished
from tests.infra.engine.habits import NAMES, REPLACES
from tests.infra.engine.judge import Judge
from tests.infra.engine.real_cluster import RealCluster

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_RELEASE = "kubernetes:helm.sh/v3:Release"

#: By a kubeconfig.
Reach = Callable[[str], RealCluster]


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """Takes neither secrets nor outputs: the engine unwraps them before and marks them again after."""

    def __init__(self, package: str, cloud: Cloud, judge: Judge, reach: Reach | None = None) -> None:
        """With ``reach``, Kubernetes objects go to the API server that the kubeconfig names."""
        self._reach = reach
        self._cluster: RealCluster | None = None
        self._name = package
        self._version = sdk.package(package).version
        self._cloud = cloud
        self._judge = judge

    # ---------------------------------------------------------------- the provider itself

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse()

    def Attach(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self._version)

    def GetSchema(self, request: Any, context: Any) -> Any:
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": self._name, "version": self._version}))

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        old, new = _decoded(request.old_inputs) or _decoded(request.olds), _decoded(request.news)
        changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
        return provider_pb2.DiffResponse(changes=_some(changed), diffs=changed)

    def Configure(self, request: Any, context: Any) -> Any:
        kubeconfig = _decoded(request.args).get("kubeconfig")
        if self._reach is not None and kubeconfig not in (None, check.UNKNOWN):
            self.close()
            self._cluster = self._reach(kubeconfig)
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def close(self) -> None:
        if self._cluster is not None:
            self._cluster.close()

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        try:
            self._cloud.call(request.tok)
            answer = outputs.calls(request.tok, _decoded(request.args))
        except (Refusal, outputs.Missing) as refusal:
            context.abort(grpc.StatusCode.UNKNOWN, str(refusal))
        except KeyError:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the function {request.tok} is not emulated")
        return provider_pb2.InvokeResponse(**{"return": _encoded(answer)})

    # ---------------------------------------------------------------- resources

    def Check(self, request: Any, context: Any) -> Any:
        token, inputs = _token(request.urn), _decoded(request.news)
        self._name_it(token, request, inputs)
        failures = [
            provider_pb2.CheckFailure(reason=problem) for problem in self._judge.problems(self._name, token, inputs)
        ]
        return provider_pb2.CheckResponse(inputs=_encoded(inputs), failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:
        token = _token(request.urn)
        old, new = _decoded(request.old_inputs) or _decoded(request.olds), _decoded(request.news)
        changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key) and not key.startswith("__")]
        replacing = [
            path
            for path in (*NAMES, *REPLACES.get(token, ()))
            if path.split(".")[0] in changed and values.at(old, path) != values.at(new, path)
        ]
        if token.startswith("kubernetes:") and values.at(old, "metadata.name") != values.at(new, "metadata.name"):
            replacing.append("metadata")
        return provider_pb2.DiffResponse(
            changes=_some(changed), diffs=changed, replaces=sorted({path.split(".")[0] for path in replacing})
        )

    def Create(self, request: Any, context: Any) -> Any:
        token, inputs = _token(request.urn), _decoded(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=_encoded(outputs.previewed(token, inputs)))
        # Of what has no name of its own a replacement stands beside the one that it replaces.
        unique = f"{_name(request.urn)}-{len(self._cloud.deeds)}"
        ident, state = outputs.of(
            token, unique if token.startswith(("aws:ec2", "aws:route53", "random:")) else _own(inputs, request), inputs
        )
        try:
            self._apply(token, inputs)
            self._cloud.create(Thing(token, ident, request.urn, inputs, state))
        except Unfinished as late:
            _tell_unfinished(context, ident, inputs, state, str(late))
        except Refusal as refusal:
            context.abort(grpc.StatusCode.UNKNOWN, str(refusal))
        return provider_pb2.CreateResponse(id=ident, properties=_encoded(state))

    def Read(self, request: Any, context: Any) -> Any:
        thing = self._cloud.read(_token(request.urn), request.id, request.urn)
        if thing is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=request.id, properties=_encoded(thing.state), inputs=_encoded(thing.inputs))

    def Update(self, request: Any, context: Any) -> Any:
        token, inputs = _token(request.urn), _decoded(request.news)
        state = outputs.updated(token, _decoded(request.olds), inputs)
        if not request.preview:
            try:
                self._apply(token, inputs)
                self._cloud.update(Thing(token, request.id, request.urn, inputs, state))
            except Refusal as refusal:
                context.abort(grpc.StatusCode.UNKNOWN, str(refusal))
        return provider_pb2.UpdateResponse(properties=_encoded(state))

    def Delete(self, request: Any, context: Any) -> Any:
        token = _token(request.urn)
        try:
            if self._cluster is not None and token != _RELEASE:
                self._cluster.delete(_decoded(request.old_inputs))
            self._cloud.delete(token, request.id, request.urn)
        except Refusal as refusal:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(refusal))
        return empty_pb2.Empty()

    def _apply(self, token: str, inputs: dict[str, Any]) -> None:
        if self._cluster is None:
            return
        if token == _RELEASE:
            self._cluster.install(inputs)
        else:
            self._cluster.apply(inputs)

    def _name_it(self, token: str, request: Any, inputs: dict[str, Any]) -> None:
        """Pulumi's auto-naming: what was named once keeps its name."""
        if token.startswith(("kubernetes:", "random:")):
            return
        properties = self._judge.properties(self._name, token)
        kind = token.rsplit(":", 1)[1]
        olds = _decoded(request.olds)
        candidates = ("name", "nodeGroupName", f"{kind[0].lower()}{kind[1:]}Name")
        for key in candidates:
            if key in properties and key not in inputs:
                digits = hashlib.sha256(request.randomSeed or request.urn.encode()).hexdigest()[:7]
                plain = re.sub(r"[^A-Za-z0-9-]", "-", _name(request.urn))
                inputs[key] = olds.get(key) or f"{plain}-{digits}"
                return


@contextmanager
def serving(cloud: Cloud, judge: Judge, reach: Reach | None = None) -> Iterator[dict[str, int]]:
    """Package → port on loopback. ``reach`` as in ``StandIn``, for Kubernetes'."""
    servers, ports = [], {}
    kubernetes = StandIn("kubernetes", cloud, judge, reach)
    for package in sdk.MODULES:
        server = grpc.server(futures.ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", 400 << 20)])
        stand_in = kubernetes if package == "kubernetes" else StandIn(package, cloud, judge)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(stand_in, server)
        ports[package] = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
    try:
        yield ports
    finally:
        for server in servers:
            server.stop(None).wait()
        kubernetes.close()


def _token(urn: str) -> str:
    return urn.split("::")[2].split("$")[-1]


def _name(urn: str) -> str:
    return urn.rsplit("::", 1)[1]


def _own(inputs: dict[str, Any], request: Any) -> str:
    for key in NAMES[:2]:
        if isinstance(inputs.get(key), str):
            return str(inputs[key])
    kind = _token(request.urn).rsplit(":", 1)[1]
    return str(inputs.get(f"{kind[0].lower()}{kind[1:]}Name") or _name(request.urn))


def _tell_unfinished(context: Any, ident: str, inputs: dict[str, Any], state: dict[str, Any], why: str) -> None:
    """As providers do it: an error whose details say what was made all the same."""
    made = provider_pb2.ErrorResourceInitFailed(
        id=ident, inputs=_encoded(inputs), properties=_encoded(state), reasons=[why]
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=why)
    status.details.add().Pack(made)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, why)


def _some(changed: list[str]) -> Any:
    kinds = provider_pb2.DiffResponse
    return kinds.DIFF_SOME if changed else kinds.DIFF_NONE


def _decoded(struct: Any) -> dict[str, Any]:
    """Secrets and outputs unwrapped, what is unknown as ``check.UNKNOWN``, whole numbers as int."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            if _SIGNATURE in value:
                return plain(value["value"]) if "value" in value else check.UNKNOWN
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    found = plain(json_format.MessageToDict(struct)) if struct is not None else {}
    return dict(found)


def _encoded(state: dict[str, Any]) -> Any:
    made = struct_pb2.Struct()
    made.update(state)
    return made
