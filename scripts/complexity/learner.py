"""How the weights are learned: ridge regression that shrinks towards weights set by hand, none of them negative.

The data are questions of examinations. They can say what long, negated or many-claused questions need, and nothing of
tasks to analyse, programs or lists, which hardly occur in them. Shrinking towards the hand-set weights lets each
feature move as far as the data speak of it. No weight may become negative: a text never gets simpler by growing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from llm_router.routing.complexity import COMPLEX, FEATURES, strengths
from scripts.complexity.measures import Answers, Floats, Rows, apgr, folds

BY_HAND = {
    "length": 0.72,
    "negation": 0.70,
    "commas": 0.40,
    "clauses": 0.40,
    "longwords": 0.30,
    "thought": 1.40,
    "steps": 0.45,
    "questions": 0.22,
    "list": 0.36,
    "code": 0.51,
    "maths": 0.43,
}
FLOORS = {"length": -math.log(1 - COMPLEX)}
"""A text of full length is complex whatever it says."""

SHRINKAGES = (1.0, 3.0, 10.0, 30.0, 100.0)
CLOSE = 0.01
"""APGR that a stronger shrinkage may cost: less than chance makes of it. What reads examinations no better should not
read everything else worse: a weak pull lets the word "not" alone make any prompt complex, since one subject is full
of it."""

INNER_FOLDS = 5
INNER_ROUNDS = 4
"""Assignments of subjects to folds over which a shrinkage is judged: with one, luck decides."""


class Problem(NamedTuple):
    """The prompts as feature strengths, one row each, and the answers to them."""

    strengths: Floats
    answers: Answers

    @classmethod
    def of(cls, answers: Answers) -> Problem:
        return cls(np.array([strengths(prompt) for prompt in answers.prompts]), answers)


def learn(problem: Problem, subjects: Sequence[str], seed: int) -> tuple[Floats, float]:
    """The weights from these subjects alone, and the shrinkage they were learned with: the strongest one that is close
    to the best when judged on folds of the same subjects."""
    reached = {shrinkage: _held_out(problem, subjects, shrinkage, seed) for shrinkage in SHRINKAGES}
    shrinkage = max(s for s, value in reached.items() if value >= max(reached.values()) - CLOSE)
    return fit(problem, problem.answers.of(subjects), shrinkage), shrinkage


def fit(problem: Problem, rows: Rows, shrinkage: float) -> Floats:
    """The weights from these rows. Every subject counts the same, however many questions it has."""
    size = Counter(subject for subject, chosen in zip(problem.answers.subjects, rows, strict=True) if chosen)
    share = np.array([1 / size[subject] if size[subject] else 0.0 for subject in problem.answers.subjects])[rows]
    share /= share.sum()
    x, y = problem.strengths[rows], problem.answers.needed[rows]
    x, y = x - share @ x, y - share @ y
    prior = np.array([BY_HAND[name] for name in FEATURES])
    floor = np.array([FLOORS.get(name, 0.0) for name in FEATURES])
    by_hand = x @ prior
    # The unit: how much likelier 1 of the hand-set sum makes it that the strong model is needed.
    unit = max(1e-3, float((share * by_hand) @ y / ((share * by_hand) @ by_hand)))
    covariance = (x * share[:, None]).T @ x
    pull = shrinkage * np.trace(covariance) / len(prior)
    quadratic = covariance + pull * np.eye(len(prior))
    linear = (x * share[:, None]).T @ y + pull * unit * prior
    return _bounded_minimum(quadratic, linear, floor * unit) / unit


def _held_out(problem: Problem, subjects: Sequence[str], shrinkage: float, seed: int) -> float:
    """Mean APGR over all these subjects, each scored by weights that were learned from the others."""
    answers, rows, reached = problem.answers, problem.answers.of(subjects), []
    for turn in range(INNER_ROUNDS):
        scores = np.zeros(len(problem.strengths))
        for train, test in folds(subjects, INNER_FOLDS, seed + turn):
            held_out = answers.of(test)
            scores[held_out] = problem.strengths[held_out] @ fit(problem, answers.of(train), shrinkage)
        reached.append(apgr(scores[rows], answers.weak[rows], answers.strong[rows]))
    return float(np.mean(reached))


def _bounded_minimum(quadratic: Floats, linear: Floats, least: Floats) -> Floats:
    """argmin ½·xᵀ·Q·x - lᵀ·x under x ≥ least, coordinate by coordinate (Q is positive definite)."""
    x = least.copy()
    for _ in range(10_000):
        before = x.copy()
        for j in range(len(x)):
            x[j] = max(least[j], x[j] + (linear[j] - quadratic[j] @ x) / quadratic[j, j])
        if np.abs(x - before).max() < 1e-12:
            break
    return x
