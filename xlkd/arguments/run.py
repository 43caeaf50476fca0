"""One run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from xlkd.arguments.data import DataArguments
from xlkd.arguments.student import StudentArguments
from xlkd.arguments.teacher import FIXED, CacheArguments, EnsembleArguments, TeacherArguments
from xlkd.errors import UserError, check_choice, did_you_mean
from xlkd.languages import check_language

Overlap = Literal["refuse", "drop", "allow"]


def numbered(names: Sequence[str]) -> list[str]:
    """The names, with their positions where two are equal.

    Example:

    ```python
    >>> numbered(["a", "b", "a"])
    ['a (0)', 'b', 'a (2)']
    ```
    """
    return [name if names.count(name) == 1 else f"{name} ({position})" for position, name in enumerate(names)]


@dataclass
class RunArguments:
    """One run, apart from how it trains ([`DistillationArguments`])."""

    source_language: str = field(metadata={"help": "Language of the labels."})
    target_languages: list[str] = field(metadata={"help": "Languages that the student is for."})
    student: StudentArguments = field(metadata={"help": "What the student is, `student: {layers: 3}`."})
    data: list[DataArguments] = field(default_factory=list, metadata={"help": "The data, by role."})
    losses: list[dict[str, Any]] | None = field(
        default=None,
        metadata={"help": "The losses: {name, weight, options}. Default: soft labels, or the task's equivalent."},
    )
    teacher: TeacherArguments | list[TeacherArguments] | None = field(
        default=None, metadata={"help": "The teacher, or a list of several; may be left out when no loss needs one."}
    )
    ensemble: EnsembleArguments | None = field(
        default=None, metadata={"help": "How several teachers answer as one: {weights, average, features}."}
    )
    teacher_cache: CacheArguments = field(
        default_factory=CacheArguments,
        metadata={"help": "Where the teacher's answers are kept: auto, off, a folder, or {folder, dtype, top_k}."},
    )
    task: str = field(default="sequence-classification", metadata={"help": "What the models do."})
    labels: list[str] | None = field(
        default=None,
        metadata={"help": "Names of the classes, in the order of ids; for a regression, what its number is called."},
    )
    metric: str | None = field(
        default=None, metadata={"help": "The score that is reported first. Default: the first of the task's."}
    )
    unscored_languages: list[str] = field(
        default_factory=list,
        metadata={
            "help": "Target languages without evaluation rows: the student is trained for them, and the report says "
            "that they were not scored."
        },
    )
    groups: dict[str, list[str]] = field(
        default_factory=dict, metadata={"help": "Groups of languages whose mean is reported, {low: [sw, yo]}."}
    )
    per_class: bool = field(
        default=False, metadata={"help": "Report precision, recall and F1 of each class in each language too."}
    )
    oracle: bool = field(
        default=False,
        metadata={
            "help": "Also score the checkpoint that is best on validation rows in target languages, marked as not "
            "zero-shot. Needs such rows, and all checkpoints kept."
        },
    )
    overlap: Overlap = field(
        default="refuse",
        metadata={
            "help": "What to do with training rows whose text is in the evaluation data: refuse the run, drop them, or "
            "allow them."
        },
    )
    num_threads: int | None = field(
        default=None,
        metadata={
            "help": "Threads of each process. Default: OMP_NUM_THREADS if above 1, else the cores divided by processes."
        },
    )

    def __post_init__(self) -> None:
        check_language(self.source_language)
        for language in self.target_languages:
            check_language(language)
        if self.source_language in self.target_languages:
            raise UserError(
                f"target_languages holds the source language {self.source_language}: leave it out, it is reported"
                " anyway."
            )
        if len(set(self.target_languages)) < len(self.target_languages):
            raise UserError("target_languages names a language twice: name each once.")
        self._check_unscored()
        check_choice("overlap", self.overlap, get_args(Overlap))
        if self.num_threads is not None and self.num_threads < 1:
            raise UserError(
                f"num_threads {self.num_threads} must be 1 or more; left out, the machine's cores are shared."
            )
        self._check_groups()
        self._check_ensemble()

    def _check_unscored(self) -> None:
        none = "(`--unscored_languages '[]'` for none)"
        if self.source_language in self.unscored_languages:
            raise UserError(
                f"unscored_languages holds the source language {self.source_language}, which is always scored: take it"
                f" out {none}."
            )
        if unknown := [language for language in self.unscored_languages if language not in self.target_languages]:
            raise UserError(
                f"unscored_languages holds {', '.join(unknown)}, which target_languages do not: take out {none}, or add"
                " to those."
            )
        if len(set(self.unscored_languages)) < len(self.unscored_languages):
            raise UserError("unscored_languages names a language twice: name each once.")

    def _check_groups(self) -> None:
        for name, languages in self.groups.items():
            if unknown := [language for language in languages if language not in self.scored_languages]:
                known = set(unknown) <= set(self.unscored_languages)
                instead = "take out of unscored_languages" if known else "add to target_languages"
                raise UserError(
                    f"groups: {name} holds {', '.join(unknown)}, which the run does not score: take out of `groups`"
                    f" (`--groups '{{}}'` for none), or {instead}."
                )

    def _check_ensemble(self) -> None:
        if self.teacher == []:
            raise UserError("teacher: the list is empty: name one or more, or leave `teacher` out.")
        given = {
            f"teacher: {name}"
            for name in ("languages", "weight")
            if any(getattr(own, name) is not None for own in self.teachers)
        }
        alone = sorted(given | ({"ensemble"} if self.ensemble is not None else set()))
        if len(self.teachers) < 2 and alone:
            raise UserError(
                f"{', '.join(alone)} has no effect without several teachers: leave it out, or name more, `teacher: [A,"
                " B]`."
            )
        if "teacher: weight" in given and self.ensemble_weights != FIXED:
            raise UserError(
                f"teacher: weight has no effect beside `ensemble: {{weights: {self.ensemble_weights}}}`: leave out one."
            )
        if "teacher: weight" not in given and self.ensemble_weights == FIXED:
            raise UserError("ensemble: weights fixed are those of the teachers: give one a `weight`, or write uniform.")
        # Refuses what `features` must not be.
        _ = self.base_position
        self._check_twins()

    def _check_twins(self) -> None:
        for place, one in enumerate(self.teachers):
            for other in self.teachers[:place]:
                if (one.model, one.revision, one.finetune) == (other.model, other.revision, other.finetune):
                    raise UserError(
                        f"teacher: {one.model} stands twice in the list, which is asked twice and knows no more: leave"
                        " one out; fine-tunings differ by `finetune: {seed: 1}`."
                    )

    @property
    def scored_languages(self) -> list[str]:
        """The source language, and the target languages that are scored."""
        targets = [language for language in self.target_languages if language not in self.unscored_languages]
        return [self.source_language, *targets]

    @property
    def teachers(self) -> list[TeacherArguments]:
        """The teachers, none, one or several."""
        several = self.teacher if isinstance(self.teacher, list) else [self.teacher]
        return [teacher for teacher in several if teacher is not None]

    @property
    def ensemble_weights(self) -> str | dict[str, list[float]]:
        """What the weights of several teachers are."""
        if self.ensemble is not None and self.ensemble.weights is not None:
            return self.ensemble.weights
        return "uniform" if all(teacher.weight is None for teacher in self.teachers) else FIXED

    @property
    def teacher_names(self) -> list[str]:
        """What the teachers are called: their models, and their positions too where two have one model."""
        return numbered([teacher.model for teacher in self.teachers])

    @property
    def base_position(self) -> int:
        """The position of the teacher that the student is cut from: the one of the features, else the first.

        Raises:
            [`UserError`]: If `features` names none, or two.
        """
        features = None if self.ensemble is None else self.ensemble.features
        models = [teacher.model for teacher in self.teachers]
        if features is None:
            return 0
        if isinstance(features, int) and 0 <= features < len(models):
            return features
        if features not in models:
            raise UserError(
                f"ensemble: features {features!r} is no teacher{did_you_mean(str(features), models)}: name one of"
                f" {', '.join(models)}, or a position, 0 to {len(models) - 1}."
            )
        if models.count(str(features)) > 1:
            raise UserError(f"ensemble: features {features!r} are several teachers: give a position, counted from 0.")
        return models.index(str(features))

    @property
    def base_teacher(self) -> TeacherArguments | None:
        """The teacher that the student is cut from."""
        return self.teachers[self.base_position] if self.teachers else None
