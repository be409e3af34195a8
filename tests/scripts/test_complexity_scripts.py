"""The weights of the complexity score are learned and judged honestly: by subject, and by the published measures."""

from __future__ import annotations

import csv
import gzip
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.routing.complexity import FEATURES
from llm_router.routing.complexity_weights import WEIGHTS
from scripts.complexity import evaluate, train
from scripts.complexity.learner import BY_HAND, FLOORS, Problem, fit, learn
from scripts.complexity.measures import Answers, apgr, cpt, folds, halves, read_answers

SUBJECTS = [f"subject_{i}" for i in range(8)]


def answers() -> Answers:
    """Long prompts need the strong model, short ones do not; every subject has both."""
    rows = [(subject, n) for subject in SUBJECTS for n in range(1, 21)]
    return Answers(
        subjects=[subject for subject, _ in rows],
        prompts=[f"{subject} " + "words and more, " * n for subject, n in rows],
        weak=np.array([float(n <= 12) for _, n in rows]),
        strong=np.ones(len(rows)),
    )


def test_a_score_that_knows_the_answer_recovers_the_gap_at_once() -> None:
    weak, strong = np.array([0.0, 1, 1, 0]), np.ones(4)
    knowing = 1 - weak
    assert apgr(knowing, weak, strong) == pytest.approx(0.75)
    assert cpt(knowing, weak, strong) == 0.25
    assert apgr(-knowing, weak, strong) == pytest.approx(0.25)


def test_an_even_gain_gives_one_half() -> None:
    weak, strong = np.zeros(1000), np.ones(1000)
    assert apgr(np.arange(1000.0), weak, strong) == pytest.approx(0.5)
    assert cpt(np.arange(1000.0), weak, strong) == 0.5


def test_prompts_that_the_strong_model_fails_count_against_sending_them() -> None:
    weak, strong = np.array([1.0, 0, 0]), np.array([0.0, 1, 1])
    assert apgr(np.array([0.0, 2, 1]), weak, strong) > 1 > apgr(np.array([3.0, 2, 1]), weak, strong)


@given(st.integers(0, 1000))
def test_no_subject_is_on_both_sides_of_a_split(seed: int) -> None:
    for train_on, test_on in [*halves(SUBJECTS, 3, seed), *folds(SUBJECTS, 3, seed)]:
        assert not set(train_on) & set(test_on)
        assert sorted([*train_on, *test_on]) == SUBJECTS
    assert sorted(name for _, test_on in folds(SUBJECTS, 3, seed) for name in test_on) == SUBJECTS


def test_no_weight_is_below_its_floor_and_strong_shrinkage_gives_the_hand_set_ones() -> None:
    problem = Problem.of(answers())
    rows = problem.answers.of(SUBJECTS)
    for shrinkage in (1.0, 1e9):
        weights = dict(zip(FEATURES, fit(problem, rows, shrinkage), strict=True))
        assert all(weight >= FLOORS.get(name, 0) - 1e-9 for name, weight in weights.items())
    assert weights == pytest.approx(BY_HAND, abs=1e-3)


def test_learning_looks_at_the_given_subjects_only() -> None:
    problem = Problem.of(answers())
    seen = SUBJECTS[:5]
    spoilt = answers()
    unseen = ~spoilt.of(seen)
    spoilt.weak[unseen] = 1 - spoilt.weak[unseen]
    np.testing.assert_array_equal(learn(problem, seen, 1)[0], learn(Problem.of(spoilt), seen, 1)[0])


def test_every_subject_counts_the_same() -> None:
    problem, source = Problem.of(answers()), answers()
    first = [i for i, name in enumerate(source.subjects) if name == SUBJECTS[0]]
    rows = [*range(len(source.subjects)), *first]
    repeated = Answers(
        subjects=[source.subjects[i] for i in rows],
        prompts=[source.prompts[i] for i in rows],
        weak=source.weak[rows],
        strong=source.strong[rows],
    )
    again = Problem.of(repeated)
    np.testing.assert_allclose(
        fit(problem, source.of(SUBJECTS), 1.0), fit(again, repeated.of(SUBJECTS), 1.0), rtol=1e-6, atol=1e-6
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path, source = tmp_path / "answers.csv.gz", answers()
    with gzip.open(path, "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["subject", "prompt", "weak_correct", "strong_correct"])
        writer.writerows(zip(source.subjects, source.prompts, source.weak == 1, source.strong == 1, strict=True))
    return path


def test_reading_gives_what_was_written_less_what_is_left_out(data: Path) -> None:
    assert read_answers(data).prompts == answers().prompts
    assert set(read_answers(data, without=SUBJECTS[1:]).subjects) == {"subject_0"}


def test_training_writes_a_module_that_names_its_data_and_command(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "weights.py"
    assert train.main([str(data), "--out", str(out)]) == 0
    names = runpy.run_path(str(out))
    assert len(names["WEIGHTS"]) == len(FEATURES)
    assert "train.py --seed 1" in names["__doc__"]
    assert "answers.csv.gz, SHA-256 " in names["__doc__"]


def test_the_report_sets_the_learned_score_beside_chance_and_length(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.main([str(data), "--splits", "3"]) == 0
    said = capsys.readouterr().out
    assert [name in said for name in ("| chance |", "| length |", "| by hand |", "| learned |")] == [True] * 4
    assert "160 prompts of 8 subjects" in said


def test_the_weights_in_use_fit_the_features_and_never_make_a_text_simpler() -> None:
    assert len(WEIGHTS) == len(FEATURES) == len(BY_HAND)
    assert all(weight >= FLOORS.get(name, 0) for name, weight in zip(FEATURES, WEIGHTS, strict=True))
