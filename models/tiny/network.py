"""A small transformer of llama's architecture with its gradients written out, in float32 NumPy.

RMSNorm, rotary positions on neighbouring pairs, causal attention, SwiGLU: what llama.cpp computes for
``general.architecture = llama``. Each function answers with its value and a ``Backward``, which takes the loss's
gradient by that value, adds to the gradients of the weights used, and returns the gradient by the input.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.int64]
Turns: TypeAlias = npt.NDArray[np.complex64]
Backward: TypeAlias = Callable[[Floats], Floats]
Tensors: TypeAlias = dict[str, Floats]

_ONE = np.float32(1.0)

IGNORE = -1
"""A target that no loss is taken of."""


@dataclass(frozen=True)
class Shape:
    """The sizes of one network. ``width`` is shared out evenly among ``heads``."""

    vocabulary: int
    width: int = 64
    layers: int = 2
    heads: int = 4
    hidden: int = 160
    rope_base: float = 10_000.0
    norm_epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """llama.cpp's names of all tensors, with their dimensions; a matrix is (outputs, inputs)."""
        vocabulary, width, hidden = self.vocabulary, self.width, self.hidden
        block: dict[str, tuple[int, ...]] = {
            "attn_norm": (width,),
            "attn_q": (width, width),
            "attn_k": (width, width),
            "attn_v": (width, width),
            "attn_output": (width, width),
            "ffn_norm": (width,),
            "ffn_gate": (hidden, width),
            "ffn_up": (hidden, width),
            "ffn_down": (width, hidden),
        }
        ends: dict[str, tuple[int, ...]] = {
            "token_embd.weight": (vocabulary, width),
            "output_norm.weight": (width,),
            "output.weight": (vocabulary, width),
        }
        return ends | {
            f"blk.{layer}.{name}.weight": size for layer in range(self.layers) for name, size in block.items()
        }


class Network:
    """Weights and their gradients. ``flat_weights`` and ``flat_gradients`` are the same numbers as one vector each."""

    def __init__(self, shape: Shape, rng: np.random.Generator) -> None:
        self.shape = shape
        sizes = shape.tensors()
        total = sum(math.prod(size) for size in sizes.values())
        self.flat_weights, self.flat_gradients = np.zeros(total, np.float32), np.zeros(total, np.float32)
        self.weights, self.gradients = _views(self.flat_weights, sizes), _views(self.flat_gradients, sizes)
        for name, weight in self.weights.items():
            if weight.ndim == 1:
                weight[:] = 1.0
            else:
                scale = 0.5 if name == "token_embd.weight" else 1.0 / math.sqrt(weight.shape[1])
                weight[:] = rng.standard_normal(weight.shape, np.float32) * np.float32(scale)

    def loss(self, tokens: Ints, targets: Ints) -> float:
        """The mean cross-entropy in nats over ``targets`` that are not ``IGNORE``; sets the gradients anew.

        Both arrays are (rows, positions), and ``targets[r, p]`` is what should follow ``tokens[r, p]``.
        """
        self.flat_gradients[:] = 0.0
        steps: list[Backward] = []
        x = self.weights["token_embd.weight"][tokens]
        turns = _rotation(tokens.shape[1], self.shape)
        for layer in range(self.shape.layers):
            for part in (self._attention, self._feed_forward):
                change, back = part(x, f"blk.{layer}.", turns)
                x = x + change
                steps.append(back)
        asked = targets != IGNORE
        normed, back_norm = self._norm(x[asked], "output_norm")
        logits, back_logits = self._linear(normed, "output")
        loss, d_logits = _cross_entropy(logits, targets[asked])

        d_x = np.zeros_like(x)
        d_x[asked] = back_norm(back_logits(d_logits))
        for back in reversed(steps):
            d_x = d_x + back(d_x)
        np.add.at(self.gradients["token_embd.weight"], tokens, d_x)
        return loss

    def _linear(self, x: Floats, name: str) -> tuple[Floats, Backward]:
        weight, gradient = self.weights[f"{name}.weight"], self.gradients[f"{name}.weight"]

        def back(d_y: Floats) -> Floats:
            gradient[:] += d_y.reshape(-1, d_y.shape[-1]).T @ x.reshape(-1, x.shape[-1])
            d_x: Floats = d_y @ weight
            return d_x

        return x @ weight.T, back

    def _norm(self, x: Floats, name: str) -> tuple[Floats, Backward]:
        weight, gradient = self.weights[f"{name}.weight"], self.gradients[f"{name}.weight"]
        scale = _ONE / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(self.shape.norm_epsilon))
        unit = x * scale

        def back(d_y: Floats) -> Floats:
            gradient[:] += (d_y * unit).reshape(-1, unit.shape[-1]).sum(0)
            d_unit = d_y * weight
            d_x: Floats = scale * (d_unit - unit * (d_unit * unit).mean(-1, keepdims=True))
            return d_x

        return unit * weight, back

    def _attention(self, x: Floats, block: str, turns: Turns) -> tuple[Floats, Backward]:
        rows, positions, width = x.shape
        heads, head_width = self.shape.heads, self.shape.head_width

        def split(z: Floats) -> Floats:
            return z.reshape(rows, positions, heads, head_width).transpose(0, 2, 1, 3)

        def join(z: Floats) -> Floats:
            return z.transpose(0, 2, 1, 3).reshape(rows, positions, width)

        normed, back_norm = self._norm(x, f"{block}attn_norm")
        (q, back_q), (k, back_k), (v, back_v) = (self._linear(normed, f"{block}attn_{name}") for name in "qkv")
        q, k, v = _rotate(split(q), turns), _rotate(split(k), turns), split(v)
        mixed, back_mix = _causal_mix(q, k, v)
        y, back_output = self._linear(join(mixed), f"{block}attn_output")

        def back(d_y: Floats) -> Floats:
            d_q, d_k, d_v = back_mix(split(back_output(d_y)))
            d_q, d_k = _rotate(d_q, turns.conj()), _rotate(d_k, turns.conj())
            return back_norm(back_q(join(d_q)) + back_k(join(d_k)) + back_v(join(d_v)))

        return y, back

    def _feed_forward(self, x: Floats, block: str, _turns: Turns) -> tuple[Floats, Backward]:
        normed, back_norm = self._norm(x, f"{block}ffn_norm")
        gate, back_gate = self._linear(normed, f"{block}ffn_gate")
        up, back_up = self._linear(normed, f"{block}ffn_up")
        sigmoid = _ONE / (_ONE + np.exp(-gate))
        swish = gate * sigmoid
        y, back_down = self._linear(swish * up, f"{block}ffn_down")

        def back(d_y: Floats) -> Floats:
            d_hidden = back_down(d_y)
            d_gate = d_hidden * up * (sigmoid + swish * (_ONE - sigmoid))
            return back_norm(back_gate(d_gate) + back_up(d_hidden * swish))

        return y, back


