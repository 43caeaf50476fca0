"""What losses.py compares: lists of losses, as a YAML file has them.

Losses are added to soft labels one at a time, then mixed. Weights are those of the papers where these suit texts;
else they bring the term to the size of the soft-label term. None was tuned on the scores that are reported.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Entries = Sequence[Mapping[str, Any]]

SOFT = {"name": "soft-label", "temperature": 2.0}
HARD = {"name": "hard-label", "weight": 1.0}
HIDDEN = {"name": "hidden-state", "weight": 10.0}
CORRELATION = {"name": "label-correlation", "weight": 1.0}
DISTANCE = {"name": "relational-distance", "weight": 25.0}
CONTRASTIVE = {"name": "contrastive", "weight": 1.0}
ADVERSARIAL = {"name": "language-adversarial", "weight": 0.1}
L2_SP = {"name": "l2-sp", "weight": 1.0}
QUICKSTART = [SOFT, HIDDEN, HARD]

BASELINE = "soft-label"
PARALLEL: dict[str, Entries] = {
    BASELINE: [SOFT],
    "hard-label": [SOFT, HARD],
    "logit-mse": [SOFT, {"name": "logit-mse"}],
    "decoupled-label": [SOFT, {"name": "decoupled-label"}],
    "label-correlation": [SOFT, CORRELATION],
    "soft-label-reverse": [{**SOFT, "divergence": "reverse"}],
    "soft-label-symmetric": [{**SOFT, "divergence": "symmetric"}],
    "soft-label-standardised": [{**SOFT, "standardise": True}],
    "logit-mse-alone": [{"name": "logit-mse"}],
    "temperature-8-to-1": [{**SOFT, "temperature": {"start": 8.0, "end": 1.0, "schedule": "linear"}}],
    "student-entropy": [{**SOFT, "example_weight": "student-entropy"}],
    "teacher-confidence": [{**SOFT, "example_weight": "teacher-confidence"}],
    "hidden-state": [SOFT, HIDDEN],
    "hidden-state-uniform": [SOFT, {**HIDDEN, "layer_map": "uniform"}],
    "hidden-state-mse": [SOFT, {**HIDDEN, "distance": "mse"}],
    "hidden-state-normalised-mse": [SOFT, {**HIDDEN, "distance": "normalised-mse"}],
    "embedding": [SOFT, {"name": "embedding", "weight": 10.0}],
    "relational-distance": [SOFT, DISTANCE],
    "relational-angle": [SOFT, {"name": "relational-angle", "weight": 50.0}],
    # 3000 in the paper, for images, where the norms of a row over a big batch are small.
    "similarity-preserving": [SOFT, {"name": "similarity-preserving", "weight": 100.0}],
    "kernel-alignment": [SOFT, {"name": "kernel-alignment", "weight": 1.0}],
    "contrastive": [SOFT, CONTRASTIVE],
    "language-adversarial": [SOFT, ADVERSARIAL],
    "l2-sp": [SOFT, L2_SP],
    "quickstart-mix": QUICKSTART,
    "hidden-correlation": [SOFT, HIDDEN, CORRELATION],
    "quickstart-mix-correlation": [*QUICKSTART, CORRELATION],
    "contrastive-mix": [SOFT, CONTRASTIVE, HARD],
    "relational-mix": [SOFT, DISTANCE, HARD],
    "quickstart-mix-contrastive": [*QUICKSTART, CONTRASTIVE],
    "quickstart-mix-adversarial": [*QUICKSTART, ADVERSARIAL],
    "quickstart-mix-l2-sp": [*QUICKSTART, L2_SP],
}
"""On the data as the YAML has them: the teacher reads the English side of parallel text."""

SAME_TEXT_BASELINE = "same-text-soft-label"
SAME_TEXT: dict[str, Entries] = {
    SAME_TEXT_BASELINE: [SOFT],
    "same-text-hidden-state": [SOFT, HIDDEN],
    "same-text-hidden-state-tokens": [SOFT, {**HIDDEN, "pool": "none"}],
    "same-text-attention-map": [SOFT, {"name": "attention-map", "weight": 1.0}],
    "same-text-attention-relation": [SOFT, {"name": "attention-relation", "weight": 1.0}],
}
"""What is compared token by token: teacher and student read the same text, in every language, with the same pieces."""

BLOCKS: dict[str, dict[str, Entries]] = {BASELINE: PARALLEL, SAME_TEXT_BASELINE: SAME_TEXT}
"""Contenders by the baseline that they are held against."""

CONTENDERS: dict[str, Entries] = {**PARALLEL, **SAME_TEXT}


def baseline_of(name: str) -> str:
    """The contender that another one is held against."""
    return next(baseline for baseline, contenders in BLOCKS.items() if name in contenders)
