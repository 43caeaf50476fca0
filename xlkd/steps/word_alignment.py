"""Which words of parallel text mean the same, from the teacher's own vectors: so its tags cross from text to text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from accelerate import PartialState
from datasets import Dataset
from torch import Tensor
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerBase

from xlkd.errors import UserError
from xlkd.losses.directions import unit
from xlkd.needs import Needs
from xlkd.padding import NOBODY, Readers
from xlkd.tasks.cutting import CutText, Span, agreed_words, cut_texts, found_words, token_spans
from xlkd.tasks.token_classification import ALIGNMENT
from xlkd.teachers import LiveTeacher
from xlkd.text.words import joined, mean_over_words, padded_spans


def align_words(
    dataset: Dataset,
    teacher: LiveTeacher,
    *,
    readers: Readers = NOBODY,
    max_length: int = 128,
    layer: int | None = None,
    batch_size: int = 32,
) -> Dataset:
    r"""Add to parallel rows the column that says which words of the two texts mean the same.

    With \\(s_i\\) the mean over the tokens of source word \\(i\\) in a layer of the teacher, and \\(t_j\\) likewise of
    target word \\(j\\), two words are a pair where each is the nearest to the other: \\(j = \arg\max_{j'} \cos(s_i,
    t_{j'})\\) and \\(i = \arg\max_{i'} \cos(s_{i'}, t_j)\\) (Jalili Sabet et al., [SimAlign](https://huggingface.co/papers/2004.08728)).
    Words without such a partner are left out: a missing pair costs one word, a wrong one teaches a wrong tag.

    Args:
        dataset (`datasets.Dataset`): Rows with `text` and `teacher_text`; where they are equal there is nothing to do.
        teacher ([`~teachers.LiveTeacher`]): Reads both texts. A multilingual model, fine-tuned or not.
        readers (`dict[str, PreTrainedTokenizerBase]`, *optional*): Who will read the rows, as for [`Task.preprocess`]:
            where a script has no spaces, words are the pieces on which all of them agree.
        max_length (`int`, *optional*, defaults to 128): Texts are cut to this many tokens.
        layer (`int`, *optional*): The layer whose states are compared; defaults to two thirds of the way up, where
            words of two languages are most alike.
        batch_size (`int`, *optional*, defaults to 32): Rows at a time.

    Returns:
        `datasets.Dataset` with `alignment`: of each pair of words the beginning and end in the source text, then in the
        target text, one pair behind the other; `None` for rows that are no parallel text.

    Raises:
        [`UserError`]: If the rows have no `text` or no `teacher_text`, or the tokenizer does not say where tokens are.

    Example:

    ```python
    >>> rows = Dataset.from_list([{"teacher_text": "Nairobi is big", "text": "Nairobi ni kubwa"}])
    >>> align_words(rows, teacher)[0]["alignment"]
    [0, 7, 0, 7, 8, 10, 8, 10, 11, 14, 11, 16]
    ```
    """
    if missing := [name for name in ("text", "teacher_text") if name not in dataset.column_names]:
        raise UserError(f"There is nothing to align: the rows have no column {' and no column '.join(missing)}.")
    layer = round(teacher.shape.layers * 2 / 3) if layer is None else layer
    student = [reader for prefix, reader in readers.items() if not prefix]
    sides = {"teacher_text": [reader for prefix, reader in readers.items() if prefix], "text": student}
    pairs: list[list[int] | None] = [None] * len(dataset)
    lengths = {
        row: len(own["text"])
        for row, own in enumerate(dataset.select_columns(["text", "teacher_text"]))
        if _is_parallel(own)
    }
    # Texts of like length together: hardly any padding.
    parallel = sorted(lengths, key=lengths.__getitem__)
    starts = range(0, len(parallel), batch_size)
    for start in tqdm(starts, desc="Aligning words", disable=not parallel or not PartialState().is_main_process):
        rows = parallel[start : start + batch_size]
        texts = {name: joined(values) for name, values in dataset[rows].items() if name in sides}
        source, target = (_vectors(texts[name], teacher, others, layer, max_length) for name, others in sides.items())
        for row, own, other in zip(rows, source, target, strict=True):
            pairs[row] = _mutual_neighbours(own, other)
    column: Any = pairs
    return dataset.add_column(ALIGNMENT, column)


def _is_parallel(row: dict[str, Any]) -> bool:
    return row["teacher_text"] is not None and row["teacher_text"] != row["text"]


WordVectors = tuple[list[Span], Tensor]
"""The characters of the words of a text, and a direction for each, of shape `(words, width)`."""


@torch.no_grad()
def _vectors(
    texts: Sequence[str],
    teacher: LiveTeacher,
    others: Sequence[PreTrainedTokenizerBase],
    layer: int,
    max_length: int,
) -> list[WordVectors]:
    readings = cut_texts(teacher.processing_class, texts, max_length)
    besides = [cut_texts(reader, texts, max_length) for reader in others if reader is not teacher.processing_class]
    words = [_seen_words(text, *own) for text, *own in zip(texts, readings, *besides, strict=True)]
    padded = teacher.processing_class.pad([reading.inputs for reading in readings], return_tensors="pt")
    inputs = {name: value.to(teacher.model.device) for name, value in dict(padded).items()}
    states = teacher.answer(inputs, Needs(hidden_states=frozenset({layer}))).hidden_states[layer]
    width = states.shape[1]
    left = teacher.processing_class.padding_side == "left"
    shifts = [width - len(reading.visible) if left else 0 for reading in readings]
    spans = padded_spans([[token for _, own in row for token in own] for row in words], shifts).to(states.device)
    directions = unit(mean_over_words(states.float(), spans))
    return [([span for span, _ in row], directions[place, : len(row)]) for place, row in enumerate(words)]


def _seen_words(text: str, reading: CutText, *others: CutText) -> list[tuple[Span, Span]]:
    words = agreed_words(found_words(text), [reading, *others])
    return [
        (word, own) for word, own in zip(words, token_spans(words, reading.visible), strict=True) if own is not None
    ]


def _mutual_neighbours(source: WordVectors, target: WordVectors) -> list[int]:
    if not source[0] or not target[0]:
        return []
    likeness = source[1] @ target[1].T
    forth, back = likeness.argmax(1).tolist(), likeness.argmax(0).tolist()
    return [
        place for own, other in enumerate(forth) if back[other] == own for place in (*source[0][own], *target[0][other])
    ]
