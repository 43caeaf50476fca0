"""The table that says which losses to choose: each on top of soft labels, and a few mixes, in thirty languages.

    python scripts/benchmarks/losses.py quickstart --output runs/losses --num_threads 1
    python scripts/benchmarks/losses.py sib200 --folder FOLDER --output runs/losses --num_threads 1
    python scripts/benchmarks/losses.py quickstart --output runs/losses --table
    python scripts/benchmarks/losses.py --output runs/losses --table     # both data sets side by side
    python scripts/benchmarks/losses.py --cost

FOLDER has the files of SIB-200, `{code}/train.tsv` and so on; without it they come from the Hub. Every contender is
trained with the settings of the YAML file, whose losses alone are replaced. What is left of the command line goes to
every run: `--max_steps 20` to try it out. A contender with a seed is one JSON file in the output folder, written when
it is done; a second call goes on with those that are missing. Contenders of a seed share one process, one fine-tuned
teacher and one cache of its answers; where a loss needs what a cache does not hold, the teacher is asked in every step.

Losses that compare tokens do not work across translations, so they have a block and a baseline of their own, in which
both models read the target text of the parallel rows as unlabelled text, and the student has all pieces, frozen.
`--cost` prints what a step costs beside one with soft labels alone (losses_cost.py).
"""

import argparse
import json
import logging
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from losses_contenders import BLOCKS, CONTENDERS, SAME_TEXT_BASELINE
from losses_cost import print_costs
from losses_ground import Ground
from losses_table import DATA, Result, results_in, summary, tables

from xlkd import UserError, WeightedSum
from xlkd.folders import write_text
from xlkd.parsing import read_yaml
from xlkd.run import read_run
from xlkd.steps.process import command

CONFIGS = Path(__file__).parent.parent / "configs"
WHOLE_VOCABULARY = shlex.split("--student.vocabulary null --student.freeze embeddings --embedding_learning_rate null")
"""With trimmed pieces the student would read other tokens than its teacher."""

SIB200_SPLITS = {"labelled": "train", "parallel": "train", "validation": "dev", "evaluation": "test"}
OF_THE_PLACE = ("losses", "output_dir", "num_threads", "seed", "disable_tqdm")
"""What two runs may differ in and still be rows of one table."""


def main(words: Sequence[str]) -> None:
    """Train what is missing, then print the tables."""
    arguments, overrides = parser().parse_known_args(words)
    if arguments.cost:
        print_costs(arguments.only, arguments.rounds, arguments.precision)
        return
    if arguments.table and arguments.data is None and arguments.output is not None:
        print(summary({data: results_in(arguments.output, data) for data in DATA}))
        return
    if arguments.data is None or arguments.output is None:
        raise UserError("Name the data and the folder of the results: losses.py quickstart --output runs/losses.")
    names = arguments.only or list(CONTENDERS)
    if not arguments.table:
        for name in names:
            WeightedSum.from_config(CONTENDERS[name])
        for seed in arguments.seeds:
            for baseline, block in BLOCKS.items():
                common = words_of(arguments.data, baseline, seed, arguments.folder, overrides)
                train([name for name in names if name in block], arguments, baseline, seed, common)
    print(tables(results_in(arguments.output, arguments.data)))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("data", nargs="?", choices=DATA)
    made.add_argument("--output", type=Path, help="The folder of the results.")
    made.add_argument("--folder", type=Path, help="Local files of SIB-200.")
    made.add_argument("--seeds", type=int, nargs="+", default=[0])
    made.add_argument("--only", nargs="+", choices=list(CONTENDERS), metavar="NAME", help="Some contenders.")
    made.add_argument("--table", action="store_true", help="Print the tables of what is there, and train nothing.")
    made.add_argument("--cost", action="store_true", help="Measure time and memory of a step instead.")
    made.add_argument("--rounds", type=int, default=12, help="Steps of each contender, for --cost.")
    made.add_argument("--precision", default="float32", help="What steps compute in, for --cost.")
    return made


def words_of(
    data: str, baseline: str, seed: int, folder: Path | None, overrides: Sequence[str], output: str = "runs/losses"
) -> list[str]:
    """The command line of a run of one block, but for its losses."""
    path = CONFIGS / f"{data}.yaml"
    words = [str(path), "--output_dir", output, "--seed", str(seed), "--disable_tqdm", "true"]
    for position, entry in enumerate(read_yaml(path)["data"]):
        if folder is not None:
            file = folder / "{code}" / f"{SIB200_SPLITS[entry['role']]}.tsv"
            words += [f"--data.{position}.path", str(file)]
        if entry["role"] == "parallel" and baseline == SAME_TEXT_BASELINE:
            words += [f"--data.{position}.role", "unlabelled"]
    return [*words, *overrides, *(WHOLE_VOCABULARY if baseline == SAME_TEXT_BASELINE else [])]


def train(names: Sequence[str], arguments: argparse.Namespace, baseline: str, seed: int, words: Sequence[str]) -> None:
    """Train and score the contenders of one block that have no file yet."""
    settings = settings_of(words)
    paths = {name: arguments.output / f"{arguments.data}-{name}-{seed}.json" for name in names}
    missing = [name for name, path in paths.items() if not is_done(path, name, settings)]
    if not missing:
        return
    ground = Ground(words, {name: CONTENDERS[name] for name in names})
    for number, name in enumerate(missing, start=1):
        trained = ground.train(CONTENDERS[name])
        result = Result(arguments.data, name, seed, CONTENDERS[name], settings, **trained)
        write_text(paths[name], result.to_json())
        print(f"{arguments.data} {seed}, {number} of {len(missing)}: {result.line()}", flush=True)


def settings_of(words: Sequence[str]) -> dict[str, Any]:
    """What all rows of a table must share."""
    _, _, values = read_run(words)
    kept: dict[str, Any] = json.loads(json.dumps({key: own for key, own in values.items() if key not in OF_THE_PLACE}))
    return kept


def is_done(path: Path, name: str, settings: Mapping[str, Any]) -> bool:
    """Whether a contender has its file.

    Raises:
        [`UserError`]: If the file is of other losses or settings.
    """
    if not path.is_file():
        return False
    found = Result.read(path)
    if found.losses != json.loads(json.dumps(CONTENDERS[name])) or found.settings != settings:
        raise UserError(f"{path} is of other losses or settings: name another --output, or remove it.")
    return True


if __name__ == "__main__":
    logging.captureWarnings(True)
    command(main, takes_a_run=False)
