"""The rows of the README's table: four ways to a student of three layers, on the quickstart's data, over seeds.

    python scripts/benchmarks/quickstart.py runs/benchmark --seeds 0 1 2

Every row is a run of its own in `OUT/ROW-SEED`; a run that is there already is read, not run again. The last row is a
yardstick that nobody has in practice: the gold labels of the transfer emoji, projected onto their text in every
language, and no teacher.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from xlkd import ZeroShotReport
from xlkd.quickstart import cldr

CONFIGS = Path(__file__).parent.parent / "configs"
ROWS = {
    "source-only": "3 layers, English hard labels",
    "unlabelled": "3 layers, unlabelled target text",
    "default": "**3 layers, parallel text (the default)**",
    "projected": "3 layers, no teacher, projected gold labels (yardstick)",
}
COLUMNS = ("English", "11 high-resource", "18 low-resource")


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("overrides", nargs="*", default=[], help="Passed on to every run, after `--`.")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for seed in arguments.seeds:
        for row in arguments.rows:
            run(row, seed, arguments.out, arguments.overrides)
    print(table(arguments.out, arguments.rows, arguments.seeds))


def run(row: str, seed: int, out: Path, overrides: Sequence[str]) -> None:
    """One run, unless it is there."""
    folder = out / f"{row}-{seed}"
    if (folder / "zero_shot.json").is_file():
        return
    config = {"default": "quickstart", "projected": "quickstart"}.get(row, f"quickstart-{row}")
    words = [sys.executable, "-m", "xlkd.run"]
    words.append(str(projected_config(out) if row == "projected" else CONFIGS / f"{config}.yaml"))
    words += ["--output_dir", str(folder), "--seed", str(seed), *overrides]
    subprocess.run(words, check=True)


def projected_config(out: Path) -> Path:
    """The quickstart with the gold labels of the transfer emoji in every language, and hard labels as the only loss."""
    values = yaml.safe_load((CONFIGS / "quickstart.yaml").read_text(encoding="utf-8"))
    emoji = pq.read_table(cldr.DATA_FOLDER / cldr.EMOJI_FILE).to_pydict()
    labels = dict(zip(emoji["emoji"], emoji["label"], strict=True))
    languages = [values["source_language"], *values["target_languages"]]
    folder = out / "projected-data"
    folder.mkdir(exist_ok=True)
    for language in languages:
        rows = cldr.load_cldr("unlabelled", language)
        lines = [json.dumps({"text": row["text"], "label": labels[row["emoji"]]}, ensure_ascii=False) for row in rows]
        (folder / f"{language}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    kept = [entry for entry in values["data"] if entry["role"] in ("labelled", "validation", "evaluation")]
    projected = {"role": "labelled", "path": str(folder / "{language}.jsonl"), "language": languages}
    values |= {"data": [*kept, projected], "losses": [{"name": "hard-label"}], "max_steps": 600}
    path = out / "projected.yaml"
    path.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def table(out: Path, rows: Sequence[str], seeds: Sequence[int]) -> str:
    """Means over the seeds; in brackets the mean of the 95 % intervals' ends."""
    reports = {row: [ZeroShotReport.load(out / f"{row}-{seed}") for seed in seeds] for row in rows}
    lines = [f"| seeds {', '.join(map(str, seeds))} | {' | '.join(COLUMNS)} |", "|---|---|---|---|"]
    teachers = [report for report in reports[rows[-1]]]
    lines.append("| teacher, 12 layers, 540 English labels | " + " | ".join(cells(teachers, "teacher")) + " |")
    lines += [f"| {ROWS[row]} | {' | '.join(cells(reports[row], 'student'))} |" for row in rows]
    return "\n".join(lines)


def cells(reports: Sequence[ZeroShotReport], who: str) -> list[str]:
    """One cell a column."""
    found = []
    for name in ("source", "high-resource", "low-resource"):
        scores = [{**report.means, **report.groups}[name] for report in reports]
        mean = {key: sum(score[key] for score in scores) / len(scores) for key in (who, "student_low", "student_high")}
        interval = f" [{mean['student_low']:.3f}, {mean['student_high']:.3f}]" if who == "student" else ""
        found.append(f"{mean[who]:.3f}{interval}")
    return found


if __name__ == "__main__":
    main()
