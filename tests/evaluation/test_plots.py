"""The PNG pictures of a run, looked at through the figures that they are made of."""

from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from made_report import made_log, made_report
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from xlkd.evaluation import plots
from xlkd.evaluation.plots import plot_languages, plot_training


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn while a test runs."""
    drawn: list[Figure] = []

    def keep(figure: Figure, path: Path) -> Path:
        FigureCanvasAgg(figure).draw()
        drawn.append(figure)
        return path

    monkeypatch.setattr(plots, "save_figure", keep)
    return drawn


def labels_of(figure: Figure) -> list[Text]:
    """The names of the languages, panel by panel."""
    return [label for axes in figure.axes for label in axes.get_yticklabels()]


def marked(axes: Axes, marker: str) -> list[float]:
    """Where the marks of one kind lie, from above."""
    return [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == marker]


def boxes(texts: list[Text]) -> list[Bbox]:
    """Where texts lie in a figure."""
    return [text.get_window_extent() for text in texts if text.get_text()]


def test_file_is_a_picture_when_it_is_written(tmp_path: Path) -> None:
    path = plot_languages(made_report(5), tmp_path / "deep" / "zero_shot.png")
    with Image.open(path) as image:
        assert image.format == "PNG" and image.width > 900
    assert [entry.name for entry in path.parent.iterdir()] == ["zero_shot.png"]


def test_languages_stand_by_the_students_score_when_drawn(figures: list[Figure]) -> None:
    values = made_report(12)
    plot_languages(values, "zero_shot.png")
    [axes] = figures[0].axes
    students = sorted((100 * scores["student"] for scores in values["languages"].values()), reverse=True)
    assert marked(axes, "o") == pytest.approx(students)
    assert len(marked(axes, "D")) == 12
    bold = [label.get_text() for label in labels_of(figures[0]) if label.get_fontweight() == "bold"]
    assert bold == ["English (en)"]


def test_interval_reaches_from_low_to_high_when_drawn(figures: list[Figure]) -> None:
    values = made_report(2)
    plot_languages(values, "zero_shot.png")
    ends = [tuple(line.get_xdata()) for line in figures[0].axes[0].lines if line.get_alpha() == 0.55]
    expected = [
        (100 * scores[f"{system}_low"], 100 * scores[f"{system}_high"])
        for scores in values["languages"].values()
        for system in ("student", "teacher")
    ]
    assert sorted(ends) == sorted(expected)


@pytest.mark.parametrize(("languages", "panels"), [(2, 1), (40, 1), (41, 2), (105, 3)])
def test_nothing_overlaps_when_there_are_few_languages_or_many(
    figures: list[Figure], languages: int, panels: int
) -> None:
    plot_languages(made_report(languages), "zero_shot.png")
    figure = figures[0]
    assert len(figure.axes) == panels
    assert len(labels_of(figure)) == languages
    drawings = [axes.get_window_extent() for axes in figure.axes]
    words = boxes([*labels_of(figure), *figure.texts]) + [legend.get_window_extent() for legend in figure.legends]
    assert not any(one.overlaps(other) for one, other in combinations([*drawings, *words], 2))
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in words)


def test_teacher_is_left_out_when_there_is_none(figures: list[Figure]) -> None:
    plot_languages(made_report(5, teacher=False), "zero_shot.png")
    [axes] = figures[0].axes
    assert len(marked(axes, "o")) == 5 and marked(axes, "D") == []
    assert "teacher" not in " ".join(text.get_text() for text in figures[0].texts)


def test_language_is_last_and_bare_when_its_score_is_not_known(figures: list[Figure]) -> None:
    values = made_report(5)
    values["languages"]["yo"] |= {"student": None, "student_low": None, "student_high": None}
    plot_languages(values, "zero_shot.png")
    assert labels_of(figures[0])[-1].get_text() == "Yoruba (yo)"
    assert len(marked(figures[0].axes[0], "o")) == 4


def test_chance_is_drawn_when_a_score_comes_near(figures: list[Figure]) -> None:
    values = made_report(5)
    plot_languages(values, "zero_shot.png")
    values["languages"]["yo"]["student_low"] = 0.2
    plot_languages(values, "zero_shot.png")
    dotted = [[line for line in figure.axes[0].lines if line.get_linestyle() == ":"] for figure in figures]
    assert dotted[0] == []
    assert list(dotted[1][0].get_xdata()) == [20.0, 20.0]


@pytest.mark.parametrize(
    ("name", "shown"), [("$\\frac{1}$", "$\\frac{1}$ (sw)"), ("ⴰⵎⴰⵣⵉⵖ", "ⴰⵎⴰⵣⵉⵖ (sw)"), ("中文", "sw")]
)
def test_name_is_drawn_or_replaced_by_the_code_when_it_is_strange(figures: list[Figure], name: str, shown: str) -> None:
    values = made_report(3)
    values["languages"]["sw"]["name"] = name
    values["student"] = f"runs/{name}"
    plot_languages(values, "zero_shot.png")
    assert shown in [label.get_text() for label in labels_of(figures[0])]


def test_header_stays_inside_when_the_names_are_long(figures: list[Figure]) -> None:
    plot_languages({**made_report(3), "student": "s" * 300, "teacher": "t" * 300}, "zero_shot.png")
    assert all(box.x1 <= figures[0].bbox.x1 for box in boxes(figures[0].texts))


def test_users_style_and_backend_stay_when_a_picture_is_drawn(tmp_path: Path) -> None:
    plain = plot_languages(made_report(2), tmp_path / "plain.png").read_bytes()
    backend = matplotlib.get_backend()
    with matplotlib.rc_context({"axes.facecolor": "black", "font.family": "serif", "text.usetex": True}):
        before = dict(matplotlib.rcParams)
        assert plot_languages(made_report(2), tmp_path / "styled.png").read_bytes() == plain
        assert dict(matplotlib.rcParams) == before
    assert matplotlib.get_backend() == backend


def titles(figure: Figure) -> list[str]:
    """What stands above each drawing."""
    return [axes.get_title(loc="left") for axes in figure.axes]


def test_every_term_has_its_drawing_when_a_training_is_drawn(figures: list[Figure]) -> None:
    plot_training(made_log(), "training_curves.png")
    loss, *terms, validation = titles(figures[0])
    assert loss == "loss: all terms, weighted"
    assert terms == ["soft-label", "hidden-state", "hard-label"]
    assert validation == "Validation: accuracy in %"
    assert [line.get_label() for line in figures[0].axes[-1].lines] == ["en", "sw", "mean"]


def test_only_the_mean_is_named_when_there_are_many_validation_languages(figures: list[Figure]) -> None:
    codes: list[str] = [f"l{index}" for index in range(20)]
    scores: dict[str, Any] = {f"eval_{code}_accuracy": 0.5 for code in [*codes, "mean"]}
    plot_training([{**scores, "step": step} for step in (1, 2)], "training_curves.png")
    [axes] = figures[0].axes
    assert len(axes.lines) == 21
    legend = axes.get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == ["mean"]


@pytest.mark.parametrize(
    ("losses", "scale"), [([100.0, 1.0], "log"), ([2.0, 1.0], "linear"), ([100.0, -1.0], "linear")]
)
def test_axis_is_logarithmic_when_a_term_spans_decades(figures: list[Figure], losses: list[float], scale: str) -> None:
    plot_training([{"loss": loss, "step": step} for step, loss in enumerate(losses)], "training_curves.png")
    assert figures[0].axes[0].get_yscale() == scale


def test_nothing_is_written_when_nothing_was_logged(tmp_path: Path) -> None:
    assert plot_training([{"train_loss": 1.0, "step": 2}], tmp_path / "training_curves.png") is None
    assert list(tmp_path.iterdir()) == []
