"""The training objective: a weighted sum of losses, each with its own normalisation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast, get_args

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from xlkd.errors import UserError, check_choice, did_you_mean
from xlkd.losses import LOSSES
from xlkd.losses.base import DistillationLoss
from xlkd.losses.building import build_loss
from xlkd.losses.example_weight import ExampleWeight, weights_of_rows
from xlkd.losses.schedule import Schedule
from xlkd.needs import AnswerKind, ModelShape, Needs
from xlkd.outputs import Batch, StudentOutput, TeacherOutput
from xlkd.text.words import mean_over_items


class WeightedSum(nn.Module):
    """Several losses and their weights, as one module: projectors inside are trained, clipped and averaged with it.

    Args:
        losses (`Mapping[str, DistillationLoss]`): The terms, by the name they are logged under.
        weights (`Mapping[str, float | dict | Schedule]`, *optional*):
            Their weights, each a number or `{start, end, schedule, until}` ([`Schedule`]); 1.0 where left out.
        example_weights (`Mapping[str, str]`, *optional*):
            By what each row is weighted in a term with `scope = "row"`: `"teacher-confidence"`, `"student-entropy"` or
            `"product"` ([`~losses.example_weight.weights_of_rows`]); `"none"` where left out. Values are multiplied by
            these weights and still divided by the number of rows, so with the last two the term shrinks as the student
            learns: rows that it has learnt give way to those that it has not.

    Raises:
        [`UserError`]: If there is no loss, a weight is negative or not a number, or an example weight is unknown or is
            given for a loss that compares rows with one another.

    Example:

    ```python
    >>> from xlkd.losses import HardLabelLoss, SoftLabelLoss
    >>> losses = WeightedSum({"soft-label": SoftLabelLoss(), "hard-label": HardLabelLoss()}, {"hard-label": 0.5})
    ```
    """

    def __init__(
        self,
        losses: Mapping[str, DistillationLoss],
        weights: Mapping[str, float | Mapping[str, Any] | Schedule] | None = None,
        example_weights: Mapping[str, ExampleWeight] | None = None,
    ) -> None:
        super().__init__()
        if not losses:
            raise UserError("No losses were given: name at least one of " + ", ".join(LOSSES) + ".")
        given = weights or {}
        for name in (*given, *(example_weights or {})):
            if name not in losses:
                known = ", ".join(losses)
                raise UserError(f"There is a weight for {name!r}{did_you_mean(name, losses)}; the losses are {known}.")
        self.weights = {
            name: Schedule.of(given.get(name, 1.0), f"The weight of the loss {name}", least=0) for name in losses
        }
        self.example_weights = {name: kind for name, kind in (example_weights or {}).items() if kind != "none"}
        for name, kind in self.example_weights.items():
            _check_example_weight(name, losses[name], kind)
        self.terms = nn.ModuleDict(dict(losses))
        self._answer_kind: AnswerKind = "one-of"
        self._logged = torch.zeros(len(self.terms))

    @classmethod
    def from_config(cls, entries: Sequence[Mapping[str, Any]]) -> WeightedSum:
        """Build the sum from the `losses` of a YAML file: `[{name: soft-label, temperature: 2.0, weight: 1.0}]`.

        Beside the options of the loss, an entry may have a `weight` and an `example_weight`.

        Raises:
            [`UserError`]: If a loss or an option is unknown; the message names the nearest known one.
        """
        losses: dict[str, DistillationLoss] = {}
        weights: dict[str, Any] = {}
        example_weights: dict[str, Any] = {}
        for entry in entries:
            loss = build_loss(entry)
            name = _free_name(str(entry["name"]), losses)
            losses[name] = loss
            weights[name] = entry.get("weight", 1.0)
            example_weights[name] = entry.get("example_weight", "none")
        return cls(losses, weights, example_weights)

    @classmethod
    def of(cls, losses: Sequence[DistillationLoss]) -> WeightedSum:
        """The sum of some losses at weight 1, named as in a YAML file."""
        named: dict[str, DistillationLoss] = {}
        for loss in losses:
            named[_free_name(loss.name, named)] = loss
        return cls(named)

    def config(self) -> list[dict[str, Any]]:
        """The terms as `from_config` reads them."""
        return [
            {
                "name": loss.name,
                "weight": self.weights[name].config(),
                **({"example_weight": self.example_weights[name]} if name in self.example_weights else {}),
                **loss.config(),
            }
            for name, loss in self.items()
        ]

    def items(self) -> Iterable[tuple[str, DistillationLoss]]:
        """The terms with their names."""
        return ((name, loss) for name, loss in self.terms.items() if isinstance(loss, DistillationLoss))

    @property
    def needs(self) -> Needs:
        """What the terms together ask of the teacher."""
        return _union([*(loss.needs for _, loss in self.items()), Needs(logits=bool(self.example_weights))])

    @property
    def student_needs(self) -> Needs:
        """What the terms together ask of the student."""
        return _union([*(loss.student_needs for _, loss in self.items()), Needs(logits=bool(self.example_weights))])

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        """Refuse models that a term cannot be computed on."""
        for _, loss in self.items():
            loss.check(student, teacher)
        if self.example_weights and student.answer_kind == "number":
            name, kind = next(iter(self.example_weights.items()))
            raise UserError(
                f"The loss {name} has example_weight {kind}, and a number does not say how sure a model is: leave it"
                " out."
            )
        if teacher is None and self.example_weights:
            name, kind = next(iter(self.example_weights.items()))
            raise UserError(
                f"The loss {name} has example_weight {kind}, which needs a teacher, and none was given: give one, or"
                " leave it out."
            )

    def attached_to(self, student: ModelShape, teacher: ModelShape | None) -> WeightedSum:
        """A copy without weights, attached to these models."""
        with torch.device("meta"):
            copy = WeightedSum.from_config(self.config())
            copy.attach(student, teacher)
        return copy

    def attach(self, student: ModelShape, teacher: ModelShape | None) -> None:
        """Make every term ready for these models."""
        for _, loss in self.items():
            loss.attach(student, teacher)
        self._answer_kind = student.answer_kind

    def check_languages(self, languages: Sequence[str]) -> None:
        """Refuse training rows in languages that a term cannot be computed on."""
        for _, loss in self.items():
            loss.check_languages(languages)

    def begin(self, student: PreTrainedModel, languages: Sequence[str]) -> None:
        """Tell every term, before the first step, what shapes do not say."""
        for _, loss in self.items():
            loss.begin(student, languages)

    def see_transitions(self, counts: Tensor) -> None:
        """Tell every term that asks for it which class of a word stands behind which."""
        for _, loss in self.items():
            if loss.reads_transitions:
                loss.see_transitions(counts)

    def set_progress(self, fraction: float) -> None:
        """Tell every weight and every term which share of the training is done, 0 to 1."""
        for weight in self.weights.values():
            weight.set_progress(fraction)
        for _, loss in self.items():
            loss.set_progress(fraction)

    def moving(self) -> dict[str, float]:
        """The present values of all that changes during training: `weight_NAME`, and `OPTION_NAME` of the losses."""
        schedules = {f"weight_{name}": weight for name, weight in self.weights.items()}
        for name, loss in self.items():
            schedules |= {f"{option}_{name}": schedule for option, schedule in loss.schedules.items()}
        return {name: schedule.value for name, schedule in schedules.items() if not schedule.is_constant}

    def counts(self, batch: Batch) -> Tensor:
        """How many rows of a batch count for each term; of rows that are labelled word by word, those with a word.

        Returns:
            `torch.Tensor` of shape `(terms,)`, in float32.
        """
        counted = [loss.rows(batch) for _, loss in self.items()]
        return torch.stack([mean_over_items(own, own)[1].sum().float() for own in counted])

    def forward(
        self,
        student_output: StudentOutput,
        teacher_output: TeacherOutput,
        batch: Batch,
        counts: Tensor,
    ) -> Tensor:
        """This batch's part of the loss of its update window.

        Args:
            student_output ([`StudentOutput`]): With what `student_needs` asks for.
            teacher_output ([`TeacherOutput`]): With what `needs` asks for.
            batch ([`Batch`]): The batch.
            counts (`torch.Tensor` of shape `(terms,)`):
                The counts of the whole window: of all its batches, on all processes.

        Returns:
            `torch.Tensor`, a scalar. Summed over the batches and processes of a window it is the window's loss.
        """
        parts = []
        for (name, loss), count in zip(self.items(), counts, strict=True):
            counted = loss.rows(batch)
            # `where`, not a product: the sum must not have even an infinite value of a row that does not count.
            values = torch.where(counted, loss(student_output, teacher_output, batch), 0.0)
            if name in self.example_weights:
                kind = self.example_weights[name]
                weights = weights_of_rows(kind, student_output, teacher_output, self._answer_kind)
                if not loss.by_word:
                    weights, _ = mean_over_items(weights, batch.item_mask)
                values = values * torch.where(counted, weights, 0.0)
            parts.append(mean_over_items(values, counted)[0].sum() / count.clamp(min=1.0))
        stacked = torch.stack(parts)
        self._logged = self._logged.to(stacked.device) + stacked.detach()
        return (stacked * stacked.new_tensor([weight.value for weight in self.weights.values()])).sum()

    def take_logged(self) -> Tensor:
        """The sum of each term since the last call, without its weight, in this process alone.

        Returns:
            `torch.Tensor` of shape `(terms,)`.
        """
        logged, self._logged = self._logged, torch.zeros_like(self._logged)
        return logged


def as_weighted_sum(
    losses: WeightedSum | Sequence[DistillationLoss | Mapping[str, Any]] | None, default: str = "soft-label"
) -> WeightedSum:
    """Make a sum of losses, or of their YAML entries; of nothing, the loss that is named `default`.

    Raises:
        [`UserError`]: If both kinds are mixed.
    """
    if isinstance(losses, WeightedSum):
        return losses
    entries = losses if losses is not None else [{"name": default}]
    objects = [loss for loss in entries if isinstance(loss, DistillationLoss)]
    if not objects:
        return WeightedSum.from_config(cast(Sequence[Mapping[str, Any]], entries))
    if len(objects) < len(entries):
        raise UserError("losses mixes loss objects with YAML entries: give one kind.")
    return WeightedSum.of(objects)


def _check_example_weight(name: str, loss: DistillationLoss, kind: ExampleWeight) -> None:
    check_choice(f"The example_weight of the loss {name}", kind, get_args(ExampleWeight))
    if loss.scope == "batch":
        raise UserError(
            f"The loss {name} compares the rows of a batch with one another, so that none of them has a weight of its"
            f" own: leave out its example_weight {kind}."
        )


def _free_name(name: str, taken: Mapping[str, Any]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def _union(needs: Iterable[Needs]) -> Needs:
    total = Needs()
    for need in needs:
        total = total | need
    return total
