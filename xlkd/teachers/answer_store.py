"""A teacher's answers on disk: memory-mapped safetensors files, found by what the teacher read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import safetensors
import safetensors.torch
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from xlkd.errors import UserError
from xlkd.text.words import WORD_SPANS

KEYS = "keys"
LENGTHS = "lengths"
WORDS = "words"
KEY_BYTES = 16
_KEY = np.dtype(f"S{KEY_BYTES}")
SHARDS = "answers-*.safetensors"


@dataclass(frozen=True)
class Questions:
    """The different texts that a teacher reads in a data set, by what it reads of them.

    Args:
        keys (`numpy.ndarray` of shape `(rows,)`): The key of what the teacher reads in each row.
        first_rows (`numpy.ndarray` of shape `(texts,)`): The first row of each different text.
        lengths (`numpy.ndarray` of shape `(texts,)`): How many tokens it has.
        words (`numpy.ndarray` of shape `(texts,)`): How many words it is asked about one by one.
    """

    keys: np.ndarray
    first_rows: np.ndarray
    lengths: np.ndarray
    words: np.ndarray

    @classmethod
    def of(cls, dataset: Dataset, prefix: str, tokenizer: PreTrainedTokenizerBase) -> Questions:
        """Read them from preprocessed rows, in the columns of the reader with this prefix and tokenizer."""
        # The mask only says how long the text is; everything else is what the teacher reads.
        names = [name for name in sorted([*tokenizer.model_input_names, WORD_SPANS]) if name != "attention_mask"]
        columns = [prefix + name for name in names if prefix + name in dataset.column_names]
        keys = np.empty(len(dataset), _KEY)
        lengths = np.empty((len(dataset), 2), np.int32)
        start = 0
        for table in dataset.select_columns(columns).with_format("arrow").iter(batch_size=_ROWS_AT_A_TIME):
            for row, (key, tokens, words) in enumerate(_keys_of(table, prefix), start=start):
                keys[row], lengths[row] = key, (tokens, words)
            start += len(table)
        _, first_rows = np.unique(keys, return_index=True)
        return cls(keys, first_rows, *lengths[first_rows].T)

    def where(self, wanted: np.ndarray) -> Questions:
        """Some of the texts; `wanted` of shape `(texts,)` says which, or in which order."""
        return Questions(self.keys, self.first_rows[wanted], self.lengths[wanted], self.words[wanted])

    def __len__(self) -> int:
        return len(self.first_rows)

    @property
    def text_keys(self) -> np.ndarray:
        """The keys of the different texts, of shape `(texts,)`."""
        return np.asarray(self.keys[self.first_rows])


_ROWS_AT_A_TIME = 10_000


def _keys_of(table: pa.Table, prefix: str) -> Iterator[tuple[bytes, int, int]]:
    names = [name.removeprefix(prefix) for name in table.column_names]
    columns = [table.column(name).combine_chunks() for name in table.column_names]
    parts = [(column.offsets.to_numpy(), column.values.to_numpy().astype(np.int32)) for column in columns]
    for row in range(len(table)):
        digest, lengths = hashlib.blake2b(digest_size=KEY_BYTES), {WORD_SPANS: 0}
        for name, (offsets, values) in zip(names, parts, strict=True):
            own = values[offsets[row] : offsets[row + 1]]
            lengths[name] = len(own)
            digest.update(f"{name} {len(own)} ".encode())
            digest.update(own.data)
        yield digest.digest(), lengths["input_ids"], lengths[WORD_SPANS] // 2


class AnswerStore:
    """The answers in a folder.

    Args:
        folder (`Path`): The folder.
        fingerprint (`str`): Of the teacher whose they must be.
        files (`Sequence[Path]`, *optional*): Those of them that are read; by default all that are there now.

    Raises:
        [`UserError`]: If a file is broken, or of another teacher.
    """

    def __init__(self, folder: Path, fingerprint: str, files: Sequence[Path] | None = None) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self.files = sorted(folder.glob(SHARDS)) if files is None else list(files)
        self.shards = [_read_shard(path, fingerprint) for path in self.files]
        keys = [shard[KEYS].numpy().reshape(-1).view(_KEY) for shard in self.shards]
        every = np.concatenate([np.empty(0, _KEY), *keys])
        order = np.argsort(every, kind="stable")
        self.keys = every[order]
        counts = [len(own) for own in keys]
        self._shard = np.repeat(np.arange(len(keys)), counts)[order]
        self._row = np.concatenate([np.empty(0, np.int64), *(np.arange(count) for count in counts)])[order]
        # What tokens or words have lies one behind the other, of all texts of a file.
        self._starts = {
            kind: [
                np.concatenate([[0], np.cumsum(shard[kind].numpy())]) if kind in shard else None
                for shard in self.shards
            ]
            for kind in (LENGTHS, WORDS)
        }

    def __reduce__(self) -> tuple[type[AnswerStore], tuple[Path, str, list[Path]]]:
        # A worker of a data loader maps the files itself: the same ones, or places would mean other answers.
        return AnswerStore, (self.folder, self.fingerprint, self.files)

    def __len__(self) -> int:
        return len(self.keys)

    def places(self, keys: np.ndarray) -> np.ndarray:
        """Where the answers to these texts are, of shape `(texts,)`; -1 where there is none."""
        if not len(self.keys):
            return np.full(len(keys), -1)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, places, -1)

    def rows(self, name: str, places: Sequence[int]) -> Tensor:
        """One value of some answers, of shape `(texts, ...)`."""
        return torch.stack([self.shards[self._shard[place]][name][self._row[place]] for place in places])

    def parts(self, name: str, places: Sequence[int], kind: str = LENGTHS) -> list[Tensor]:
        """A value that every token of a text has, or every word, of some answers: one of shape `(parts, ...)` a text.

        Args:
            name (`str`): The name of the value.
            places (`Sequence[int]`): Where the answers are.
            kind (`str`, *optional*, defaults to `LENGTHS`): What there is one of, tokens or `WORDS`.
        """
        found = []
        for place in places:
            starts = self._starts[kind][self._shard[place]]
            assert starts is not None
            row = self._row[place]
            found.append(self.shards[self._shard[place]][name][starts[row] : starts[row + 1]])
        return found


def write_answers(folder: Path, fingerprint: str, keys: np.ndarray, values: Mapping[str, Tensor]) -> None:
    """Add answers to a folder, as one file that appears whole or not at all.

    Args:
        folder (`Path`): The folder.
        fingerprint (`str`): Of the teacher.
        keys (`numpy.ndarray` of shape `(texts,)`): What they are answers to.
        values (`Mapping[str, torch.Tensor]`): What was answered.
    """
    name = hashlib.sha256(keys.tobytes()).hexdigest()[:16]
    key_bytes = torch.from_numpy(np.frombuffer(keys.tobytes(), np.uint8).reshape(-1, KEY_BYTES).copy())
    scratch = folder / f".{name}-{os.getpid()}.tmp"
    try:
        safetensors.torch.save_file({KEYS: key_bytes, **values}, scratch, {"teacher": fingerprint})
        scratch.replace(folder / SHARDS.replace("*", name))
    finally:
        scratch.unlink(missing_ok=True)


def _read_shard(path: Path, fingerprint: str) -> dict[str, Tensor]:
    try:
        with safetensors.safe_open(path, "pt") as file:
            teacher = (file.metadata() or {}).get("teacher")
            shard = {name: file.get_tensor(name) for name in list(file.keys())}
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(
            f"The file {path} of the teacher's answers is broken ({error}): remove it, and build the cache again; only"
            " what it held is asked anew."
        ) from error
    if teacher != fingerprint or KEYS not in shard:
        raise UserError(f"The file {path} has the answers of another teacher: remove it from this cache.")
    return shard
