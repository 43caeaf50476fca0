"""Several teachers that answer as one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel

from xlkd.errors import UserError
from xlkd.needs import AnswerKind, Needs
from xlkd.outputs import TEACHER_PREFIX, Batch, TeacherOutput
from xlkd.padding import Readers, RowCollator
from xlkd.teachers.averaging import Average, confidence, mean_answers
from xlkd.teachers.base import Teacher
from xlkd.teachers.live import LiveTeacher
from xlkd.teachers.roster import Roster

Weights = Literal["uniform", "confidence"] | Sequence[float] | Mapping[str, Sequence[float]]

CONFIDENCE = "confidence"
WORDS = ("uniform", CONFIDENCE)

_ROWS, _WEIGHTS = "rows", "weights"


class TeacherEnsemble(Teacher):
    """Several teachers that answer as one: live or cached, of any architecture, each with its own tokenizer.

    Members are asked about a row if they know its language, that is, the one that the teacher reads: the column
    `teacher_language` where there is one, else `language`. Their weights are scaled to sum to 1 for that row.

    Args:
        members (`Sequence[Teacher]` or a `Mapping` of them by name): The teachers; unnamed ones are "0", "1", ...
        weights (`str`, `Sequence[float]` or a `Mapping` of them by language, *optional*, defaults to `"uniform"`):
            `"uniform"`; one number a member; these by language, `{"sw": [1, 3], "default": [1, 1]}`; or
            `"confidence"`, for each row the inverse of the entropy of a member's answer (in nats, at least 0.01).
        average (`str`, *optional*, defaults to `"probabilities"`):
            What is averaged, see [`~teachers.averaging.mean_answers`]: `"probabilities"`, or `"logits"` (log
            probabilities: a geometric mean). Either is handed on as the log probabilities of the mean at temperature 1,
            so the temperature of a loss is applied to the mean.
        features (`str`, *optional*): The name of the member that hidden states are taken from; it must know the
            languages of all training rows. With more than one member, losses that need states need it.
        languages (`Mapping[str, Collection[str]]`, *optional*):
            The languages that members know, by name; those left out know all.

    Raises:
        [`UserError`]: If there is no member, one is given twice, a name or option is unknown, or weights are wrong.

    Example:

    ```python
    >>> teacher = TeacherEnsemble(
    ...     {"wide": LiveTeacher(model, tokenizer), "african": TeacherCache.open("caches/african")},
    ...     weights={"sw": [1, 3], "default": [1, 1]},
    ...     features="wide",
    ...     languages={"african": ["sw", "yo", "en"]},
    ... )
    ```
    """

    def __init__(
        self,
        members: Mapping[str, Teacher] | Sequence[Teacher],
        weights: Weights = "uniform",
        average: Average = "probabilities",
        features: str | None = None,
        languages: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        named = members if isinstance(members, Mapping) else {str(n): member for n, member in enumerate(members)}
        _check_members(named)
        if isinstance(weights, str) and weights not in WORDS:
            raise UserError(f"weights {weights!r} of the ensemble must be {' or '.join(WORDS)}, or numbers.")
        if average not in get_args(Average):
            raise UserError(f"average {average!r} of the ensemble must be {' or '.join(get_args(Average))}.")
        if features is None and len(named) == 1:
            features = next(iter(named))
        numbers = [1.0] * len(named) if isinstance(weights, str) else weights
        self.roster = Roster(list(named), numbers, languages or {}, features)
        # Copies, since a teacher may stand in other ensembles under another prefix, and be asked alone.
        self.members = [member.copy() for member in named.values()]
        self.weights, self.average = weights, average
        self._answer_kind: AnswerKind = "one-of"
        for position, member in enumerate(self.members):
            member.prefix = f"{TEACHER_PREFIX}{position}_"
        self.labels = self.members[0].labels
        self._same_order = all(member.labels == self.labels and not member.label_map for member in self.members)
        self.shape = self.base.shape
        states = self.base.provides if features is not None else Needs()
        logits = all(member.provides.logits for member in self.members)
        self.provides = replace(states, logits=logits)

    def copy(self) -> TeacherEnsemble:
        return self.with_members(self.members)

    def with_members(self, members: Sequence[Teacher]) -> TeacherEnsemble:
        """The same ensemble of other teachers: those that were asked before, in the place of the live ones."""
        roster = self.roster
        named = dict(zip(roster.names, members, strict=True))
        return TeacherEnsemble(named, self.weights, self.average, roster.features, roster.languages)

    @property
    def base(self) -> Teacher:
        """The member whose shape and hidden states the ensemble has: `features`, else the first."""
        features = self.roster.features
        return self.members[0 if features is None else self.roster.names.index(features)]

    @property
    def parts(self) -> list[Teacher]:
        return list(self.members)

    @property
    def models(self) -> list[PreTrainedModel]:
        return [model for member in self.members for model in member.models]

    @property
    def readers(self) -> Readers:
        return {prefix: reader for member in self.members for prefix, reader in member.readers.items()}

    @property
    def states_prefix(self) -> str:
        return self.base.states_prefix

    @property
    def collator(self) -> RowCollator:
        return EnsembleCollator(self.roster, [(member.prefix, member.collator) for member in self.members])

    def needs_of(self, member: Teacher, needs: Needs) -> Needs:
        """What one of the members is asked for: its logits, and states only of the one that gives them."""
        gives_states = self.roster.features is not None and member is self.base
        return needs if gives_states else Needs(needs.logits)

    def asked(self, dataset: Dataset) -> np.ndarray:
        """Which member is asked about which row, of shape `(members, rows)`."""
        languages = _languages_of(dataset)
        who = {language: self.roster.asked_in(language) for language in dict.fromkeys(languages)}
        return np.array([who[language] for language in languages], dtype=bool).reshape(-1, len(self.members)).T

    def is_asked_in(self, language: str) -> bool:
        return any(self.roster.weights_for(language))

    def check_rows(self, needs: Needs, dataset: object) -> None:
        if needs.states:
            self.roster.check_features(_languages_of(dataset) if isinstance(dataset, Dataset) else [])

    def expect(self, needs: Needs) -> None:
        for member in self.members:
            member.expect(self.needs_of(member, needs))

    def prepare(self, dataset: Dataset, asked: np.ndarray | None = None) -> Dataset:
        """Let every member prepare the rows that it is asked about.

        Raises:
            [`UserError`]: If there are rows in a language that nobody is asked about, or without an answer.
        """
        self.roster.check(_languages_of(dataset))
        for member, own in zip(self.members, self.asked(dataset), strict=True):
            dataset = member.prepare(dataset, own if asked is None else own & asked)
        return dataset

    def match_labels(self, labels: Sequence[str], answer_kind: AnswerKind = "one-of") -> None:
        check_weights(self.weights, answer_kind)
        for member in self.members:
            member.match_labels(labels, answer_kind)
        self._same_order, self._answer_kind = True, answer_kind

    def to(self, device: torch.device) -> None:
        for member in self.members:
            member.to(device)

    def outputs(self, batch: Batch, needs: Needs) -> TeacherOutput:
        answers = [_ask(member, batch, self.needs_of(member, needs)) for member in self.members]
        mean = self._mean(answers, batch) if needs.logits else TeacherOutput()
        if not needs.states:
            return mean
        rows, states = answers[self.members.index(self.base)] or (torch.empty(0), TeacherOutput())
        if len(rows) < len(batch.labels):
            raise UserError(
                f"The losses need hidden states of {self.roster.features} for every row, but it does not know all of"
                " their languages: name another member in `features`, or add to its `languages`."
            )
        return replace(states, logits=mean.logits, unmapped_mass=mean.unmapped_mass)

    def _mean(self, answers: Sequence[_Answer | None], batch: Batch) -> TeacherOutput:
        if not self._same_order:
            raise UserError("The teachers of the ensemble name their classes differently: call `match_labels` first.")
        items = batch.item_mask.shape
        weights = batch.teacher_inputs[_WEIGHTS].T
        if len(items) > 1:
            weights = weights.unsqueeze(-1).expand(-1, *items)
        given = {position: answer for position, answer in enumerate(answers) if answer is not None}
        classes = _logits(next(iter(given.values()))[1]).shape[-1]
        logits = torch.full((*weights.shape, classes), -torch.inf, device=weights.device)
        for position, (rows, output) in given.items():
            _put(logits[position], rows, _logits(output).float())
        if self.weights == CONFIDENCE:
            weights = weights * confidence(logits, self._answer_kind)
        mean = mean_answers(logits, weights, self.average, self._answer_kind)
        return TeacherOutput(mean, unmapped_mass=_unmapped(given, weights))


_Answer = tuple[Tensor, TeacherOutput]
"""The positions of the rows that a member was asked about, and what it said."""


def _unmapped(answers: Mapping[int, _Answer], weights: Tensor) -> Tensor | None:
    """The weighted mean of what the members gave to labels that the student does not have."""
    if all(output.unmapped_mass is None for _, output in answers.values()):
        return None
    mass = torch.zeros_like(weights)
    for position, (rows, output) in answers.items():
        if output.unmapped_mass is not None:
            _put(mass[position], rows, output.unmapped_mass)
    return (weights * mass).sum(0) / weights.sum(0)


def _put(all_rows: Tensor, rows: Tensor, values: Tensor) -> None:
    """Put what a member said of its rows where they are; the longest of them may have fewer words than that of all."""
    kept: Any = tuple(slice(size) for size in values.shape[1:])
    all_rows[(rows, *kept)] = values


class EnsembleCollator(RowCollator):
    """Gives each member the rows that it is asked about, and their weights.

    Args:
        roster ([`~teachers.roster.Roster`]): Who is asked.
        collators (`Sequence[tuple[str, RowCollator]]`): The prefix and the collator of each member.
    """

    def __init__(self, roster: Roster, collators: Sequence[tuple[str, RowCollator]]) -> None:
        self.roster = roster
        self.collators = list(collators)
        self.read = [name for _, collator in self.collators for name in collator.columns]
        self.columns = ["language", "teacher_language", *self.read]

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """What each member makes of its rows, their positions, and the weights of all; `(batch, members)`."""
        if not any(name in rows[0] for name in self.read):
            return {}
        languages = [row.get("teacher_language", row.get("language")) for row in rows]
        self.roster.check(languages)
        weights = [self.roster.weights_for(language) for language in languages]
        found = {f"{TEACHER_PREFIX}{_WEIGHTS}": torch.tensor(weights)}
        asked = [self.roster.asked_in(language) for language in languages]
        for position, (prefix, collator) in enumerate(self.collators):
            own = [index for index in range(len(rows)) if asked[index][position]]
            if own:
                found |= {prefix + _ROWS: torch.tensor(own), **collator([rows[index] for index in own])}
        return found


def base_of(teacher: Teacher) -> LiveTeacher:
    """The live teacher that a student is cut from: the teacher itself, or the `base` of an ensemble."""
    base = teacher.base if isinstance(teacher, TeacherEnsemble) else teacher
    assert isinstance(base, LiveTeacher)
    return base


def check_weights(weights: object, answer_kind: AnswerKind) -> None:
    """Refuse to weigh teachers by how sure they are where they do not say it.

    Args:
        weights (`str` or numbers): The weights of the ensemble.
        answer_kind (`str`): What the teachers' logits mean.

    Raises:
        [`UserError`]: If weights are `confidence` and answers are numbers.
    """
    if weights == CONFIDENCE and answer_kind == "number":
        raise UserError(
            "ensemble: weights confidence: a number does not say how sure a teacher is: use uniform, or numbers."
        )


def _check_members(members: Mapping[str, Teacher]) -> None:
    if not members:
        raise UserError("The ensemble has no members: give it one teacher or more.")
    if len({id(member) for member in members.values()}) < len(members):
        raise UserError("A teacher stands twice in the ensemble: name each once, and give it a larger weight instead.")
    for name, member in members.items():
        if isinstance(member, TeacherEnsemble):
            raise UserError(f"The member {name} of the ensemble is an ensemble itself: name its members instead.")


def _ask(member: Teacher, batch: Batch, needs: Needs) -> _Answer | None:
    """The positions of a member's rows and its answers; nothing where there is nothing to ask it."""
    prefix = member.prefix.removeprefix(TEACHER_PREFIX)
    inputs = {
        name.removeprefix(prefix): value for name, value in batch.teacher_inputs.items() if name.startswith(prefix)
    }
    if not needs or _ROWS not in inputs:
        return None
    rows = inputs.pop(_ROWS)
    return rows, member.outputs(Batch({}, inputs, batch.labels[rows], batch.row_mask[rows]), needs)


def _logits(output: TeacherOutput) -> Tensor:
    assert output.logits is not None
    return output.logits


def _languages_of(dataset: Dataset) -> list[str | None]:
    """The language that the teacher reads in each row, where the rows say one."""
    column = next((name for name in ("teacher_language", "language") if name in dataset.column_names), None)
    return [None] * len(dataset) if column is None else list(dataset[column])
