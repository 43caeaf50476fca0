"""What a student is worth, language by language, beside its teacher."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xlkd.errors import UserError
from xlkd.evaluation import statistics
from xlkd.evaluation.metrics import METRIC_FUNCTIONS, METRICS, ClassIds, check_metric, check_rows, score
from xlkd.folders import write_text
from xlkd.outputs import NO_LABEL

SCHEMA = 1
FILE = "zero_shot.json"
TABLE_COLUMNS = 100


@dataclass(frozen=True)
class LanguagePredictions:
    """What student and teacher predicted in one language.

    Args:
        language (`str`): The language.
        labels (`np.ndarray` of shape `(rows,)`): Gold class ids.
        student (`np.ndarray` of shape `(rows,)`): The student's class ids.
        teacher (`np.ndarray` of shape `(rows,)`, *optional*): The teacher's class ids.
        keys (`Sequence[str]`, *optional*): Names of the rows that are the same in every language.

    Raises:
        [`UserError`]: If there are no rows, a row has no label, or the lengths differ.

    Example:

    ```python
    >>> entry = LanguagePredictions("sw", labels=np.array([0, 1]), student=np.array([0, 0]))
    ```
    """

    language: str
    labels: ClassIds
    student: ClassIds
    teacher: ClassIds | None = None
    keys: Sequence[str] | None = None

    def __post_init__(self) -> None:
        try:
            check_rows(self.labels, *[system for system in (self.student, self.teacher) if system is not None])
            self.scored()
        except UserError as error:
            raise UserError(f"Language {self.language}: {error}") from error
        if unlabelled := int(np.sum(self.labels == NO_LABEL)):
            raise UserError(f"Language {self.language}: {unlabelled} rows have no label: leave them out of evaluation.")

    def scored(self) -> statistics.ScoredRows:
        """The student's rows, for the bootstrap."""
        return statistics.ScoredRows(self.student, self.labels, self.keys)


