"""What a tagger would gain by decoding sequences: each word's best tag, alone and in the marginals over sequences.

    python scripts/benchmarks/decoding.py scripts/configs/masakhaner.yaml --models TEACHER runs/masakhaner

For every model, the score on the evaluation data of the run, in the source language and as the mean over the targets:
word by word, over valid sequences, and with the transitions of the run's labelled data at several weights. A pipeline
takes each word's best tag, and so do all reports of xlkd; the others are what `posterior: sequence` teaches. To choose
a weight, look at development data of the source language, `--data.5.path masakhane-ner/data/conll_2003_en/dev.txt`.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from taggers import Answered, Ground, answers_of, ground_of

from xlkd.errors import UserError
from xlkd.evaluation.answers import by_word
from xlkd.losses.tag_sequences import TagSequences
from xlkd.tasks import Task
from xlkd.text.words import WORD_CONTEXT
from xlkd.training.row_transitions import count_transitions

Decode = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From the logits of the words of a text, and what stands around each, to others, whose largest are the tags."""

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the transitions; with 0 all valid sequences are alike."""


def main() -> None:
    """Print a table."""
    ground = ground_of(__doc__)
    decoders = decoders_of(ground.task, transitions_in(ground))
    print(f"| | {' | '.join(f'{name}: source | {name}: targets' for name in decoders)} |")
    print("|---" * (1 + 2 * len(decoders)) + "|")
    for folder in ground.models:
        by_language = {own.language: scores_of(own, ground.task, decoders) for own in answers_of(folder, ground)}
        source = by_language.pop(ground.run.source_language)
        cells = [
            f"{source[name]:.3f} | {np.mean([own[name] for own in by_language.values()]):.3f}" for name in decoders
        ]
        print(f"| {folder} | {' | '.join(cells)} |", flush=True)


def transitions_in(ground: Ground) -> torch.Tensor:
    """Those of the labelled data."""
    labelled = ground.sources.get(("labelled", ground.run.source_language))
    if labelled is None:
        raise UserError("Transitions are counted in labelled rows: add an entry of role labelled.")
    return count_transitions(ground.task.word_label_ids(labelled), len(ground.task.labels))


def scores_of(answered: Answered, task: Task, decoders: Mapping[str, Decode]) -> dict[str, float]:
    """The task's metric in one language, by decoder."""
    gold = task.gold(answered.rows)
    context = [torch.tensor(own, dtype=torch.long) for own in answered.rows[WORD_CONTEXT]]
    scores = {}
    for name, decode in decoders.items():
        answers = zip(answered.logits, context, strict=True)
        decoded = by_word([decode(torch.from_numpy(own), around).numpy() for own, around in answers])
        scores[name] = task.scores(task.predictions_of(answered.rows, decoded), gold)[task.metric]
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
