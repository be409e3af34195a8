"""Weights of the complexity score, in the order of ``complexity.FEATURES``. Generated: do not edit.

    python scripts/complexity/train.py --seed 1 mmlu-half.csv.gz

Data: mmlu-half.csv.gz, SHA-256 b2171cc93e44848a…,
6024 prompts of 26 subjects.
Shrinkage 100 towards the weights set by hand.
On the data that they were trained on: APGR 0.687, CPT(50 %) 0.199.
What they reach on unseen subjects is in docs/benchmarks-complexity.md.
"""

from __future__ import annotations

WEIGHTS = (
    0.7047,  # length, by hand 0.72
    0.7905,  # negation, by hand 0.70
    0.3912,  # commas, by hand 0.40
    0.3994,  # clauses, by hand 0.40
    0.2577,  # longwords, by hand 0.30
    1.3848,  # thought, by hand 1.40
    0.4176,  # steps, by hand 0.45
    0.2145,  # questions, by hand 0.22
    0.3585,  # list, by hand 0.36
    0.5169,  # code, by hand 0.51
    0.4258,  # maths, by hand 0.43
)
