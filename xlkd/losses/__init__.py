"""Distillation losses, one a file. To add one: its file, one line in `LOSSES`, one row in the tests' table."""

from xlkd.losses.base import DistillationLoss
from xlkd.losses.hard_label import HardLabelLoss
from xlkd.losses.hidden_state import HiddenStateLoss
from xlkd.losses.soft_label import SoftLabelLoss

LOSSES: dict[str, type[DistillationLoss]] = {
    "soft-label": SoftLabelLoss,
    "hard-label": HardLabelLoss,
    "hidden-state": HiddenStateLoss,
}

__all__ = ["LOSSES", "DistillationLoss", "HardLabelLoss", "HiddenStateLoss", "SoftLabelLoss"]
