"""All pictures of a run at once."""

from pathlib import Path

from made_report import made_log, made_report

from xlkd.evaluation.pictures import write_pictures


def test_all_pictures_are_there_when_a_training_was_logged(tmp_path: Path) -> None:
    written = write_pictures(made_report(3), tmp_path / "run", made_log())
    names = {"zero_shot.png", "training_curves.png", "report.html"}
    assert {path.name for path in written} == names == {path.name for path in (tmp_path / "run").iterdir()}
    assert "soft-label over the steps" in (tmp_path / "run" / "report.html").read_text()


def test_curves_are_left_out_when_no_training_is_known(tmp_path: Path) -> None:
    names = {"zero_shot.png", "report.html"}
    assert {path.name for path in write_pictures(made_report(3), tmp_path)} == names
    assert {path.name for path in tmp_path.iterdir()} == names
