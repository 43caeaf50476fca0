"""The pictures of a run as PNG files: scores by language, and training curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from xlkd.evaluation.figures import (
    BAND,
    CURVE_COLOURS,
    FAINT,
    INK,
    QUIET,
    STUDENT_COLOUR,
    TEACHER_COLOUR,
    drawable,
    own_style,
    save_figure,
)
from xlkd.evaluation.numbers import percent
from xlkd.evaluation.training_curves import Curve, TrainingCurves
from xlkd.evaluation.wording import best_first, chance, display_name, metric_name, score_range, shortened

_ROWS_OF_A_PANEL, _MOST_PANELS = 40, 4
_LETTER, _PROSE_LETTER, _MARGIN, _HEADER, _FOOTER = 0.073, 0.068, 0.2, 1.12, 0.5
_PANEL_WIDTHS = {1: 6.0, 2: 4.2, 3: 3.4, 4: 3.0}
_BETWEEN = "  ·  "
_LABELLED_CURVES = len(CURVE_COLOURS)
_COLUMNS = {0: 1, 1: 1, 2: 2, 4: 2}


def plot_languages(values: Mapping[str, Any], path: str | Path) -> Path:
    """Draw student and teacher in every language with their 95 % intervals, sorted by the student's score.

    Neither the user's backend nor the user's style is looked at or changed.

    Args:
        values (`Mapping[str, Any]`): What `zero_shot.json` holds.
        path (`str` or `Path`): The PNG file; it appears whole or not at all.

    Returns:
        `Path`: The file.

    Example:

    ```python
    >>> plot_languages(ZeroShotReport.load("runs/quickstart").to_dict(), "zero_shot.png")
    ```
    """
    languages, codes = values["languages"], best_first(values)
    panels = min(math.ceil(len(codes) / _ROWS_OF_A_PANEL), _MOST_PANELS)
    rows = math.ceil(len(codes) / panels)
    with own_style():
        labels = {code: drawable(shortened(display_name(code, languages[code]), 26), code) for code in codes}
        sheet = _Sheet.of(panels, rows, max(len(label) for label in labels.values()))
        figure = Figure(figsize=(sheet.width, sheet.height))
        for panel in range(panels):
            axes = figure.add_axes(sheet.place(panel))
            _draw_panel(axes, values, codes[panel * rows : (panel + 1) * rows], labels, rows)
        _write_header(figure, sheet, values)
        return save_figure(figure, Path(path))


def plot_training(log_history: Sequence[Mapping[str, Any]], path: str | Path, metric: str = "accuracy") -> Path | None:
    """Draw every loss term over the steps, without its weight, and the validation score beneath.

    Args:
        log_history (`Sequence[Mapping[str, Any]]`): `trainer.state.log_history`.
        path (`str` or `Path`): The PNG file; it appears whole or not at all.
        metric (`str`, *optional*, defaults to `"accuracy"`): The validation score to draw.

    Returns:
        `Path`, *optional*: The file; nothing is written where nothing was logged.

    Example:

    ```python
    >>> plot_training(trainer.state.log_history, "training_curves.png")
    ```
    """
    curves = TrainingCurves.from_log(log_history, metric)
    if not curves:
        return None
    columns = _COLUMNS.get(len(curves.terms), 3)
    rows_of_terms = math.ceil(len(curves.terms) / columns)
    heights = [1.7] * rows_of_terms + [2.3] * bool(curves.validation)
    with own_style():
        figure = Figure(figsize=(3.4 * max(columns, 2), sum(heights) + 0.7), layout="constrained")
        grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
        for index, curve in enumerate(curves.terms):
            _draw_term(figure.add_subplot(grid[index // columns, index % columns]), curve)
        if curves.validation:
            _draw_validation(figure.add_subplot(grid[rows_of_terms, :]), curves.validation, metric)
        title = "Training: loss by update, its terms without their weight"
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        return save_figure(figure, Path(path))


@dataclass(frozen=True)
class _Sheet:
    """Sizes in inches: panels side by side, each with room for its labels, under one header."""

    width: float
    height: float
    panels: int
    label: float
    plot: float

    @classmethod
    def of(cls, panels: int, rows: int, letters: int) -> _Sheet:
        label, plot = letters * _LETTER + _MARGIN, _PANEL_WIDTHS[panels]
        return cls(
            panels * (label + plot) + 2 * _MARGIN, _HEADER + rows * _row_height(rows) + _FOOTER, panels, label, plot
        )

    def place(self, panel: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height of a panel, as shares of the figure."""
        left = _MARGIN + panel * (self.label + self.plot) + self.label
        height = self.height - _HEADER - _FOOTER
        return left / self.width, _FOOTER / self.height, self.plot / self.width, height / self.height


