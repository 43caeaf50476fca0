"""Everything of a run that is looked at, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xlkd.evaluation.html import write_html
from xlkd.evaluation.plots import plot_languages, plot_training
from xlkd.evaluation.report import CURVES, PAGE, PLOT


def write_pictures(
    values: Mapping[str, Any], folder: str | Path, log_history: Sequence[Mapping[str, Any]] | None = None
) -> list[Path]:
    """Write `zero_shot.png`, `report.html` and, of a training that logged something, `training_curves.png`.

    Args:
        values (`Mapping[str, Any]`): What `zero_shot.json` holds.
        folder (`str` or `Path`): Where they go; each appears whole or not at all.
        log_history (`Sequence[Mapping[str, Any]]`, *optional*): `trainer.state.log_history`.

    Returns:
        `list[Path]`: The files that were written.

    Example:

    ```python
    >>> write_pictures(report.to_dict(), "runs/quickstart", trainer.state.log_history)
    ```
    """
    folder = Path(folder)
    curves = plot_training(log_history or [], folder / CURVES, values["metric"])
    written = [plot_languages(values, folder / PLOT), write_html(values, folder / PAGE, log_history)]
    return written if curves is None else [*written, curves]
