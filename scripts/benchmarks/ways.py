"""SIB-200 and MasakhaNER: what a student gains by what it is given, over seeds.

    python scripts/benchmarks/ways.py masakhaner runs/ways/masakhaner --seeds 0 1 2
    python scripts/benchmarks/ways.py sib200 runs/ways/sib200 --seeds 0 1 2

Every row is a run of its own in `OUT/ROW-SEED`; a run that is there already is read, not run again, and one that was
stopped goes on from its last checkpoint. What is left of the command line goes to every run (`--num_threads 1`).
`masakhane-ner` is looked for where this is started, as in `scripts/configs/masakhaner.yaml`; `--sib200 FOLDER` reads
the files of SIB-200 from a folder instead of the Hub.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports_table import reports_of, table

from xlkd.parsing import read_values

CONFIGS = Path(__file__).parent.parent / "configs"
SIB200 = "Davlan/sib200"
SPLITS = {"labelled": "train", "parallel": "train", "validation": "dev", "evaluation": "test"}
SEVERAL = 3
"""The teachers of MasakhaNER's configurations."""
CHECKPOINTS = ("--save_strategy", "steps", "--save_steps", "500", "--save_total_limit", "1")
"""A table takes hours: what is stopped is not begun anew."""


@dataclass(frozen=True)
class Row:
    """A way to a student.

    Args:
        title (`str`): What to call it.
        config (`str`): Its run.
        words (`tuple[str, ...]`): What is added to the command line.
        teachers (`int`): How many teachers it has: all of the configuration, or the first, which is fine-tuned with the
            seed of the run.
    """

    title: str
    config: str
    words: tuple[str, ...] = ()
    teachers: int = 1


@dataclass(frozen=True)
class Benchmark:
    """Ways that are compared.

    Args:
        teachers (`Mapping[int, str]`): What to call so many teachers.
        columns (`Mapping[str, str]`): The means that are shown, and what to call them.
        rows (`Mapping[str, Row]`): The ways.
    """

    teachers: Mapping[int, str]
    columns: Mapping[str, str]
    rows: Mapping[str, Row]


def masakhaner(layers: int) -> dict[str, Row]:
    """The ways to a tagger of some layers."""
    cut, alone = ("--student.layers", str(layers)), ("--mixture", "{roles: {labelled: 1, unlabelled: 0}}")
    return {
        f"english-{layers}": Row(f"{layers} layers, English labels", "masakhaner.yaml", (*cut, *alone)),
        f"unlabelled-{layers}": Row(f"{layers} layers, unlabelled target text", "masakhaner.yaml", cut),
        f"teachers-{layers}": Row(f"{layers} layers, unlabelled target text", "masakhaner.yaml", cut, SEVERAL),
        f"everything-{layers}": Row(
            f"{layers} layers, unlabelled and parallel text", "masakhaner-parallel.yaml", cut, SEVERAL
        ),
    }


BENCHMARKS = {
    "masakhaner": Benchmark(
        {1: "teacher, 12 layers, English labels", SEVERAL: f"{SEVERAL} such teachers as one"},
        {"source": "English", "target": "10 African languages"},
        masakhaner(6) | masakhaner(3),
    ),
    "sib200": Benchmark(
        {1: "teacher, 12 layers, 701 English labels"},
        {"source": "English", "high-resource": "11 high-resource", "low-resource": "19 low-resource"},
        {
            "english": Row(
                "3 layers, English labels", "sib200.yaml", ("--mixture", "{roles: {labelled: 1, parallel: 0}}")
            ),
            "unlabelled": Row("3 layers, unlabelled target text", "sib200.yaml", ("--data.1.role", "unlabelled")),
            "parallel": Row("3 layers, parallel text", "sib200.yaml"),
        },
    ),
}


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark", choices=list(BENCHMARKS))
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rows", nargs="+")
    parser.add_argument("--sib200", type=Path)
    arguments, overrides = parser.parse_known_args()
    benchmark = BENCHMARKS[arguments.benchmark]
    if unknown := set(arguments.rows or ()) - set(benchmark.rows):
        parser.error(f"unknown rows {', '.join(sorted(unknown))}: there are {', '.join(benchmark.rows)}")
    rows = {name: benchmark.rows[name] for name in arguments.rows or benchmark.rows}
    for seed in arguments.seeds:
        for name, row in rows.items():
            run(row, seed, arguments.out / f"{name}-{seed}", [*paths(row, arguments.sib200), *overrides])
    students = {
        title: [(row.title, reports_of(name, arguments.out)) for name, row in rows.items() if row.teachers == number]
        for number, title in benchmark.teachers.items()
    }
    print(table(students, benchmark.columns))


def teachers_of(row: Row) -> list[str]:
    """The first teacher alone, where the configuration has several and the row has one."""
    teachers = _config(row)["teacher"]
    if row.teachers > 1 or not isinstance(teachers, list):
        return []
    finetune = {name: value for name, value in teachers[0]["finetune"].items() if name != "seed"}
    return ["--teacher", json.dumps({**teachers[0], "finetune": finetune}), "--ensemble", "null"]


def paths(row: Row, folder: Path | None) -> list[str]:
    """Where the files of SIB-200 are."""
    if folder is None:
        return []
    words = []
    for place, entry in enumerate(_config(row)["data"]):
        if entry["path"] == SIB200:
            words += [f"--data.{place}.path", f"{folder}/{{code}}/{SPLITS[entry['role']]}.tsv"]
    return words


def run(row: Row, seed: int, folder: Path, overrides: Sequence[str]) -> None:
    """One run, unless it is there."""
    if not (folder / "zero_shot.json").is_file():
        words = [str(CONFIGS / row.config), "--output_dir", str(folder), "--seed", str(seed), *row.words]
        words += [*teachers_of(row), *CHECKPOINTS, *resumed(folder), *overrides]
        subprocess.run([sys.executable, "-m", "xlkd.run", *words], check=True)


def resumed(folder: Path) -> list[str]:
    """Where a run that was stopped goes on."""
    return ["--resume_from_checkpoint", "last"] if any(folder.glob("checkpoint-*/trainer_state.json")) else []


def _config(row: Row) -> dict[str, Any]:
    return read_values([str(CONFIGS / row.config)])


if __name__ == "__main__":
    main()
