"""What a router's score is worth: APGR and CPT as in RouteLLM (Ong et al., 2024), and the answers they are measured on.

With a score for each prompt, send the share x with the highest scores to the strong model. PGR(x) is how much of the
gap between the weak and the strong model's accuracy that recovers; APGR is its mean over x in 0..1, CPT(50 %) the
smallest x with PGR(x) ≥ 0.5. A score without any knowledge has APGR 0.5 and CPT(50 %) 0.5.
"""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Answers:
    """Prompts with their subject, and whether the weak and the strong model answered right (1) or wrong (0)."""

    subjects: Sequence[str]
    prompts: Sequence[str]
    weak: Floats
    strong: Floats

    @property
    def needed(self) -> Floats:
        """1 where the prompt needs the strong model: the weak one fails, the strong one does not."""
        return (1 - self.weak) * self.strong

    def of(self, chosen: Sequence[str]) -> Rows:
        """Which rows belong to these subjects."""
        wanted = frozenset(chosen)
        return np.array([subject in wanted for subject in self.subjects])


def read_answers(path: Path, without: Collection[str] = ()) -> Answers:
    """A gzipped CSV with the columns ``subject, prompt, weak_correct, strong_correct`` (``True`` or ``False``), less
    the subjects ``without``."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["subject"] not in without]
    return Answers(
        subjects=[row["subject"] for row in rows],
        prompts=[row["prompt"] for row in rows],
        weak=np.array([row["weak_correct"] == "True" for row in rows], dtype=np.float64),
        strong=np.array([row["strong_correct"] == "True" for row in rows], dtype=np.float64),
    )


def recovered(scores: Floats, weak: Floats, strong: Floats) -> Floats:
    """PGR at x = 0, 1/n, …, 1. Rows of equal score go in the order in which they stand."""
    order = np.argsort(-scores, kind="stable")
    gained = np.concatenate([[0.0], np.cumsum((strong - weak)[order])])
    return np.asarray(gained / gained[-1], dtype=np.float64)


def apgr(scores: Floats, weak: Floats, strong: Floats) -> float:
    curve = recovered(scores, weak, strong)
    return float(np.trapezoid(curve, dx=1 / (len(curve) - 1)))


def cpt(scores: Floats, weak: Floats, strong: Floats, share: float = 0.5) -> float:
    curve = recovered(scores, weak, strong)
    return float(np.argmax(curve >= share) / (len(curve) - 1))


def halves(subjects: Sequence[str], n: int, seed: int) -> Iterator[tuple[list[str], list[str]]]:
    """``n`` random splits of the subjects into two halves: train, test."""
    names, chance = sorted(set(subjects)), random.Random(seed)  # noqa: S311 -- repeatable splits, no secret
    for _ in range(n):
        test = chance.sample(names, len(names) // 2)
        yield [name for name in names if name not in test], test


def folds(subjects: Sequence[str], k: int, seed: int) -> Iterator[tuple[list[str], list[str]]]:
    """``k`` splits in which each subject is tested once: train, test."""
    names = sorted(set(subjects))
    random.Random(seed).shuffle(names)  # noqa: S311 -- repeatable splits, no secret
    for i in range(k):
        test = names[i::k]
        yield [name for name in names if name not in test], test
