"""Distillation losses, one per file.

To add one: its file, one line in `LOSSES`, one row in the tests' table.
"""

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
    loss.name: loss
    for loss in (
        SoftLabelLoss,
        LogitMSELoss,
        HardLabelLoss,
        DecoupledLabelLoss,
        LabelCorrelationLoss,
        HiddenStateLoss,
        EmbeddingLoss,
        AttentionMapLoss,
        AttentionRelationLoss,
        RelationalDistanceLoss,
        RelationalAngleLoss,
        SimilarityPreservingLoss,
        KernelAlignmentLoss,
        ContrastiveLoss,
        LanguageAdversarialLoss,
        StartingPointLoss,
    )
}

__all__ = [
    "LOSSES",
    "AttentionMapLoss",
    "AttentionRelationLoss",
    "ContrastiveLoss",
    "DecoupledLabelLoss",
    "DistillationLoss",
    "EmbeddingLoss",
    "HardLabelLoss",
    "HiddenStateLoss",
    "KernelAlignmentLoss",
    "LabelCorrelationLoss",
    "LanguageAdversarialLoss",
    "LogitMSELoss",
    "RelationalAngleLoss",
    "RelationalDistanceLoss",
    "SimilarityPreservingLoss",
    "SoftLabelLoss",
    "StartingPointLoss",
]