def _row_height(rows: int) -> float:
    return 0.3 if rows <= 12 else 0.22


def _draw_panel(
    axes: Axes, values: Mapping[str, Any], codes: Sequence[str], labels: Mapping[str, str], rows: int
) -> None:
    low, high = score_range(values)
    axes.set(xlim=(100 * low, 100 * high), ylim=(rows - 0.5, -0.5))
    axes.grid(axis="x", linewidth=0.8)
    axes.spines["left"].set_visible(False)
    axes.tick_params(length=0, labeltop=rows > 20)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.set_yticks(range(len(codes)), labels=[labels[code] for code in codes])
    _draw_lines(axes, values, len(codes))
    for row, code in enumerate(codes):
        scores = values["languages"][code]
        if row % 2:
            axes.axhspan(row - 0.5, row + 0.5, color=BAND, linewidth=0, zorder=0)
        _draw_score(axes, row + 0.15, scores, "teacher")
        _draw_score(axes, row - 0.15, scores, "student")
        axes.get_yticklabels()[row].set_color(INK)
        if code == values["source_language"]:
            axes.get_yticklabels()[row].set_fontweight("bold")


_LOOKS: dict[str, dict[str, Any]] = {
    "student": {"color": STUDENT_COLOUR, "marker": "o", "markersize": 4.6},
    "teacher": {"color": TEACHER_COLOUR, "marker": "D", "markersize": 3.8, "markerfacecolor": "white"},
}


def _draw_score(axes: Axes, row: float, scores: Mapping[str, Any], system: str) -> None:
    score, low, high = (scores[f"{system}{end}"] for end in ("", "_low", "_high"))
    if score is None:
        return
    look = _LOOKS[system]
    if low is not None and high is not None:
        axes.plot([100 * low, 100 * high], [row, row], color=look["color"], linewidth=1.3, alpha=0.55, zorder=2)
    axes.plot([100 * score], [row], linestyle="none", markeredgewidth=1.1, zorder=3, **look)


def _draw_lines(axes: Axes, values: Mapping[str, Any], rows: int) -> None:
    """The means of the targets, and chance."""
    means = values["means"]["target"] or {"student": None, "teacher": None}
    for system in ("student", "teacher"):
        if means[system] is not None:
            axes.plot([100 * means[system]] * 2, [-0.5, rows - 0.5], color=_LOOKS[system]["color"], **_MEAN)
    if (guess := chance(values)) is not None:
        axes.plot([100 * guess] * 2, [-0.5, rows - 0.5], **_CHANCE)


_MEAN: dict[str, Any] = {"linestyle": (0, (4, 2)), "linewidth": 0.9, "alpha": 0.8, "zorder": 1}
_CHANCE: dict[str, Any] = {"color": QUIET, "linestyle": ":", "linewidth": 1.2, "zorder": 1}


