"""What a student is worth, language by language, beside its teacher."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from xlkd.errors import UserError
from xlkd.evaluation import statistics
from xlkd.evaluation.metrics import build_metrics, by_class, check_metric
from xlkd.evaluation.predictions import LanguagePredictions, PredictionsRecord, save_predictions
from xlkd.evaluation.scores import ScoredLanguage, Scoring, language_values, mean_values, score_languages
from xlkd.evaluation.table import report_table
from xlkd.folders import write_json

SCHEMA = 1
REPORT_FILE = "zero_shot.json"
PLOT, CURVES, PAGE = "zero_shot.png", "training_curves.png", "report.html"
"""What [`~evaluation.pictures`] draws beside it."""


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
        labels (`list[str]`): Names of the classes, in the order of ids.
        languages (`dict[str, dict]`): By language, the source first, then the groups, then the rest: `n`, its English
            `name`, `resource_class` (0 to 5, Joshi et al.) and `script`; `chance`, the best accuracy of one answer to
            all texts (`None` for other metrics); the scores of `student` and `teacher` with 95 % intervals (`_low`,
            `_high`), their `difference` with its own, `p_value`, `retention` (student / teacher) and `transfer_gap`
            (source score minus this score); `metrics`, the scores of both by every metric, with intervals;
            `unread_words`, where words are labelled, how many `student` and `teacher` each did not see; and `classes`,
            where asked for, `[score, low, high]` of precision, recall and F1 of each class.
        means (`dict`): Plain means of the languages' values over the source language (`source`) and the target
            languages (`target`), the student's with an interval for which items that languages share are resampled
            together; a mean is undefined where one of its values is. `retention` is that of `target`;
            `resource_classes` and `scripts` are means over the target languages of each.
        groups (`dict[str, dict]`): Likewise, over groups of languages; a group without scored languages is left out.
        size (`dict`): Parameters of student and teacher, and those of their embeddings.
        speed (`dict`): Texts per second of the two, as measured while scoring, and milliseconds for one text alone.
        test (`str`, *optional*): Name of the paired test of student against teacher.
        oracle (`dict`, *optional*): Scores of the checkpoint that is best on labels of the target languages: its
            `selection` in words, `languages` and their mean `target`. These are not zero-shot scores.
        selected_on (`list[str]`, *optional*): Target languages whose labels chose the checkpoint: where there are any,
            the scores are not zero-shot.
        unscored (`list[str]`, *optional*): Target languages that the student was trained for but not scored in.
        weights (`str`, *optional*): A hash of the student's weights, by which a card knows whose scores these are.
        schema (`int`, *optional*, defaults to 1): Version of the format.
        predictions (`Sequence[LanguagePredictions]`, *optional*): What the scores are of; kept in a file of its own.

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
    labels: list[str]
    languages: dict[str, dict[str, Any]]
    means: dict[str, Any]
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    size: dict[str, Any] = field(default_factory=dict)
    speed: dict[str, Any] = field(default_factory=dict)
    test: str | None = None
    oracle: dict[str, Any] | None = None
    selected_on: list[str] = field(default_factory=list)
    unscored: list[str] = field(default_factory=list)
    weights: str | None = None
    schema: int = SCHEMA
    predictions: Sequence[LanguagePredictions] = field(default=(), compare=False, repr=False)

    @classmethod
    def from_predictions(
        cls,
        predictions: Sequence[LanguagePredictions],
        *,
        task: str,
        metric: str,
        metrics: Sequence[str],
        setting: str,
        selection: str,
        source_language: str,
        teacher: str | None,
        student: str,
        seed: int,
        labels: Sequence[str],
        groups: Mapping[str, Sequence[str]],
        size: Mapping[str, Any],
        speed: Mapping[str, Any],
        per_class: bool = False,
        selected_on: Sequence[str] = (),
        unscored: Sequence[str] = (),
        weights: str | None = None,
    ) -> ZeroShotReport:
        """Score predictions; the keywords are the fields of the report.

        `metrics` names all scores that are reported, `groups` gives the languages of each group, and `per_class` says
        whether to score the classes one by one.

        Raises:
            [`UserError`]: If there are no predictions, a language comes twice, the metric is unknown, or there are no
                classes to score one by one.
        """
        built = build_metrics(metrics, labels)
        test = statistics.paired_test_name(built[check_metric(metric, metrics)])
        ordered = _in_order(predictions, source_language, groups)
        scored = score_languages(ordered, Scoring(built, by_class(built.values()) if per_class else None))
        source_score = _source_score(scored.get(source_language), metric)
        languages = {name: language_values(own, metric, source_score) for name, own in scored.items()}
        of_groups = {name: mean_values(members, scored, languages, metric) for name, members in groups.items()}
        return cls(
            task=task,
            metric=metric,
            setting=setting,
            selection=selection,
            source_language=source_language,
            teacher=teacher,
            student=student,
            seed=seed,
            labels=list(labels),
            languages=languages,
            means=_means(scored, languages, source_language, metric),
            groups={name: scores for name, scores in of_groups.items() if scores is not None},
            size=dict(size),
            speed=dict(speed),
            selected_on=list(selected_on),
            unscored=list(unscored),
            weights=weights,
            test=None if all(entry.teacher is None for entry in predictions) else test,
            predictions=ordered,
        )

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, as `zero_shot.json` holds them."""
        values = {name: getattr(self, name) for name in _json_fields()}
        return {"schema": values.pop("schema"), **_without_nan(values)}

    def save(self, folder: str | Path) -> Path:
        """Write `zero_shot.json` into a folder, and `predictions.safetensors` where it is known what the rows are.

        Each appears whole or not at all.
        """
        path = Path(folder) / REPORT_FILE
        write_json(path, self.to_dict(), allow_nan=False)
        if self.predictions and all(entry.rows is not None for entry in self.predictions):
            save_predictions(folder, self.predictions, self.record)
        return path

    @property
    def record(self) -> PredictionsRecord:
        """What says whether another run can be compared with this one."""
        own = {name: getattr(self, name) for name in PredictionsRecord.__dataclass_fields__ if name != "metrics"}
        return PredictionsRecord(**own, metrics=list(next(iter(self.languages.values()))["metrics"]))

    @classmethod
    def load(cls, path: str | Path) -> ZeroShotReport:
        """Read a `zero_shot.json`, or the one in a folder.

        Raises:
            [`UserError`]: If it is not a report of this schema.
        """
        path = Path(path) / REPORT_FILE if Path(path).is_dir() else Path(path)
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"The report {path} cannot be read: {error}. Check the path.") from error
        if isinstance(values, dict):
            # Reports from before there could be unscored languages lack it.
            values.setdefault("unscored", [])
        if not isinstance(values, dict) or values.get("schema") != SCHEMA or {*values} != {*_json_fields()}:
            raise UserError(f"The report {path} is not of schema {SCHEMA}: score the student again with this version.")
        return cls(**values)

    def table(self) -> str:
        """The report as plain text of at most 100 columns, to be printed in a terminal."""
        return report_table(self.to_dict())