@dataclass(frozen=True)
class ZeroShotReport:
    """The content of `zero_shot.json`: scores are fractions of 1, undefined values are `None`.

    Args:
        task (`str`): The task.
        metric (`str`): The score that is reported first.
        setting (`str`): What training knew of the target languages.
        selection (`str`): How the checkpoint was chosen.
        source_language (`str`): Language of the labels.
        teacher (`str`, *optional*): Name of the teacher.
        student (`str`): Name of the student.
        seed (`int`): Seed of the run.
        languages (`dict[str, dict]`): By language, the source first, then the groups, then the rest: `n`, `student`
            with its 95 % interval, `teacher`, `retention` (student / teacher), `transfer_gap` (source score minus this
            score), `p_value` and all `metrics`.
        means (`dict`): Over the source language (`source`) and the target languages (`target`), plain means of the
            languages' values, with an interval that resamples the items that languages share together; a mean is
            undefined where one of its values is. `retention` is that of `target`.
        groups (`dict[str, dict]`): Likewise, over groups of languages; a group without scored languages is left out.
        size (`dict`): Parameters of student and teacher.
        speed (`dict`): Texts per second of the two, as measured while scoring.
        test (`str`, *optional*): Name of the paired test of student against teacher.
        schema (`int`, *optional*, defaults to 1): Version of the format.

    Example:

    ```python
    >>> report = ZeroShotReport.load("runs/quickstart/zero_shot.json")
    >>> report.languages["sw"]["student"]
    ```
    """

    task: str
    metric: str
    setting: str
    selection: str
    source_language: str
    teacher: str | None
    student: str
    seed: int
    languages: dict[str, dict[str, Any]]
    means: dict[str, Any]
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    size: dict[str, Any] = field(default_factory=dict)
    speed: dict[str, Any] = field(default_factory=dict)
    test: str | None = None
    schema: int = SCHEMA

    @classmethod
    def from_predictions(
        cls,
        predictions: Sequence[LanguagePredictions],
        *,
        task: str,
        metric: str,
        setting: str,
        selection: str,
        source_language: str,
        teacher: str | None,
        student: str,
        seed: int,
        groups: Mapping[str, Sequence[str]],
        size: Mapping[str, Any],
        speed: Mapping[str, Any],
    ) -> ZeroShotReport:
        """Score predictions; the keywords are the fields of the report, `groups` gives the languages of each group.

        Raises:
            [`UserError`]: If there are no predictions, a language comes twice, or the metric is unknown.
        """
        test = statistics.paired_test_name(METRIC_FUNCTIONS[check_metric(metric)])
        by_language = _in_order(predictions, source_language, groups)
        source = by_language.get(source_language)
        source_score = None if source is None else score(metric, source.student, source.labels)
        languages = {name: _language_scores(entry, metric, source_score) for name, entry in by_language.items()}
        targets = [language for language in languages if language != source_language]
        target = _mean_scores(targets, by_language, languages, metric)
        source_mean = _mean_scores([source_language], by_language, languages, metric)
        of_groups = {name: _mean_scores(members, by_language, languages, metric) for name, members in groups.items()}
        return cls(
            task=task,
            metric=metric,
            setting=setting,
            selection=selection,
            source_language=source_language,
            teacher=teacher,
            student=student,
            seed=seed,
            languages=languages,
            means={"source": source_mean, "target": target, "retention": target and target["retention"]},
            groups={name: scores for name, scores in of_groups.items() if scores is not None},
            size=dict(size),
            speed=dict(speed),
            test=None if all(entry.teacher is None for entry in predictions) else test,
        )

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, as `zero_shot.json` holds them."""
        values = _without_nan(asdict(self))
        return {"schema": values.pop("schema"), **values}

    def save(self, folder: str | Path) -> Path:
        """Write `zero_shot.json` into a folder; it appears whole or not at all."""
        path = Path(folder) / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        return path

    @classmethod
    def load(cls, path: str | Path) -> ZeroShotReport:
        """Read a `zero_shot.json`, or the one in a folder.

        Raises:
            [`UserError`]: If it is not a report of this schema.
        """
        path = Path(path) / FILE if Path(path).is_dir() else Path(path)
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"The report {path} cannot be read: {error}. Check the path.") from error
        if not isinstance(values, dict) or values.get("schema") != SCHEMA or {*values} != {*cls.__dataclass_fields__}:
            raise UserError(f"The report {path} is not of schema {SCHEMA}: score the student again with this version.")
        return cls(**values)

    def table(self) -> str:
        """The report as plain text of at most 100 columns, to be printed in a terminal."""
        means = {"mean of targets": self.means["target"]} if self.means["target"] is not None else {}
        means |= {f"mean of {name}": scores for name, scores in self.groups.items()}
        rule = "-" * len(_HEADER)
        lines = [_HEADER, rule, *(_language_row(language, scores) for language, scores in self.languages.items()), rule]
        lines += [_mean_row(name, scores) for name, scores in means.items()]
        return "\n".join(lines + [rule] * bool(means) + self._footer())

    def _footer(self) -> list[str]:
        how = f"{self.metric} in %, [95 % bootstrap interval]. Setting: {self.setting}. Checkpoint: {self.selection}."
        what = "retention: student / teacher. gap: score of the source language minus this one."
        what += "" if self.test is None else f" p: student against teacher, {self.test} test."
        return textwrap.wrap(how, TABLE_COLUMNS) + textwrap.wrap(what, TABLE_COLUMNS)


_NAME_COLUMNS = 28
_HEADER = (
    f"{'language':<{_NAME_COLUMNS}}{'n':>7}{'student':>9} {'[low, high]':<15}"
    f"{'teacher':>9}{'retention':>11}{'gap':>8}{'p':>9}"
)


def _language_row(language: str, scores: Mapping[str, Any]) -> str:
    p_value = scores["p_value"]
    p_words = "-" if p_value is None else "<0.001" if p_value < 0.001 else f"{p_value:.3f}"
    return f"{language:<{_NAME_COLUMNS}.{_NAME_COLUMNS}}{scores['n']:>7}{_scores_in_columns(scores)}{p_words:>9}"


def _mean_row(name: str, scores: Mapping[str, Any]) -> str:
    count = f" ({scores['n_languages']})"
    return f"{name[: _NAME_COLUMNS - len(count)] + count:<{_NAME_COLUMNS}}{'':>7}{_scores_in_columns(scores)}"


def _scores_in_columns(scores: Mapping[str, Any]) -> str:
    interval = f"[{100 * scores['student_low']:.1f}, {100 * scores['student_high']:.1f}]"
    teacher, retention, gap = (_percent(scores[name]) for name in ("teacher", "retention", "transfer_gap"))
    return f"{_percent(scores['student']):>9} {interval:<15}{teacher:>9}{retention:>11}{gap:>8}"


def _percent(fraction: float | None) -> str:
    # The sum with zero turns -0.0, a gap that rounds to nothing, into 0.0.
    return "-" if fraction is None else f"{round(100 * fraction, 1) + 0.0:.1f}"


def _without_nan(value: Any) -> Any:
    """A copy in which every NaN or infinity, which JSON does not know, is `None`."""
    if isinstance(value, dict):
        return {name: _without_nan(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _in_order(
    predictions: Sequence[LanguagePredictions], source_language: str, groups: Mapping[str, Sequence[str]]
) -> dict[str, LanguagePredictions]:
    by_language = {entry.language: entry for entry in predictions}
    if not predictions:
        raise UserError("There is nothing to report: give the predictions of at least one language.")
    if len(by_language) < len(predictions):
        raise UserError("A language comes twice in the predictions: put all rows of a language together.")
    wanted = dict.fromkeys([source_language, *(name for members in groups.values() for name in members), *by_language])
    return {language: by_language[language] for language in wanted if language in by_language}


def _language_scores(entry: LanguagePredictions, metric: str, source_score: float | None) -> dict[str, Any]:
    metric_fn = METRIC_FUNCTIONS[metric]
    interval = statistics.bootstrap_interval(metric_fn, entry.student, entry.labels)
    of_student = {name: score(name, entry.student, entry.labels) for name in METRICS}
    of_teacher = p_value = None
    if entry.teacher is not None:
        of_teacher = {name: score(name, entry.teacher, entry.labels) for name in METRICS}
        p_value = statistics.paired_p_value(metric_fn, entry.student, entry.teacher, entry.labels).p_value
    student, teacher = of_student[metric], None if of_teacher is None else of_teacher[metric]
    return {
        "n": len(entry.labels),
        "student": student,
        "student_low": interval.low,
        "student_high": interval.high,
        "teacher": teacher,
        "retention": student / teacher if teacher else None,
        "transfer_gap": None if source_score is None else source_score - student,
        "p_value": p_value,
        "metrics": {"student": of_student, "teacher": of_teacher},
    }


def _mean_scores(
    members: Sequence[str], by_language: Mapping[str, LanguagePredictions], languages: Mapping[str, Any], metric: str
) -> dict[str, Any] | None:
    scored = [language for language in dict.fromkeys(members) if language in languages]
    if not scored:
        return None

    def mean(name: str) -> float | None:
        values = [languages[language][name] for language in scored]
        return None if None in values else sum(values) / len(values)

    rows = [by_language[language].scored() for language in scored]
    interval = statistics.joint_bootstrap_means(METRIC_FUNCTIONS[metric], rows)
    return {
        "n_languages": len(scored),
        "student": mean("student"),
        "student_low": interval.low,
        "student_high": interval.high,
        **{name: mean(name) for name in ("teacher", "retention", "transfer_gap")},
    }
