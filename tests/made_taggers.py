"""A tiny model that tags."""

from collections.abc import Sequence

import torch
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerBase

TAGS = ["O", "B-PER", "I-PER"]


def tagger(
    tokenizer: PreTrainedTokenizerBase,
    seed: int = 0,
    dropout: float = 0.0,
    tags: Sequence[str] = TAGS,
    layers: int = 1,
) -> BertForTokenClassification:
    """A tiny model that tags."""
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=80,
        type_vocab_size=2,
        pad_token_id=0,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        classifier_dropout=dropout,
        initializer_range=0.2,
        id2label=dict(enumerate(tags)),
        label2id={tag: number for number, tag in enumerate(tags)},
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertForTokenClassification(config)
    return model.eval()
