"""The optimizer's groups of parameters."""

from __future__ import annotations

from torch.optim import Optimizer
from transformers import PreTrainedModel

from xlkd.errors import UserError


def split_off_embeddings(optimizer: Optimizer, student: PreTrainedModel, learning_rate: float) -> None:
    """Give the table of the student's pieces a learning rate of its own.

    Args:
        optimizer (`torch.optim.Optimizer`): The optimizer; its groups are changed.
        student (`PreTrainedModel`): The student.
        learning_rate (`float`): The rate; schedules scale it as they scale the others.

    Raises:
        [`UserError`]: If the table is frozen.
    """
    table = student.get_input_embeddings().weight
    if not table.requires_grad:
        raise UserError(
            f"embedding_learning_rate {learning_rate} has nothing to train, since the student's embeddings are frozen:"
            " leave it out, or `freeze`."
        )
    for group in list(optimizer.param_groups):
        if any(parameter is table for parameter in group["params"]):
            group["params"] = [parameter for parameter in group["params"] if parameter is not table]
            options = {name: value for name, value in group.items() if name != "params"}
            optimizer.add_param_group({**options, "params": [table], "lr": learning_rate})
