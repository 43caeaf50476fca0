"""The measure of the design: a loss of one's own is one class and one entry of `LOSSES`, and then works everywhere."""

from typing import Any

import pytest
import torch
from tiny_training import arguments

from xlkd import DistillationTrainer, LiveTeacher
from xlkd.errors import UserError
from xlkd.losses import LOSSES, DistillationLoss
from xlkd.needs import Needs
from xlkd.outputs import full_precision


class SameFirstChoiceLoss(DistillationLoss):
    """Cross-entropy with the teacher's first choice."""

    name = "same-first-choice"

    def __init__(self, sharpness: float = 1.0) -> None:
        super().__init__()
        self.sharpness = sharpness

    @property
    def needs(self) -> Needs:
        return Needs(logits=True)

    @property
    def student_needs(self) -> Needs:
        return Needs(logits=True)

    def config(self) -> dict[str, Any]:
        return {"sharpness": self.sharpness}

    def forward(self, student_output, teacher_output, batch):
        logits = full_precision(student_output.logits) * self.sharpness
        return torch.nn.functional.cross_entropy(logits, teacher_output.logits.argmax(-1), reduction="none")


def trainer_of(losses, student, teacher, tokenizer, rows, folder):
    return DistillationTrainer(
        student,
        teacher if teacher is None else LiveTeacher(teacher, tokenizer),
        losses,
        args=arguments(folder, max_steps=2),
        train_dataset=rows,
        processing_class=tokenizer,
    )


def test_loss_of_ones_own_trains_and_is_logged_when_it_is_in_the_table(
    monkeypatch, student, teacher, tokenizer, rows, tmp_path
):
    monkeypatch.setitem(LOSSES, SameFirstChoiceLoss.name, SameFirstChoiceLoss)
    entries = [{"name": "same-first-choice", "weight": 2.0, "sharpness": 0.5}]
    trainer = trainer_of(entries, student, teacher, tokenizer, rows, tmp_path)
    trainer.train()
    assert trainer.losses.config() == entries
    assert any("loss_same-first-choice" in entry for entry in trainer.state.log_history)


def test_loss_of_ones_own_is_refused_without_a_teacher(student, tokenizer, rows, tmp_path):
    with pytest.raises(UserError, match="same-first-choice needs a teacher"):
        trainer_of([SameFirstChoiceLoss()], student, None, tokenizer, rows, tmp_path)


def test_loss_of_ones_own_needs_no_table_when_it_is_given_as_an_object(student, teacher, tokenizer, rows, tmp_path):
    trainer = trainer_of([SameFirstChoiceLoss()], student, teacher, tokenizer, rows, tmp_path)
    trainer.train()
    assert [name for name, _ in trainer.losses.items()] == ["same-first-choice"]
