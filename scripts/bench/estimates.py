"""How far off estimates are on a real trace: each request is estimated, then its answer is learnt from.

    python -m scripts.bench.estimates TRACE.csv [--usd-per-1m-input 0.10] [--usd-per-1m-output 0.50]

A trace has no texts, so the length of each prompt counts as known, and all requests are of one key and one complexity:
what is judged is the expected length of the answer, beside the first guess that a router starts with.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from llm_router.model import Facts, ListPrice, Rate, Target, Usage, View
from llm_router.pricing.estimate import PRIOR_OUTPUT_TOKENS, expected_usage, list_usd
from llm_router.pricing.expectations import Expectations

MODEL = "m"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("trace", type=Path, help="CSV with the columns ContextTokens and GeneratedTokens")
    parser.add_argument("--usd-per-1m-input", type=float, default=0.10)
    parser.add_argument("--usd-per-1m-output", type=float, default=0.50)
    options = parser.parse_args(arguments)
    paid = Rate(options.usd_per_1m_input / 1000)
    answered = Rate(options.usd_per_1m_output / 1000)
    price = ListPrice(input=paid, output=answered, cache_read=paid, cache_write=paid, source="bench")
    target = Target(name=MODEL, kind="provider", owner=MODEL, model=MODEL, list_price=price)
    expectations = Expectations()
    actual: list[float] = []
    estimates: dict[str, list[float]] = {"learnt": [], "first guess": []}
    with options.trace.open(newline="") as file:
        for row in csv.DictReader(file):
            usage = Usage(input_tokens=int(row["ContextTokens"]), output_tokens=int(row["GeneratedTokens"]))
            facts = Facts(model=MODEL, input_tokens=usage.input_tokens, expected_output_tokens=PRIOR_OUTPUT_TOKENS)
            for name, view in (
                ("learnt", View(target=target, expected=expectations.of(MODEL))),
                ("first guess", View(target=target)),
            ):
                estimates[name].append(list_usd(price, expected_usage(view, facts)))
            actual.append(list_usd(price, usage))
            expectations.learn(MODEL, facts, usage)
    print(f"{len(actual)} requests, {sum(actual):.4f} USD")
    print(f"{'estimate':<12}{'of the bill':>13}{'median error':>14}{'p90 error':>11}")
    for name, usd in estimates.items():
        errors = [abs(guess - real) / real for guess, real in zip(usd, actual, strict=True) if real > 0]
        cuts = statistics.quantiles(errors, n=10, method="inclusive")
        print(f"{name:<12}{sum(usd) / sum(actual):>13.1%}{cuts[4]:>14.1%}{cuts[8]:>11.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
