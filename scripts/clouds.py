"""All cloud stacks and the router's at once, over Pulumi's Automation API.

python scripts/clouds.py preview|up|config|destroy --clouds aws,gcp --stack dev

``preview`` and ``up`` go on with the router's stack; ``config`` prints the router's configuration. ``destroy`` begins
with the router's; a cloud on its own goes by scripts/teardown.sh, which waits for load balancers and volumes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

from pulumi import automation

INFRA = Path(__file__).resolve().parents[1] / "infra"
CLOUDS = ("aws", "gcp", "azure")
ROUTER = "router"

#: What is done to one project's stack. Raises ``CommandError`` where Pulumi does.
Deed = Callable[[str, automation.Stack], None]


class NothingToRun(Exception):
    """What is missing; the message says how to get it."""


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parsed(arguments)
    try:
        return _run(chosen.command, chosen.clouds, chosen.stack)
    except NothingToRun as error:
        print(error, file=sys.stderr)
        return 1


def _run(command: str, clouds: Sequence[str], stack: str) -> int:
    if shutil.which("pulumi") is None:
        raise NothingToRun("there is no pulumi on PATH: https://www.pulumi.com/docs/install/")
    if command == "config":
        return _print_config(_stack(ROUTER, stack))
    deed = {"preview": _preview, "up": _up, "destroy": _destroy}[command]
    stacks = {project: _stack(project, stack) for project in (*clouds, ROUTER)}
    router = {ROUTER: stacks.pop(ROUTER)}
    if command == "destroy":
        return _each(deed, router) or _each(deed, stacks)
    return _each(deed, stacks) or _each(deed, router)


def _print_config(router: automation.Stack) -> int:
    outputs = router.outputs()
    if "routerConfig" not in outputs:
        raise NothingToRun("the router's stack is not up, so there is no configuration yet: call this with up first")
    print(outputs["routerConfig"].value, end="")
    return 0


def _each(deed: Deed, stacks: Mapping[str, automation.Stack]) -> int:
    """Side by side: clouds do not wait for each other, and one that fails does not stop the others."""
    with ThreadPoolExecutor(len(stacks)) as pool:
        runs = {project: pool.submit(deed, project, stack) for project, stack in stacks.items()}
    failed = [project for project, run in runs.items() if isinstance(run.exception(), automation.CommandError)]
    for project, run in runs.items():
        if project not in failed:
            run.result()
    if failed:
        print(f"failed: {', '.join(failed)}. What was made stays; put it right and call this again", file=sys.stderr)
    return 1 if failed else 0


def _stack(project: str, stack: str) -> automation.Stack:
    try:
        return automation.select_stack(stack, work_dir=str(INFRA / project))
    except automation.StackNotFoundError:
        make = f"cd infra/{project} && pulumi stack init {stack}"
        raise NothingToRun(f"there is no stack {stack} in infra/{project}: {make} (docs/DEPLOYMENT_GUIDE.md)") from None
    except automation.CommandError as error:
        raise NothingToRun(f"infra/{project}: {error}") from None


def _preview(project: str, stack: automation.Stack) -> None:
    stack.preview(on_output=_told(project), on_error=_told(project, sys.stderr))


def _up(project: str, stack: automation.Stack) -> None:
    stack.up(on_output=_told(project), on_error=_told(project, sys.stderr))


def _destroy(project: str, stack: automation.Stack) -> None:
    stack.destroy(on_output=_told(project), on_error=_told(project, sys.stderr))


def _told(project: str, to: TextIO | None = None) -> Callable[[str], None]:
    return lambda line: print(f"{project:>6} | {line.rstrip()}", file=to, flush=True) if line.strip() else None


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="All cloud stacks and the router's at once.")
    parser.add_argument("command", choices=["preview", "up", "config", "destroy"])
    parser.add_argument("--clouds", type=_clouds, default=CLOUDS, help="some of aws,gcp,azure; all by default")
    parser.add_argument("--stack", default="dev", help="the stack's name in each project")
    return parser.parse_args(arguments)


def _clouds(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    unknown = [name for name in names if name not in CLOUDS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(CLOUDS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
