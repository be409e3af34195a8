"""Learns the weights of the complexity score and writes them as a Python module.

    python scripts/complexity/train.py mmlu-half.csv.gz

docs/benchmarks-complexity.md says where the data come from; they are not part of the repository.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # started by its path, it finds its siblings from the root, as tests do

from llm_router.routing.complexity import FEATURES  # noqa: E402
from scripts.complexity.learner import BY_HAND, Problem, learn  # noqa: E402
from scripts.complexity.measures import Floats, apgr, cpt, read_answers  # noqa: E402

MODULE = ROOT / "router/llm_router/routing/complexity_weights.py"


def module(problem: Problem, weights: Floats, *, shrinkage: float, source: str, seed: int) -> str:
    """The text of the weights' module. ``source`` says what the data were."""
    answers = problem.answers
    scores = problem.strengths @ weights
    measured = scores, answers.weak, answers.strong
    lines = [f"    {weight:.4f},  # {name}, by hand {BY_HAND[name]:.2f}" for name, weight in _named(weights)]
    return f'''"""Weights of the complexity score, in the order of ``complexity.FEATURES``. Generated: do not edit.

    python scripts/complexity/train.py --seed {seed} mmlu-half.csv.gz

Data: {source},
{len(answers.prompts)} prompts of {len(set(answers.subjects))} subjects.
Shrinkage {shrinkage:g} towards the weights set by hand.
On the data that they were trained on: APGR {apgr(*measured):.3f}, CPT(50 %) {cpt(*measured):.3f}.
What they reach on unseen subjects is in docs/benchmarks-complexity.md.
"""

from __future__ import annotations

WEIGHTS = (
{chr(10).join(lines)}
)
'''


def _named(weights: Floats) -> list[tuple[str, float]]:
    return [(name, float(weight)) for name, weight in zip(FEATURES, weights, strict=True)]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="gzipped CSV: subject, prompt, weak_correct, strong_correct")
    parser.add_argument("--seed", type=int, default=1, help="of the folds that choose the shrinkage (1)")
    parser.add_argument("--out", type=Path, default=MODULE, help="module to write (the router's own)")
    options = parser.parse_args(arguments)
    problem = Problem.of(read_answers(options.data))
    weights, shrinkage = learn(problem, sorted(set(problem.answers.subjects)), options.seed)
    digest = hashlib.sha256(options.data.read_bytes()).hexdigest()[:16]
    source = f"{options.data.name}, SHA-256 {digest}…"
    options.out.write_text(module(problem, weights, shrinkage=shrinkage, source=source, seed=options.seed))
    print(f"{options.out}: shrinkage {shrinkage:g}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
