"""Figures in the library's own look, as PNG files: neither a user's backend nor a user's style is changed."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

from xlkd.folders import write_bytes

# Of the palette of Okabe and Ito, which people who see few colours tell apart; the markers differ as well.
STUDENT_COLOUR = "#0072B2"
TEACHER_COLOUR = "#D55E00"
CURVE_COLOURS = (STUDENT_COLOUR, TEACHER_COLOUR, "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, QUIET, FAINT, GRID, BAND = "#1f2328", "#59626c", "#b6bcc2", "#e3e6e9", "#f6f7f8"
_FONT = "DejaVu Sans"
_DOTS_PER_INCH = 150
_STYLE = {
    "font.family": _FONT,
    "font.size": 8.5,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": GRID,
    "axes.labelcolor": QUIET,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "grid.color": GRID,
    "axes.axisbelow": True,
}


@contextlib.contextmanager
def own_style() -> Iterator[None]:
    """The library's own look, whatever the user's is; theirs is back afterwards."""
    with matplotlib.style.context(["default", _STYLE]):
        yield


def drawable(text: str, otherwise: str | None = None) -> str:
    """A text in letters that the font has, so that no empty box is drawn.

    Args:
        text (`str`): The text.
        otherwise (`str`, *optional*): What to write in its place; else each unknown letter is replaced.
    """
    known = get_font(findfont(_FONT)).get_charmap()
    if all(ord(letter) in known for letter in text):
        return text
    return otherwise or "".join(letter if ord(letter) in known else "\ufffd" for letter in text)


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG; the file appears whole or not at all."""
    content = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(content, format="png", dpi=_DOTS_PER_INCH, facecolor="white")
    write_bytes(path, content.getvalue())
    return path
