"""What a tagger would gain by sequences: each word's best tag, and its best in the marginals over sequences of tags.

    python scripts/benchmarks/decoding.py scripts/configs/masakhaner.yaml --models TEACHER runs/masakhaner

Of every model the score on the evaluation data of the run, in the source language and as the mean over the targets,
with valid sequences alone, and with the transitions of the run's labelled data at several weights. A pipeline takes
each word's best tag, and so do all reports of xlkd: the others are what `posterior: sequence` teaches. To choose a
weight, look at development data of the source language, `--data.3.path masakhane-ner/data/conll_2003_en/dev.txt`.
"""

import argparse
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from datasets import Dataset, concatenate_datasets
from transformers import AutoModelForTokenClassification, AutoTokenizer

from xlkd import DistillationArguments
from xlkd.data.checks import settle_overlap
from xlkd.data.collator import DistillationCollator
from xlkd.data.sources import Sources, load_sources
from xlkd.evaluation.answers import by_word
from xlkd.evaluation.asking import AskedRows, asking
from xlkd.losses.tag_sequences import TagSequences
from xlkd.planning import task_of
from xlkd.process import set_up_process
from xlkd.row_transitions import count_transitions
from xlkd.run import evaluation_of, read_run
from xlkd.tasks import Task
from xlkd.teachers import LiveTeacher
from xlkd.words import WORD_CONTEXT

Decode = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From the logits of the words of a text, and what stands around each, to others, whose largest are the tags."""

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the transitions; with 0 all valid sequences are alike."""


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--models", nargs="+", required=True)
    arguments, overrides = parser.parse_known_args()
    run, args, _ = read_run([arguments.config, *overrides])
    set_up_process(run, args)
    # Validation rows are asked for as evaluation data here.
    own = {entry: rows for entry, rows in load_sources(run).items() if entry[0] != "validation"}
    sources = settle_overlap(own, run.overlap)
    task = task_of(run, sources)
    decoders = decoders_of(task, transitions_in(sources, task, args, arguments.models[0]))
    print(f"| | {' | '.join(f'{name}: source | {name}: targets' for name in decoders)} |")
    print("|---" * (1 + 2 * len(decoders)) + "|")
    for folder in arguments.models:
        by_language = {
            language: scores_of(folder, dataset, task, args, decoders)
            for language, dataset in evaluation_of(run, sources).items()
        }
        source = by_language.pop(run.source_language)
        cells = [
            f"{source[name]:.3f} | {np.mean([own[name] for own in by_language.values()]):.3f}" for name in decoders
        ]
        print(f"| {folder} | {' | '.join(cells)} |", flush=True)


def transitions_in(sources: Sources, task: Task, args: DistillationArguments, folder: str) -> torch.Tensor:
    """Those of the labelled data."""
    labelled = concatenate_datasets([dataset for (role, _), dataset in sources.items() if role == "labelled"])
    rows = task.preprocess(labelled, {"": AutoTokenizer.from_pretrained(folder)}, args.max_length)
    return count_transitions(rows, len(task.labels))


def scores_of(
    folder: str, dataset: Dataset, task: Task, args: DistillationArguments, decoders: Mapping[str, Decode]
) -> dict[str, float]:
    """The task's metric of a model on rows of one language, by decoder."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    teacher = LiveTeacher(AutoModelForTokenClassification.from_pretrained(folder).to(args.device), tokenizer)
    teacher.match_labels(task.labels)
    rows = task.preprocess(dataset, {"": tokenizer, **teacher.readers}, args.max_length)
    collator = DistillationCollator(tokenizer, teacher.collator)
    asked = AskedRows(rows, collator, args.device, args.per_device_eval_batch_size, args.bf16)
    logits, gold = asked.answers(asking(teacher, task)), task.gold(rows)
    context = [torch.tensor(own, dtype=torch.long) for own in rows[WORD_CONTEXT]]
    scores = {}
    for name, decode in decoders.items():
        answers = zip(logits, context, strict=True)
        decoded = by_word([decode(torch.from_numpy(own), around).numpy() for own, around in answers])
        scores[name] = task.scores(task.predictions_of(rows, decoded), gold)[task.metric]
    return scores


def decoders_of(task: Task, transitions: torch.Tensor) -> dict[str, Decode]:
    """Ways to the tags of a text."""
    decoders: dict[str, Decode] = {"word": lambda logits, context: logits}
    for weight in WEIGHTS:
        decoders[f"transitions {weight}"] = partial(_marginals, TagSequences(task.labels, transitions, weight))
    return decoders


def _marginals(sequences: TagSequences, logits: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
    marginals: torch.Tensor = sequences(logits.log_softmax(-1).unsqueeze(0), context.unsqueeze(0))
    return marginals[0]


if __name__ == "__main__":
    main()
