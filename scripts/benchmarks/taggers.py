"""What taggers answer to the evaluation data of a run."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from datasets import Dataset
from transformers import AutoModelForTokenClassification, AutoTokenizer

from xlkd import DistillationArguments
from xlkd.arguments import RunArguments
from xlkd.data.checks import settle_overlap
from xlkd.data.collator import DistillationCollator
from xlkd.data.sources import Sources, load_sources
from xlkd.evaluation.answers import Answers
from xlkd.evaluation.asking import AskedRows, asking
from xlkd.planning import task_of
from xlkd.run import evaluation_of, read_run
from xlkd.steps.process import set_up_process
from xlkd.tasks import Task
from xlkd.teachers import LiveTeacher


class Ground(NamedTuple):
    """What the models of a command line are asked about, and those models; `loaded` has training rows that stand in the
    evaluation data too, which the models have read where they were not evaluated on these."""

    run: RunArguments
    args: DistillationArguments
    loaded: Sources
    sources: Sources
    task: Task
    models: list[str]


class Answered(NamedTuple):
    """The rows of a language as they were loaded and as a model read them, and its logits, one array a row."""

    language: str
    raw: Dataset
    rows: Dataset
    logits: Answers


def ground_of(description: str | None) -> Ground:
    """What the command line asks for: a YAML file, `--models`, and what is changed in the file."""
    parser = ArgumentParser(description=description, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--models", nargs="+", required=True)
    arguments, overrides = parser.parse_known_args()
    run, args, _ = read_run([arguments.config, *overrides])
    set_up_process(run, args)
    # What was made up is no word of a language: it would count as read.
    run = replace(run, data=[entry for entry in run.data if entry.made_up_words is None])
    # Validation rows are asked for as evaluation data here.
    loaded = {entry: rows for entry, rows in load_sources(run).items() if entry[0] != "validation"}
    sources = settle_overlap(loaded, run.overlap)
    return Ground(run, args, loaded, sources, task_of(run, sources), arguments.models)


def answers_of(folder: str, ground: Ground) -> Iterator[Answered]:
    """What a model answers, language by language."""
    args, task = ground.args, ground.task
    tokenizer = AutoTokenizer.from_pretrained(folder)
    teacher = LiveTeacher(AutoModelForTokenClassification.from_pretrained(folder).to(args.device), tokenizer)
    teacher.match_labels(task.labels)
    collator = DistillationCollator(tokenizer, teacher.collator)
    for language, raw in evaluation_of(ground.run, ground.sources).items():
        rows = task.preprocess(raw, {"": tokenizer, **teacher.readers}, args.max_length)
        asked = AskedRows(rows, collator, args.device, args.per_device_eval_batch_size, args.bf16)
        yield Answered(language, raw, rows, asked.answers(asking(teacher, task)))
