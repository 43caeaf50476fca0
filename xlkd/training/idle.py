"""Parameters that no loss reaches."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from xlkd.errors import UserError

logger = logging.getLogger(__name__)


def idle_parameters(student: PreTrainedModel, loss: Tensor) -> list[str]:
    """Name the trainable parameters that a loss gives no gradient.

    Args:
        student (`PreTrainedModel`): The student.
        loss (`torch.Tensor`): The loss of a batch, a scalar.

    Raises:
        [`UserError`]: If the loss gives a gradient to none of them.
    """
    trainable = {name: parameter for name, parameter in student.named_parameters() if parameter.requires_grad}
    if not loss.requires_grad:
        raise UserError("No loss reaches a trainable parameter of the student: freeze less, or choose other losses.")
    gradients = torch.autograd.grad(loss, list(trainable.values()), allow_unused=True)
    return [name for name, gradient in zip(trainable, gradients, strict=True) if gradient is None]


@contextlib.contextmanager
def frozen(student: PreTrainedModel, find: Callable[[], Sequence[str]]) -> Iterator[None]:
    """Freeze parameters that no loss reaches (a pooler, a head): distributed training would wait for them.

    Args:
        student (`PreTrainedModel`): The student.
        find (`Callable`): Finds their names, when this begins.
    """
    idle = find()
    if idle:
        logger.info("Frozen for this run, since no loss reaches them: %s.", ", ".join(idle))
    for name in idle:
        student.get_parameter(name).requires_grad_(False)
    try:
        yield
    finally:
        for name in idle:
            student.get_parameter(name).requires_grad_(True)
