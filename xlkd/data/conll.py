"""Files of words and their labels, one word a line, an empty line between sentences: CoNLL and its kin."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset

from xlkd.errors import UserError
from xlkd.text.words import without_spaces

SUFFIXES = (".conll", ".conllu", ".iob", ".iob2", ".bio")
"""Suffixes of files that are nothing else. A `.txt` may be one: [`is_conll`] looks into it."""

_UNIVERSAL_PARTS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"
_TAG = re.compile(rf"O|[BIESLUMW]-\S+|{_UNIVERSAL_PARTS.replace(' ', '|')}")
_PART = re.compile(r"\d+[-.]\d+")
# A line without a tag is then a mistake that has a place, and not the end of all labels.
_MOST = 0.95
_LINES_LOOKED_AT = 200
_LONGEST_ENTRY = 40
"""Characters of a line that may be a word and its tag."""


def read_conll(files: Sequence[str], text: str = "text", label: str = "label", labelled: bool = True) -> Dataset:
    """Read sentences: the words joined by single spaces, and the list of their labels.

    The word is in the first column and the label in the last. Where the first column counts the words of each sentence,
    the word is in the second, and the label in the first that holds tags (Universal NER, CoNLL-X); of Universal
    Dependencies (`.conllu`) it is the universal part of speech; `_` is no label there. Columns end at a tab where
    there is one in the line, else at spaces.

    Args:
        files (`Sequence[str]`): The files.
        text (`str`, *optional*, defaults to `"text"`): What to call the column of the words, which has no name there.
        label (`str`, *optional*, defaults to `"label"`): Likewise, of the labels.
        labelled (`bool`, *optional*, defaults to `True`): Whether every word must have a label; else a line may be a
            word alone.

    Raises:
        [`UserError`]: If a line has no word, no label and needs one, or other columns than most; or if no column holds
            labels, or the first.

    Example:

    ```python
    >>> read_conll(["masakhaner/swa/train.txt"])[0]
    {'text': 'Wizara ya afya', 'label': ['B-ORG', 'I-ORG', 'I-ORG']}
    ```
    """
    sentences = [pairs for file in files for pairs in _sentences(file, labelled)]
    return Dataset.from_list(
        [{text: " ".join(word for word, _ in own), label: [tag for _, tag in own]} for own in sentences]
    )


def is_conll(file: str) -> bool:
    """Whether a text file has a tag in nearly every line, as far as its beginning shows."""
    sentences = _beginning(file)
    columns = _columns_in(sentences)
    return columns.label is not None and _holds_tags(_words_in(sentences, columns.counted), columns.label)


def looks_like_words(file: str) -> bool:
    """Whether a text file without such tags may have one word a line all the same: short lines, empty ones between."""
    with open(file, encoding="utf-8-sig") as lines:
        head = list(itertools.islice(lines, _LINES_LOOKED_AT))
    full = [line for line in head if line.strip()]
    short = all(len(line.split()) <= 2 and len(line) <= _LONGEST_ENTRY for line in full)
    return short and 0 < len(full) < len(head)


@dataclass(frozen=True)
class _Columns:
    """Where a word and its label stand in a line, from its end where that is below 0; and whether words are counted.

    `width` is how many columns a line has, where the label is told from its end.
    """

    word: int
    label: int | None
    counted: bool
    width: int | None = None


_UNIVERSAL = _Columns(word=1, label=3, counted=True)


def _columns_of(file: str, labelled: bool) -> _Columns:
    if Path(file).suffix.lower() == ".conllu":
        return _UNIVERSAL
    sentences = _beginning(file)
    columns = _columns_in(sentences)
    if labelled and columns.label is None:
        raise UserError(
            f"{file} counts its words in the first column, and no other column holds a tag such as B-PER or NOUN in"
            " nearly every line: leave only two columns in it, the word and its label."
        )
    rows = _words_in(sentences, columns.counted)
    firsts = [fields[0] for fields in rows]
    if labelled and _are_tags(firsts) and not (columns.label is not None and _holds_tags(rows, columns.label)):
        raise UserError(
            f"{file} has tags such as {firsts[0]!r} in its first column, where the words should be: write the word"
            " first, and its label last."
        )
    return columns


def _columns_in(sentences: Sequence[Sequence[Sequence[str]]]) -> _Columns:
    counted = _are_counted(sentences)
    rows = _words_in(sentences, counted)
    if not counted:
        empty = min((_empty_at_end(fields) for fields in rows if len(fields) > 1), default=0)
        ((usual, often),) = Counter(len(fields) for fields in rows).most_common(1) or [(0, 0)]
        # Of words alone, some may have a label that nobody reads.
        is_width = usual > 1 and 2 * often > len(rows)
        return _Columns(word=0, label=-1 - empty, counted=False, width=usual if is_width else None)
    width = max(len(fields) for fields in rows)
    tags = [column for column in range(2, width) if _holds_tags(rows, column)]
    only = 2 if width == 3 else None
    return _Columns(word=1, label=tags[0] if tags else only, counted=True)


def _are_counted(sentences: Sequence[Sequence[Sequence[str]]]) -> bool:
    """Whether the lines of each sentence begin with 1, 2, 3, ..., leaving out remarks and what is no word."""
    firsts = [
        [fields[0] for fields in sentence if not fields[0].startswith("#") and not _PART.fullmatch(fields[0])]
        for sentence in sentences
    ]
    counted = all(first[0].isdecimal() and first == _numbers_from(first[0], len(first)) for first in firsts if first)
    return counted and any(len(first) > 1 for first in firsts)


def _numbers_from(first: str, count: int) -> list[str]:
    return [str(int(first) + step) for step in range(count)]


def _words_in(sentences: Sequence[Sequence[Sequence[str]]], counted: bool) -> list[Sequence[str]]:
    return [fields for sentence in sentences for fields in sentence if not counted or fields[0].isdecimal()]


def _empty_at_end(fields: Sequence[str]) -> int:
    return sum(1 for _ in itertools.takewhile(lambda field: not field.strip(), reversed(fields)))


def _holds_tags(rows: Sequence[Sequence[str]], column: int) -> bool:
    return _are_tags([_label_at(fields, column) or "" for fields in rows])


def _are_tags(entries: Sequence[str]) -> bool:
    tagged = [_TAG.fullmatch(entry) is not None for entry in entries]
    return bool(entries) and sum(tagged) >= _MOST * len(entries)


def _beginning(file: str) -> list[list[list[str]]]:
    """The columns of the first lines, by sentence and line."""
    with open(file, encoding="utf-8-sig") as lines:
        sentences = [[_fields(line) for _, line in own] for own in _split(itertools.islice(lines, _LINES_LOOKED_AT))]
    words = ([fields for fields in sentence if not _is_remark(fields)] for sentence in sentences)
    return [sentence for sentence in words if sentence]


def _split(lines: Iterable[str]) -> Iterator[Iterator[tuple[int, str]]]:
    """The numbers and lines of each sentence."""
    numbered = ((number, line.rstrip("\r\n")) for number, line in enumerate(lines, start=1))
    for empty, sentence in itertools.groupby(numbered, key=lambda entry: not entry[1].strip()):
        if not empty:
            yield sentence


def _sentences(file: str, labelled: bool) -> Iterator[list[tuple[str, str | None]]]:
    columns = _columns_of(file, labelled)
    with open(file, encoding="utf-8-sig") as lines:
        for sentence in _split(lines):
            if pairs := list(_pairs(sentence, file, columns, labelled)):
                yield pairs


def _pairs(
    sentence: Iterable[tuple[int, str]], file: str, columns: _Columns, labelled: bool
) -> Iterator[tuple[str, str | None]]:
    for number, line in sentence:
        fields = _fields(line)
        # `1-2` is a contraction of words that follow, `1.1` a word that is not written.
        if _is_remark(fields) or (columns.counted and not fields[0].isdecimal()):
            continue
        word = fields[columns.word] if len(fields) > columns.word else ""
        label = None if columns.label is None else _label_at(fields, columns.label)
        if not word or (labelled and not label):
            raise UserError(
                f"{file} line {number} has no {'label' if word else 'word'}: {line!r}. Give it a word and a label, or"
                " mend the file."
            )
        if columns.width is not None and (len(fields) > columns.width or (labelled and len(fields) < columns.width)):
            raise UserError(
                f"{file} line {number} has {len(fields)} columns, where most lines have {columns.width}: {line!r}. Give"
                " it as many; columns end at spaces or, where there is one in the line, at tabs."
            )
        yield without_spaces(word), None if columns.counted and label == "_" else label


def _label_at(fields: Sequence[str], column: int) -> str | None:
    place = column if column >= 0 else len(fields) + column
    # The first column is never the label.
    return fields[place].strip() or None if 0 < place < len(fields) else None


def _fields(line: str) -> list[str]:
    # Not at every space: one that does not break is part of a word.
    line = line.rstrip("\r\n")
    return line.split("\t") if "\t" in line else [field for field in line.split(" ") if field]


def _is_remark(fields: Sequence[str]) -> bool:
    """Whether a line is about the text: where a document begins, `# id ...` (MultiCoNER), or `# text = ...`."""
    if fields[0] in ("#begin", "#end"):
        return fields[1:2] == ["document"]
    is_named = fields[1:2] in (["newdoc"], ["newpar"]) or (fields[1:2] == ["id"] and len(fields) > 2)
    return fields[0] == "-DOCSTART-" or (fields[0] == "#" and (is_named or fields[2:3] == ["="]))
