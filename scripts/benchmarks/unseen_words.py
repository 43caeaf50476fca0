"""What a tagger knows of names that it has not read: span F1 where the training text has every word, and elsewhere.

    python scripts/benchmarks/unseen_words.py scripts/configs/masakhaner.yaml --models TEACHER runs/masakhaner \
        --data.5.path masakhane-ner/data/conll_2003_en/dev.txt --data.6.path 'masakhane-ner/data/{code}/dev.txt'

A span, in the gold tags or in the answers, counts as seen if the run's training text in that language, whatever its
role, has all of its words. The spans of all target languages are counted together. To choose by these numbers, look at
development data, as above. seqeval is in the extra `test`.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from seqeval.metrics.sequence_labeling import get_entities
from taggers import answers_of, ground_of

from xlkd.data.sources import Sources
from xlkd.evaluation.answers import Answers

READ = ("labelled", "unlabelled", "parallel")
"""The roles of what is trained on."""

Counts = Counter[tuple[bool, str]]
"""How many spans are `gold`, `found`, and `both`; true of those whose words were all read."""


def main() -> None:
    """Print a table."""
    ground = ground_of(__doc__)
    languages = [ground.run.source_language, *ground.run.target_languages]
    known = {language: words_in(ground.loaded, language) for language in languages}
    print("| | source: seen | source: unseen | targets: seen | targets: unseen |\n|---|---|---|---|---|")
    for folder in ground.models:
        source, targets = Counts(), Counts()
        for language, raw, rows, logits in answers_of(folder, ground):
            found = tags_of(ground.task.predictions_of(rows, logits), ground.task.labels)
            gold = tags_of(ground.task.gold(rows), ground.task.labels)
            group = source if language == ground.run.source_language else targets
            group.update(counts_of(raw["text"], found, gold, known[language]))
        cells = [f"{f1(own, seen):.3f} (n={own[seen, 'gold']})" for own in (source, targets) for seen in (True, False)]
        print(f"| {folder} | {' | '.join(cells)} |", flush=True)


def words_in(sources: Sources, language: str) -> set[str]:
    """The words of the training text of a language."""
    datasets = [dataset for (role, own), dataset in sources.items() if role in READ and own == language]
    return {word for dataset in datasets for text in dataset["text"] for word in text.split(" ")}


def tags_of(answers: Answers, labels: Sequence[str]) -> list[list[str]]:
    """The names of the tags of all rows."""
    return [[labels[tag] for tag in row] for row in answers]


def counts_of(
    texts: Sequence[str], found: Sequence[list[str]], gold: Sequence[list[str]], known: Collection[str]
) -> Counts:
    """The spans of some texts, which are words with a space between them."""
    counts = Counts()
    for text, own, right in zip(texts, found, gold, strict=True):
        was_read = [word in known for word in text.split(" ")]
        spans = {"found": set(get_entities(own)), "gold": set(get_entities(right))}
        spans["both"] = spans["found"] & spans["gold"]
        for name, places in spans.items():
            counts.update((all(was_read[first : last + 1]), name) for _, first, last in places)
    return counts


def f1(counts: Counts, seen: bool) -> float:
    """The harmonic mean of precision and recall."""
    return 2 * counts[seen, "both"] / max(counts[seen, "found"] + counts[seen, "gold"], 1)


if __name__ == "__main__":
    main()
