"""Saved runs beside one another: several seeds as one, and against other runs on the same rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlkd.errors import UserError
from xlkd.evaluation.alignment import aligned
from xlkd.evaluation.answers import Answers, row_hashes
from xlkd.evaluation.metrics import Metric, Weights, build_metrics
from xlkd.evaluation.numbers import interval_words, p_words, percent
from xlkd.evaluation.predictions import LanguagePredictions, SavedRun
from xlkd.evaluation.resampling import ResampledRows, Tallies, interval_of, mean_over_languages, resample
from xlkd.evaluation.statistics import paired_p_value, paired_test_name
from xlkd.evaluation.table import COLUMNS, NAME_COLUMNS, wrapped
from xlkd.folders import write_json

COMPARISON_FILE = "comparison.json"

ITEMS = "bootstrap over items"
MULTI_BOOTSTRAP = "multi-bootstrap over seeds and items"


@dataclass(frozen=True)
class Comparison:
    """What `comparison.json` holds: one or several runs, seed by seed, and other runs against them.

    Args:
        task (`str`): The task.
        metric (`str`): The score.
        source_language (`str`): Language of the labels.
        runs (`list[str]`): The runs, one a seed.
        against (`list[str]`, *optional*): The other runs; without them, where they are known, the teachers of these.
        test (`str`, *optional*): How `p_value` and the interval over the target languages come about.
        language_test (`str`, *optional*): Likewise, in one language.
        seeds (`list[int]`): How many seeds the runs have, and what they are held against; teachers as many as they.
        languages (`dict[str, dict]`): By language: `n`, `mean` of the runs with its 95 % interval (`mean_low`,
            `mean_high`) and their `spread` (the standard deviation from seed to seed; `None` of one run), `against` and
            `against_spread`, `difference` (runs minus against) with its interval (`_low`, `_high`) and `p_value`.
        target (`dict`, *optional*): Likewise, of the mean over the target languages; `n` counts languages.
    """

    task: str
    metric: str
    source_language: str
    runs: list[str]
    against: list[str] | None
    test: str | None
    language_test: str | None
    seeds: list[int]
    languages: dict[str, dict[str, Any]]
    target: dict[str, Any] | None
    schema: int = 1

    def save(self, folder: str | Path) -> Path:
        """Write `comparison.json` into a folder."""
        path = Path(folder) / COMPARISON_FILE
        write_json(path, asdict(self), allow_nan=False)
        return path

    def table(self) -> str:
        """The comparison as plain text of at most 100 columns, to be printed in a terminal."""
        alone = self.against is None
        words = ["n", "mean", "spread", "[low, high]"]
        words = words if alone else [*words[:3], "against", "spread", "difference", "[low, high]", "p"]
        header, rule = _line("language", words), "-" * COLUMNS
        rows = [_row(language, values, alone) for language, values in self.languages.items()]
        means = [] if self.target is None else [_row("mean of targets", self.target, alone), rule]
        return "\n".join([header, rule, *rows, rule, *means, *wrapped(self._footer())])

    def _footer(self) -> str:
        text = f"{self.metric} in %. {len(self.runs)} run(s): {', '.join(self.runs)}."
        text += " spread: standard deviation from seed to seed." if len(self.runs) > 1 else ""
        if self.against is None:
            return text + " [95 % interval] of the mean."
        text += f" against: {', '.join(self.against)}. difference: [95 % interval]; p: {self.language_test} in a"
        text += f" language, {self.test} over languages."
        few = MULTI_BOOTSTRAP in (self.test or "") and min(self.seeds) < _FEW
        return text + (f" Fewer than {_FEW} seeds say little about other seeds." if few else "")


_FEW = 5


def compare_runs(
    runs: Sequence[SavedRun], against: Sequence[SavedRun] | None = None, resamples: int = 1000, seed: int = 0
) -> Comparison:
    r"""Scores of saved runs over seeds, and their difference to other saved runs, paired on the same rows.

    Without other runs, these are compared with their own teachers, where all have one.

    One run against one: in a language the paired test of [`~evaluation.statistics.paired_p_value`]; over languages a
    bootstrap over items. Several runs on a side are seeds of one training, and another seed would have given another
    model: the multi-bootstrap of Sellam et al. (2022) draws seeds and items jointly, the items in all languages and
    runs at once. Of \\(n\\) seeds it draws \\(n - 1\\) each time, which makes the variance of their mean unbiased
    (Rao and Wu, 1988). It errs on the safe side: what is luck of one seed on one item counts with the seed and with the
    item. Seeds of the two sides are drawn apart, but a run and its own teacher together. Languages are not drawn: they
    are the ones that the student is for.

    Args:
        runs (`Sequence[SavedRun]`): One run, or several of one training with other seeds.
        against (`Sequence[SavedRun]`, *optional*): Likewise, of another training.
        resamples (`int`, *optional*, defaults to 1000): How often items and seeds are drawn.
        seed (`int`, *optional*, defaults to 0): The same seed gives the same figures.

    Raises:
        [`UserError`]: If the runs are of different tasks, metrics, labels or languages, or on different rows, or one
            comes twice.

    Example:

    ```python
    >>> comparison = compare_runs([load_run("runs/seed-0"), load_run("runs/seed-1")], [load_run("runs/other")])
    >>> print(comparison.table())
    ```
    """
    everyone = [*runs, *(against or [])]
    languages = aligned(everyone)
    _refuse_twins(runs, languages, 0)
    _refuse_twins(against or [], languages, len(runs))
    record = everyone[0].record
    metric = build_metrics([record.metric], record.labels)[record.metric]
    with_teachers = against is None and all(
        entry.teacher is not None for entries in languages.values() for entry in entries
    )
    systems = {name: _systems(entries, with_teachers) for name, entries in languages.items()}
    rows = [_rows_of(languages[name][0], own, metric) for name, own in systems.items()]
    drawn = dict(zip(languages, resample(rows, resamples, seed), strict=True))
    scores = {name: own.scorer(np.ones((1, own.count)))[0] for name, own in zip(languages, rows, strict=True)}
    sides = _Sides(len(runs), len(runs) if with_teachers else len(against or []), resamples, seed, with_teachers)
    of_seeds = {
        name: {"n": len(entries[0].labels)}
        | sides.values(scores[name], drawn[name], _paired_test(entries[0], systems[name], metric, sides))
        for name, entries in languages.items()
    }
    targets = [name for name in languages if name != record.source_language]
    tests = (ITEMS, paired_test_name(metric)) if sides.are_single else (MULTI_BOOTSTRAP,) * 2
    teachers = list(dict.fromkeys(f"teacher {run.record.teacher}" for run in runs)) if with_teachers else []
    named = [run.name for run in against or []] or teachers
    return Comparison(
        task=record.task,
        metric=record.metric,
        source_language=record.source_language,
        runs=[run.name for run in runs],
        against=named or None,
        test=tests[0] if named else None,
        language_test=tests[1] if named else None,
        seeds=[sides.first, *([sides.second] if named else [])],
        languages=of_seeds,
        target=_target_values(sides, [scores[name] for name in targets], [drawn[name] for name in targets]),
    )


def _refuse_twins(runs: Sequence[SavedRun], languages: dict[str, list[LanguagePredictions]], first: int) -> None:
    """Refuse a run that is named twice, or was copied: it would count as two seeds."""
    for second, other in enumerate(runs):
        for earlier, run in enumerate(runs[:second]):
            pairs = [
                (entries[first + earlier].student, entries[first + second].student) for entries in languages.values()
            ]
            if run.record.seed == other.record.seed and all(
                np.array_equal(row_hashes(answers), row_hashes(others)) for answers, others in pairs
            ):
                raise UserError(
                    f"{run.name} and {other.name} have one seed and the same predictions in every row: name each run"
                    " once, since it would count as two seeds."
                )


def _systems(entries: Sequence[LanguagePredictions], with_teachers: bool) -> list[Answers]:
    """What is compared in a language: the students of all runs, and their teachers."""
    teachers = [entry.teacher for entry in entries if entry.teacher is not None] if with_teachers else []
    return [*(entry.student for entry in entries), *teachers]


def _target_values(
    sides: _Sides, scores: Sequence[NDArray[np.float64]], drawn: Sequence[NDArray[np.float64]]
) -> dict[str, Any] | None:
    """What is said of the mean over languages, from the scores `(runs,)` and resamples `(resamples, runs)` of each."""
    if not scores:
        return None
    means = [mean_over_languages([samples[:, run] for samples in drawn]) for run in range(len(scores[0]))]
    return {"n": len(scores)} | sides.values(np.mean(scores, axis=0), np.stack(means, axis=1))


@dataclass(frozen=True)
class _Sides:
    """How many runs there are on either side, and how they are summed up."""

    first: int
    second: int
    resamples: int
    seed: int
    together: bool

    @property
    def are_single(self) -> bool:
        """Whether one run stands against one, so that there are no seeds to draw."""
        return self.first == self.second == 1

    def values(
        self, scores: NDArray[np.float64], drawn: NDArray[np.float64], p_value: float | None = None
    ) -> dict[str, float | None]:
        """Means, spreads and difference of scores `(runs,)` and their resamples `(resamples, runs)`."""
        own, other = scores[: self.first], scores[self.first :]
        means = self._mean_of_seeds(drawn[:, : self.first], 0)
        low, high = interval_of(means) or (None, None)
        values: dict[str, float | None] = {"mean": _known(own.mean()), "mean_low": low, "mean_high": high}
        values |= {"spread": _spread(own), **dict.fromkeys(_DIFFERENCE)}
        if not self.second:
            return values
        differences = means - self._mean_of_seeds(drawn[:, self.first :], 0 if self.together else 1)
        interval = interval_of(differences)
        values |= {"against": _known(other.mean()), "against_spread": _spread(other)}
        if interval is None or math.isnan(own.mean() - other.mean()):
            return values
        return values | {
            "difference": float(own.mean() - other.mean()),
            "difference_low": interval.low,
            "difference_high": interval.high,
            "p_value": _bootstrap_p_value(differences) if p_value is None else p_value,
        }

    def _mean_of_seeds(self, drawn: NDArray[np.float64], side: int) -> NDArray[np.float64]:
        seeds = drawn.shape[1]
        if seeds == 1:
            return drawn[:, 0]
        # The same draws in every language, as the same resample of items is scored in all of them.
        generator = np.random.default_rng([self.seed, side])
        chosen = generator.integers(seeds, size=(self.resamples, seeds - 1))
        means: NDArray[np.float64] = np.take_along_axis(drawn, chosen, axis=1).mean(axis=1)
        return means


_DIFFERENCE = ("against", "against_spread", "difference", "difference_low", "difference_high", "p_value")


def _rows_of(entry: LanguagePredictions, systems: Sequence[Answers], metric: Metric) -> ResampledRows:
    """The rows of one language, scored for all systems at once."""
    tallies = Tallies([metric.tally(system, entry.labels) for system in systems])

    def score(weights: Weights) -> NDArray[np.float64]:
        return np.stack([metric.score(own) for own in tallies.sums(weights)], axis=1)

    return ResampledRows(len(entry.labels), score, entry.keys)


def _paired_test(entry: LanguagePredictions, systems: Sequence[Answers], metric: Metric, sides: _Sides) -> float | None:
    if not sides.are_single:
        return None
    first, second = systems
    return paired_p_value(metric, first, second, entry.labels).p_value


def _bootstrap_p_value(differences: NDArray[np.float64]) -> float:
    """Twice the share of resamples on the other side of no difference, two-sided."""
    defined = differences[~np.isnan(differences)]
    hits = min(int(np.sum(defined <= 0)), int(np.sum(defined >= 0)))
    return min(1.0, 2 * (hits + 1) / (len(defined) + 1))


def _spread(scores: NDArray[np.float64]) -> float | None:
    return _known(scores.std(ddof=1)) if len(scores) > 1 else None


def _known(value: float) -> float | None:
    """A number; `None` where it is undefined."""
    return None if math.isnan(value) else float(value)


def _row(name: str, values: dict[str, Any], alone: bool) -> str:
    own = [values["n"], percent(values["mean"]), percent(values["spread"])]
    if alone:
        return _line(name, [*own, interval_words(values["mean_low"], values["mean_high"])])
    numbers = [percent(values[key]) for key in ("against", "against_spread", "difference")]
    interval = interval_words(values["difference_low"], values["difference_high"])
    return _line(name, [*own, *numbers, interval, p_words(values["p_value"])])


def _line(name: str, columns: Sequence[object]) -> str:
    widths = (7, 8, 8, 9, 8, 11, 15, 6) if len(columns) == 8 else (7, 8, 8, 15)
    cells = "".join(f"{column:>{width}}" for column, width in zip(columns, widths, strict=True))
    return f"{name:<{NAME_COLUMNS}.{NAME_COLUMNS}}"[: COLUMNS - sum(widths)].ljust(COLUMNS - sum(widths)) + cells
