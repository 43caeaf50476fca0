"""Tiny classifiers that read what a tiny tokenizer says, and the text that both are trimmed by."""

import torch
from families import FAMILIES
from tiny_tokenizers import TRIMMED_FOR, texts_of
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

# Like multilingual E5, which has more rows than its tokenizer has pieces.
MORE_ROWS = 35
SIZE = 1500


def training_text() -> dict[str, list[str]]:
    """Text of three languages of the eight."""
    return {language: texts_of(language) for language in TRIMMED_FOR}


def ids_of(tokenizer: PreTrainedTokenizerBase) -> dict[str, int | None]:
    """What a configuration says of a tokenizer."""
    names = ("pad", "bos", "eos", "cls", "sep", "mask")
    tokens = {name: tokenizer.special_tokens_map.get(f"{name}_token") for name in names}
    found: dict[str, int | None] = {
        f"{name}_token_id": None if token is None else tokenizer.convert_tokens_to_ids(token)
        for name, token in tokens.items()
    }
    return found


def classifier_for(family: str, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """A tiny classifier of a family that reads what a tokenizer says."""
    config = FAMILIES[family]()
    config.vocab_size = len(tokenizer) + MORE_ROWS
    for name, index in ids_of(tokenizer).items():
        if name in config.to_dict():
            setattr(config, name, index)
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)
    return model.eval()
