"""Tiny classifiers of many families, which the tests of layers, width and vocabulary share."""

from typing import Any

import torch
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    EuroBertConfig,
    LlamaConfig,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
    RobertaConfig,
    XLMRobertaConfig,
)

LAYERS = 4
UNITS = 40
# Wide weights, so that every part of a model is heard in its answer.
SPREAD = {"initializer_range": 0.3}
SIZES: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": UNITS,
    "max_position_embeddings": 40,
    "num_labels": 3,
    "pad_token_id": 0,
    **SPREAD,
}
DISTILBERT: dict[str, Any] = {
    "vocab_size": 50,
    "dim": 16,
    "n_layers": LAYERS,
    "n_heads": 2,
    "hidden_dim": UNITS,
    "num_labels": 3,
    **SPREAD,
}
SPECIAL = {"bos_token_id": 1, "eos_token_id": 2}
# Four query heads, in two groups that share keys and values.
GROUPED = {**SIZES, **SPECIAL, "num_attention_heads": 4, "num_key_value_heads": 2}
# The last two layers see two tokens only.
WINDOW = {"use_sliding_window": True, "sliding_window": 2, "max_window_layers": 2}
FAMILIES: dict[str, Any] = {
    "bert": lambda: BertConfig(**SIZES),
    "roberta": lambda: RobertaConfig(**SIZES),
    "xlm-roberta": lambda: XLMRobertaConfig(**SIZES),
    "distilbert": lambda: DistilBertConfig(**DISTILBERT),
    "electra": lambda: ElectraConfig(**SIZES, embedding_size=8),
    "deberta-v2": lambda: DebertaV2Config(
        **SIZES, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=8, norm_rel_ebd="layer_norm"
    ),
    "modernbert": lambda: ModernBertConfig(
        **SIZES, **SPECIAL, global_attn_every_n_layers=2, local_attention=4, cls_token_id=1, sep_token_id=2
    ),
    "mpnet": lambda: MPNetConfig(**SIZES),
    "eurobert": lambda: EuroBertConfig(**GROUPED, mask_token_id=3),
    "llama": lambda: LlamaConfig(**{**GROUPED, "num_key_value_heads": 4}),
    "qwen2": lambda: Qwen2Config(**GROUPED, **WINDOW),
    "qwen3": lambda: Qwen3Config(**GROUPED, **WINDOW, head_dim=8),
}


IDS = torch.tensor([[1, 7, 8, 9, 2], [1, 5, 2, 0, 0]])
BATCH = {"input_ids": IDS, "attention_mask": (IDS != 0).long()}


def classifier(family: str) -> PreTrainedModel:
    """A tiny classifier of a family, the same at every call."""
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForSequenceClassification.from_config(FAMILIES[family]())
    return model.eval()


@torch.no_grad()
def answer(model: PreTrainedModel) -> Any:
    """What a model says of two rows, one of them padded."""
    return model.eval()(**BATCH, output_hidden_states=True)
