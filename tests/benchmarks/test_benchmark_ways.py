"""The benchmark of MasakhaNER and SIB-200: its rows are runs that can start, and its table."""

import sys
from pathlib import Path

import pytest

from xlkd.run import read_run

sys.path.append(str(Path(__file__).parents[2] / "scripts" / "benchmarks"))

import ways
from reports_table import table

ROWS = {f"{benchmark}: {name}": row for benchmark, own in ways.BENCHMARKS.items() for name, row in own.rows.items()}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_row_is_a_run_with_its_teachers(row: ways.Row) -> None:
    run, args, _ = read_run([str(ways.CONFIGS / row.config), *row.words, *ways.teachers_of(row), "--seed", "5"])
    assert len(run.teachers) == row.teachers and args.seed == 5
    seeds = [(teacher.finetune or {}).get("seed") for teacher in run.teachers]
    assert seeds == (list(range(row.teachers)) if row.teachers > 1 else [None])
    assert row.title.startswith(f"{run.student.layers} layers")


def test_every_teacher_has_a_title() -> None:
    for benchmark in ways.BENCHMARKS.values():
        assert {row.teachers for row in benchmark.rows.values()} == set(benchmark.teachers)


def test_local_files_take_the_place_of_the_hub_when_they_are_named() -> None:
    row = ways.BENCHMARKS["sib200"].rows["parallel"]
    words = ways.paths(row, Path("files"))
    run, *_ = read_run([str(ways.CONFIGS / row.config), *words])
    assert {entry.path for entry in run.data} == {f"files/{{code}}/{split}.tsv" for split in ("train", "dev", "test")}
    assert ways.paths(row, None) == []


def test_run_goes_on_when_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(ways.subprocess, "run", lambda words, check: asked.append(words))
    row = ways.BENCHMARKS["masakhaner"].rows["teachers-3"]
    ways.run(row, 0, tmp_path, [])
    (tmp_path / "checkpoint-500").mkdir()
    (tmp_path / "checkpoint-500" / "trainer_state.json").write_text("{}", encoding="utf-8")
    ways.run(row, 0, tmp_path, [])
    (tmp_path / "zero_shot.json").write_text("{}", encoding="utf-8")
    ways.run(row, 0, tmp_path, [])
    fresh, stopped = asked
    assert stopped == [*fresh, "--resume_from_checkpoint", "last"]
    assert read_run(fresh[3:])[1].save_steps == 500


class Report:
    """As much of a report as a table reads."""

    def __init__(self, seed: int, student: float, teacher: float | None) -> None:
        self.seed, self.teacher, self.groups = seed, teacher and "teacher", {}
        interval = {"student_low": student - 0.1, "student_high": student + 0.1}
        self.means = {"target": {"student": student, "teacher": teacher, **interval}}


def test_teachers_stand_above_their_students_in_the_table() -> None:
    alone = [("six", [Report(0, 0.5, 0.6), Report(1, 0.7, 0.8)]), ("three", [Report(0, 0.4, 0.6)]), ("none", [])]
    several = [("six again", [Report(0, 0.65, 0.9)])]
    lines = table({"one": alone, "many": several, "nobody": [("left out", [])]}, {"target": "10 languages"})
    assert lines.splitlines()[2:] == [
        "| one | 0, 1 | 0.700 |",
        "| six | 0, 1 | 0.600 [0.500, 0.700] |",
        "| three | 0 | 0.400 [0.300, 0.500] |",
        "| many | 0 | 0.900 |",
        "| six again | 0 | 0.650 [0.550, 0.750] |",
    ]
