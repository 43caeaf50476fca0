"""What makes a teacher's answers what they are, as short hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

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
        "weights": hash_of_weights(teacher.model.state_dict()),
        "architecture": _short(json.dumps(described, sort_keys=True, default=str)),
        "revision": str(config.to_dict().get("_commit_hash") or config.__dict__.get("_commit_hash")),
        "tokenizer": _hash_of_tokenizer(teacher.processing_class),
        "labels": ", ".join(teacher.labels),
        "task": task,
        "max_length": str(max_length),
        "precision": precision,
    }


def hash_of_weights(state: Mapping[str, Tensor]) -> str:
    """A hash of named weights, their types and shapes."""
    digest = hashlib.sha256()
    for name, weight in sorted(state.items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)} ".encode())
        digest.update(weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]


def hash_of(identity: Mapping[str, Any]) -> str:
    """One hash of all parts."""
    return _short(json.dumps(identity, sort_keys=True, default=str))


_NOT_THE_MODEL = ("_name_or_path", "name_or_path", "transformers_version", "_commit_hash", "_attn_implementation")
"""What a configuration says beside the model: where it lay and what wrote it."""


def _hash_of_tokenizer(tokenizer: PreTrainedTokenizerBase) -> str:
    if tokenizer.is_fast:
        return _short(_without_state(tokenizer))
    return _short(json.dumps([type(tokenizer).__name__, sorted(tokenizer.get_vocab().items())]))


def _without_state(tokenizer: PreTrainedTokenizerBase) -> str:
    # A fast tokenizer remembers how it cut and padded last, which does not belong to it.
    described = json.loads(tokenizer.backend_tokenizer.to_str())
    return json.dumps({name: value for name, value in described.items() if name not in ("truncation", "padding")})


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
