"""What a tagger knows of names that it has not read: span F1 where the training text has every word, and elsewhere.

    python scripts/benchmarks/unseen_words.py scripts/configs/masakhaner.yaml --models TEACHER runs/masakhaner \
        --data.3.path masakhane-ner/data/conll_2003_en/dev.txt --data.4.path 'masakhane-ner/data/{code}/dev.txt'

Spans of gold and of the answers are told apart by their own words: seen are those that the run's training text has in
that language, whatever its role. Of the targets the spans of all languages are counted together. To choose by these
numbers, look at development data, as above. seqeval is in the extra `test`.
"""

import argparse
from collections import Counter
from collections.abc import Sequence

from datasets import Dataset
from seqeval.metrics.sequence_labeling import get_entities
from transformers import AutoModelForTokenClassification, AutoTokenizer

from xlkd import DistillationArguments
from xlkd.data.checks import settle_overlap
from xlkd.data.collator import DistillationCollator
from xlkd.data.sources import Sources, load_sources
from xlkd.evaluation.answers import Answers
from xlkd.evaluation.asking import AskedRows, asking
from xlkd.planning import task_of
from xlkd.process import set_up_process
from xlkd.run import evaluation_of, read_run
from xlkd.tasks import Task
from xlkd.teachers import LiveTeacher

READ = ("labelled", "unlabelled", "parallel")
"""The roles of what is trained on."""


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
    print("| | source: seen | source: unseen | targets: seen | targets: unseen |\n|---|---|---|---|---|")
    for folder in arguments.models:
        counts = {"source": Counter[tuple[bool, str]](), "targets": Counter[tuple[bool, str]]()}
        for language, dataset in evaluation_of(run, sources).items():
            group = "source" if language == run.source_language else "targets"
            counts[group] += spans_of(folder, dataset, task, args, words_in(sources, language))
        cells = [f"{f1(own, seen):.3f} (n={own[seen, 'gold']})" for own in counts.values() for seen in (True, False)]
        print(f"| {folder} | {' | '.join(cells)} |", flush=True)


def words_in(sources: Sources, language: str) -> set[str]:
    """The words of the training text of a language."""
    datasets = [dataset for (role, own), dataset in sources.items() if role in READ and own == language]
    return {word for dataset in datasets for text in dataset["text"] for word in text.split()}


def spans_of(
    folder: str, dataset: Dataset, task: Task, args: DistillationArguments, known: set[str]
) -> Counter[tuple[bool, str]]:
    """How many spans are gold, found, and both, seen and unseen."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    teacher = LiveTeacher(AutoModelForTokenClassification.from_pretrained(folder).to(args.device), tokenizer)
    teacher.match_labels(task.labels)
    rows = task.preprocess(dataset, {"": tokenizer, **teacher.readers}, args.max_length)
    collator = DistillationCollator(tokenizer, teacher.collator)
    asked = AskedRows(rows, collator, args.device, args.per_device_eval_batch_size, args.bf16)
    found, gold = task.predictions_of(rows, asked.answers(asking(teacher, task))), task.gold(rows)
    counts: Counter[tuple[bool, str]] = Counter()
    for text, own, right in zip(dataset["text"], tags_of(found, task), tags_of(gold, task), strict=True):
        is_known = [word in known for word in text.split()]
        spans = {"found": set(get_entities(own)), "gold": set(get_entities(right))}
        spans["both"] = spans["found"] & spans["gold"]
        for name, places in spans.items():
            counts.update((all(is_known[first : last + 1]), name) for _, first, last in places)
    return counts


def tags_of(answers: Answers, task: Task) -> Sequence[list[str]]:
    """The names of the tags of all rows."""
    return [[task.labels[tag] for tag in row] for row in answers]


def f1(counts: Counter[tuple[bool, str]], seen: bool) -> float:
    """The harmonic mean of precision and recall."""
    return 2 * counts[seen, "both"] / max(counts[seen, "found"] + counts[seen, "gold"], 1)


if __name__ == "__main__":
    main()
