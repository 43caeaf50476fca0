"""A teacher that was asked before: its answers are read from disk."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from xlkd.errors import UserError
from xlkd.folders import write_json
from xlkd.needs import ModelShape, Needs
from xlkd.outputs import Batch, TeacherOutput
from xlkd.padding import Readers, RowCollator, columns_read
from xlkd.teachers.answer_store import LENGTHS, WORDS, AnswerStore, Questions
from xlkd.teachers.base import Teacher
from xlkd.teachers.fingerprint import hash_of

RECORD = "cache.json"
TOKENIZER = "tokenizer"
SCHEMA = 3
PLACE = "answer"
"""The column that says where the answer to a row is."""

STATES = ("hidden_states", "pooled_states", "first_states", "word_states", "word_first_states")
"""The kinds of hidden states that a cache can have, by their names in `Needs` and in a teacher's output."""
_BY_TOKEN, _BY_WORD = STATES[:1], STATES[3:]


@dataclass(frozen=True)
class CacheRecord:
    """What a cache holds and of whom: the file `cache.json`.

    Args:
        identity (`dict[str, str]`): What makes the teacher's answers what they are, part by part.
        labels (`list[str]`): The teacher's classes.
        layers (`int`): How many layers it has.
        width (`int`): The size of its hidden states.
        dtype (`str`): The type of the numbers on disk, `"float16"` or `"float32"`.
        logits (`bool`): Whether the cache has logits.
        top_k (`int`, *optional*): How many logits of each answer it has, the largest; `None` for all.
        pooled_states (`list[int]`): Layers whose mean over the text it has.
        first_states (`list[int]`): Layers whose state of the first token it has.
        hidden_states (`list[int]`): Layers whose states of every token it has.
        by_word (`bool`): Whether the logits are those of every word.
        word_states (`list[int]`): Layers whose mean over every word it has.
        word_first_states (`list[int]`): Layers whose state of the first token of every word it has.
        label_map (`dict[str, str | None]`, *optional*): The label map of the run that it was built by.
    """

    identity: dict[str, str]
    labels: list[str]
    layers: int
    width: int
    dtype: str
    logits: bool
    top_k: int | None
    pooled_states: list[int]
    first_states: list[int]
    hidden_states: list[int]
    by_word: bool = False
    word_states: list[int] = field(default_factory=list)
    word_first_states: list[int] = field(default_factory=list)
    label_map: dict[str, str | None] | None = None

    @property
    def fingerprint(self) -> str:
        """One hash of all that the answers depend on."""
        return hash_of({name: value for name, value in asdict(self).items() if name != "label_map"})

    @property
    def provides(self) -> Needs:
        """What the cache can be asked for."""
        return Needs(self.logits, **{kind: frozenset(getattr(self, kind)) for kind in STATES})

    def only(self, needs: Needs) -> CacheRecord:
        """What of it is needed; the rest is on disk too."""
        kept: dict[str, Any] = {
            kind: [layer for layer in getattr(self, kind) if layer in getattr(needs, kind)] for kind in STATES
        }
        return replace(self, logits=self.logits and needs.logits, **kept)

    def bytes_of(self, questions: Questions) -> int:
        """How many bytes the answers to some texts take."""
        number = 2 if self.dtype == "float16" else 4
        vector = self.width * number
        logits = (self.top_k * (number + 4) + number) if self.top_k else len(self.labels) * number
        per_text = (len(self.pooled_states) + len(self.first_states)) * vector
        per_token = len(self.hidden_states) * vector
        per_word = (len(self.word_states) + len(self.word_first_states)) * vector
        if self.logits and self.by_word:
            per_word += logits
        elif self.logits:
            per_text += logits
        per_text += 16 + sum(4 for part in (per_token, per_word) if part)
        parts = int(questions.lengths.sum()) * per_token + int(questions.words.sum()) * per_word
        return len(questions) * per_text + parts

    def save(self, folder: Path) -> None:
        """Write `cache.json` into a folder."""
        write_json(folder / RECORD, {"schema": SCHEMA, **asdict(self)})

    @classmethod
    def read(cls, folder: Path) -> CacheRecord:
        """Read the record of a folder.

        Raises:
            [`UserError`]: If there is none, or it is not one that this version writes.
        """
        path = folder / RECORD
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values.pop("schema") != SCHEMA:
                raise ValueError("it is of another version of xlkd")
            return cls(**values)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UserError(
                f"{folder} is no cache of a teacher's answers: it has no {RECORD}. Name another folder (of an ensemble,"
                " one of the numbered folders in it)."
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise UserError(f"{path} is not readable ({error}): remove {folder} and build the cache anew.") from error


class TeacherCache(Teacher):
    """A teacher whose answers are read from a folder: no model, no forward pass, no memory but for the keys.

    Answers are looked up by the tokens that the teacher read, so rows may be shuffled, sampled, repeated and spread
    over processes, and translations of one sentence share one answer. Temperatures and weights of the losses can still
    be changed. `build_cache` makes such a folder.

    Where words are answered one by one, the words asked about are part of the question: those of a text that the
    student sees too, or that are aligned with its translation. A student whose tokenizer cuts a long text elsewhere
    gets answers of its own.

    Args:
        record ([`CacheRecord`]): What the folder holds.
        answers ([`~teachers.answer_store.AnswerStore`]): Its files.
        processing_class (`PreTrainedTokenizerBase`): The teacher's tokenizer.
        label_map (`Mapping[str, str | None]`, *optional*): As for [`~teachers.LiveTeacher`].

    Example:

    ```python
    >>> teacher = TeacherCache.open("caches/topics")
    >>> trainer = DistillationTrainer(model=student, teacher=teacher, train_dataset=rows, processing_class=tokenizer)
    ```
    """

    def __init__(
        self,
        record: CacheRecord,
        answers: AnswerStore,
        processing_class: PreTrainedTokenizerBase,
        label_map: Mapping[str, str | None] | None = None,
    ) -> None:
        self.record = record
        self.answers = answers
        self.processing_class = processing_class
        self.labels = record.labels
        self.shape = ModelShape(record.layers, record.width)
        self.provides = record.provides
        self.label_map = label_map
        self._read = record

    @classmethod
    def open(cls, folder: str | Path, label_map: Mapping[str, str | None] | None = None) -> TeacherCache:
        """Open the cache in a folder; it may come from another machine.

        Args:
            folder (`str` or `Path`): The folder.
            label_map (`Mapping[str, str | None]`, *optional*): As for [`~teachers.LiveTeacher`].

        Raises:
            [`UserError`]: If there is none, or a file in it is broken or of another teacher.
        """
        folder = Path(folder).expanduser()
        record = CacheRecord.read(folder)
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder.resolve() / TOKENIZER, local_files_only=True)
        except (OSError, ValueError) as error:
            raise UserError(
                f"The cache {folder} has no readable folder {TOKENIZER}: copy all of it, or build it again."
            ) from error
        return cls(record, AnswerStore(folder, record.fingerprint), tokenizer, label_map or record.label_map)

    @property
    def title(self) -> str:
        return f"the cache {self.answers.folder} (no cache holds attention)"

    @property
    def readers(self) -> Readers:
        return {self.prefix: self.processing_class}

    @property
    def collator(self) -> RowCollator:
        return AnswerCollator(self._read, self.answers, self.processing_class.padding_side, self.prefix)

    def expect(self, needs: Needs) -> None:
        self._read = self.record.only(needs)

    def prepare(self, dataset: Dataset, asked: np.ndarray | None = None) -> Dataset:
        """Swap the tokens of preprocessed rows for the places of the answers; -1 for rows that it is not asked about.

        Raises:
            [`UserError`]: If there are rows without an answer.
        """
        places = self.answers.places(Questions.of(dataset, self.prefix, self.processing_class).keys)
        wanted = np.ones(len(dataset), bool) if asked is None else asked
        places = np.where(wanted, places, -1)
        if missing := int((places[wanted] < 0).sum()):
            raise UserError(
                f"The cache {self.answers.folder} has no answer to {missing} of {int(wanted.sum())} rows: it was"
                " built for other texts, or not to its end, or for another max_length than"
                f" {self.record.identity['max_length']}"
                + (", or for a student that sees other words" if self.record.by_word else "")
                + ". Build it for these (scripts/cache_teacher.py CONFIG goes on where it stopped)."
            )
        read = [name for name in self._columns_read if name in dataset.column_names]
        column: Any = pa.array(places)
        return dataset.remove_columns(read).add_column(self.prefix + PLACE, column)

    @property
    def _columns_read(self) -> list[str]:
        return columns_read(self.processing_class, self.prefix)

    def to(self, device: torch.device) -> None:
        """Nothing to move: answers come with the batch."""

    def outputs(self, batch: Batch, needs: Needs) -> TeacherOutput:
        inputs = batch.teacher_inputs
        states: dict[str, Any] = {
            kind: {layer: inputs[f"{kind}_{layer}"] for layer in sorted(getattr(needs, kind))} for kind in STATES
        }
        logits, mask = inputs["logits"] if needs.logits else None, inputs.get("attention_mask")
        output = TeacherOutput(logits=logits, attention_mask=mask, **states)
        return self.in_matched_labels(output)