def _json_fields() -> list[str]:
    return [entry.name for entry in fields(ZeroShotReport) if entry.name != "predictions"]


def _without_nan(value: Any) -> Any:
    """A copy in which every NaN or infinity, which JSON does not know, is `None`."""
    if isinstance(value, dict):
        return {name: _without_nan(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _in_order(
    predictions: Sequence[LanguagePredictions], source_language: str, groups: Mapping[str, Sequence[str]]
) -> list[LanguagePredictions]:
    by_language = {entry.language: entry for entry in predictions}
    if not predictions:
        raise UserError("There is nothing to report: give the predictions of at least one language.")
    if len(by_language) < len(predictions):
        raise UserError("A language comes twice in the predictions: put all rows of a language together.")
    wanted = dict.fromkeys([source_language, *(name for members in groups.values() for name in members), *by_language])
    return [by_language[language] for language in wanted if language in by_language]


def _source_score(source: ScoredLanguage | None, metric: str) -> float | None:
    score = math.nan if source is None else float(source.observed[0, source.scoring.column(metric)])
    return None if math.isnan(score) else score


def _means(
    scored: Mapping[str, ScoredLanguage], languages: Mapping[str, Any], source_language: str, metric: str
) -> dict[str, Any]:
    targets = [language for language in languages if language != source_language]

    def mean(members: Iterable[str]) -> dict[str, Any] | None:
        return mean_values(members, scored, languages, metric)

    def by(fact: str) -> dict[str, Any]:
        known = {languages[language][fact] for language in targets} - {None}
        return {
            str(value): mean(language for language in targets if languages[language][fact] == value)
            for value in sorted(known)
        }

    target = mean(targets)
    return {
        "source": mean([source_language]),
        "target": target,
        "retention": target and target["retention"],
        "resource_classes": by("resource_class"),
        "scripts": by("script"),
    }
