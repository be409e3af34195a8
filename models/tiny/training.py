"""Trains the tiny network on the grammar's dialogues: Adam with a warm-up, then a cosine to zero."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from .corpus import dialogues
from .network import IGNORE, Floats, Ints, Network, Shape
from .tokenizer import Tokenizer, learn_merges

Report = Callable[[int, float], None]
"""Called with the number of each step done and its loss."""


@dataclass(frozen=True)
class Plan:
    """What decides the weights. Equal plans give equal weights on the same machine with the same NumPy."""

    steps: int = 240
    rows: int = 16
    positions: int = 80
    rarest_pair: int = 12
    learning_rate: float = 8e-3
    warmup_steps: int = 20
    seed: int = 20


@dataclass(frozen=True)
class Trained:
    """A tokenizer and the weights that go with it, by llama.cpp's tensor names."""

    tokenizer: Tokenizer
    shape: Shape
    weights: dict[str, Floats]


def train(plan: Plan, report: Report) -> Trained:
    """Learns the tokenizer, then the weights."""
    sample = islice(dialogues(random.Random(plan.seed)), 1500)
    tokenizer = Tokenizer(learn_merges((text for dialogue in sample for text in dialogue), plan.rarest_pair))
    network = Network(Shape(len(tokenizer.vocabulary)), np.random.default_rng(plan.seed))
    adam = Adam(network.flat_weights)
    batches = _batches(plan, tokenizer)
    for step in range(1, plan.steps + 1):
        loss = network.loss(*next(batches))
        adam.update(network.flat_weights, network.flat_gradients, _learning_rate(plan, step))
        report(step, loss)
    return Trained(tokenizer, network.shape, network.weights)


def _learning_rate(plan: Plan, step: int) -> float:
    return plan.learning_rate * min(1.0, step / plan.warmup_steps) * 0.5 * (1 + math.cos(math.pi * step / plan.steps))


class Adam:
    """Kingma and Ba's Adam on one flat vector, with the gradient's norm clipped to 1."""

    def __init__(self, weights: Floats, beta1: float = 0.9, beta2: float = 0.98, epsilon: float = 1e-8) -> None:
        self._mean, self._square = np.zeros_like(weights), np.zeros_like(weights)
        self._beta1, self._beta2, self._epsilon = np.float32(beta1), np.float32(beta2), np.float32(epsilon)
        self._updates = 0

    def update(self, weights: Floats, gradient: Floats, learning_rate: float) -> None:
        """Moves ``weights`` in place, one step against ``gradient``."""
        self._updates += 1
        gradient = gradient / max(np.float32(1.0), np.sqrt(np.dot(gradient, gradient)))
        self._mean += (1 - self._beta1) * (gradient - self._mean)
        self._square += (1 - self._beta2) * (gradient * gradient - self._square)
        mean = self._mean / (1 - self._beta1**self._updates)
        square = self._square / (1 - self._beta2**self._updates)
        weights -= np.float32(learning_rate) * mean / (np.sqrt(square) + self._epsilon)


def _batches(plan: Plan, tokenizer: Tokenizer) -> Iterator[tuple[Ints, Ints]]:
    """Endless (tokens, targets) of ``plan.rows`` × ``plan.positions``: dialogues laid end to end and cut."""
    stream = _stream(tokenizer, random.Random(plan.seed + 1))
    while True:
        pairs = islice(stream, plan.rows * (plan.positions + 1))
        both = np.array(list(pairs), np.int64).reshape(plan.rows, plan.positions + 1, 2)
        yield both[:, :-1, 0], both[:, 1:, 1]


def _stream(tokenizer: Tokenizer, rng: random.Random) -> Iterator[tuple[int, int]]:
    """Each token, with itself as the target where the assistant speaks and ``IGNORE`` where the user does."""
    for question, answer in dialogues(rng):
        for role, text in (("user", question), ("assistant", answer)):
            opening, said = tokenizer.turn(role, text)
            yield from ((token, IGNORE) for token in opening)
            yield from ((token, token if role == "assistant" else IGNORE) for token in said)
