"""What makes a teacher's answers what they are, as short hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlkd.students.layers import has_head
from xlkd.teachers.live import LiveTeacher


def identity_of(teacher: LiveTeacher, *, task: str, max_length: int, precision: str) -> dict[str, str]:
    """Everything that decides what a teacher answers to a text, part by part.

    Two teachers with the same identity give the same answers, wherever their files lie.

    Args:
        teacher ([`~teachers.LiveTeacher`]): The teacher.
        task (`str`): The name of the task.
        max_length (`int`): Texts are cut to this many tokens.
        precision (`str`): What it computes in: `"float32"`, `"bfloat16"` or `"float16"`.

    Returns:
        `dict` from the name of a part, in words, to what it is.
    """
    config: Any = teacher.model.config
    described = {name: value for name, value in config.to_dict().items() if name not in _NOT_THE_MODEL}
    return {
        "weights": hash_of_weights(_answering(teacher.model)),
        "architecture": hash_of([type(teacher.model).__qualname__, described]),
        "revision": str(config.to_dict().get("_commit_hash") or config.__dict__.get("_commit_hash")),
        "tokenizer": _hash_of_tokenizer(teacher.processing_class),
        "labels": ", ".join(teacher.labels),
        "task": task,
        "max_length": str(max_length),
        "precision": precision,
    }


def _answering(model: PreTrainedModel) -> Mapping[str, Tensor]:
    """The weights that answers depend on: a model without a head gives states, and a pooler comes after them.

    Where a checkpoint has no pooler, that is random, and would make another teacher every time.
    """
    state = model.state_dict()
    return state if has_head(model) else {name: own for name, own in state.items() if not name.startswith("pooler.")}


def hash_of_weights(state: Mapping[str, Tensor]) -> str:
    """A hash of named weights, their types and shapes."""
    digest = hashlib.sha256()
    for name, weight in sorted(state.items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)} ".encode())
        digest.update(weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]


def hash_of(values: Any) -> str:
    """A hash of plain values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:32]


_NOT_THE_MODEL = ("_name_or_path", "name_or_path", "transformers_version", "_commit_hash", "_attn_implementation")
"""What a configuration says beside the model: where it lay and what wrote it."""


def _hash_of_tokenizer(tokenizer: PreTrainedTokenizerBase) -> str:
    sides = [tokenizer.truncation_side, tokenizer.padding_side, tokenizer.model_input_names]
    if not tokenizer.is_fast:
        return hash_of([type(tokenizer).__name__, sorted(tokenizer.get_vocab().items()), sides])
    # A fast tokenizer remembers how it cut and padded last, which does not belong to it.
    described = json.loads(tokenizer.backend_tokenizer.to_str())
    return hash_of([{name: value for name, value in described.items() if name not in ("truncation", "padding")}, sides])
