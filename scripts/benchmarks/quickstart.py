"""The rows of the README's table: five ways to a student of three layers, on the quickstart's data, over seeds.

    python scripts/benchmarks/quickstart.py runs/benchmark --seeds 0 1 2

Every row is a run of its own in `OUT/ROW-SEED`; a run that is there already is read, not run again. The last row is a
yardstick that nobody has in practice: the gold labels of the transfer emoji, projected onto their text in every
language, and no teacher.
"""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from datasets import Dataset, concatenate_datasets
from reports_table import reports_of, table

from xlkd import DistillationTrainer
from xlkd.data.mixture import texts_by_language
from xlkd.data.sources import Sources, load_sources
from xlkd.parsing import build_run, read_values
from xlkd.planning import losses_of, task_of
from xlkd.quickstart import cldr
from xlkd.run import score
from xlkd.steps.models import prepare_student
from xlkd.steps.process import set_up_process
from xlkd.steps.teaching import prepare_teacher

CONFIGS = Path(__file__).parent.parent / "configs"
ROWS = {
    "source-only": "3 layers, English hard labels",
    "unlabelled": "3 layers, unlabelled target text",
    "default": "**3 layers, 30,000 pieces, parallel text (the default)**",
    "frozen": "3 layers, parallel text",
    "projected": "3 layers, no teacher, projected gold labels (yardstick)",
}
WHOLE_VOCABULARY = shlex.split("--student.vocabulary null --student.freeze embeddings --embedding_learning_rate null")
"""As the two configurations without parallel text have it: their text would not do to choose pieces by."""

COLUMNS = {"source": "English", "high-resource": "11 high-resource", "low-resource": "18 low-resource"}


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    # What is left goes to every run: --num_threads 1
    arguments, overrides = parser.parse_known_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for seed in arguments.seeds:
        for row in arguments.rows:
            run(row, seed, arguments.out, overrides)
    rows = [(ROWS[row], reports_of(row, arguments.out)) for row in arguments.rows]
    print(table({"teacher, 12 layers, 540 English labels": rows}, COLUMNS))


def run(row: str, seed: int, out: Path, overrides: Sequence[str]) -> None:
    """One run, unless it is there."""
    folder = out / f"{row}-{seed}"
    if (folder / "zero_shot.json").is_file():
        return
    config = CONFIGS / ("quickstart.yaml" if row in ("default", "frozen", "projected") else f"quickstart-{row}.yaml")
    whole = WHOLE_VOCABULARY if row in ("frozen", "projected") else []
    words = [str(config), "--output_dir", str(folder), "--seed", str(seed), *whole, *overrides]
    if row == "projected":
        run_projected(words, folder)
    else:
        subprocess.run([sys.executable, "-m", "xlkd.run", *words], check=True)


def run_projected(words: Sequence[str], folder: Path) -> None:
    """The student of the quickstart with hard labels as its only loss, on what no user has."""
    arguments, args, _ = build_run(
        read_values([*words, "--losses", "[{name: hard-label}]", "--max_steps", "600", "--eval_strategy", "no"])
    )
    set_up_process(arguments, args)
    sources = load_sources(arguments)
    task = task_of(arguments, sources)
    teacher = prepare_teacher(arguments, args, task, sources)
    student = prepare_student(arguments.student, teacher, task, texts_by_language(sources, arguments.source_language))
    losses = losses_of(arguments, task)
    labelled = projected_rows([arguments.source_language, *arguments.target_languages], sources)
    trainer = DistillationTrainer(
        student.model, None, losses, task, args, labelled, processing_class=student.processing_class
    )
    trainer.train()
    report = score(arguments, args, task, "translated-labels", teacher, trainer, sources)
    folder.mkdir(parents=True, exist_ok=True)
    report.save(folder)
    print(report.table())


def projected_rows(languages: Sequence[str], sources: Sources) -> Dataset:
    """The labelled rows, and the transfer emoji in every language with their gold labels."""
    emoji = pq.read_table(cldr.DATA_FOLDER / cldr.EMOJI_FILE).to_pydict()
    labels = dict(zip(emoji["emoji"], emoji["label"], strict=True))
    rows = [row for language in languages for row in cldr.load_cldr("unlabelled", language)]
    projected = Dataset.from_list([{"text": row["text"], "label": labels[row["emoji"]]} for row in rows])
    return concatenate_datasets([sources["labelled", "en"].select_columns(["text", "label"]), projected])


if __name__ == "__main__":
    main()
