"""What the classes weigh in a loss, by the names of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from xlkd.errors import UserError, did_you_mean, is_number


class ClassWeights(nn.Module):
    """Weights by label, which become a tensor when the student's labels are known.

    Args:
        loss (`str`): The name of the loss, for errors.
        given (`Mapping[str, float]`, *optional*): What the classes weigh, 0 or more; 1 where left out.

    Raises:
        [`UserError`]: If a weight is no number of 0 or more, or a label is no text.

    Example:

    ```python
    >>> weights = ClassWeights("hard-label", {"O": 0.2})
    >>> weights.attach(["O", "B-PER"])
    >>> weights.of(torch.float32)
    tensor([0.2000, 1.0000])
    ```
    """

    values: Tensor | None

    def __init__(self, loss: str, given: Mapping[str, float] | None) -> None:
        super().__init__()
        if given is not None and not isinstance(given, Mapping):
            raise UserError(f"{loss}: class_weights {given!r} must be weights by label, such as {{sports: 2.0}}.")
        for label, weight in (given or {}).items():
            if not isinstance(label, str):
                raise UserError(f"{loss}: class_weights: {label!r} is no text; write the label in quotes.")
            if not is_number(weight) or not 0 <= weight < torch.inf:
                raise UserError(f"{loss}: class_weights: {weight!r} for {label} must be a number, 0 or more.")
        self.loss = loss
        self.given = dict(given or {})
        self.register_buffer("values", None, persistent=False)

    def check(self, labels: Sequence[str]) -> None:
        """Refuse names that are not labels of the student, where these are known.

        Raises:
            [`UserError`]: If a name is not a label of the student.
        """
        # Labels are not known yet where a run is only planned.
        for label in self.given if labels else ():
            if label not in labels:
                raise UserError(
                    f"{self.loss}: class_weights names {label!r}{did_you_mean(label, labels)}, which is not a label of"
                    f" the student: {', '.join(labels)}."
                )

    def attach(self, labels: Sequence[str]) -> None:
        """Put the weights into the student's order, where its labels are known."""
        if self.given and labels:
            self.values = torch.tensor([self.given.get(label, 1.0) for label in labels])

    def of(self, dtype: torch.dtype) -> Tensor | None:
        """The weights in the student's order, of shape `(classes,)`; `None` where all weigh the same.

        Raises:
            [`UserError`]: If there are some, and the student's labels are not known.
        """
        if self.given and self.values is None:
            raise UserError(
                f"{self.loss}: class_weights are by name, and the student's labels are not known: attach the loss to a"
                " ModelShape with `labels`."
            )
        return None if self.values is None else self.values.to(dtype)

    def config(self) -> dict[str, float] | None:
        """The weights as they were given."""
        return self.given or None