def _write_header(figure: Figure, sheet: _Sheet, values: Mapping[str, Any]) -> None:
    letters = int((sheet.width - 2 * _MARGIN) / _PROSE_LETTER)
    left = _MARGIN / sheet.width
    both = "Student and teacher" if values["teacher"] is not None else "The student"
    metric = metric_name(values["metric"])
    lines: list[tuple[float, str, dict[str, Any]]] = [
        (0.12, f"{both}, language by language: {metric} in %", {"fontsize": 11, "fontweight": "bold"}),
        (0.36, _systems(values, letters), {"color": QUIET}),
        (0.54, _means(values), {"color": QUIET}),
    ]
    for top, text, look in lines:
        figure.text(left, 1 - top / sheet.height, drawable(text), va="top", **look)
    handles = _handles(values)
    place = (left, 1 - 0.7 / sheet.height)
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=place, ncols=len(handles), frameon=False,
        borderaxespad=0, borderpad=0.2, handlelength=1.6, columnspacing=1.4, fontsize=8,
    )  # fmt: skip


def _systems(values: Mapping[str, Any], letters: int) -> str:
    names = {"student": values["student"], "teacher": values["teacher"]}
    known = {system: name for system, name in names.items() if name is not None}
    setting = f"setting: {values['setting']}"
    each = max((letters - len(setting)) // len(known) - len(f"student {_BETWEEN}"), 12)
    return _BETWEEN.join([*(f"{system} {shortened(name, each)}" for system, name in known.items()), setting])


def _means(values: Mapping[str, Any]) -> str:
    source = values["source_language"]
    words = [f"bold: source language ({source})"] if source in values["languages"] else []
    mean = values["means"]["target"]
    if mean is not None and mean["student"] is not None:
        scores = f"mean of {mean['n_languages']} target languages: student {percent(mean['student'])}"
        scores += "" if mean["teacher"] is None else f", teacher {percent(mean['teacher'])}"
        scores += "" if mean["retention"] is None else f", retention {percent(mean['retention'])} %"
        words.insert(0, scores)
    return _BETWEEN.join(words)


def _handles(values: Mapping[str, Any]) -> list[Line2D]:
    handles = [Line2D([], [], label="student, 95 % interval", linewidth=1.3, **_LOOKS["student"])]
    if values["teacher"] is not None:
        handles.append(Line2D([], [], label="teacher, 95 % interval", linewidth=1.3, **_LOOKS["teacher"]))
    if values["means"]["target"] is not None:
        handles.append(Line2D([], [], color=QUIET, label="mean of targets", **_MEAN))
    if (guess := chance(values)) is not None:
        handles.append(Line2D([], [], label=f"chance (one answer to all), {100 * guess:.3g} %", **_CHANCE))
    return handles


def _draw_term(axes: Axes, curve: Curve) -> None:
    axes.plot(curve.steps, curve.values, color=STUDENT_COLOUR, linewidth=1.1, marker=_marker(curve), markersize=3)
    name = "loss: all terms, weighted" if curve.name == "loss" else curve.name
    axes.set_title(drawable(shortened(name, 34)), fontsize=9, loc="left")
    if curve.spans_decades:
        axes.set_yscale("log")
    axes.grid(linewidth=0.6)
    axes.tick_params(length=0)


def _draw_validation(axes: Axes, curves: Sequence[Curve], metric: str) -> None:
    few = len(curves) <= _LABELLED_CURVES
    for index, curve in enumerate(curves):
        own = few or curve.name == "mean"
        colour = (CURVE_COLOURS[index] if few else INK) if own else FAINT
        values = [100 * value for value in curve.values]
        label = drawable(curve.name) if own else None
        axes.plot(curve.steps, values, label=label, color=colour, linewidth=1.4, marker=_marker(curve), markersize=3)
    axes.set_title(f"Validation: {metric_name(metric)} in %", fontsize=9, loc="left")
    axes.set_xlabel("step")
    axes.grid(linewidth=0.6)
    axes.tick_params(length=0)
    if axes.get_legend_handles_labels()[0]:
        # Beside the axes, where no curve can run under it.
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _marker(curve: Curve) -> str:
    return "o" if len(curve.steps) <= 30 else ""