def _views(flat: Floats, sizes: dict[str, tuple[int, ...]]) -> Tensors:
    views: Tensors = {}
    start = 0
    for name, size in sizes.items():
        end = start + math.prod(size)
        views[name], start = flat[start:end].reshape(size), end
    return views


def _rotation(positions: int, shape: Shape) -> Turns:
    """The unit number that turns pair ``i`` at position ``p``: (positions, head width / 2)."""
    frequencies = shape.rope_base ** (-np.arange(0, shape.head_width, 2) / shape.head_width)
    turns: Turns = np.exp(1j * np.outer(np.arange(positions), frequencies)).astype(np.complex64)
    return turns


def _rotate(x: Floats, turns: Turns) -> Floats:
    """Each pair of neighbours taken as one complex number and turned; the conjugate turns back."""
    return (np.ascontiguousarray(x).view(np.complex64) * turns).view(np.float32)


def _causal_mix(q: Floats, k: Floats, v: Floats) -> tuple[Floats, Callable[[Floats], tuple[Floats, Floats, Floats]]]:
    """Softmax attention in which no position sees a later one; all arrays are (…, positions, head width)."""
    positions, head_width = q.shape[-2:]
    scale = np.float32(1.0 / math.sqrt(head_width))
    later = np.triu(np.full((positions, positions), -np.inf, np.float32), 1)
    share = _softmax(q @ k.swapaxes(-1, -2) * scale + later)

    def back(d_y: Floats) -> tuple[Floats, Floats, Floats]:
        d_share = d_y @ v.swapaxes(-1, -2)
        d_score = share * (d_share - (d_share * share).sum(-1, keepdims=True)) * scale
        return d_score @ k, d_score.swapaxes(-1, -2) @ q, share.swapaxes(-1, -2) @ d_y

    return share @ v, back


def _softmax(logits: Floats) -> Floats:
    shares: Floats = np.exp(logits - logits.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    return shares


def _cross_entropy(logits: Floats, targets: Ints) -> tuple[float, Floats]:
    """The mean loss and its gradient by ``logits``, which are (predictions, vocabulary)."""
    shares = _softmax(logits)
    picked = np.arange(len(targets)), targets
    loss = float(-np.log(np.maximum(shares[picked], np.finfo(np.float32).tiny)).mean())
    shares[picked] -= 1.0
    return loss, shares / np.float32(len(targets))
