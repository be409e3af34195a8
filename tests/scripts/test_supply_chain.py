"""What the project is made of: locked by sums, above the versions with known holes, in the wheel and its bill of
materials; and an audit that says so when it could not find anything out."""

from __future__ import annotations

import http.server
import json
import re
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCK: list[dict[str, Any]] = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
PROJECT = "multicloud-llm-router"
BY_NAME: dict[str, list[dict[str, Any]]] = {
    name: [package for package in LOCK if package["name"] == name] for name in {package["name"] for package in LOCK}
}
"""Some are there in two versions, for older and newer Pythons."""


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text.split("+")[0])[:3])


# ---------------------------------------------------------------- the lock


def test_every_file_that_may_be_installed_is_locked_by_its_sum() -> None:
    assert len(LOCK) > 100
    for package in LOCK:
        if package["name"] == PROJECT:
            assert package["source"] == {"editable": "."}
            continue
        assert package["source"] == {"registry": "https://pypi.org/simple"}, package["name"]
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files, package["name"]
        for file in files:
            assert re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]), file["url"]


SAFE_FROM = {
    "aiohttp": ("3.12.14", "CVE-2025-53643: request smuggling"),
    "certifi": ("2024.7.4", "CVE-2024-39689: distrusted roots"),
    "cryptography": ("44.0.1", "CVE-2024-12797: raw public keys are not verified"),
    "h11": ("0.16.0", "CVE-2025-43859: request smuggling"),
    "idna": ("3.7", "CVE-2024-3651: quadratic time"),
    "jinja2": ("3.1.6", "CVE-2025-27516: out of the sandbox"),
    "protobuf": ("5.29.5", "CVE-2025-4565: unbounded recursion"),
    "python-multipart": ("0.0.31", "CVE-2026-53540, and others before it"),
    "requests": ("2.32.4", "CVE-2024-47081: credentials of another host"),
    "setuptools": ("78.1.1", "CVE-2025-47273: path traversal"),
    "starlette": ("1.0.1", "CVE-2026-48710: Host decides on paths; CVE-2025-62727: Range in quadratic time"),
    "urllib3": ("2.6.0", "CVE-2025-50181, CVE-2025-66418: redirects, unbounded decompression"),
    "werkzeug": ("3.0.6", "CVE-2024-49767: unbounded forms"),
}
"""The first release without the hole; for those that are there at all."""


@pytest.mark.parametrize("name", SAFE_FROM)
def test_no_version_with_a_known_hole_is_locked(name: str) -> None:
    least, why = SAFE_FROM[name]
    for package in BY_NAME.get(name, []):
        assert version(package["version"]) >= version(least), why


def test_nobody_can_install_the_router_with_a_hole_in_what_it_names_itself() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [one for extra in project["optional-dependencies"].values() for one in extra]
    for requirement in (*project["dependencies"], *extras):
        found = re.fullmatch(r"([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?(?:>=|==)([0-9.]+)", requirement)
        assert found, f"{requirement} has no least version"
        assert version(found[2]) >= version(SAFE_FROM.get(found[1], ("0", ""))[0]), requirement


# ---------------------------------------------------------------- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    return zipfile.ZipFile(file)


def test_the_wheel_has_the_package_and_nothing_that_runs_by_itself(wheel: zipfile.ZipFile) -> None:
    """Python runs what a ``.pth`` file says at every start; scripts and data would land outside the package."""
    names = wheel.namelist()
    assert not [name for name in names if name.endswith(".pth")]
    assert {re.sub(r"-[0-9].*\.", ".", name.split("/")[0]) for name in names} == {
        "llm_router",
        "multicloud_llm_router.dist-info",
    }
    assert {"llm_router/state/reserve.lua", "llm_router/ui/status.html", "llm_router/ui/style.css"} <= {*names}


def needed(name: str, extras: frozenset[str]) -> set[str]:
    """What the lock says that ``name`` with ``extras`` needs at run time, on whatever system; itself included."""
    seen: set[tuple[str, str]] = set()
    waiting = [(name, extra) for extra in ("", *extras)]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        for package in BY_NAME[one[0]]:
            extra = package.get("optional-dependencies", {}).get(one[1], [])
            for entry in extra if one[1] else package.get("dependencies", []):
                waiting += [(entry["name"], more) for more in ("", *entry.get("extra", []))]
    return {package for package, _ in seen}


