"""Reports of several seeds as one row of a table: what the benchmarks of this folder print."""

from collections.abc import Sequence
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


def table(
    rows: Sequence[tuple[str, Sequence[ZeroShotReport]]], teacher: str, columns: Sequence[str], titles: Sequence[str]
) -> str:
    """A table of the teacher and of students, in Markdown.

    Args:
        rows (`Sequence[tuple[str, Sequence[ZeroShotReport]]]`): The title of each row of students, and its reports.
        teacher (`str`): The title of the teacher's row.
        columns (`Sequence[str]`): As for [`cells`].
        titles (`Sequence[str]`): Their titles.
    """
    lines = [f"| | seeds | {' | '.join(titles)} |", "|---" * (2 + len(titles)) + "|"]
    taught = max((own for _, own in rows if own and own[0].teacher is not None), key=len)
    for title, reports, who in [(teacher, taught, "teacher"), *((name, own, "student") for name, own in rows if own)]:
        seeds = ", ".join(str(report.seed) for report in reports)
        lines.append(f"| {title} | {seeds} | {' | '.join(cells(reports, who, columns))} |")
    return "\n".join(lines)
