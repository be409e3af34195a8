"""How well the complexity score tells which prompts need a strong model, on subjects that it has not seen.

    python scripts/complexity/evaluate.py mmlu-half.csv.gz

Each split takes half of the subjects at random for training, the shrinkage included, and measures on the other half:
mean and standard deviation over all splits. Beside it on the same splits: chance, the length of the prompt alone, the
weights set by hand, and a regression on hashed words, learned from the same halves. The last lines score each subject
once by weights learned from the other folds, and all rows by the weights that are in use.
"""

from __future__ import annotations

import argparse
import re
import sys
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # started by its path, it finds its siblings from the root, as tests do

from llm_router.routing.complexity import FEATURES  # noqa: E402
from llm_router.routing.complexity_weights import WEIGHTS  # noqa: E402
from scripts.complexity.learner import BY_HAND, Problem, learn  # noqa: E402
from scripts.complexity.measures import Floats, apgr, cpt, folds, halves, read_answers  # noqa: E402

LEARNED, LENGTH, WORDS = "learned", "length", "hashed words"
BUCKETS = 512


def rivals(problem: Problem, seed: int) -> dict[str, Floats]:
    """Scores that need no training."""
    return {
        "chance": np.random.default_rng(seed).random(len(problem.strengths)),
        LENGTH: np.array([len(prompt) for prompt in problem.answers.prompts], dtype=np.float64),
        "by hand": problem.strengths @ np.array([BY_HAND[name] for name in FEATURES]),
    }


def hashed_words(prompts: Sequence[str]) -> Floats:
    """One row a prompt: 1 in each bucket that one of its words falls into."""
    rows = np.zeros((len(prompts), BUCKETS))
    for row, prompt in zip(rows, prompts, strict=True):
        row[[zlib.crc32(word.encode()) % BUCKETS for word in re.findall(r"[^\W\d_]+", prompt.lower())]] = 1
    return rows


def ridge(x: Floats, y: Floats, shrinkage: float = 0.1) -> Floats:
    x, y = x - x.mean(axis=0), y - y.mean()
    return np.asarray(np.linalg.solve(x.T @ x + shrinkage * len(y) * np.eye(x.shape[1]), x.T @ y), dtype=np.float64)


def on_unseen_halves(problem: Problem, splits: int, seed: int) -> Mapping[str, list[tuple[float, float]]]:
    """For each score its (APGR, CPT 50 %) on the test half of each split."""
    answers, fixed, words = problem.answers, rivals(problem, seed), hashed_words(problem.answers.prompts)
    reached: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for train, test in halves(answers.subjects, splits, seed):
        rows, seen = answers.of(test), answers.of(train)
        learned = {
            WORDS: words @ ridge(words[seen], answers.needed[seen]),
            LEARNED: problem.strengths @ learn(problem, train, seed)[0],
        }
        for name, scores in {**fixed, **learned}.items():
            measured = scores[rows], answers.weak[rows], answers.strong[rows]
            reached[name].append((apgr(*measured), cpt(*measured)))
    return reached


def each_subject_once(problem: Problem, k: int, seed: int) -> tuple[float, float]:
    """(APGR, CPT 50 %) over all subjects, each scored by weights learned from the other folds."""
    answers, scores = problem.answers, np.zeros(len(problem.strengths))
    for train, test in folds(answers.subjects, k, seed):
        rows = answers.of(test)
        scores[rows] = problem.strengths[rows] @ learn(problem, train, seed)[0]
    return apgr(scores, answers.weak, answers.strong), cpt(scores, answers.weak, answers.strong)


def report(problem: Problem, splits: int, seed: int) -> list[str]:
    answers = problem.answers
    reached = on_unseen_halves(problem, splits, seed)
    lines = [
        f"{len(answers.prompts)} prompts of {len(set(answers.subjects))} subjects; weak model "
        f"{answers.weak.mean():.3f}, strong {answers.strong.mean():.3f}; {splits} random halves, seed {seed}",
        "",
        "| score | APGR | worst split | CPT(50 %) |",
        "|---|---|---|---|",
    ]
    for name, figures in reached.items():
        values, points = (np.array(column) for column in zip(*figures, strict=True))
        lines.append(
            f"| {name} | {values.mean():.3f} ± {values.std():.3f} | {values.min():.3f} "
            f"| {points.mean():.3f} ± {points.std():.3f} |"
        )
    better = sum(mine > other for (mine, _), (other, _) in zip(reached[LEARNED], reached[LENGTH], strict=True))
    once = each_subject_once(problem, 5, seed)
    in_use = problem.strengths @ np.array(WEIGHTS)
    used = apgr(in_use, answers.weak, answers.strong), cpt(in_use, answers.weak, answers.strong)
    return [
        *lines,
        "",
        f"learned beats length on {better} of {splits} halves",
        f"5 folds, each subject scored by weights of the others: APGR {once[0]:.3f}, CPT(50 %) {once[1]:.3f}",
        f"weights in use, on the subjects that they were trained on: APGR {used[0]:.3f}, CPT(50 %) {used[1]:.3f}",
    ]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="gzipped CSV: subject, prompt, weak_correct, strong_correct")
    parser.add_argument("--splits", type=int, default=50, help="random halves (50)")
    parser.add_argument("--seed", type=int, default=1, help="of the splits (1)")
    parser.add_argument("--without", action="append", default=[], metavar="SUBJECT", help="leave this subject out")
    options = parser.parse_args(arguments)
    problem = Problem.of(read_answers(options.data, without=options.without))
    print("\n".join(report(problem, options.splits, options.seed)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
