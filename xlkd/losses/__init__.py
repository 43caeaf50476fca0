"""Distillation losses, one a file. To add one: its file, one line in `LOSSES`, one row in the tests' table."""

from xlkd.losses.base import DistillationLoss
from xlkd.losses.contrastive import ContrastiveLoss
from xlkd.losses.hard_label import HardLabelLoss
from xlkd.losses.hidden_state import HiddenStateLoss
from xlkd.losses.kernel_alignment import KernelAlignmentLoss
from xlkd.losses.language_adversarial import LanguageAdversarialLoss
from xlkd.losses.relational_angle import RelationalAngleLoss
from xlkd.losses.relational_distance import RelationalDistanceLoss
from xlkd.losses.similarity_preserving import SimilarityPreservingLoss
from xlkd.losses.soft_label import SoftLabelLoss
from xlkd.losses.starting_point import StartingPointLoss

LOSSES: dict[str, type[DistillationLoss]] = {
    "soft-label": SoftLabelLoss,
    "hard-label": HardLabelLoss,
    "hidden-state": HiddenStateLoss,
    "relational-distance": RelationalDistanceLoss,
    "relational-angle": RelationalAngleLoss,
    "similarity-preserving": SimilarityPreservingLoss,
    "kernel-alignment": KernelAlignmentLoss,
    "contrastive": ContrastiveLoss,
    "language-adversarial": LanguageAdversarialLoss,
    "l2-sp": StartingPointLoss,
}

__all__ = [
    "LOSSES",
    "ContrastiveLoss",
    "DistillationLoss",
    "HardLabelLoss",
    "HiddenStateLoss",
    "KernelAlignmentLoss",
    "LanguageAdversarialLoss",
    "RelationalAngleLoss",
    "RelationalDistanceLoss",
    "SimilarityPreservingLoss",
    "SoftLabelLoss",
    "StartingPointLoss",
]
