"""A whole Kubernetes control plane of the tests' own: etcd, API server, controllers, scheduler, and kwok, which plays
the kubelets of nodes that are not there. Pods run nowhere and are ready at once; all else is the real thing."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_infra.clouds import CLOUDS
from llm_infra.services.namespaces import POD_SECURITY
from tests.gitops.nodes import all_nodes, storage
from tests.router.discovery.kube_server import ApiServer, running_api_server, tool
from tests.router.ports import free_port
from tests.router.processes import Process

DEFINITIONS = (
    "argocd", "cert-manager", "external-secrets", "envoy-gateway", "gateway", "generators", "keda", "prometheus",
)  # fmt: skip
#: Nobody here makes such objects, and each of their schemas costs the API server half a second.
UNUSED = (
    "alertmanagerconfigs", "alertmanagers", "challenges", "clusterexternalsecrets", "clusterpushsecrets", "grpcroutes",
    "issuers", "orders", "probes", "prometheusagents", "prometheuses", "pushsecrets", "scrapeconfigs", "secretstores",
    "thanosrulers",
)  # fmt: skip
FLAGS = (
    "--allow-privileged=true",
    # Debian's etcd cannot tell how far a watch is: clients would ask for streamed lists again and again.
    "--feature-gates=WatchList=false",
)
Object = dict[str, Any]


class NotYet(AssertionError):
    """What was waited for did not come; the text says what was there instead."""


def definitions(name: str) -> Path:
    """Files that `make tools` copies out of another project's module."""
    return tool("kubectl").parents[1] / "crds" / name


@dataclass
class ControlPlane:
    api: ApiServer
    processes: list[Process] = field(default_factory=list)

    def kubectl(self, *arguments: str | Path, stdin: str | None = None, check: bool = True) -> str:
        access: list[str | Path] = ["--kubeconfig", self.api.kubeconfig, "--cache-dir", self.api.folder / "kubectl"]
        command = [tool("kubectl"), *access, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=240, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(map(str, arguments))}: {done.stderr or done.stdout}")
        return done.stdout if done.returncode == 0 else done.stderr

    def apply(self, objects: Iterable[Object], *flags: str) -> str:
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self.kubectl("apply", *flags, "-f", "-", stdin=json.dumps(listed))

    def get(self, kind: str, name: str = "", namespace: str = "", *flags: str) -> Any:
        where = ["-n", namespace] if namespace else []
        return json.loads(self.kubectl("get", kind, *([name] if name else []), *where, *flags, "-o", "json"))

    def pods(self, namespace: str, selector: str) -> list[Object]:
        found: list[Object] = self.get("pods", "", namespace, "-l", selector)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def wait(self, what: str, there: Callable[[], Any], *, deadline_s: float = 240) -> Any:
        """What ``there`` returns once that is truthy."""
        ends_at, seen = time.monotonic() + deadline_s, None
        while time.monotonic() < ends_at:
            if seen := there():
                return seen
            time.sleep(0.2)
        raise NotYet(f"{what} did not come within {deadline_s:g} s: {seen!r}")


@contextmanager
def running_control_plane(folder: Path) -> Iterator[ControlPlane]:
    """With the nodes, storage classes and namespaces of all three clouds."""
    with bare_control_plane(folder) as plane:
        for namespace in POD_SECURITY:
            labels = {"pod-security.kubernetes.io/enforce": POD_SECURITY[namespace]}
            plane.api.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace, "labels": labels}})
        plane.apply([*all_nodes(), *(each for cloud in CLOUDS for each in storage(cloud))])
        plane.wait("default account", lambda: "default" in plane.kubectl("get", "sa", "-n", "llm", check=False))
        plane.wait("ready nodes", lambda: _ready(plane) == len(all_nodes()))
        yield plane


@contextmanager
def bare_control_plane(folder: Path) -> Iterator[ControlPlane]:
    """A new cluster: the kinds that the platform brings, but no node and no namespace of ours."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        api = stack.enter_context(running_api_server(folder, *_aggregation(folder), *FLAGS))
        plane = ControlPlane(api)
        # Before kwok, which plays controllers of some of them.
        plane.kubectl("apply", "--server-side", *(f"--filename={file}" for file in _definitions()))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=180s")
        plane.wait("their resources", lambda: "scaledobjects" in plane.kubectl("api-resources", check=False))
        for name, command in _components(api, folder).items():
            plane.processes.append(stack.enter_context(Process(command, folder / f"{name}.log")))
        yield plane


def _definitions() -> list[Path]:
    files = [file for name in DEFINITIONS for file in definitions(name).glob("*.yaml")]
    return [file for file in files if file.stem.rpartition("_")[2] not in UNUSED]


def _ready(plane: ControlPlane) -> int:
    nodes = plane.get("nodes")["items"]
    return sum(
        any(each["type"] == "Ready" and each["status"] == "True" for each in node["status"].get("conditions", []))
        for node in nodes
    )


def _aggregation(folder: Path) -> list[str]:
    """Flags with which the API server passes requests on to others, the metrics' above all."""
    return [
        f"--requestheader-client-ca-file={folder / 'ca.pem'}",
        "--requestheader-allowed-names=admin",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={folder / 'admin.pem'}",
        f"--proxy-client-key-file={folder / 'admin.pem'}",
    ]


def _components(api: ApiServer, folder: Path) -> dict[str, list[str | Path]]:
    access = f"--kubeconfig={api.kubeconfig}"
    return {
        "controllers": [
            tool("kube-controller-manager"),
            access,
            "--leader-elect=false",
            "--kube-api-qps=300",
            "--kube-api-burst=600",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            f"--root-ca-file={api.ca}",
            f"--service-account-private-key-file={folder / 'accounts.key'}",
            "--use-service-account-credentials=false",
            "--horizontal-pod-autoscaler-sync-period=2s",
            "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
            "--horizontal-pod-autoscaler-cpu-initialization-period=1s",
        ],
        "scheduler": [
            tool("kube-scheduler"),
            access,
            "--leader-elect=false",
            "--kube-api-qps=300",
            "--kube-api-burst=600",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
        ],
        "kwok": [
            tool("kwok"),
            access,
            "--manage-all-nodes",
            "--cidr=10.244.0.0/16",
            "--node-ip=10.0.0.1",
            "--node-lease-duration-seconds=40",
            f"--config={Path(__file__).with_name('stages.yaml')}",
        ],
    }