class AnswerCollator(RowCollator):
    """Fetches the answers to rows, in the process that makes the batch."""

    def __init__(self, record: CacheRecord, answers: AnswerStore, padding_side: str, prefix: str) -> None:
        self.record = record
        self.answers = answers
        self.padding_side = padding_side
        self.prefix = prefix
        self.columns = [prefix + PLACE]

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """What the record says of some rows: all that the cache holds, or as much of it as will be asked for."""
        if self.prefix + PLACE not in rows[0]:
            return {}
        places = [row[self.prefix + PLACE] for row in rows]
        found: dict[str, Tensor] = {}
        if self.record.logits:
            found["logits"] = self._logits(places)
        for kind in STATES:
            for layer in getattr(self.record, kind):
                found |= self._states(kind, f"{kind}_{layer}", places)
        return {self.prefix + name: values for name, values in found.items()}

    def _logits(self, places: Sequence[int]) -> Tensor:
        read = self._of_words if self.record.by_word else self.answers.rows
        if self.record.top_k is None:
            return read("logits", places)
        top, classes, rest = (read(name, places) for name in ("logits", "classes", "rest"))
        # What is known of the other classes is their mass together: each gets an equal part of it.
        others = len(self.record.labels) - self.record.top_k
        spread = (rest.float() - math.log(others)).unsqueeze(-1)
        logits: Tensor = spread.repeat_interleave(len(self.record.labels), dim=-1)
        return logits.scatter(-1, classes.long(), top.float())

    def _states(self, kind: str, name: str, places: Sequence[int]) -> dict[str, Tensor]:
        if kind in _BY_WORD:
            return {name: self._of_words(name, places)}
        return self._of_tokens(name, places) if kind in _BY_TOKEN else {name: self.answers.rows(name, places)}

    def _of_words(self, name: str, places: Sequence[int]) -> Tensor:
        return pad_sequence(self.answers.parts(name, places, WORDS), batch_first=True)

    def _of_tokens(self, name: str, places: Sequence[int]) -> dict[str, Tensor]:
        states = self.answers.parts(name, places, LENGTHS)
        side: Any = self.padding_side
        padded = pad_sequence(states, batch_first=True, padding_side=side)
        ones = [torch.ones(len(own), dtype=torch.long) for own in states]
        mask = pad_sequence(ones, batch_first=True, padding_side=side)
        return {name: padded, "attention_mask": mask}
