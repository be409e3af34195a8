"""The image: its Dockerfile passes the linter, and its build stage's own commands make a working installation.

No container runs here. The commands are read from the Dockerfile and run in order, with the image's folders replaced by
temporary ones and a fresh virtual environment in the place of the base image's Python.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.router.ports import free_port
from tests.router.processes import Process, answers

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "router" / "Dockerfile"


@dataclass(frozen=True)
class Instruction:
    word: str
    rest: str

    @property
    def argv(self) -> list[str]:
        """The words of an instruction in exec form; a shell form, which needs a shell in the image, is an error."""
        words: list[str] = json.loads(self.rest[self.rest.index("[") :])
        return words


def stages() -> list[list[Instruction]]:
    """The instructions of each FROM, that one included."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    found: list[list[Instruction]] = []
    for line in filter(str.strip, lines):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append(Instruction(word, rest.strip()))
    return found


BUILD, RUNTIME = stages()


def of(stage: list[Instruction], word: str) -> list[Instruction]:
    return [instruction for instruction in stage if instruction.word == word]


def variables(stage: list[Instruction]) -> dict[str, str]:
    pairs = (pair.partition("=") for instruction in of(stage, "ENV") for pair in instruction.rest.split())
    return {name: value for name, _, value in pairs}


@dataclass
class Image:
    """The build stage, played on this machine below ``root``."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    folder: Path = Path("/")

    def here(self, text: str) -> str:
        """``text`` with the image's folders replaced by those below ``root``."""
        return re.sub(r"(?<![\w/.])/(opt|src|etc)\b", rf"{self.root}/\1", text)

    def play(self) -> None:
        base = self.root / "base"
        venv.create(base, with_pip=True)
        # This machine's way to the package registry stays; its tools and its virtual environment do not.
        kept = {name: value for name, value in os.environ.items() if not re.match("UV_|PYTHON|VIRTUAL_ENV", name)}
        self.env = kept | {"PATH": f"{base / 'bin'}:/usr/bin:/bin"}
        self.env |= {name: self.here(value) for name, value in variables(BUILD).items()}
        for instruction in BUILD:
            getattr(self, f"_{instruction.word.lower()}", self._nothing)(instruction)

    def _nothing(self, instruction: Instruction) -> None:
        assert instruction.word in {"FROM", "ENV", "ARG"}, f"the test cannot play {instruction.word}"

    def _workdir(self, instruction: Instruction) -> None:
        self.folder = Path(self.here(instruction.rest))
        self.folder.mkdir(parents=True)

    def _copy(self, instruction: Instruction) -> None:
        *sources, target = instruction.rest.split()
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, self.folder / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, self.folder / target)

    def _run(self, instruction: Instruction) -> None:
        argv = [self.here(word) for word in instruction.argv]
        program = shutil.which(argv[0], path=self.env["PATH"])
        assert program, f"{argv[0]} is not on the build stage's PATH"
        done = subprocess.run([program, *argv[1:]], cwd=self.folder, env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, f"{instruction.rest}\n{done.stdout}{done.stderr}"

    @property
    def runtime_env(self) -> dict[str, str]:
        """The final stage's variables and nothing of this machine's."""
        named = {name: self.here(value.replace("$PATH", "/nowhere")) for name, value in variables(RUNTIME).items()}
        return {**named, "HOME": "/nonexistent"}

    def run(self, argv: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        program = shutil.which(argv[0], path=self.runtime_env["PATH"])
        assert program, f"{argv[0]} is not on the image's PATH"
        return subprocess.run(
            [program, *argv[1:]], env=self.runtime_env, capture_output=True, text=True, check=False, **options
        )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    image = Image(tmp_path_factory.mktemp("image"))
    image.play()
    return image


def test_the_linter_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_user_is_a_number_beyond_those_of_any_host() -> None:
    user = of(RUNTIME, "USER")[-1].rest
    assert re.fullmatch(r"\d+:\d+", user)
    assert min(map(int, user.split(":"))) >= 10_000


def test_the_final_stage_runs_no_command_and_needs_no_shell() -> None:
    assert not of(RUNTIME, "RUN")
    for word in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):
        assert all(instruction.argv for instruction in of(RUNTIME, word)), word


def test_the_base_is_one_pinned_tag_that_a_build_can_replace_by_a_digest() -> None:
    bases = [stage[0].rest.split()[0] for stage in (BUILD, RUNTIME)]
    assert bases == ["${PYTHON_IMAGE}"] * 2
    default = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    assert default
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", default[1])


def test_what_is_copied_passes_the_dockerignore() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {source for instruction in of(BUILD, "COPY") for source in instruction.rest.split()[:-1]}
    assert copied == allowed


@pytest.mark.slow
def test_the_entrypoint_is_the_installed_command(image: Image) -> None:
    entrypoint = of(RUNTIME, "ENTRYPOINT")[0].argv
    done = image.run([*entrypoint, "--version"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "llm-router" in done.stdout
    assert image.run([*entrypoint, *of(RUNTIME, "CMD")[0].argv[:1], "--help"]).returncode == 0


@pytest.mark.slow
def test_only_the_router_is_inside(image: Image) -> None:
    (packages,) = (image.root / "opt" / "llm-router" / "lib").glob("python3.*/site-packages")
    inside = {path.name for path in packages.iterdir()}
    assert {"llm_router", "starlette", "uvicorn", "sqlalchemy", "psycopg", "redis"} <= inside
    assert not {"llm_infra", "pytest", "mypy", "xllamacpp", "numpy", "pip"} & inside
    assert not [name for name in inside if name.startswith("__editable__") or name.startswith("_multicloud")]
    size = sum(path.stat().st_size for path in packages.rglob("*") if path.is_file())
    assert size < 192 * 2**20, "half of it is what asks AWS and Google for prices, and drivers of databases"


@pytest.mark.slow
def test_the_health_check_tells_a_living_router_from_a_dead_one(image: Image, tmp_path: Path) -> None:
    """The CMD serves, as in the image, a configuration; the HEALTHCHECK asks it. Only the port is this machine's."""
    port, admin_port = free_port(), free_port()
    (tmp_path / "router.yaml").write_text(
        f"server: {{host: 127.0.0.1, port: {port}}}\n"
        f"admin: {{host: 127.0.0.1, port: {admin_port}}}\n"
        "clusters: [{name: here, endpoint: 'http://127.0.0.1:9', provider: aws, authType: none, costPerHour: 0.1}]\n"
    )
    check = [word.replace(":8080", f":{port}") for word in of(RUNTIME, "HEALTHCHECK")[0].argv]
    assert image.run(check).returncode != 0
    words = [*of(RUNTIME, "ENTRYPOINT")[0].argv, *of(RUNTIME, "CMD")[0].argv]
    command = [word.replace("/etc/llm-router", str(tmp_path)) for word in words]
    program = shutil.which(command[0], path=image.runtime_env["PATH"])
    with Process([str(program), *command[1:]], tmp_path / "log", env=image.runtime_env) as router:
        router.wait_until(lambda: answers(f"http://127.0.0.1:{port}/livez"))
        assert image.run(check).returncode == 0
        assert router.end() == 0
    assert image.run(check).returncode != 0
