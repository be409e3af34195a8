"""CPU time per request of this router beside nginx and a plain Python proxy: ``make bench``.

All targets run at once, each in a process of its own, and are measured in turn on the same workloads: one round
forwards, the next backwards, so that a machine that gets slower or a neighbour that gets louder hits all of them. The
gateway has one core, the stand-in for the upstream and the load generator share another. What counts is the ratio to
nginx in the same round; absolute figures are this machine's at this moment.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # started by its path, it finds its siblings from the root, as tests do

from scripts.bench.gateways import DEFAULT, GATEWAYS  # noqa: E402
from scripts.bench.machine import describe, nginx_program  # noqa: E402
from scripts.bench.report import DIRECT, Sample, Samples, tables  # noqa: E402
from scripts.bench.session import BenchError, Session  # noqa: E402
from scripts.bench.traffic import WORKLOADS  # noqa: E402

NO_NGINX = "nginx is not installed, and it is the yardstick:  sudo apt-get install nginx-light"
WARM_UP_S = 0.4
USUAL = {"rounds": 5, "seconds": 1.5, "limit": 175.0}
QUICK = {"rounds": 2, "seconds": 0.5, "limit": 38.0}


def options_of(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="two short rounds in 40 s at most: for a look, not a report"
    )
    parser.add_argument("--rounds", type=int, help="how often everything is measured (5, quick 2)")
    parser.add_argument("--seconds", type=float, help="how long one measurement takes (1.5, quick 0.5)")
    parser.add_argument("--limit", type=float, help="no round starts that would end later, in seconds (175, quick 38)")
    parser.add_argument("--targets", type=_names_of(GATEWAYS), default=DEFAULT, help=f"of {','.join(GATEWAYS)}")
    parser.add_argument("--workloads", type=_names_of(WORKLOADS), default=tuple(WORKLOADS))
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the machine and all samples into this file too")
    options = parser.parse_args(arguments)
    for name, value in (QUICK if options.quick else USUAL).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def _names_of(known: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    def names(text: str) -> tuple[str, ...]:
        if unknown := set(text.split(",")) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))} not known; there are {', '.join(known)}")
        return tuple(text.split(","))

    return names


def measure(session: Session, options: argparse.Namespace, ends_at: float) -> Iterator[Sample]:
    """Rounds until there are enough, or until another one would not end in time."""
    order = [(target, options.workloads) for target in options.targets]
    if alone := [name for name in options.workloads if WORKLOADS[name].connections == 1]:
        order.append((DIRECT, alone))
    longest_s = 0.0
    for number in range(options.rounds):
        started = time.monotonic()
        if started + longest_s > ends_at:
            _say(f"stopped after {number} of {options.rounds} rounds: another one would take too long")
            return
        for target, workloads in order if number % 2 == 0 else reversed(order):
            samples = [session.sample(target, name, seconds=options.seconds, round_=number) for name in workloads]
            yield from samples
            _say(f"round {number + 1} of {options.rounds}, {target}: {_line(samples)}")
        longest_s = max(longest_s, time.monotonic() - started)


def _line(samples: Sequence[Sample]) -> str:
    return ", ".join(f"{s.workload} {s.result.ok}" + (f" × {s.cpu_us:.0f} µs" if s.cpu_us else "") for s in samples)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def report(samples: Samples, about: dict[str, Any]) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return (
        f"{about['cpu']}, {about['cores']} cores, {about['system']}, {about['python']}, "
        f"load average {about['load_average']}\n{libraries}\n{samples.verified} verified answers\n\n{tables(samples)}"
    )


def main(arguments: list[str], find_nginx: Callable[[], str | None] = nginx_program) -> int:
    """Exit code 1 where a target does not run or an answer was wrong, 2 without nginx."""
    options = options_of(arguments)
    ends_at = time.monotonic() + options.limit
    if "nginx" in options.targets and find_nginx() is None:
        _say(NO_NGINX)
        return 2
    about = describe()
    try:
        with tempfile.TemporaryDirectory(prefix="llm-router-bench-") as folder:
            with Session(options.targets, Path(folder)) as session:
                for target, workload in itertools.product(options.targets, options.workloads):
                    session.sample(target, workload, seconds=WARM_UP_S, round_=0)
                samples = Samples(measure(session, options, ends_at))
    except BenchError as failure:
        _say(str(failure))
        return 1
    print(report(samples, about))
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": about, "samples": list(samples)})))
    for error in samples.errors():
        _say(error)
    return 1 if samples.errors() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
