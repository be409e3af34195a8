"""KEDA's own processes: the operator, which scales between zero and one, and the adapter, by which Kubernetes' own
autoscaler asks it for what decides between one and more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.gitops.control_plane import ControlPlane
from tests.gitops.metrics_api import EXTERNAL, registered
from tests.router.discovery.kube_server import tool
from tests.router.ports import free_port
from tests.router.processes import Process, answers


@dataclass(frozen=True)
class Keda:
    operator: Process
    adapter: Process


@contextmanager
def running_keda(plane: ControlPlane, folder: Path) -> Iterator[Keda]:
    folder.mkdir()
    everywhere = {"WATCH_NAMESPACE": "", "POD_NAMESPACE": "platform", "KEDA_CLUSTER_OBJECT_NAMESPACE": "platform"}
    # As the platform has it: operators that read pods' variables would have the gates' keys.
    access = {"KUBECONFIG": str(plane.api.kubeconfig), "KEDA_RESTRICT_SECRET_ACCESS": "true"} | everywhere
    certificates = _certificates(folder / "certificates")
    metrics, probes, secure = free_port(), free_port(), free_port()
    operator: list[str | Path] = [
        tool("keda-operator"),
        "--metrics-bind-address=0",
        f"--health-probe-bind-address=127.0.0.1:{probes}",
        f"--metrics-service-bind-address=127.0.0.1:{metrics}",
        f"--cert-dir={certificates}",
    ]
    adapter: list[str | Path] = [
        tool("keda-adapter"),
        f"--metrics-service-address=localhost:{metrics}",
        f"--cert-dir={certificates}",
        f"--tls-cert-file={certificates / 'tls.crt'}",
        f"--tls-private-key-file={certificates / 'tls.key'}",
        f"--secure-port={secure}",
        "--bind-address=127.0.0.1",
        f"--port={free_port()}",
        *(f"--{each}-kubeconfig={plane.api.kubeconfig}" for each in ("authentication", "authorization", "lister")),
    ]
    with ExitStack() as stack:
        first = stack.enter_context(Process(operator, folder / "operator.log", env=access))
        first.wait_until(lambda: answers(f"http://127.0.0.1:{probes}/readyz"), deadline_s=60)
        second = stack.enter_context(Process(adapter, folder / "adapter.log", env=access))
        stack.enter_context(registered(plane, secure, [EXTERNAL]))
        yield Keda(first, second)


def _certificates(folder: Path) -> Path:
    """One pair for both ends, as KEDA makes it for itself in a cluster."""
    folder.mkdir()
    authority = trustme.CA()
    pair = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    pair.cert_chain_pems[0].write_to_path(str(folder / "tls.crt"))
    pair.private_key_pem.write_to_path(str(folder / "tls.key"))
    return folder
