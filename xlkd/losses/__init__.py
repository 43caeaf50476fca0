"""Distillation losses, one a file. To add one: its file, one line in `LOSSES`, one row in the tests' table."""

from xlkd.losses.base import DistillationLoss
from xlkd.losses.decoupled_label import DecoupledLabelLoss
from xlkd.losses.hard_label import HardLabelLoss
from xlkd.losses.hidden_state import HiddenStateLoss
from xlkd.losses.label_correlation import LabelCorrelationLoss
from xlkd.losses.logit_mse import LogitMSELoss
from xlkd.losses.soft_label import SoftLabelLoss

LOSSES: dict[str, type[DistillationLoss]] = {
    "soft-label": SoftLabelLoss,
    "logit-mse": LogitMSELoss,
    "decoupled-label": DecoupledLabelLoss,
    "label-correlation": LabelCorrelationLoss,
    "hard-label": HardLabelLoss,
    "hidden-state": HiddenStateLoss,
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
]
