"""What a student is worth, language by language, beside its teacher."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xlkd.errors import UserError
from xlkd.evaluation.metrics import METRIC_FUNCTIONS, METRICS, score
from xlkd.evaluation.statistics import MCNEMAR, RANDOMISATION, ScoredRows, bootstrap_interval, joint_bootstrap_means, paired_p_value
from xlkd.folders import write_text

SCHEMA = 1
FILE = "zero_shot.json"


@dataclass(frozen=True)
class LanguagePredictions:
    """What student and teacher predicted in one language.

    Args:
        language (`str`): The language.
        labels (`np.ndarray` of shape `(rows,)`): Gold class ids.
        student (`np.ndarray` of shape `(rows,)`): The student's class ids.
        teacher (`np.ndarray` of shape `(rows,)`, *optional*): The teacher's class ids.
        keys (`Sequence[str]`, *optional*): Names of the rows that are the same in every language.
    """

    language: str
    labels: np.ndarray
    student: np.ndarray
    teacher: np.ndarray | None = None
    keys: Sequence[str] | None = None

    def scored(self) -> ScoredRows:
        """The student's rows, for the bootstrap."""
        return ScoredRows(self.student, self.labels, self.keys)


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
        languages (`dict[str, dict]`): By language: `n`, `student` with its 95 % interval, `teacher`, `retention`
            (student / teacher), `transfer_gap` (source score minus this score), `p_value` and all `metrics`.
        means (`dict[str, dict]`): The same, of the source language (`source`) and over the target languages (`target`).
        groups (`dict[str, dict]`): Likewise, over groups of languages.
        size (`dict`): Parameters of student and teacher.
        speed (`dict`): Texts per second of the two, as measured while scoring.
        test (`str`): Name of the paired test.

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
    means: dict[str, dict[str, Any]]
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
        metric: str,
        source_language: str,
        groups: Mapping[str, Sequence[str]],
        **record: Any,
    ) -> ZeroShotReport:
        """Score predictions; `record` holds the other fields.

        Raises:
            [`UserError`]: If a language has no rows, or the metric is unknown.
        """
        by_language = {entry.language: entry for entry in predictions}
        languages = {language: _language_scores(entry, metric) for language, entry in by_language.items()}
        source = languages.get(source_language)
        for scores in languages.values():
            scores["transfer_gap"] = None if source is None else source["student"] - scores["student"]
        targets = [language for language in languages if language != source_language]
        means = {"source": [source_language] if source is not None else [], "target": targets}
        return cls(
            metric=metric,
            source_language=source_language,
            languages=languages,
            means=_group_scores(means, by_language, languages, metric),
            groups=_group_scores(groups, by_language, languages, metric),
            test=MCNEMAR if metric == "accuracy" else RANDOMISATION,
            **record,
        )

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, as `zero_shot.json` holds them."""
        values = asdict(self)
        return {"schema": values.pop("schema"), **values}

    def save(self, folder: str | Path) -> Path:
        """Write `zero_shot.json` into a folder; it appears whole or not at all."""
        path = Path(folder) / FILE
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
        if not isinstance(values, dict) or values.get("schema") != SCHEMA:
            raise UserError(f"The report {path} is not of schema {SCHEMA}: score the student again with this version.")
        return cls(**values)

    def table(self) -> str:
        """The report as plain text of at most 100 columns."""
        rows = [_table_row(language, self.languages[language]) for language in self._order()]
        lines = [_HEADER, "-" * len(_HEADER), *rows, "-" * len(_HEADER)]
        for name, scores in {**self.means, **self.groups}.items():
            if name == "source":
                continue
            title = "mean of targets" if name == "target" else f"mean of {name}"
            lines.append(_table_row(title, scores))
        lines.append(f"{self.metric}, in percent, with 95 % bootstrap intervals. Setting: {self.setting}. ")
        lines[-1] += f"Checkpoint: {self.selection}."
        lines.append(f"kept: student / teacher. gap: source - language. p: student against teacher, {self.test}.")
        return "\n".join(lines)

    def _order(self) -> list[str]:
        source = [self.source_language] if self.source_language in self.languages else []
        return source + [language for language in self.languages if language != self.source_language]


_HEADER = f"{'language':<24} {'n':>6}  {'student':>7} {'[95 %]':>14}  {'teacher':>7}  {'kept':>6}  {'gap':>6}  {'p':>7}"


def _table_row(name: str, scores: Mapping[str, Any]) -> str:
    interval = f"[{100 * scores['student_low']:5.1f}, {100 * scores['student_high']:5.1f}]"
    rows = scores.get("n", "")
    p_value = scores.get("p_value")
    p_words = "" if p_value is None else "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"
    teacher, kept, gap = (_percent(scores.get(key)) for key in ("teacher", "retention", "transfer_gap"))
    start = f"{name[:24]:<24} {rows:>6}  {100 * scores['student']:>7.1f} {interval}"
    return f"{start}  {teacher:>7}  {kept:>6}  {gap:>6}  {p_words:>7}".rstrip()


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.1f}"


def _language_scores(entry: LanguagePredictions, metric: str) -> dict[str, Any]:
    interval = bootstrap_interval(METRIC_FUNCTIONS[metric], entry.student, entry.labels)
    student = score(metric, entry.student, entry.labels)
    teacher = None if entry.teacher is None else score(metric, entry.teacher, entry.labels)
    test = None
    if entry.teacher is not None:
        test = paired_p_value(METRIC_FUNCTIONS[metric], entry.student, entry.teacher, entry.labels)
    systems = {"student": entry.student} | ({} if entry.teacher is None else {"teacher": entry.teacher})
    return {
        "n": len(entry.labels),
        "student": student,
        "student_low": interval.low,
        "student_high": interval.high,
        "teacher": teacher,
        "retention": student / teacher if teacher else None,
        "p_value": None if test is None else test.p_value,
        "metrics": {
            system: {name: score(name, predicted, entry.labels) for name in METRICS}
            for system, predicted in systems.items()
        },
    }


def _group_scores(
    groups: Mapping[str, Sequence[str]],
    by_language: Mapping[str, LanguagePredictions],
    languages: Mapping[str, Mapping[str, Any]],
    metric: str,
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, members in groups.items():
        scored = [language for language in members if language in languages]
        if not scored:
            continue
        interval = joint_bootstrap_means(
            METRIC_FUNCTIONS[metric], [by_language[language].scored() for language in scored]
        )
        student = _mean([languages[language]["student"] for language in scored])
        teacher = _mean([languages[language]["teacher"] for language in scored])
        found[name] = {
            "n_languages": len(scored),
            "student": student,
            "student_low": interval.low,
            "student_high": interval.high,
            "teacher": teacher,
            "retention": _mean([languages[language]["retention"] for language in scored]),
            "transfer_gap": _mean([languages[language]["transfer_gap"] for language in scored]),
        }
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) and known else None
