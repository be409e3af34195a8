"""Argo CD's own processes - repository server, application controller, ApplicationSet controller - without its web
server, beside a Git server on loopback whose repository is this checkout's charts and clusters."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme
import yaml

from tests.charts.helm import ROOT
from tests.gitops.control_plane import ControlPlane, Object, definitions
from tests.router.discovery.kube_server import tool
from tests.router.ports import free_port
from tests.router.processes import Process

NAMESPACE = "argocd"
HOST = "127.0.0.1"
DIGEST = f"sha256:{'ab' * 32}"


class _Git(BaseHTTPRequestHandler):
    """Git's own CGI program behind Python's server."""

    protocol_version = "HTTP/1.0"
    root: Path

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        env = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
        }
        said = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False).stdout
        head, _, content = said.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode().splitlines()]
        status = next((value for name, _, value in lines if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, _, value in lines:
            if name != "Status":
                self.send_header(name, value)
        # Git would take a connection that merely ends for one that was cut.
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class Repository:
    """A working copy that is pushed with each change, its address, and the CA of whoever serves it there."""

    folder: Path
    url: str
    ca: bytes

    def commit(self, change: Callable[[Path], None], message: str) -> None:
        change(self.folder)
        self._git("add", "--all")
        self._git("-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "-m", message)
        self._git("push", "--quiet", "origin", "main")

    def revert(self) -> None:
        """The last change is taken back, by a commit of its own."""
        self._git("-c", "user.name=t", "-c", "user.email=t@example.com", "revert", "--no-edit", "HEAD")
        self._git("push", "--quiet", "origin", "main")

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", "-C", self.folder, *arguments], check=True, capture_output=True)


@contextmanager
def running_git(folder: Path) -> Iterator[Repository]:
    """This checkout as an operator would have it, the router's digest filled in, in a hurry. What has to come from the
    internet, the platform's charts of others, is switched off."""
    bare, work = folder / "served" / "platform.git", folder / "work"
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", bare], check=True)
    subprocess.run(["git", "clone", "--quiet", bare, work], check=True, capture_output=True)
    handler = type("Handler", (_Git,), {"root": bare.parent})
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(tls)
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        server.daemon_threads = True
        # The handshake is the handler's: a client that waits holds nobody else up.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        url = f"https://{HOST}:{server.server_address[1]}/platform.git"
        repository = Repository(work, url, authority.cert_pem.bytes())
        repository.commit(_checkout, "as in the checkout")
        yield repository
        server.shutdown()
        thread.join()


def _checkout(folder: Path) -> None:
    for name in ("charts", "clusters"):
        shutil.copytree(ROOT / name, folder / name)
    release = folder / "clusters" / "release.yaml"
    release.write_text(release.read_text().replace('digest: ""', f'digest: "{DIGEST}"'))
    for applications in (folder / "clusters" / "base").glob("*/*.yaml"):
        text = applications.read_text()
        device_plugin = "{{ .metadata.annotations.device_plugin }}"
        applications.write_text(
            text.replace("requeueAfterSeconds: 15", "requeueAfterSeconds: 2").replace(device_plugin, "false")
        )
    values = folder / "charts" / "platform" / "values.yaml"
    content = yaml.safe_load(values.read_text())
    for component in content["components"].values():
        component["enabled"] = False
    values.write_text(yaml.safe_dump(content))


@dataclass
class ArgoCd:
    plane: ControlPlane
    repository: Repository

    def application(self, name: str) -> Object | None:
        found = self.plane.get("applications.argoproj.io", "", NAMESPACE)["items"]
        return next((each for each in found if each["metadata"]["name"] == name), None)

    def names(self) -> set[str]:
        return {each["metadata"]["name"] for each in self.plane.get("applications.argoproj.io", "", NAMESPACE)["items"]}

    def state(self, name: str) -> str:
        status: Any = (self.application(name) or {}).get("status", {})
        return f"{status.get('sync', {}).get('status')}/{status.get('health', {}).get('status')}"

    def settled(self, name: str, *, deadline_s: float = 240) -> None:
        self.plane.wait(f"{name} Synced/Healthy", lambda: self.state(name) == "Synced/Healthy", deadline_s=deadline_s)

    def refresh(self, *names: str) -> None:
        for name in names:
            self.plane.kubectl(
                "annotate", "applications.argoproj.io", name, "-n", NAMESPACE, "--overwrite",
                "argocd.argoproj.io/refresh=normal",
            )  # fmt: skip


