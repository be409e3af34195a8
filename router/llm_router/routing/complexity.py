"""How demanding a task is, judged by its words and its shape alone: no model, no network, microseconds.

Each feature is a strength ``f`` in 0..1 with a weight ``w``; together they give ``1 - Π(1 - w·f)``, so that every
feature only adds, none is enough to reach 1, and the order does not matter.

========== ====== ============================================================ =================
feature    weight what it counts                                               full strength at
========== ====== ============================================================ =================
length     0.55   square root of the characters of the whole text              4 000
reasoning  0.75   different words that ask for thought (analyse, prove, design)  4
steps      0.35   different words that bind several steps (then, finally, both)  4
questions  0.20   question marks beyond the first                               3
list       0.30   lines that are items of a list                                6
code       0.40   marks of program code                                         3
maths      0.35   marks of mathematics                                          4
========== ====== ============================================================ =================

The words are English; length, lists, code and maths speak for other languages.
"""

from __future__ import annotations

import math
import re

COMPLEX = 0.5
"""From here on a task counts as complex: targets that declare ``simple-tasks`` only do not take it."""

SCANNED_CHARACTERS = 8_000
"""How much of the text is looked at. A longer one has its full length score anyway."""

LONG_CHARACTERS = 4_000

_THOUGHT = """
algorithm analyse analyze analysis analysing analyzing analytical architect architecture argue argument assess
assessment calculate causes compare comparing comparison complexity conclude consequences contrast critically critique
debate debug deduce demonstrate derivation derive design detailed determine diagnose disprove distinguish essay
estimate evaluate evaluating evaluation evidence examine explain explaining formulate generalise generalize hypothesis
implement implementation implications improve infer integrate interpret investigate justify lemma methodology optimise
optimisation optimize optimization outline predict proof propose prove rationale reason reasoning recommend refactor
refute research rigorous simulate solve strategy synthesise synthesize theorem thorough thoroughly trade-off
trade-offs tradeoff tradeoffs transform validate verify why
"""
_BINDING = """
additionally after afterwards also although before both each finally first firstly furthermore given hence however
including let lastly moreover must next once provided second secondly should step steps suppose therefore third then
thirdly thus unless whereas whether while
"""
_REASONING, _STEPS = frozenset(_THOUGHT.split()), frozenset(_BINDING.split())
_CODE = ("```", "def ", "class ", "return ", "import ", "function ", "select ", "=>", "();", "){", "#include", "</")
_MATHS = ("\\frac", "\\sum", "\\int", "$$", "^2", "^{", " = ", "≤", "≥", "∑", "∫", "√", "∈", "≠", " mod ", "f(x)")

_BLANKS = str.maketrans({mark: " " for mark in ".,;:!?()[]{}\"'`*_/<>=+|\\"})
_LIST_ITEM = re.compile(r"^[ \t]{0,8}(?:[-*•]|\(?[0-9]{1,2}[.)]|\(?[a-h]\))[ \t]", re.MULTILINE)


def score(text: str) -> float:
    """0 for a greeting up to nearly 1 for a long, many-sided task; the same text always gives the same figure."""
    scanned = text[:SCANNED_CHARACTERS].lower()
    words = set(scanned.translate(_BLANKS).split())
    simple = 1.0
    for weight, strength in (
        (0.55, math.sqrt(len(text) / LONG_CHARACTERS)),
        (0.75, len(words & _REASONING) / 4),
        (0.35, len(words & _STEPS) / 4),
        (0.20, (scanned.count("?") - 1) / 3),
        (0.30, len(_LIST_ITEM.findall(scanned)) / 6),
        (0.40, sum(mark in scanned for mark in _CODE) / 3),
        (0.35, sum(mark in scanned for mark in _MATHS) / 4),
    ):
        simple *= 1.0 - weight * min(1.0, max(0.0, strength))
    return 1.0 - simple
