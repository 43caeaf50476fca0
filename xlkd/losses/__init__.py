"""Distillation losses, one a file. To add one: its file, one line in `LOSSES`, one row in the tests' table."""

from xlkd.losses.attention_map import AttentionMapLoss
from xlkd.losses.attention_relation import AttentionRelationLoss
from xlkd.losses.base import DistillationLoss
from xlkd.losses.embedding import EmbeddingLoss
from xlkd.losses.hard_label import HardLabelLoss
from xlkd.losses.hidden_state import HiddenStateLoss
from xlkd.losses.soft_label import SoftLabelLoss

LOSSES: dict[str, type[DistillationLoss]] = {
    "soft-label": SoftLabelLoss,
    "hard-label": HardLabelLoss,
    "hidden-state": HiddenStateLoss,
    "embedding": EmbeddingLoss,
    "attention-map": AttentionMapLoss,
    "attention-relation": AttentionRelationLoss,
}

__all__ = [
    "LOSSES",
    "AttentionMapLoss",
    "AttentionRelationLoss",
    "DistillationLoss",
    "EmbeddingLoss",
    "HardLabelLoss",
    "HiddenStateLoss",
    "SoftLabelLoss",
]
