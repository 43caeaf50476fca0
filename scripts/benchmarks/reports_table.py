"""Reports of several seeds as one row of a table: what the benchmarks of this folder print."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from xlkd import ZeroShotReport


def reports_of(row: str, out: Path) -> list[ZeroShotReport]:
    """The reports of one row that are there, by seed."""
    return [ZeroShotReport.load(path) for path in sorted(out.glob(f"{row}-*/zero_shot.json"))]


def cells(reports: Sequence[ZeroShotReport], who: str, columns: Sequence[str]) -> list[str]:
    """One cell for each of some means: the mean over the seeds, and in brackets those of the ends of the intervals.

    Args:
        reports (`Sequence[ZeroShotReport]`): One a seed.
        who (`str`): `"student"` or `"teacher"`.
        columns (`Sequence[str]`): `"source"`, `"target"`, or the names of groups.
    """
    found = []
    for name in columns:
        scores = [{**report.means, **report.groups}[name] for report in reports]
        mean = {key: sum(score[key] for score in scores) / len(scores) for key in (who, "student_low", "student_high")}
        interval = f" [{mean['student_low']:.3f}, {mean['student_high']:.3f}]" if who == "student" else ""
        found.append(f"{mean[who]:.3f}{interval}")
    return found


Students = tuple[str, Sequence[ZeroShotReport]]
"""The title of a row of students, and their reports."""


def table(teachers: Mapping[str, Sequence[Students]], columns: Mapping[str, str]) -> str:
    """A table of teachers, each above its students, in Markdown.

    Args:
        teachers (`Mapping[str, Sequence[Students]]`): By the title of a teacher the rows of its students; rows without
            a report are left out, and so are teachers without a student.
        columns (`Mapping[str, str]`): The means, as for [`cells`], and their titles.
    """
    lines = [f"| | seeds | {' | '.join(columns.values())} |", "|---" * (2 + len(columns)) + "|"]
    for teacher, students in teachers.items():
        taught = [reports for _, reports in students if reports and reports[0].teacher is not None]
        rows = [(teacher, max(taught, key=len), "teacher")] if taught else []
        rows += [(title, reports, "student") for title, reports in students if reports]
        for title, reports, who in rows:
            seeds = ", ".join(str(report.seed) for report in reports)
            lines.append(f"| {title} | {seeds} | {' | '.join(cells(reports, who, list(columns)))} |")
    return "\n".join(lines)
