"""A teacher that is only an encoder is fine-tuned on the labelled rows first, kept, and reused."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from datasets import Dataset
from transformers import (
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    set_seed,
)

from xlkd.arguments import DistillationArguments, FastMatmul
from xlkd.errors import UserError
from xlkd.folders import replace_folder, user_cache
from xlkd.outputs import NO_LABEL, has_label
from xlkd.parsing import build
from xlkd.students.layers import freeze
from xlkd.teachers.fingerprint import hash_of_weights
from xlkd.text.words import WORD_SPANS
from xlkd.training import levers
from xlkd.training.weight_average import WeightAverage

logger = logging.getLogger(__name__)


def finetune_teacher(
    model: PreTrainedModel,
    processing_class: PreTrainedTokenizerBase,
    dataset: Dataset,
    arguments: Mapping[str, Any],
    *,
    seed: int = 0,
    precision: str = "auto",
    fast_matmul: FastMatmul = "auto",
) -> Path:
    """Fine-tune an encoder with a new head, or find the result of the same fine-tuning in the user's cache.

    Args:
        model (`PreTrainedModel`): The encoder with a new head.
        processing_class (`PreTrainedTokenizerBase`): Its tokenizer.
        dataset (`datasets.Dataset`): Preprocessed labelled rows, `input_ids` to `labels`.
        arguments (`Mapping[str, Any]`):
            Training arguments, and `freeze`. The defaults are 6 epochs, batches of 32 rows, and a learning rate of 1e-4
            that decays linearly after a warm-up over a tenth of the steps.
        seed (`int`, *optional*, defaults to 0): Seed of row order and dropout, where the arguments have none.
        precision (`str`, *optional*, defaults to `"auto"`):
            As in [`DistillationArguments`], where the arguments have none.
        fast_matmul (`str`, *optional*, defaults to `"auto"`): Likewise; `"on"` gives a different teacher.

    Returns:
        `Path` of the folder of the fine-tuned teacher: a plain Transformers model.

    Raises:
        [`UserError`]: If an argument is unknown or does not apply.

    Example:

    ```python
    >>> folder = finetune_teacher(model, tokenizer, dataset, {"num_train_epochs": 6})
    ```
    """
    options = {**_DEFAULTS, "seed": seed, "precision": precision, **arguments}
    fast_matmul = options.pop("fast_matmul", fast_matmul)
    if fast_matmul == "on":
        # `auto` keeps to float32, and so makes the same teacher as `off`.
        options["fast_matmul"] = fast_matmul
    processes = PartialState().num_processes
    per_process = max(int(options["per_device_train_batch_size"]) // processes, 1)
    options["per_device_train_batch_size"] = per_process * processes
    if WORD_SPANS in dataset.column_names:
        dataset = dataset.map(labels_of_tokens, remove_columns=[WORD_SPANS], desc="Labelling tokens")
    else:
        # Transformers leaves out a class id of -100 by itself, and takes NaN for a number.
        dataset = dataset.select(np.flatnonzero(has_label(torch.tensor(dataset["labels"][:]))))
    folder = user_cache() / "teachers" / _fingerprint(model, processing_class, dataset, options)
    # The main process decides for all: another run may finish the same teacher between two looks.
    [made_before] = broadcast_object_list([_is_made(folder)])
    if made_before:
        logger.info("Teacher: fine-tuned before, taken from %s.", folder)
        return folder
    logger.info("Teacher: fine-tuning on %d labelled rows; kept in %s.", len(dataset), folder)
    frozen = options.get("freeze")
    if frozen is not None:
        freeze(model, frozen)
    with tempfile.TemporaryDirectory() as scratch:
        own = {"fast_matmul": fast_matmul, "per_device_train_batch_size": per_process}
        args = finetune_arguments({**options, **own}, Path(scratch))
        set_seed(args.seed)
        trainer = Trainer(
            model=model,
            args=args,
            train_dataset=dataset,
            data_collator=_collator(processing_class, dataset),
            processing_class=processing_class,
            callbacks=[WeightAverage()],
        )
        with levers.fast_matmul(args.fast_matmul, args.device, [model]):
            trainer.train()
        if trainer.is_world_process_zero():
            replace_folder(folder, lambda new: _save(model, processing_class, new), stays=_is_made)
        trainer.accelerator.wait_for_everyone()
    return folder


def finetune_arguments(options: Mapping[str, Any], folder: Path) -> DistillationArguments:
    """What fine-tunes a teacher.

    Args:
        options (`Mapping[str, Any]`): Training arguments, and `freeze`, which is none.
        folder (`Path`): Its `output_dir`.

    Raises:
        [`UserError`]: If an argument is unknown or does not apply.
    """
    own = {key: value for key, value in options.items() if key != "freeze"}
    args: DistillationArguments = build(DistillationArguments, {**own, "output_dir": str(folder)}, "teacher.finetune")
    if args.mixture is not None:
        raise UserError("teacher.finetune: mixture does not apply to labelled rows of one language: leave it out.")
    return args


def labels_of_tokens(row: Mapping[str, Any]) -> dict[str, list[int]]:
    """The labels of words at the first token of each, as models of Transformers take them; -100 at all other tokens.

    Args:
        row (`Mapping[str, Any]`): `input_ids`, `word_spans` and `labels`, one a word.
    """
    labels = [NO_LABEL] * len(row["input_ids"])
    for label, first in zip(row["labels"], row[WORD_SPANS][::2], strict=True):
        labels[first] = label
    return {"labels": labels}


def _collator(
    processing_class: PreTrainedTokenizerBase, dataset: Dataset
) -> DataCollatorForTokenClassification | DataCollatorWithPadding:
    labels = dataset[0]["labels"]
    if isinstance(labels, list) and isinstance(labels[0], int):
        return DataCollatorForTokenClassification(processing_class)
    return DataCollatorWithPadding(processing_class)


_DEFAULTS: dict[str, Any] = {
    "num_train_epochs": 6,
    "learning_rate": 1e-4,
    "per_device_train_batch_size": 32,
    "warmup_steps": 0.1,
    "logging_steps": 20,
    "save_strategy": "no",
    "report_to": "none",
}


def _is_made(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def _save(model: PreTrainedModel, processing_class: PreTrainedTokenizerBase, folder: Path) -> None:
    model.save_pretrained(folder)
    processing_class.save_pretrained(folder)


def _fingerprint(
    model: PreTrainedModel, processing_class: PreTrainedTokenizerBase, dataset: Dataset, options: Mapping[str, Any]
) -> str:
    """A hash of everything that decides the result: encoder, rows, labels and arguments."""
    digest = hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode())
    digest.update(json.dumps(model.config.id2label, sort_keys=True).encode())
    digest.update(model.config.to_json_string().encode())
    for name in ("input_ids", "labels"):
        digest.update(json.dumps(dataset[name][:]).encode())
    # The head is new and random; the encoder's weights are what the teacher starts from.
    encoder = {name: weight for name, weight in model.base_model.state_dict().items() if "pooler" not in name}
    digest.update(hash_of_weights(encoder).encode())
    return digest.hexdigest()[:32]
