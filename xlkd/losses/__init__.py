"""Distillation losses, one a file. To add one: its file, one line in `LOSSES`, one row in the tests' table."""

from xlkd.losses.attention_map import AttentionMapLoss
from xlkd.losses.attention_relation import AttentionRelationLoss
from xlkd.losses.base import DistillationLoss
from xlkd.losses.contrastive import ContrastiveLoss
from xlkd.losses.decoupled_label import DecoupledLabelLoss
from xlkd.losses.embedding import EmbeddingLoss
from xlkd.losses.hard_label import HardLabelLoss
from xlkd.losses.hidden_state import HiddenStateLoss
from xlkd.losses.kernel_alignment import KernelAlignmentLoss
from xlkd.losses.label_correlation import LabelCorrelationLoss
from xlkd.losses.language_adversarial import LanguageAdversarialLoss
from xlkd.losses.logit_mse import LogitMSELoss
from xlkd.losses.relational_angle import RelationalAngleLoss
from xlkd.losses.relational_distance import RelationalDistanceLoss
from xlkd.losses.similarity_preserving import SimilarityPreservingLoss
from xlkd.losses.soft_label import SoftLabelLoss
from xlkd.losses.starting_point import StartingPointLoss

LOSSES: dict[str, type[DistillationLoss]] = {
    "soft-label": SoftLabelLoss,
    "logit-mse": LogitMSELoss,
    "hard-label": HardLabelLoss,
    "decoupled-label": DecoupledLabelLoss,
    "label-correlation": LabelCorrelationLoss,
    "hidden-state": HiddenStateLoss,
    "relational-distance": RelationalDistanceLoss,
    "relational-angle": RelationalAngleLoss,
    "similarity-preserving": SimilarityPreservingLoss,
    "kernel-alignment": KernelAlignmentLoss,
    "contrastive": ContrastiveLoss,
    "language-adversarial": LanguageAdversarialLoss,
    "l2-sp": StartingPointLoss,
    "embedding": EmbeddingLoss,
    "attention-map": AttentionMapLoss,
    "attention-relation": AttentionRelationLoss,
}

__all__ = [
    "LOSSES",
    "DecoupledLabelLoss",
    "DistillationLoss",
    "HardLabelLoss",
    "HiddenStateLoss",
    "LabelCorrelationLoss",
    "LogitMSELoss",
    "SoftLabelLoss",
    "ContrastiveLoss",
    "KernelAlignmentLoss",
    "LanguageAdversarialLoss",
    "RelationalAngleLoss",
    "RelationalDistanceLoss",
    "SimilarityPreservingLoss",
    "StartingPointLoss",
    "AttentionMapLoss",
    "AttentionRelationLoss",
    "EmbeddingLoss",
]
