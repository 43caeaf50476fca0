"""What a student is beside its teacher: its size, its speed, and how it cuts the text of its languages."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlkd.folders import STUDENT_FILE, write_json
from xlkd.students.verification import LanguageCheck

BATCH_SIZES = (1, 32)
ROUNDS = 7
LENGTH = 64
"""Texts are cut to so many pieces for the timing."""


@dataclass(frozen=True)
class ModelSize:
    """Where the weights of a model are, and what it weighs.

    Args:
        embeddings (`int`): Parameters of the table of pieces.
        encoder (`int`): Parameters of the layers, and of positions and a pooler.
        head (`int`): Parameters of the head of the task.
        vocabulary (`int`): Rows of the embedding table.
        layers (`int`): Layers.
        bytes (`int`): Size of the saved folder, weights and tokenizer.
        precision (`str`): What the weights are in, and what was timed.
        milliseconds (`dict[str, float]`): Median time of one forward pass, by texts at a time.
    """

    embeddings: int
    encoder: int
    head: int
    vocabulary: int
    layers: int
    bytes: int
    precision: str
    milliseconds: dict[str, float]

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.embeddings + self.encoder + self.head


@dataclass(frozen=True)
class StudentReport:
    """What a student is beside its teacher.

    Args:
        student ([`ModelSize`]): The student.
        teacher ([`ModelSize`], *optional*): Its teacher.
        languages (`dict[str, LanguageCheck]`): How text is cut by its tokenizer and the teacher's, by language.
        threads (`int`, *optional*, defaults to 1): The threads of the timing.
    """

    student: ModelSize
    teacher: ModelSize | None = None
    languages: Mapping[str, LanguageCheck] = field(default_factory=dict)
    threads: int = 1

    @classmethod
    def measure(
        cls,
        student: tuple[PreTrainedModel, PreTrainedTokenizerBase],
        teacher: tuple[PreTrainedModel, PreTrainedTokenizerBase] | None,
        languages: Mapping[str, LanguageCheck],
        texts: Sequence[str],
    ) -> StudentReport:
        """Measure a student beside its teacher, on the same texts, in turn.

        Args:
            student (`tuple[PreTrainedModel, PreTrainedTokenizerBase]`): The student and its tokenizer.
            teacher (`tuple[PreTrainedModel, PreTrainedTokenizerBase]`, *optional*): The teacher and its own.
            languages (`Mapping[str, LanguageCheck]`): How its tokenizer cuts text beside the teacher's.
            texts (`Sequence[str]`): Texts to read for the timing.
        """
        pairs = [student] if teacher is None else [student, teacher]
        times = latencies(pairs, texts)
        sizes = [model_size(*pair, taken) for pair, taken in zip(pairs, times, strict=True)]
        return cls(sizes[0], sizes[1] if teacher else None, languages, threads=torch.get_num_threads())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self) | {"languages": {language: asdict(check) for language, check in self.languages.items()}}

    def save(self, folder: Path) -> None:
        """Write `student.json`."""
        write_json(folder / STUDENT_FILE, self.to_dict())

    @classmethod
    def load(cls, folder: Path) -> StudentReport:
        """Read `student.json`."""
        values = json.loads((folder / STUDENT_FILE).read_text(encoding="utf-8"))
        values["student"] = ModelSize(**values["student"])
        values["teacher"] = None if values["teacher"] is None else ModelSize(**values["teacher"])
        values["languages"] = {name: LanguageCheck(**check) for name, check in values["languages"].items()}
        return cls(**values)

    def table(self) -> str:
        """The report in words and columns."""
        sizes = [self.student] + ([] if self.teacher is None else [self.teacher])
        lines = ["                              student" + "       teacher     ratio" * (len(sizes) - 1)]
        for name, unit, value in _rows(list(self.student.milliseconds)):
            values = [value(size) for size in sizes]
            ratio = [f"{values[0] / values[1]:10.2f}"] if len(values) > 1 and values[1] else []
            number = "{:10,.1f} {:<3}" if unit else "{:10,.0f} {:<3}"
            lines.append("".join([f"{name:<26}", *(number.format(value, unit) for value in values), *ratio]))
        precisions = " and ".join(dict.fromkeys(size.precision for size in sizes))
        lines.append(f"(times: median of {ROUNDS} in turn, {precisions}, {self.threads} thread(s))")
        return "\n".join(lines + self._language_lines())

    def _language_lines(self) -> list[str]:
        if not self.languages:
            return []
        lines = ["", "language        texts   cut as before   unknown (before)   pieces per word (before)"]
        for language, check in self.languages.items():
            lines.append(
                f"{language:<12}{check.texts:9}{'' if check.held_out else '*'}{100 * check.same:14.0f} %"
                f"{100 * check.unknown:9.2f} % ({100 * check.unknown_before:.2f})"
                f"{check.pieces_per_word:15.2f} ({check.pieces_per_word_before:.2f})"
            )
        return [*lines, "(before: as the teacher's tokenizer cuts it; * text that was counted for the vocabulary too)"]


def _rows(batch_sizes: Sequence[str]) -> list[tuple[str, str, Callable[[ModelSize], float]]]:
    """The lines of the table: their name, their unit, and what they show of a model."""
    rows: list[tuple[str, str, Callable[[ModelSize], float]]] = [
        ("parameters, embeddings", "M", lambda own: own.embeddings / 1e6),
        ("parameters, layers", "M", lambda own: own.encoder / 1e6),
        ("parameters, head", "M", lambda own: own.head / 1e6),
        ("parameters, all", "M", lambda own: own.parameters / 1e6),
        ("size on disk", "MB", lambda own: own.bytes / 1e6),
        ("pieces in the vocabulary", "", lambda own: own.vocabulary),
        ("layers", "", lambda own: own.layers),
    ]
    for size in batch_sizes:
        name = "time of 1 text" if size == "1" else f"time of {size} texts"
        rows.append((name, "ms", partial(_milliseconds, size)))
    return rows


def _milliseconds(size: str, own: ModelSize) -> float:
    return own.milliseconds[size]


def model_size(
    model: PreTrainedModel, processing_class: PreTrainedTokenizerBase, milliseconds: dict[str, float]
) -> ModelSize:
    """Count the parameters of a model, and the bytes that it takes on disk.

    Args:
        model (`PreTrainedModel`): The model.
        processing_class (`PreTrainedTokenizerBase`): Its tokenizer.
        milliseconds (`dict[str, float]`): What [`latencies`] measured of it.
    """
    table = model.get_input_embeddings().weight
    prefix = "" if model.base_model is model else model.base_model_prefix + "."
    counts = {"embeddings": 0, "encoder": 0, "head": 0}
    for name, parameter in model.named_parameters():
        part = "embeddings" if parameter is table else "encoder" if name.startswith(prefix) else "head"
        counts[part] += parameter.numel()
    with tempfile.TemporaryDirectory() as folder:
        processing_class.save_pretrained(folder)
        written = sum(path.stat().st_size for path in Path(folder).iterdir())
    weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    rows: Any = model.get_input_embeddings().num_embeddings
    return ModelSize(
        **counts,
        vocabulary=rows,
        layers=model.config.num_hidden_layers,
        bytes=weights + written,
        precision=str(model.dtype).removeprefix("torch."),
        milliseconds=milliseconds,
    )


@torch.inference_mode()
def latencies(
    pairs: Sequence[tuple[PreTrainedModel, PreTrainedTokenizerBase]], texts: Sequence[str]
) -> list[dict[str, float]]:
    """The median time of one forward pass of each model, in milliseconds, by texts at a time.

    The models take turns, so that what else the machine does meets all of them.

    Args:
        pairs (`Sequence[tuple[PreTrainedModel, PreTrainedTokenizerBase]]`): Models and their tokenizers.
        texts (`Sequence[str]`): Texts to read.
    """
    times: list[dict[str, list[float]]] = [{str(size): [] for size in BATCH_SIZES} for _ in pairs]
    for size in BATCH_SIZES:
        some = (list(texts) * size)[:size]
        inputs = [_encoded(tokenizer, some).to(model.device) for model, tokenizer in pairs]
        for turn in range(ROUNDS + 1):
            for (model, _), encoded, own in zip(pairs, inputs, times, strict=True):
                taken = _time(model, encoded)
                if turn:  # the first one warms up
                    own[str(size)].append(taken)
    return [{size: statistics.median(taken) for size, taken in own.items()} for own in times]


def _encoded(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> Any:
    length = min(LENGTH, tokenizer.model_max_length)
    # One text needs no padding, and some tokenizers have none.
    return tokenizer(texts, padding=len(texts) > 1, truncation=True, max_length=length, return_tensors="pt")


def _time(model: PreTrainedModel, inputs: Any) -> float:
    training = model.training
    model.eval()
    start = time.perf_counter()
    model(**inputs)[0].cpu()
    taken = 1000 * (time.perf_counter() - start)
    model.train(training)
    return taken
