"""Scores of a student while it trains: neither teacher nor losses are asked."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from xlkd.needs import ModelShape
from xlkd.outputs import Batch
from xlkd.students.attention import output_of_student
from xlkd.tasks import Task
from xlkd.training.checkpointing import StudentCheckpointing


class Validation(StudentCheckpointing):
    """A `Trainer` whose student is scored by its task.

    Attributes:
        task ([`~tasks.Task`]): The task.
    """

    task: Task
    _student_shape: ModelShape

    def prediction_step(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Answers and labels of one batch, and the loss against hard labels; the teacher is not asked."""
        batch = Batch.from_inputs(self._prepare_inputs(inputs))
        with torch.no_grad(), self.compute_loss_context_manager():
            output = output_of_student(model, self.student, batch, self.task.asks(self._student_shape))
        answers = self.task.answers_in(output)
        loss = self.task.validation_loss(answers, batch.labels).detach()
        return (loss, None, None) if prediction_loss_only else (loss, answers.detach(), batch.labels)

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """`Trainer.evaluate`; with several evaluation sets (languages) it adds their mean, `eval_mean_METRIC`."""
        datasets = eval_dataset if eval_dataset is not None else self.eval_dataset
        metrics = super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)
        if isinstance(datasets, dict) and len(datasets) > 1:
            scores = [metrics[f"{metric_key_prefix}_{name}_{self.task.metric}"] for name in datasets]
            mean = {f"{metric_key_prefix}_mean_{self.task.metric}": sum(scores) / len(scores)}
            self.log(dict(mean))
            metrics |= mean
        return metrics
