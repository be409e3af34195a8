"""What a kubelet does, for pods that ask for it by an annotation: their containers are processes of this machine.

The images' programs are this checkout's: router image = ``llm-router``, llama-server = llama.cpp's own server of the
demo. Arguments, files, variables, tokens, probes and the order of the end are the pod's own.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from tests.charts.helm import containers
from tests.gitops.live.network import ACCOUNT_DIR
from tests.router.discovery.kube_server import ApiServer
from tests.router.processes import Process

ANNOTATION = "test/processes"
PROBED_EVERY_S = 0.2
_ENGINE_TAKES = ("--model", "--alias", "--host", "--port", "--parallel", "--ctx-size")
_MOUNTED = f'mount --bind "$0" {ACCOUNT_DIR} && exec "$@"'

Object = dict[str, Any]


@dataclass
class Kubelet:
    """Runs until the context ends. ``faults`` is what went wrong in a pod; nobody else would tell."""

    api: ApiServer
    folder: Path
    ca: Path
    faults: list[str] = field(default_factory=list)
    # One for all: a client of its own for each probe costs more than the probe.
    _http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=2, trust_env=False))
    _pods: dict[str, _Pod] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self.folder.mkdir()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        for pod in self._pods.values():
            pod.end()
        for pod in self._pods.values():
            pod.thread.join()
        self._http.close()

    def answers(self, url: str) -> bool:
        try:
            return self._http.get(url, headers={"connection": "close"}).status_code == 200
        except httpx.TransportError:
            return False

    def _follow(self) -> None:
        numbers = count(1)
        while not self._stop.wait(PROBED_EVERY_S):
            for each in self.api.ask("GET", "/api/v1/pods?fieldSelector=spec.nodeName!=")["items"]:
                if ANNOTATION not in (each["metadata"].get("annotations") or {}):
                    continue
                known = self._pods.get(each["metadata"]["uid"])
                if "deletionTimestamp" in each["metadata"]:
                    known.end() if known else _forget(self.api, each)
                elif known is None:
                    pod = _Pod(self, each, next(numbers))
                    self._pods[each["metadata"]["uid"]] = pod
                    pod.thread.start()


class _Pod:
    def __init__(self, kubelet: Kubelet, found: Object, number: int) -> None:
        self._kubelet, self._found, self._spec = kubelet, found, found["spec"]
        self._name, self._namespace = found["metadata"]["name"], found["metadata"]["namespace"]
        self._ip, self._loopback = f"10.244.100.{number}", f"127.1.0.{number}"
        self._folder = kubelet.folder / f"{number}-{self._name}"
        self._ending = threading.Event()
        self.thread = threading.Thread(target=self._live)

    def end(self) -> None:
        self._ending.set()

    def _live(self) -> None:
        try:
            self._folder.mkdir()
            self._report(ready=False)
            with ExitStack() as stack:
                self._run(stack)
        except BaseException as error:
            self._kubelet.faults.append(f"{self._name}: {error}")
            self._ending.wait()
        finally:
            _forget(self._kubelet.api, self._found)

    def _run(self, stack: ExitStack) -> None:
        places = self._mounted()
        (main,) = self._spec["containers"]
        for each in self._spec.get("initContainers", ()):
            command, env = self._command(each, places), self._environment(each, places)
            if each.get("restartPolicy") == "Always":  # a sidecar, which ends after the main container
                process = stack.enter_context(Process(command, self._folder / f"{each['name']}.log", env=env))
                process.wait_until(lambda: self._kubelet.answers(f"http://{self._loopback}:8081/health"), deadline_s=60)
            else:
                subprocess.run(command, env={**os.environ, **env}, check=True, capture_output=True, timeout=60)
        env = self._environment(main, places)
        process = stack.enter_context(Process(self._command(main, places), self._folder / "main.log", env=env))
        self._watch(process, main)
        if process.returncode is None:
            time.sleep(main["lifecycle"]["preStop"]["sleep"]["seconds"] if "lifecycle" in main else 0)
            process.end(grace_s=self._spec["terminationGracePeriodSeconds"])

    def _watch(self, process: Process, container: Object) -> None:
        """Tell readiness whenever it changes, until the pod has to end."""
        probe = container["readinessProbe"]["httpGet"]
        port = next(each["containerPort"] for each in container["ports"] if each["name"] == probe["port"])
        was = False
        while not self._ending.wait(PROBED_EVERY_S):
            if process.returncode is not None:
                raise AssertionError(f"ended with {process.returncode}: {process.output[-3000:]}")
            ready = self._kubelet.answers(f"http://{self._ip}:{port}{probe['path']}")
            if ready is not was:
                self._report(ready=ready)
                was = ready

    # ------------------------------------------------------------ what a container sees

    def _mounted(self) -> dict[str, Path]:
        """Each volume's files in a folder; by the path at which they are mounted."""
        volumes: dict[str, Path] = {}
        for volume in self._spec.get("volumes", ()):
            folder = volumes[volume["name"]] = self._folder / volume["name"]
            folder.mkdir()
            sources = volume["projected"]["sources"] if "projected" in volume else [volume]
            for name, content in (entry for source in sources for entry in self._files(source).items()):
                (folder / name).write_text(content)
        every = [*self._spec.get("initContainers", ()), *self._spec["containers"]]
        mounts = [mount for each in every for mount in each.get("volumeMounts", ())]
        places = {each["mountPath"]: volumes[each["name"]] for each in mounts if each["mountPath"] != "/tmp"}  # noqa: S108
        for file in (file for folder in places.values() for file in folder.iterdir()):
            file.write_text(self._here(file.read_text(), places))
        return dict(places)

    def _files(self, source: Object) -> dict[str, str]:
        if "configMap" in source:
            found: dict[str, str] = self._object("configmaps", source["configMap"]["name"])["data"]
            return found
        if "secret" in source:
            return self._secret(source["secret"].get("secretName") or source["secret"]["name"])
        return {}

    def _here(self, text: str, places: dict[str, Path]) -> str:
        """Paths and addresses of the pod, as they are on this machine."""
        for mounted, folder in sorted(places.items(), key=lambda each: -len(each[0])):
            text = text.replace(mounted, str(folder))
        return text.replace("0.0.0.0", self._ip).replace("127.0.0.1", self._loopback)  # noqa: S104

    def _command(self, container: Object, places: dict[str, Path]) -> list[str | Path]:
        arguments = [self._here(each, places) for each in container["args"]]
        if container["name"] == "llama":
            taken = [pair for pair in pairwise(arguments) if pair[0] in _ENGINE_TAKES]
            return [sys.executable, "-m", "llm_router.demo.engine", *(each for pair in taken for each in pair)]
        program: list[str | Path] = [Path(sys.executable).with_name("llm-router"), *arguments]
        if not self._spec["automountServiceAccountToken"]:
            return program
        return ["unshare", "--mount", "sh", "-c", _MOUNTED, self._account(), *program]

    def _environment(self, container: Object, places: dict[str, Path]) -> dict[str, str]:
        server = urlsplit(self._kubelet.api.url)
        env = {
            "SSL_CERT_FILE": str(self._kubelet.ca),
            "KUBERNETES_SERVICE_HOST": str(server.hostname),
            "KUBERNETES_SERVICE_PORT": str(server.port),
        }
        for source in container.get("envFrom", ()):
            env |= self._secret(source["secretRef"]["name"])
        for each in container.get("env", ()):
            reference = each.get("valueFrom", {}).get("secretKeyRef")
            env[each["name"]] = (
                self._secret(reference["name"])[reference["key"]] if reference else self._here(each["value"], places)
            )
        return env

    def _account(self) -> Path:
        """The folder that the token of the pod's account is in."""
        folder = self._folder / "account"
        folder.mkdir(exist_ok=True)
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        path = f"/api/v1/namespaces/{self._namespace}/serviceaccounts/{self._spec['serviceAccountName']}/token"
        (folder / "token").write_text(self._kubelet.api.ask("POST", path, asked)["status"]["token"])
        (folder / "namespace").write_text(self._namespace)
        (folder / "ca.crt").write_text(self._kubelet.api.ca.read_text())
        return folder

    # ------------------------------------------------------------ what the API server has and hears

    def _object(self, kind: str, name: str) -> Object:
        found: Object = self._kubelet.api.ask("GET", f"/api/v1/namespaces/{self._namespace}/{kind}/{name}")
        return found

    def _secret(self, name: str) -> dict[str, str]:
        return {key: base64.b64decode(value).decode() for key, value in self._object("secrets", name)["data"].items()}

    def _report(self, *, ready: bool) -> None:
        """Whoever is told to go stays out of the endpoints whatever is said here."""
        said = "True" if ready else "False"
        every = containers(self._spec)
        states = [
            {"name": name, "image": each["image"], "imageID": "", "ready": ready, "restartCount": 0}
            for name, each in every.items()
        ]
        sidecars = {each["name"] for each in self._spec.get("initContainers", ())}
        status = {
            "phase": "Running",
            "podIP": self._ip,
            "podIPs": [{"ip": self._ip}],
            "conditions": [{"type": kind, "status": said} for kind in ("Ready", "ContainersReady")],
            "containerStatuses": [each for each in states if each["name"] not in sidecars],
        }
        path = f"/api/v1/namespaces/{self._namespace}/pods/{self._name}/status"
        answer = self._kubelet.api.admin.patch(
            path, json={"status": status}, headers={"content-type": "application/strategic-merge-patch+json"}
        )
        assert answer.status_code in (200, 404), answer.text


def _forget(api: ApiServer, pod: Object) -> None:
    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
    api.admin.request("DELETE", path, json={"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}})
