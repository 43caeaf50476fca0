"""The training objective: a weighted sum of losses, each with its own normalisation."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from xlkd.errors import UserError, did_you_mean
from xlkd.losses import LOSSES
from xlkd.losses.base import DistillationLoss
from xlkd.outputs import Batch, ModelShape, Needs, StudentOutput, TeacherOutput

_NAMES = {loss_class: name for name, loss_class in LOSSES.items()}


class WeightedSum(nn.Module):
    """Several losses and their weights, as one module: projectors inside are trained, clipped and averaged with it.

    Args:
        losses (`Mapping[str, DistillationLoss]`): The terms, by the name they are logged under.
        weights (`Mapping[str, float]`, *optional*): Their weights; 1.0 where left out.

    Raises:
        [`UserError`]: If there is no loss, or a weight is negative.

    Example:

    ```python
    >>> from xlkd.losses import HardLabelLoss, SoftLabelLoss
    >>> losses = WeightedSum({"soft-label": SoftLabelLoss(), "hard-label": HardLabelLoss()}, {"hard-label": 0.5})
    ```
    """

    def __init__(self, losses: Mapping[str, DistillationLoss], weights: Mapping[str, float] | None = None) -> None:
        super().__init__()
        if not losses:
            raise UserError("No losses were given: name at least one of " + ", ".join(LOSSES) + ".")
        self.weights = {name: float((weights or {}).get(name, 1.0)) for name in losses}
        for name, weight in self.weights.items():
            if not (weight >= 0 and math.isfinite(weight)):
                raise UserError(f"The weight {weight} of the loss {name} must be a finite number, and not negative.")
        self.terms = nn.ModuleDict(dict(losses))
        self._logged = torch.zeros(len(self.terms))

    @classmethod
    def from_config(cls, entries: Sequence[Mapping[str, Any]]) -> WeightedSum:
        """Build the sum from the `losses` of a YAML file: `[{name: soft-label, temperature: 2.0, weight: 1.0}]`.

        Raises:
            [`UserError`]: If a loss or an option is unknown; the message names the nearest known one.
        """
        losses: dict[str, DistillationLoss] = {}
        weights: dict[str, float] = {}
        for entry in entries:
            loss = build_loss(entry)
            name = _free_name(str(entry["name"]), losses)
            losses[name] = loss
            weights[name] = _number(entry.get("weight", 1.0), name)
        return cls(losses, weights)

    @classmethod
    def of(cls, losses: Sequence[DistillationLoss]) -> WeightedSum:
        """The sum of some losses at weight 1, named as in a YAML file."""
        named: dict[str, DistillationLoss] = {}
        for loss in losses:
            named[_free_name(_NAMES.get(type(loss), type(loss).__name__), named)] = loss
        return cls(named)

    def config(self) -> list[dict[str, Any]]:
        """The terms as `from_config` reads them."""
        return [
            {"name": _NAMES.get(type(loss), name), "weight": self.weights[name], **loss.config()}
            for name, loss in self.items()
        ]

    def items(self) -> Iterable[tuple[str, DistillationLoss]]:
        """The terms with their names."""
        return ((name, loss) for name, loss in self.terms.items() if isinstance(loss, DistillationLoss))

    @property
    def needs(self) -> Needs:
        """What the terms together ask of the teacher."""
        return _union(loss.needs for _, loss in self.items())

    @property
    def student_needs(self) -> Needs:
        """What the terms together ask of the student."""
        return _union(loss.student_needs for _, loss in self.items())

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        """Refuse models that a term cannot be computed on."""
        for _, loss in self.items():
            loss.check(student, teacher)

    def needs_for(self, student: ModelShape, teacher: ModelShape | None) -> Needs:
        """What the terms will ask of the teacher when they are attached to these models."""
        with torch.device("meta"):
            settled = WeightedSum.from_config(self.config())
            settled.attach(student, teacher)
        return settled.needs

    def attach(self, student: ModelShape, teacher: ModelShape | None) -> None:
        """Make every term ready for these models."""
        for _, loss in self.items():
            loss.attach(student, teacher)

    def begin(self, student: PreTrainedModel, languages: Sequence[str]) -> None:
        """Tell every term, before the first step, what shapes do not say."""
        for _, loss in self.items():
            loss.begin(student, languages)

    def set_progress(self, fraction: float) -> None:
        """Tell every term which share of the training is done."""
        for _, loss in self.items():
            loss.set_progress(fraction)

    def counts(self, batch: Batch) -> Tensor:
        """How many rows of a batch count for each term.

        Returns:
            `torch.Tensor` of shape `(terms,)`, in float32.
        """
        return torch.stack([loss.rows(batch).sum().float() for _, loss in self.items()])

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
        for (_, loss), count in zip(self.items(), counts, strict=True):
            values = loss(student_output, teacher_output, batch)
            # `where`, not a product: a row that does not count must not leak even an infinite value.
            parts.append(torch.where(loss.rows(batch), values, 0.0).sum() / count.clamp(min=1.0))
        stacked = torch.stack(parts)
        self._logged = self._logged.to(stacked.device) + stacked.detach()
        return (stacked * stacked.new_tensor(list(self.weights.values()))).sum()

    def take_logged(self) -> Tensor:
        """What the terms, unweighted, added up to since the last call; of shape `(terms,)`, of this process alone."""
        logged, self._logged = self._logged, torch.zeros_like(self._logged)
        return logged


def as_weighted_sum(losses: WeightedSum | Sequence[DistillationLoss | Mapping[str, Any]] | None) -> WeightedSum:
    """Make a sum of losses, or of their YAML entries; of nothing, soft labels at temperature 2.

    Raises:
        [`UserError`]: If both kinds are mixed.
    """
    if isinstance(losses, WeightedSum):
        return losses
    entries = losses if losses is not None else [{"name": "soft-label"}]
    objects = [loss for loss in entries if isinstance(loss, DistillationLoss)]
    if not objects:
        return WeightedSum.from_config([entry for entry in entries if isinstance(entry, Mapping)])
    if len(objects) < len(entries):
        raise UserError("losses mixes loss objects with YAML entries: give one kind.")
    return WeightedSum.of(objects)


def build_loss(entry: Mapping[str, Any]) -> DistillationLoss:
    """Build one loss from its entry in a YAML file.

    Args:
        entry (`Mapping[str, Any]`): `name`, one of `LOSSES`; `weight` is ignored here; the rest are its options.

    Raises:
        [`UserError`]: If the name or an option is unknown, or a value is wrong.

    Example:

    ```python
    >>> build_loss({"name": "soft-label", "temperature": 4.0}).config()
    {'temperature': 4.0}
    ```
    """
    if not isinstance(entry, Mapping) or "name" not in entry:
        raise UserError(f"The loss {entry!r} has no name: write {{name: soft-label, weight: 1.0}}.")
    name = entry["name"]
    if not isinstance(name, str) or name not in LOSSES:
        raise UserError(f"Unknown loss {name!r}{did_you_mean(name, LOSSES)}; known are {', '.join(LOSSES)}.")
    options = {key: value for key, value in entry.items() if key not in ("name", "weight")}
    known = [parameter for parameter in inspect.signature(LOSSES[name].__init__).parameters if parameter != "self"]
    known = [parameter for parameter in known if parameter not in ("args", "kwargs")]
    for option in options:
        if option not in known:
            allowed = ", ".join(["weight", *known])
            raise UserError(f"The loss {name} has no option {option!r}{did_you_mean(option, known)}; it has {allowed}.")
    return LOSSES[name](**options)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{value!r} for {name} must be a number.")
    return float(value)


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
