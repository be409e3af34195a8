"""What prepares a machine and what runs in CI: clear words where something is missing, everything pinned."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.router.browser import PROGRAMS

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture
def only(tmp_path: Path) -> Path:
    """A folder for PATH with what shell scripts are made of, and no tool that they look for."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "env", "dirname", "awk", "grep", "head", "sort", "cat", "rm", "id", "true"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/usr/bin/env bash\n{script}\n")
    path.chmod(0o755)


def run(script: str, *arguments: str, path: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": str(path), "PYTHON": "python3"}
    command = [str(ROOT / "scripts" / script), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_setup_finds_all_that_the_demo_needs_on_this_machine() -> None:
    done = subprocess.run([ROOT / "scripts" / "setup.sh"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "ready: make demo, make test" in done.stdout


def test_setup_names_what_is_missing_or_too_old(only: Path) -> None:
    program(only, "git", "echo git version 1.8.3")
    done = run("setup.sh", path=only)
    assert done.returncode == 1
    assert re.search(r"MISS python3 +not found, 3\.11 or later is needed: sudo apt-get install python3", done.stdout)
    assert re.search(r"MISS git +1\.8\.3, 2\.30 or later is needed", done.stdout)
    assert re.search(r"- +helm +not found; for the charts: https://", done.stdout)


def test_uv_is_not_put_below_a_python_that_is_too_old(only: Path, tmp_path: Path) -> None:
    program(only, "python3", '[ "$1" = --version ] && echo Python 3.9.2')
    done = run("get-uv.sh", "python3", str(tmp_path / "tools"), "0.13.8", path=only)
    assert done.returncode == 1
    assert "Python 3.11 or later is needed; python3 is: Python 3.9.2." in done.stderr
    assert not (tmp_path / "tools").exists()


def test_a_python_without_venv_is_told_what_to_install(only: Path, tmp_path: Path) -> None:
    """As a user who may not install packages, on a Debian without python3-venv."""
    program(only, "python3", '[[ "$*" != *ensurepip* ]]')
    (only / "id").unlink()
    program(only, "id", "echo 1000")
    done = run("get-uv.sh", "python3", str(tmp_path / "tools"), "0.13.8", path=only)
    assert done.returncode == 1
    assert "sudo apt-get install python3-venv" in done.stderr


def test_missing_debian_packages_are_one_line_to_type_for_who_may_not_install(only: Path) -> None:
    (only / "id").unlink()
    program(only, "id", "echo 1000")
    program(only, "sudo", "exit 1")
    program(only, "dpkg-query", '[ "${!#}" != git ] && echo install ok installed')
    done = run("debian-packages.sh", "test", path=only)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "missing, so what needs them fails:  sudo apt-get install git\n"


def test_missing_debian_packages_are_installed_after_fetching_the_lists(only: Path, tmp_path: Path) -> None:
    (only / "id").unlink()
    program(only, "id", "echo 0")
    program(only, "dpkg-query", "exit 1")
    log, lists = tmp_path / "log", tmp_path / "lists"
    program(only, "apt-get", f'echo "$*" >>{log}; [ "$1" != update ] || echo >{lists}; [ -e {lists} ]')
    program(only, "apt-cache", f"[ -e {lists} ]")
    done = run("debian-packages.sh", "bench", path=only)
    assert (done.returncode, done.stderr) == (0, "")
    install = "install -y -qq --no-install-recommends nginx-light"
    assert log.read_text().splitlines() == [install, "update -qq", install]


def test_a_package_that_apt_does_not_know_keeps_no_other_out(only: Path, tmp_path: Path) -> None:
    (only / "id").unlink()
    program(only, "id", "echo 0")
    program(only, "dpkg-query", '[[ "${!#}" != @(git|chromium) ]] && echo install ok installed')
    log = tmp_path / "log"
    program(only, "apt-get", f'echo "$*" >>{log}; [[ "$*" != *chromium* ]]')
    program(only, "apt-cache", '[ "$2" != chromium ]')
    done = run("debian-packages.sh", "test", path=only)
    assert (done.returncode, done.stderr) == (0, "apt has no chromium, so what needs it fails\n")
    assert log.read_text().splitlines()[-1] == "install -y -qq --no-install-recommends git"


@pytest.mark.parametrize("browser", PROGRAMS)
def test_a_browser_that_the_tests_can_use_needs_no_package(only: Path, browser: str) -> None:
    program(only, "dpkg-query", '[ "${!#}" != chromium ] && echo install ok installed')
    program(only, browser, "exit 1")
    done = run("debian-packages.sh", "test", path=only)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_each_debian_package_says_who_uses_it_and_what_for() -> None:
    lines = [line for line in (ROOT / "debian-packages.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[a-z0-9.+-]+ +(test|bench) +\S.*", line), line


def test_each_tool_has_a_version() -> None:
    lines = [line for line in (ROOT / "scripts" / "tools.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[\w-]+ +v\d+\.\d+\.\d+ +[\w.-]+/\S+ +\S.*", line), line


def jobs(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return dict(loaded["jobs"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_pin_their_actions_and_may_only_read(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}
    for name, job in jobs(path).items():
        assert job["timeout-minutes"] <= 60, name
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+(/[\w-]+)+@[0-9a-f]{40}", step["uses"]), step["uses"]


def test_the_gate_job_waits_for_all_others() -> None:
    everything = jobs(ROOT / ".github" / "workflows" / "ci.yml")
    gate = everything.pop("gate")
    assert sorted(gate["needs"]) == sorted(everything)
    assert gate["steps"][0]["run"].count("success") == len(everything)


def test_hooks_are_local_and_run_installed_tools() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert (ROOT / hook["entry"].split()[0]).exists(), hook["entry"]


def test_every_shell_script_is_clean() -> None:
    scripts = [*sorted((ROOT / "scripts").rglob("*.sh")), ROOT / ".ci" / "run"]
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_make_lists_its_targets() -> None:
    done = subprocess.run(["make", "-C", ROOT, "--no-print-directory"], capture_output=True, text=True, check=True)
    told = {line.split()[1] for line in done.stdout.splitlines()}
    assert {"install", "demo", "test", "test-fast", "check", "bench", "docs", "tools", "schema", "clean"} <= told
    assert len(told) <= 18