def test_its_bill_of_materials_is_what_the_lock_says(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if "/sboms/" in name]
    assert re.fullmatch(r"multicloud_llm_router-[0-9.]+\.dist-info/sboms/sbom\.cdx\.json", name)
    bill = json.loads(wheel.read(name))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert bill["metadata"]["component"]["name"] == PROJECT
    listed = {(component["name"], component["version"]) for component in bill["components"]}
    names = needed(PROJECT, frozenset(BY_NAME[PROJECT][0]["optional-dependencies"])) - {PROJECT}
    assert listed == {(name, one["version"]) for name in names for one in BY_NAME[name]}, "run: make schema"
    assert {"starlette", "redis", "sqlalchemy", "boto3"} <= names
    assert not {"pytest", "pulumi"} & names
    assert {node["ref"] for node in bill["dependencies"]} >= {component["bom-ref"] for component in bill["components"]}


# ---------------------------------------------------------------- the audit

Answer = Callable[[list[dict[str, Any]]], tuple[int, bytes]]
HOLES = {("h11", "0.14.0"), ("starlette", "0.39.0"), ("python-multipart", "0.0.6")}


@contextmanager
def osv(answer: Answer) -> Iterator[str]:
    """A stand-in of OSV, as far as the audit asks it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            queries = json.loads(self.rfile.read(int(self.headers["content-length"])))["queries"]
            assert self.path == "/v1/querybatch"
            assert all(query["package"]["ecosystem"] == "PyPI" for query in queries)
            status, body = answer(queries)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def knowing(holes: set[tuple[str, str]]) -> Answer:
    def answer(queries: list[dict[str, Any]]) -> tuple[int, bytes]:
        asked = [(query["package"]["name"], query["version"]) for query in queries]
        return 200, json.dumps(
            {"results": [{"vulns": [{"id": "GHSA-1"}]} if one in holes else {} for one in asked]}
        ).encode()

    return answer


def audit(source: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "audit.py"), "--source", source, *more]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_an_audit_asks_about_every_package_of_the_lock() -> None:
    asked: list[dict[str, Any]] = []

    def answer(queries: list[dict[str, Any]]) -> tuple[int, bytes]:
        asked.extend(queries)
        return knowing(HOLES)(queries)

    with osv(answer) as source:
        said = audit(source)
    assert (said.returncode, said.stdout) == (0, f"{len(LOCK) - 1} packages, 0 with known vulnerabilities\n"), said
    names = {(query["package"]["name"], query["version"]) for query in asked} - HOLES
    assert names == {(package["name"], package["version"]) for package in LOCK if package["name"] != PROJECT}


def test_a_known_vulnerability_fails_it_until_it_is_said_to_be_known() -> None:
    locked = BY_NAME["starlette"][0]["version"]
    with osv(knowing({*HOLES, ("starlette", locked)})) as source:
        found, ignored = audit(source), audit(source, "--ignore", "GHSA-1")
    assert (found.returncode, ignored.returncode) == (1, 0)
    assert f"starlette {locked}: GHSA-1\n" in found.stdout


def short(queries: list[dict[str, Any]]) -> tuple[int, bytes]:
    status, body = knowing(HOLES)(queries)
    return status, json.dumps({"results": json.loads(body)["results"][:-1]}).encode()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (knowing(set()), "does not know that h11 0.14.0 is vulnerable"),
        (short, "answers for"),
        (lambda _queries: (500, b""), "does not answer as OSV does"),
        (lambda _queries: (200, b"<html>Please log in</html>"), "does not answer as OSV does"),
        (lambda _queries: (200, b'{"results": null}'), "does not answer as OSV does"),
        (lambda _queries: (200, b"[]"), "does not answer as OSV does"),
        (lambda _queries: (302, b""), "does not answer as OSV does"),
    ],
    ids=["knows nothing", "skips one", "error", "a login page", "no results", "another form", "redirect"],
)
def test_an_audit_that_could_not_find_out_fails_and_says_so(answer: Answer, told: str) -> None:
    with osv(answer) as source:
        said = audit(source)
    assert said.returncode == 2
    assert said.stderr.startswith("not audited: ")
    assert told in said.stderr
    assert said.stdout == ""


def test_without_a_network_it_fails_too() -> None:
    with osv(knowing(HOLES)) as gone:
        pass
    said = audit(gone)
    assert (said.returncode, said.stdout) == (2, "")
    assert "not audited" in said.stderr


def test_a_package_that_nobody_can_be_asked_about_is_not_passed_over(tmp_path: Path) -> None:
    lock = tmp_path / "uv.lock"
    lock.write_text('[[package]]\nname = "x"\nversion = "1"\nsource = {git = "https://example.com/x"}\n')
    with osv(knowing(HOLES)) as source:
        said = audit(source, str(lock))
    assert (said.returncode, "x is from no registry" in said.stderr) == (2, True)
