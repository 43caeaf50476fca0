"""`report.html`: all that is known of a student, language by language, in one file that needs no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from xlkd._version import __version__
from xlkd.evaluation.drawings import Axis, Chart, Interval, Scatter
from xlkd.evaluation.numbers import UNKNOWN, p_words, percent, points
from xlkd.evaluation.training_curves import Curve, TrainingCurves
from xlkd.evaluation.wording import best_first, chance, display_name, metric_name, not_scored, score_range, unread_words
from xlkd.folders import write_text

_PAGE = Path(__file__).parent / "page"
_SCATTER_SIZE = 460
_INTERVAL_WIDTH = 180
_CHART_SIZE = (340, 170)
_LABELLED_CURVES = 6
_SETTINGS = {
    "source-only": "Training saw no text of the target languages.",
    "unlabelled-target": "Training saw text of the target languages, without labels.",
    "parallel": "Training saw translations of unlabelled source text.",
    "translated-labels": "Training saw translations of labelled rows: the scores are not zero-shot.",
}
# Of other settings, as of a model that was scored without its run, nobody knows.
_IS_ZERO_SHOT = {name: name != "translated-labels" for name in _SETTINGS}


def write_html(
    values: Mapping[str, Any], path: str | Path, training: Sequence[Mapping[str, Any]] | None = None
) -> Path:
    """Write the report as one HTML file that loads nothing: it works from a disk, on a phone and without JavaScript.

    Whatever names the values hold, they are shown as text; besides, the page's own policy lets no other script run.

    Args:
        values (`Mapping[str, Any]`): What `zero_shot.json` holds.
        path (`str` or `Path`): The file; it appears whole or not at all.
        training (`Sequence[Mapping[str, Any]]`, *optional*): `trainer.state.log_history`, for the training curves.

    Returns:
        `Path`: The file.

    Example:

    ```python
    >>> write_html(ZeroShotReport.load("runs/quickstart").to_dict(), "report.html")
    ```
    """
    path = Path(path)
    write_text(path, _render(values, training or []))
    return path


def _render(values: Mapping[str, Any], training: Sequence[Mapping[str, Any]]) -> str:
    environment = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "percent": lambda fraction: _typeset(percent(fraction)),
        "points": lambda fraction: _typeset(points(fraction)),
        "p_value": lambda value: _typeset(p_words(value)),
        "count": _count,
        "sortable": _sortable,
        "sentence": lambda words: words[:1].upper() + words[1:],
    }
    style, script = (
        _without_blank_lines((_PAGE / name).read_text(encoding="utf-8")) for name in ("report.css", "report.js")
    )
    low, high = score_range(values)
    axis = Axis(low, high, 4, _INTERVAL_WIDTH - 4)
    page = environment.get_template("report.html").render(
        values=values,
        version=__version__,
        # Markup: both are files of this package, which no value of a user enters.
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
        metric=metric_name(values["metric"]),
        chance=chance(values),
        unread=unread_words(values),
        unscored=not_scored(values),
        setting_words=_setting_words(values),
        is_zero_shot=_is_zero_shot(values),
        languages=[(code, values["languages"][code]) for code in best_first(values)],
        more_metrics={name: metric_name(name) for name in _metrics(values) if name != values["metric"]},
        standing=_standing(values),
        means=_means(values),
        axis=axis,
        percent_ticks=Axis(100 * low, 100 * high, axis.start, axis.end).ticks(6),
        interval=lambda scores, system: Interval.of(scores, system, axis),
        display_name=display_name,
        scatter=Scatter.of(values, _SCATTER_SIZE) if values["teacher"] is not None else None,
        **_charts(training, values["metric"]),
    )
    return _without_blank_lines(page) + "\n"


def _is_zero_shot(values: Mapping[str, Any]) -> bool | None:
    """Whether the scores of the target languages are zero-shot; `None` where there are none, or nobody knows."""
    if values["means"]["target"] is None:
        return None
    return False if values["selected_on"] else _IS_ZERO_SHOT.get(values["setting"])


def _setting_words(values: Mapping[str, Any]) -> str:
    words = _SETTINGS.get(values["setting"], "")
    chosen = ", ".join(values["selected_on"])
    return (
        f"{words} The checkpoint was chosen by labels in {chosen}: the scores are not zero-shot." if chosen else words
    )


def _without_blank_lines(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.strip())


def _policy(style: str, script: str) -> str:
    """What the page may do: use its own style and its own script, and nothing else."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    own = f"style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'"
    return f"default-src 'none'; img-src data:; {own}; base-uri 'none'; form-action 'none'"


def _charts(training: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Any]:
    curves = TrainingCurves.from_log(training, metric)
    few = len(curves.validation) <= _LABELLED_CURVES
    scores = [Curve(curve.name, curve.steps, [100 * score for score in curve.values]) for curve in curves.validation]
    return {
        "term_charts": [Chart.of([curve], *_CHART_SIZE) for curve in curves.terms],
        "validation": Chart.of(scores, *_CHART_SIZE) if scores else None,
        "labelled_curves": [curve.name for curve in scores if few or curve.name == "mean"],
        "chart_size": _CHART_SIZE,
    }


def _metrics(values: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(name for scores in values["languages"].values() for name in scores["metrics"]))


def _standing(values: Mapping[str, Any]) -> dict[str, int] | None:
    """In how many target languages the interval of the difference lies above zero, below it, or around it."""
    ends = [
        (scores["difference_low"], scores["difference_high"])
        for code, scores in values["languages"].items()
        if code != values["source_language"] and scores["difference_low"] is not None
    ]
    above, below = sum(low > 0 for low, _ in ends), sum(high < 0 for _, high in ends)
    return {"above": above, "below": below, "around": len(ends) - above - below} if ends else None


def _means(values: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, Mapping[str, Any]]]]]:
    """The means, by kind; kinds and means that there are none of are left out."""
    means = values["means"]
    kinds = {
        "Source and targets": {
            f"source ({values['source_language']})": means["source"],
            "target languages": means["target"],
        },
        "Groups": values["groups"],
        "Resource classes of target languages": {
            f"class {name}": mean for name, mean in means["resource_classes"].items()
        },
        "Scripts of target languages": means["scripts"],
    }
    found = [(kind, [(name, mean) for name, mean in entries.items() if mean]) for kind, entries in kinds.items()]
    return [(kind, entries) for kind, entries in found if entries]


def _typeset(words: str) -> str:
    """A number as a page has it: with a dash of its own where it is not known, and a minus before it."""
    return "–" if words == UNKNOWN else words.replace("-", "−")


def _count(number: float | None) -> str:
    """A number in three or four digits: 21.3 M, 812, 2.31."""
    if number is None:
        return "–"
    for size, unit in ((1e9, " B"), (1e6, " M"), (1e4, " k")):
        if number >= size:
            return f"{number / (1e3 if unit == ' k' else size):.1f}{unit}"
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def _sortable(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"