@contextmanager
def running_argocd(plane: ControlPlane, repository: Repository, folder: Path) -> Iterator[ArgoCd]:
    """As ``configure`` says, in a namespace that is there."""
    folder.mkdir()
    with ExitStack() as stack:
        redis, repo_server = free_port(), free_port()
        settings = ["--bind", "127.0.0.1", "--port", str(redis), "--save", "", "--dir", str(folder)]
        stack.enter_context(Process(["redis-server", *settings], folder / "redis.log"))
        env = _environment(folder, repository) | {"KUBECONFIG": str(plane.api.kubeconfig)}
        for name, flags in _processes(plane, redis, repo_server).items():
            own = {**env, "ARGOCD_BINARY_NAME": name, "HOSTNAME": f"{name}-0"}
            stack.enter_context(Process([tool("argocd"), *flags], folder / f"{name}.log", env=own))
        yield ArgoCd(plane, repository)


def configure(plane: ControlPlane, values: dict[str, Any]) -> None:
    """What the chart would make of ``values`` for Argo CD's own configuration."""
    plane.kubectl("apply", "-n", NAMESPACE, *(f"--filename={file}" for file in _defaults()))
    data = {key: value for key, value in values["configs"]["cm"].items() if isinstance(value, str)}
    data["timeout.reconciliation"] = "20s"
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": NAMESPACE}}
    labels = {"labels": {"app.kubernetes.io/name": "argocd-cm", "app.kubernetes.io/part-of": "argocd"}}
    plane.apply([{**config, "metadata": {**config["metadata"], **labels}, "data": data}])  # type: ignore[dict-item]


def _defaults() -> list[Path]:
    return sorted(definitions("argocd-config").glob("argocd-*.yaml"))


def _environment(folder: Path, repository: Repository) -> dict[str, str]:
    """Folders of its own for what a container would have, and helm, kustomize and its scripts on the path."""
    programs = folder / "bin"
    programs.mkdir()
    script = programs / "git-verify-wrapper.sh"
    shutil.copy(definitions("argocd-hack") / script.name, script)
    script.chmod(0o755)
    for name in ("home", "tmp", "tls", "ssh", "gpg", "gpgsource", "plugins"):
        (folder / name).mkdir()
    (folder / "ssh" / "ssh_known_hosts").touch()
    (folder / "tls" / HOST).write_bytes(repository.ca)
    return {
        "PATH": f"{programs}:{tool('helm').parent}:{os.environ['PATH']}",
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "ARGOCD_FAKE_IN_CLUSTER": "true",
        "ARGOCD_GPG_ENABLED": "false",
        "ARGOCD_TLS_DATA_PATH": str(folder / "tls"),
        "ARGOCD_SSH_DATA_PATH": str(folder / "ssh"),
        "ARGOCD_GNUPGHOME": str(folder / "gpg"),
        "ARGOCD_GPG_DATA_PATH": str(folder / "gpgsource"),
        "ARGOCD_PLUGINSOCKFILEPATH": str(folder / "plugins"),
        "ARGOCD_SYNC_WAVE_DELAY": "1",
        # Less time for memory, as for the API server.
        "GOGC": "400",
        "GOMEMLIMIT": "1GiB",
    }


def _processes(plane: ControlPlane, redis: int, repo_server: int) -> dict[str, list[str]]:
    access = ["--kubeconfig", str(plane.api.kubeconfig), "--namespace", NAMESPACE]
    repo, store = f"127.0.0.1:{repo_server}", f"127.0.0.1:{redis}"
    return {
        "argocd-repo-server": [
            *("--address", "127.0.0.1", "--port", str(repo_server)),
            *("--metrics-address", "127.0.0.1", "--metrics-port", str(free_port())),
            *("--redis", store, "--disable-tls", "--client-ca-path=", "--revision-cache-expiration", "2s"),
        ],
        "argocd-application-controller": [
            *access,
            *("--repo-server", repo, "--repo-server-plaintext", "--redis", store),
            *("--metrics-port", str(free_port()), "--app-resync", "20", "--app-resync-jitter", "0"),
        ],
        "argocd-applicationset-controller": [
            *access,
            *("--argocd-repo-server", repo, "--repo-server-plaintext"),
            *("--metrics-addr", f"127.0.0.1:{free_port()}", "--probe-addr", f"127.0.0.1:{free_port()}"),
            *("--webhook-addr", f"127.0.0.1:{free_port()}"),
        ],
    }
