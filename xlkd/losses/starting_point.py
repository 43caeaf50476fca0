"""L2-SP: a penalty on how far the student has gone from where it started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from transformers import PreTrainedModel

from xlkd.errors import check_choice
from xlkd.losses.base import DistillationLoss
from xlkd.losses.schedule import Schedule
from xlkd.outputs import Batch, StudentOutput, TeacherOutput

Head = Literal["start", "zero"]


class StartingPointLoss(DistillationLoss):
    r"""Squared distance of the student's weights from those that it started with.

    With \\(w\\) the trainable weights of the encoder, \\(v\\) those of the head, and \\(w^0, v^0\\) what they were:

    $$ \frac{\alpha}{2} \lVert w - w^0 \rVert^2 + \frac{\beta}{2} \lVert v - v^0 \rVert^2 $$

    where \\(\alpha\\) is `strength` and \\(\beta\\) is `head_strength`. With `head: zero` the second term is
    \\(\frac{\beta}{2} \lVert v \rVert^2\\), for a head that was made anew and has nothing to stay near. L2-SP (Li et
    al., [1802.01483](https://huggingface.co/papers/1802.01483)). Set `weight_decay` to 0 with it: weight decay pulls to
    zero what this pulls to the start.

    It is the same for every batch, so neither accumulation nor processes change it. Frozen weights are left out. So are
    those that no other loss reaches, such as a head without soft or hard labels: in evaluation mode, in which the
    trainer looks for them, the penalty has no gradient. Memory: a second copy of the trainable weights, and their
    differences for as long as a step lasts. Worth trying with little text, where the student forgets languages that
    are not in it. The weights must be whole on every process: not under FSDP or DeepSpeed ZeRO-3. The start is the
    student that the trainer was given: to resume, give it that student again and `resume_from_checkpoint`, not a
    student that was loaded from the checkpoint.

    Args:
        strength (`float` or `dict`, *optional*, defaults to 0.01): For the encoder, 0 or more; may have a schedule.
        head_strength (`float` or `dict`, *optional*, defaults to 0.01): For the head; likewise.
        head (`str`, *optional*, defaults to `"start"`):
            What the head stays near: `"start"`, for one that was copied from the teacher, or `"zero"`.

    Raises:
        [`UserError`]: If an option is unknown, or a strength is negative.

    Example:

    ```python
    >>> from xlkd.losses import StartingPointLoss
    >>> loss = StartingPointLoss(strength=0.01, head="zero")
    ```
    """

    name = "l2-sp"
    asks_teacher = False
    scope = "batch"
    citation = (
        "Li et al. (2018), Explicit Inductive Bias for Transfer Learning with Convolutional Networks, arXiv:1802.01483"
    )

    def __init__(self, strength: Any = 0.01, head_strength: Any = 0.01, head: Head = "start") -> None:
        super().__init__()
        check_choice("l2-sp: head", head, get_args(Head))
        self.strength = Schedule.of(strength, "l2-sp: strength", least=0)
        self.head_strength = Schedule.of(head_strength, "l2-sp: head_strength", least=0)
        self.head = head
        self._encoder = _Weights([], [])
        self._head = _Weights([], [])

    def config(self) -> dict[str, Any]:
        strengths = {"strength": self.strength.config(), "head_strength": self.head_strength.config()}
        return {**strengths, "head": self.head}

    def begin(self, student: PreTrainedModel, languages: Sequence[str]) -> None:
        """Keep the trainable weights of the student, and a copy of what they are now."""
        encoder: list[Tensor] = []
        head: list[Tensor] = []
        prefix = "" if student.base_model is student else f"{student.base_model_prefix}."
        for name, parameter in student.named_parameters():
            if parameter.requires_grad:
                (encoder if name.startswith(prefix) else head).append(parameter)
        make = torch.zeros_like if self.head == "zero" else torch.clone
        self._encoder = _Weights(encoder, [parameter.detach().clone() for parameter in encoder])
        self._head = _Weights(head, [make(parameter.detach()) for parameter in head])

    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """See [`StartingPointLoss`]; the answers of the models are not looked at."""
        encoder, head = (part.distance().to(batch.row_mask.device) for part in (self._encoder, self._head))
        value = (self.strength.value * encoder + self.head_strength.value * head).reshape(1) / 2
        return value if self.training else value.detach()


class _Weights:
    """Weights of a student and what they are to stay near. No module: a checkpoint has no second copy of a student.

    Args:
        parameters (`list[torch.nn.Parameter]`): The weights.
        origins (`list[torch.Tensor]`): What they are to stay near.
    """

    def __init__(self, parameters: Sequence[Tensor], origins: Sequence[Tensor]) -> None:
        self.parameters = parameters
        self.origins = origins

    def distance(self) -> Tensor:
        """The squared distance over those that are trainable now, a scalar in float32 at least, with gradient."""
        self.origins = [origin.to(own.device) for own, origin in zip(self.parameters, self.origins, strict=True)]
        trained = [pair for pair in zip(self.parameters, self.origins, strict=True) if pair[0].requires_grad]
        if not trained:
            return torch.zeros(())
        parameters, origins = zip(*trained, strict=True)
        distance: Tensor = _SquaredDistance.apply(origins, *parameters)  # type: ignore[no-untyped-call]
        return distance


class _SquaredDistance(torch.autograd.Function):
    """In a few kernels for all weights together, where autograd would need several for each."""

    @staticmethod
    def forward(context: Any, origins: tuple[Tensor, ...], *parameters: Tensor) -> Tensor:
        differences = torch._foreach_sub(parameters, origins)
        context.save_for_backward(*differences)
        norms = torch.stack(torch._foreach_norm(differences))
        return norms.to(torch.promote_types(norms.dtype, torch.float32)).square().sum()

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return None, *torch._foreach_mul(context.saved_tensors, 2 * gradient)
