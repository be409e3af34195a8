"""The hand-written gradients against finite differences, and the optimiser against what it is for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tiny.network import IGNORE, Network, Shape
from tiny.training import Adam

SHAPE = Shape(vocabulary=11, width=8, layers=2, heads=2, hidden=6)


@pytest.fixture
def network() -> Network:
    return Network(SHAPE, np.random.default_rng(1))


@pytest.fixture
def batch() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(2)
    tokens, targets = (rng.integers(0, SHAPE.vocabulary, (3, 5)) for _ in range(2))
    targets[0, :3] = IGNORE
    return tokens, targets


@pytest.mark.parametrize("name", sorted(SHAPE.tensors()))
def test_gradients_match_finite_differences(network: Network, batch: Any, name: str) -> None:
    network.loss(*batch)
    gradient, weight = network.gradients[name].copy(), network.weights[name]
    direction = np.random.default_rng(3).standard_normal(weight.shape).astype(np.float32)
    kept, step = weight.copy(), np.float32(2e-3)
    weight[:] = kept + step * direction
    above = network.loss(*batch)
    weight[:] = kept - step * direction
    below = network.loss(*batch)
    expected = float((gradient * direction).sum())
    assert (above - below) / (2 * float(step)) == pytest.approx(expected, rel=0.02, abs=2e-3)


def test_ignored_targets_have_no_part_in_the_loss(network: Network, batch: Any) -> None:
    tokens, targets = batch
    loss = network.loss(tokens, targets)
    only_last = np.where(np.arange(5) == 4, targets, IGNORE)
    assert network.loss(tokens, only_last) != pytest.approx(loss)
    changed = tokens.copy()
    # What comes after the last asked position can't matter: attention is causal.
    first_two = np.where(np.arange(5) < 2, np.abs(targets), IGNORE)
    before = network.loss(tokens, first_two)
    changed[:, 3:] = (changed[:, 3:] + 1) % SHAPE.vocabulary
    assert network.loss(changed, first_two) == pytest.approx(before, rel=1e-6)


def test_an_untrained_network_knows_nothing(batch: Any) -> None:
    network = Network(SHAPE, np.random.default_rng(4))
    network.weights["output.weight"][:] = 0.0
    assert network.loss(*batch) == pytest.approx(math.log(SHAPE.vocabulary), rel=1e-5)


def test_adam_finds_the_lowest_point() -> None:
    weights = np.array([3.0, -2.0, 0.5], np.float32)
    adam = Adam(weights)
    for _ in range(400):
        adam.update(weights, 2 * weights, 0.05)
    assert np.abs(weights).max() < 0.05
