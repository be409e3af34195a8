"""scripts/teardown.sh, with stand-ins for the commands of Pulumi, Kubernetes and the clouds: they note their calls."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "teardown.sh"

#: Notes the call; answers from a file named after it, whose lines are answered one call after the other.
STAND_IN = """\
#!/bin/bash
call="$(basename "$0") $*"
echo "$call" >> "$NOTES/calls"
for answer in "$NOTES"/answers/*; do
  pattern=$(head -n 1 "$answer")
  if [[ $call == *$pattern* ]]; then
    sed -n 2p "$answer"
    code=$(sed -n 3p "$answer")
    [ "$(wc -l < "$answer")" -le 3 ] || sed -i 2,3d "$answer"
    exit "${code:-0}"
  fi
done
exit 0
"""


@dataclass(frozen=True)
class World:
    """``answers``: part of a call → (output, exit code), one after the other; the last one stays."""

    folder: Path

    def answers(self, call: str, *answers: tuple[str, int]) -> None:
        lines = [call, *(line for text, code in answers for line in (text, str(code)))]
        number = len(list((self.folder / "answers").iterdir()))
        (self.folder / "answers" / f"{number:02}").write_text("\n".join(lines) + "\n")

    def run(self, *arguments: str, deadline_s: int = 60) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "NOTES": str(self.folder),
            "TEARDOWN_POLL_S": "0",
            "TEARDOWN_DEADLINE_S": str(deadline_s),
        }
        return subprocess.run([SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False)

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    def position(self, part: str) -> int:
        (found,) = [i for i, call in enumerate(self.calls) if part in call]
        return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    for folder in ("bin", "answers"):
        (tmp_path / folder).mkdir()
    for command in ("pulumi", "kubectl", "aws", "gcloud", "az"):
        program = tmp_path / "bin" / command
        program.write_text(STAND_IN)
        program.chmod(0o755)
    made = World(tmp_path)
    made.answers("stack output cluster", ("llm-dev", 0))
    return made


@pytest.mark.parametrize(
    ("cloud", "asked"), [("aws", "aws resource"), ("gcp", "gcloud asset"), ("azure", "az resource")]
)
def test_argo_cd_goes_before_the_stack_and_the_cloud_is_asked_last(world: World, cloud: str, asked: str) -> None:
    done = world.run(cloud, "dev")
    assert done.returncode == 0, done.stdout + done.stderr
    assert world.position("delete application root") < world.position("pulumi destroy") < world.position(asked)
    assert "nothing is left" in done.stdout
    assert not any("unprotect" in call for call in world.calls)


def test_it_waits_for_load_balancers_and_volumes(world: World) -> None:
    world.answers("get services", ("service/gateway", 0), ("", 0))
    world.answers("get persistentvolumes", ("volume/models", 0), ("volume/models", 0), ("", 0))
    done = world.run("aws", "dev")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "waiting for service/gateway volume/models" in done.stdout
    assert len([call for call in world.calls if "get services" in call]) == 3


def test_what_does_not_go_stops_it_before_the_cluster_is_gone(world: World) -> None:
    world.answers("get services", ("service/gateway", 0))
    done = world.run("aws", "dev", deadline_s=2)
    assert done.returncode == 1
    assert "service/gateway" in done.stderr
    assert not any("destroy" in call for call in world.calls)


def test_a_cluster_that_is_dead_does_not_stop_it(world: World) -> None:
    world.answers("get --raw /readyz", ("", 1))
    done = world.run("gcp", "dev")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "may be left" in done.stdout
    assert any("pulumi destroy" in call for call in world.calls)


def test_leftovers_are_named(world: World) -> None:
    world.answers("resourcegroupstaggingapi", ("arn:aws:ec2:volume/vol-1", 0))
    done = world.run("aws", "dev")
    assert done.returncode == 1
    assert "vol-1" in done.stdout


def test_a_cloud_that_cannot_be_asked_is_no_promise(world: World) -> None:
    world.answers("az resource list", ("", 1))
    done = world.run("azure", "dev")
    assert done.returncode == 1
    assert "the stack is gone; whether anything is left, az could not say" in done.stderr


def test_production_goes_only_when_it_is_said_twice(world: World) -> None:
    world.answers("config get environment", ("prod", 0))
    done = world.run("aws", "prod")
    assert done.returncode == 1
    assert "--production" in done.stderr
    assert not any("destroy" in call or "unprotect" in call for call in world.calls)
    assert world.run("aws", "prod", "--production").returncode == 0
    assert world.position("config set protected false") < world.position("pulumi up") < world.position("pulumi destroy")


def test_a_stack_that_never_came_up_is_destroyed_all_the_same(world: World) -> None:
    (world.folder / "answers" / "00").unlink()
    done = world.run("azure", "dev")
    assert done.returncode == 0
    assert any("pulumi destroy" in call for call in world.calls)
    assert not any(call.startswith("kubectl") for call in world.calls)


def test_a_state_that_cannot_be_read_is_not_one_without_a_cluster(world: World) -> None:
    """The passphrase is another one, or the bucket does not answer."""
    world.answers("stack output --json", ("", 1))
    assert world.run("aws", "dev").returncode == 1
    assert not any("destroy" in call for call in world.calls)


@pytest.mark.parametrize("arguments", [(), ("aws",), ("oracle", "dev"), ("aws", "dev", "--force")])
def test_a_wrong_call_says_how(world: World, arguments: tuple[str, ...]) -> None:
    done = world.run(*arguments)
    assert done.returncode == 2
    assert "scripts/teardown.sh aws|gcp|azure STACK" in done.stderr
