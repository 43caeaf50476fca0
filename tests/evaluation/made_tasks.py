"""A task that is as small as can be: one whose words are tagged."""

from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import (
    AutoModelForTokenClassification,
    BertConfig,
    BertForTokenClassification,
    PreTrainedTokenizerBase,
)

from xlkd.evaluation.answers import Answers, by_word
from xlkd.outputs import NO_LABEL
from xlkd.padding import Readers
from xlkd.tasks import Task
from xlkd.tasks.base import KEPT_COLUMNS
from xlkd.words import WORD_SPANS

TAGS = ["O", "B-PER", "I-PER"]


class Tagging(Task):
    """One tag a word; words are parted by spaces, and only as many are read as fit."""

    name = "tagging"
    auto_class = AutoModelForTokenClassification
    architecture_suffix = "ForTokenClassification"
    metrics = ("span-f1", "tag-accuracy")

    def preprocess(self, dataset: Dataset, readers: Readers, max_length: int) -> Dataset:
        def encode(row: dict[str, Any]) -> dict[str, Any]:
            words = row["text"].split()
            tags = [NO_LABEL] * len(words) if row.get("label") is None else [TAGS.index(tag) for tag in row["label"]]
            encoded: dict[str, Any] = {"all_labels": tags}
            for prefix, tokenizer in readers.items():
                read = tokenizer(words, is_split_into_words=True, truncation=True, max_length=max_length)
                spans = [read.word_to_tokens(word) for word in range(len(words))]
                encoded |= {prefix + name: values for name, values in read.items()}
                encoded[prefix + WORD_SPANS] = [end for span in spans if span for end in (span.start, span.end)]
            seen = len(encoded[WORD_SPANS]) // 2
            return encoded | {"labels": tags[:seen]}

        removed = [name for name in dataset.column_names if name not in KEPT_COLUMNS]
        return dataset.map(encode, remove_columns=removed)

    def predictions(self, logits: np.ndarray) -> Answers:
        return by_word(row.argmax(-1) for row in logits)

    def predictions_of(self, rows: Dataset, logits: np.ndarray) -> Answers:
        lengths = [len(labels) for labels in rows["all_labels"]]
        seen = zip(self.predictions(logits), lengths, strict=True)
        return by_word(np.pad(own, (0, length - len(own))) for own, length in seen)

    def gold(self, rows: Dataset) -> Answers:
        return by_word(rows["all_labels"])

    def validation_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=NO_LABEL)


def tagger(tokenizer: PreTrainedTokenizerBase, seed: int = 0, dropout: float = 0.0) -> BertForTokenClassification:
    """A tiny model that tags."""
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=80,
        type_vocab_size=2,
        pad_token_id=0,
        hidden_dropout_prob=dropout,
        classifier_dropout=dropout,
        initializer_range=0.2,
        id2label=dict(enumerate(TAGS)),
        label2id={tag: number for number, tag in enumerate(TAGS)},
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertForTokenClassification(config)
    return model.eval()
