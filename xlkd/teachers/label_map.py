"""Which classes of a student a teacher's classes teach, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

import torch
from torch import Tensor

from xlkd.errors import UserError, did_you_mean
from xlkd.needs import AnswerKind

UNNAMED = ["LABEL_0"]
"""What Transformers calls a number where nobody says what it is."""


class LabelMap:
    r"""A map from the labels of a teacher to those of a student: how knowledge crosses tasks.

    Labels of the teacher that `mapping` does not name are matched by equal names. Several may teach one label of the
    student; some may teach none, and then the teacher's distribution is renormalised over the rest. With the teacher's
    logits \\(z\\), and \\(S_y\\) the labels that teach \\(y\\), the student's label \\(y\\) has the logit

    $$ \log \sum_{c \in S_y} e^{z_c} $$

    so that the softmax over them is the renormalised sum of probabilities. It is \\(-\infty\\) where nothing teaches
    \\(y\\), which means that the teacher does not know this label. A temperature is applied after the sum.

    Where a row may have any number of classes, it has \\(y\\) if it has any of \\(S_y\\): the logit is the largest of
    theirs, and nothing is renormalised. Where answers are numbers, one number teaches one, that of the same name unless
    `mapping` says otherwise; an unnamed number, `LABEL_0`, teaches the only one.

    Args:
        teacher_labels (`Sequence[str]`): Names of the teacher's classes, in the order of ids.
        student_labels (`Sequence[str]`): Names of the student's, likewise.
        mapping (`Mapping[str, str | None]`, *optional*):
            The student's label for a label of the teacher; `None` drops it, even where the names are equal.
        answer_kind (`str`, *optional*, defaults to `"one-of"`): What the logits mean ([`~needs.AnswerKind`]).

    Attributes:
        sources (`list[list[int]]`): The classes of the teacher that teach each class of the student.
        dropped (`list[str]`): Labels of the teacher that teach none of the student's.
        unknown (`list[str]`): Labels of the student that no label of the teacher teaches.

    Raises:
        [`UserError`]: If `mapping` names an unknown label, or too few labels of the student are taught: fewer than two,
            or none where each label has a yes or no, or a number, of its own.

    Example:

    ```python
    >>> nli = LabelMap(
    ...     ["entailment", "neutral", "contradiction"],
    ...     ["entailment", "not_entailment"],
    ...     {"neutral": "not_entailment", "contradiction": "not_entailment"},
    ... )
    >>> nli.apply(torch.tensor([0.5, 0.3, 0.2]).log()).softmax(-1)
    tensor([0.5000, 0.5000])
    ```
    """

    def __init__(
        self,
        teacher_labels: Sequence[str],
        student_labels: Sequence[str],
        mapping: Mapping[str, str | None] | None = None,
        answer_kind: AnswerKind = "one-of",
    ) -> None:
        self.answer_kind = answer_kind
        self.teacher_labels, self.student_labels = list(teacher_labels), list(student_labels)
        _check_names(self.teacher_labels, self.student_labels, mapping or {})
        if not mapping and answer_kind == "number" and self.teacher_labels == UNNAMED and len(self.student_labels) == 1:
            mapping = {UNNAMED[0]: self.student_labels[0]}
        targets = [(mapping or {}).get(label, label) for label in self.teacher_labels]
        self.sources = [
            [index for index, target in enumerate(targets) if target == label] for label in self.student_labels
        ]
        self._dropped = [index for index, target in enumerate(targets) if target not in self.student_labels]
        self.dropped = [self.teacher_labels[index] for index in self._dropped]
        self.unknown = [label for label, indices in zip(self.student_labels, self.sources, strict=True) if not indices]
        self._check_reach()
        self._index = _padded(self.sources, filler=len(self.teacher_labels))

    def _check_reach(self) -> None:
        taught = [label for label in self.student_labels if label not in self.unknown]
        if len(taught) > 1 or (taught and self.answer_kind != "one-of"):
            return
        lists = f"The teacher's labels ({', '.join(self.teacher_labels)})"
        example = f"`label_map: {{{self.teacher_labels[0]}: {self.student_labels[0]}, ...}}`"
        if taught:
            raise UserError(
                f"{lists} teach only {taught[0]} of the student's ({', '.join(self.student_labels)}), and one class"
                f" alone has the probability 1 for every text: map two or more, {example} of the teacher."
            )
        raise UserError(
            f"{lists} and the student's ({', '.join(self.student_labels)}) have none in common: labels are matched by"
            f" name, so say which teaches which, {example} of the teacher."
        )

    @property
    def is_identity(self) -> bool:
        """Whether both sides have the same classes in the same order."""
        return self.sources == [[index] for index in range(len(self.teacher_labels))]

    def apply(self, logits: Tensor) -> Tensor:
        """The logits of the student's classes.

        Args:
            logits (`torch.Tensor` of shape `(..., teacher classes)`): The teacher's.

        Returns:
            `torch.Tensor` of shape `(..., student classes)`: `logits` itself where the classes are the same; in its
            own precision where none are summed, else in float32.
        """
        if self.is_identity:
            return logits
        nothing = logits.new_full((*logits.shape[:-1], 1), -inf)
        summed = torch.cat([logits, nothing], dim=-1)[..., self._index.to(logits.device)]
        if summed.shape[-1] == 1:
            return summed.squeeze(-1)
        return summed.amax(dim=-1) if self.answer_kind == "any-of" else summed.float().logsumexp(dim=-1)

    def unmapped_mass(self, logits: Tensor) -> Tensor | None:
        """The probability that the teacher gives to classes that map nowhere, at temperature 1.

        Args:
            logits (`torch.Tensor` of shape `(..., teacher classes)`): The teacher's.

        Returns:
            `torch.Tensor` of shape `(...)` in float32, 0 to 1; `None` where every class maps somewhere, or where the
            probabilities of labels are their own, so that none is lost to another.
        """
        if not self._dropped or self.answer_kind != "one-of":
            return None
        index = torch.tensor(self._dropped, device=logits.device)
        return logits.float().softmax(dim=-1).index_select(-1, index).sum(dim=-1)

    def describe(self) -> str:
        """The map in one sentence, without the labels that are matched by equal names.

        Example:

        ```python
        >>> LabelMap(["entailment", "neutral", "contradiction"], ["entailment", "neutral"]).describe()
        'Labels by name: contradiction teaches nothing, and soft labels are renormalised without it.'
        ```
        """
        parts = []
        for label, indices in zip(self.student_labels, self.sources, strict=True):
            names = [self.teacher_labels[index] for index in indices]
            if names not in ([], [label]):
                parts.append(f"{_listed(names, 'teaches', 'teach')} {label}")
        if self.dropped:
            without = "it" if len(self.dropped) == 1 else "them"
            taught = _listed(self.dropped, "teaches", "teach")
            renormalised = (
                f", and soft labels are renormalised without {without}" if self.answer_kind == "one-of" else ""
            )
            parts.append(f"{taught} nothing{renormalised}")
        if self.unknown:
            parts.append(f"the teacher does not know {' and '.join(self.unknown)}: only hard labels teach that")
        return f"Labels by name: {'; '.join(parts) or 'the teacher has those of the student'}."


def _check_names(teacher_labels: list[str], student_labels: list[str], mapping: Mapping[str, str | None]) -> None:
    for label, target in mapping.items():
        for side, name, known in (("teacher", label, teacher_labels), ("student", target, student_labels)):
            if name is not None and name not in known:
                raise UserError(
                    f"label_map: {name!r}{did_you_mean(name, known)} is not a label of the {side}, which has"
                    f" {', '.join(known)}; a map goes from the teacher's labels to the student's."
                )


def _padded(rows: list[list[int]], filler: int) -> Tensor:
    """The rows as one tensor, the short ones filled up."""
    most = max(map(len, rows))
    return torch.tensor([row + [filler] * (most - len(row)) for row in rows])


def _listed(names: list[str], one: str, several: str) -> str:
    return f"{names[0]} {one}" if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} {several}"
