"""A language adversary: text vectors that do not tell which language they came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from xlkd.errors import UserError, is_whole_number
from xlkd.losses.base import DistillationLoss
from xlkd.losses.layer_map import check_layer, read_layer
from xlkd.losses.schedule import Schedule
from xlkd.needs import ModelShape, Needs
from xlkd.outputs import NO_LANGUAGE, Batch, StudentOutput, TeacherOutput, full_precision

RISING = {"start": 0.0, "end": 1.0, "schedule": "linear"}


class LanguageAdversarialLoss(DistillationLoss):
    r"""Cross-entropy of a classifier that guesses the language of a text, while the student learns to make it fail.

    For one row in language \\(y\\), with \\(h\\) the mean over the tokens of one layer of the student, in nats:
    \\( -\log softmax(D(R(h)))_y \\). \\(D\\) learns to tell the languages apart. \\(R\\) changes nothing on the way
    forward and multiplies the gradient by \\(-\lambda\\) on the way back, so that the student learns to leave \\(D\\)
    nothing to go by. A value near the logarithm of the number of languages says that it did.

    Gradient reversal is that of Ganin et al. ([1409.7495](https://huggingface.co/papers/1409.7495)); against languages,
    beside soft labels on parallel text, it is CLDF (Xu and Yang,
    [1705.02073](https://huggingface.co/papers/1705.02073)).

    The language of a parallel row is the one that the student reads. Rows without a language do not count. States are
    `(batch, width)`; the classifier is trained with the student and saved beside its checkpoints, never with it. Worth
    trying where a language lags far behind the source; too strong, it takes away what tells texts apart.

    Memory: batch x width numbers, and the classifier with its two moments in the optimizer.

    Args:
        strength (`float` or `dict`, *optional*, defaults to `{start: 0, end: 1, schedule: linear}`):
            The \\(\lambda\\) of the reversal, 0 or more; may have a schedule. The classifier learns at full strength.
        layer (`int`, *optional*): The student's layer, 0 being the embeddings. Defaults to the last.
        hidden_width (`int`, *optional*):
            Width of the classifier's hidden layer. Defaults to none: a linear classifier.

    Raises:
        [`UserError`]: If an option is out of range, or the training rows are in fewer than two languages.

    Example:

    ```python
    >>> from xlkd.losses import LanguageAdversarialLoss
    >>> loss = LanguageAdversarialLoss(strength={"start": 0.0, "end": 0.5, "until": 0.5})
    ```
    """

    name = "language-adversarial"
    asks_teacher = False
    citation = (
        "Ganin and Lempitsky (2015), Unsupervised Domain Adaptation by Backpropagation, arXiv:1409.7495;"
        " Xu and Yang (2017), Cross-lingual Distillation for Text Classification, arXiv:1705.02073"
    )
    reads_languages = True

    def __init__(self, strength: Any = None, layer: int | None = None, hidden_width: int | None = None) -> None:
        super().__init__()
        self.strength = Schedule.of(RISING if strength is None else strength, "language-adversarial: strength", least=0)
        self.layer = read_layer(self.name, "layer", layer)
        if hidden_width is not None and (not is_whole_number(hidden_width) or hidden_width < 1):
            raise UserError(
                f"language-adversarial: hidden_width {hidden_width!r} must be a whole number above 0; leave it out for"
                " a linear classifier."
            )
        self.hidden_width = hidden_width
        self.classifier: nn.Module = nn.Identity()

    @property
    def student_needs(self) -> Needs:
        return Needs() if self.layer is None else Needs(pooled_states=frozenset({self.layer}))

    def config(self) -> dict[str, Any]:
        return {"strength": self.strength.config(), "layer": self.layer, "hidden_width": self.hidden_width}

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        if self.layer is not None:
            check_layer(self.name, "layer", "student", self.layer, student.layers)

    def attach(self, student: ModelShape, teacher: ModelShape | None) -> None:
        """Settle the layer."""
        super().attach(student, teacher)
        self.layer = student.layers if self.layer is None else self.layer
        self._width = student.width

    def check_languages(self, languages: Sequence[str]) -> None:
        """Refuse fewer than two.

        Raises:
            [`UserError`]: If there are fewer than two languages.
        """
        if len(languages) < 2:
            found = ", ".join(languages) or "no language"
            raise UserError(
                f"language-adversarial tells languages apart, but the training rows name {found}: give data in two or"
                " more (rows with a column `language`), or leave the loss out."
            )

    def begin(self, student: PreTrainedModel, languages: Sequence[str]) -> None:
        """Make the classifier of the languages.

        Raises:
            [`UserError`]: If there are fewer than two languages.
        """
        self.check_languages(languages)
        if self.hidden_width is None:
            self.classifier = nn.Linear(self._width, len(languages))
        else:
            hidden = nn.Linear(self._width, self.hidden_width)
            self.classifier = nn.Sequential(hidden, nn.ReLU(), nn.Linear(self.hidden_width, len(languages)))

    def rows(self, batch: Batch) -> Tensor:
        """Rows that have a language."""
        if batch.language_ids is None:
            return torch.zeros_like(batch.row_mask)
        return batch.row_mask & (batch.language_ids != NO_LANGUAGE)

    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """See [`LanguageAdversarialLoss`]; pooled states of shape `(batch, width)`."""
        assert self.layer is not None
        states = full_precision(student_output.pooled_states[self.layer])
        if batch.language_ids is None:
            return states.sum(-1) * 0.0
        reversed_states: Tensor = _Reversal.apply(states, self.strength.value)  # type: ignore[no-untyped-call]
        logits = full_precision(self.classifier(reversed_states))
        return F.cross_entropy(logits, batch.language_ids, ignore_index=NO_LANGUAGE, reduction="none")


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, states: Tensor, strength: float) -> Tensor:
        context.strength = strength
        return states.view_as(states)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -context.strength * gradient, None
