"""One row a task: what a tiny training of it is made of. A new task joins by one more."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from datasets import Dataset
from transformers import BertConfig, PreTrainedModel, PreTrainedTokenizerBase

from xlkd import DistillationTrainer, LiveTeacher
from xlkd.tasks import (
    MultiLabelClassification,
    Regression,
    SentenceEmbedding,
    SequenceClassification,
    Task,
    TokenClassification,
)

BY_CLASSES = ({"name": "soft-label"}, {"name": "hidden-state", "weight": 2.0}, {"name": "hard-label", "weight": 0.5})
# A square has a steep slope far away, which large steps leap over.
BY_NUMBERS = (
    {"name": "logit-mse", "weight": 0.02},
    {"name": "hidden-state", "weight": 0.04},
    {"name": "hard-label", "weight": 0.01},
)
ON_CLASSES = ("soft-label", "decoupled-label", "label-correlation", "logit-mse", "hard-label")

Words = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class TaskCase:
    """A task with data of its kind.

    Args:
        task ([`~tasks.Task`]): The task.
        label (`Callable`): A label for a text, by its number.
        without (`tuple[str, ...]`): Losses that do not fit it.
        objective (`list[dict]`): Losses of several kinds that fit it.
    """

    task: Task
    label: Callable[[str, int], object]
    without: tuple[str, ...] = ()
    objective: Sequence[Mapping[str, object]] = BY_CLASSES

    def rows(self, words: Words) -> Dataset:
        """16 rows of 1 to 9 words in two languages; every fourth has no label."""
        choice = random.Random(2)
        made = []
        for index in range(16):
            language = ("en", "sw")[index % 2]
            text = " ".join(choice.choices(words[language], k=choice.randint(1, 9)))
            label = None if index % 4 == 3 else self.label(text, index)
            made.append({"text": text, "label": label, "language": language})
        return Dataset.from_list(made)

    def model(self, tokenizer: PreTrainedTokenizerBase, layers: int, width: int, seed: int) -> PreTrainedModel:
        """A tiny model with the head of the task."""
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=2,
            intermediate_size=2 * width,
            max_position_embeddings=80,
            pad_token_id=0,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            initializer_range=0.2,
            **({"id2label": self.task.id2label, "label2id": self.task.label2id} if self.task.has_labels else {}),
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model: PreTrainedModel = self.task.auto_class.from_config(config)
        return model.eval()

    def trainer(self, student, teacher, tokenizer, words, args, losses, reader=None) -> DistillationTrainer:
        """A trainer of it; `reader` is the teacher's tokenizer where it is another."""
        return DistillationTrainer(
            model=student,
            teacher=LiveTeacher(teacher, reader or tokenizer) if isinstance(teacher, PreTrainedModel) else teacher,
            losses=losses,
            task=self.task,
            args=args,
            train_dataset=self.rows(words),
            processing_class=tokenizer,
        )


def _tags(text: str, index: int) -> list[str]:
    tags = [("O", "B-X", "I-X", "B-Y")[(index + place) % 4] for place, _ in enumerate(text.split(" "))]
    return [tags[0].replace("I-", "B-"), *tags[1:]]


TASK_CASES = {
    "sequence-classification": TaskCase(
        SequenceClassification(["a", "b", "c", "d"]), lambda text, index: "abcd"[index % 4]
    ),
    "token-classification": TaskCase(TokenClassification(["O", "B-X", "I-X", "B-Y", "I-Y"]), _tags),
    "multi-label-classification": TaskCase(
        MultiLabelClassification(["a", "b", "c", "d"]),
        lambda text, index: list("abcd"[: index % 5]),
        without=("decoupled-label", "label-correlation"),
    ),
    "regression": TaskCase(
        Regression(),
        lambda text, index: len(text) / 10,
        without=("soft-label", "decoupled-label", "label-correlation"),
        objective=BY_NUMBERS,
    ),
    "sentence-embedding": TaskCase(
        SentenceEmbedding(),
        lambda text, index: None,
        without=ON_CLASSES,
        objective=({"name": "embedding", "weight": 2.0}, {"name": "hidden-state", "layer_map": [[0, 0]]}),
    ),
}
