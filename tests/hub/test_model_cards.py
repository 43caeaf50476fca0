"""The students whose cards are kept here: reports of before can still be read."""

from pathlib import Path

import pytest

from xlkd.evaluation.html import write_html
from xlkd.evaluation.report import ZeroShotReport

CARDS = sorted(path for path in (Path(__file__).parents[2] / "model_cards").iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", CARDS, ids=lambda folder: folder.name)
def test_report_is_shown_when_it_was_written_by_a_version_before(folder: Path, tmp_path: Path) -> None:
    report = ZeroShotReport.load(folder / "zero_shot.json")
    assert "mean of targets" in report.table()
    page = write_html(report.to_dict(), tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(f">{code}<" in page or f"({code})" in page for code in report.languages)
