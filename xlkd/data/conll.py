"""Files of words and their labels, one word a line, an empty line between sentences: CoNLL and its kin."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from datasets import Dataset

from xlkd.errors import UserError
from xlkd.text.words import without_spaces

SUFFIXES = (".conll", ".conllu", ".iob", ".iob2", ".bio")
"""Suffixes of files that are nothing else. A `.txt` may be one: [`is_conll`] looks into it."""

_UNIVERSAL = ".conllu"
_WORD, _UNIVERSAL_WORD, _UNIVERSAL_LABEL = 0, 1, 3
_UNIVERSAL_PARTS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"
_TAG = re.compile(rf"O|[BIESLU]-\S+|{_UNIVERSAL_PARTS.replace(' ', '|')}")
# A line without a tag is then a mistake that has a place, and not the end of all labels.
_MOST = 0.95
_LINES_LOOKED_AT = 200
_LONGEST_ENTRY = 40
"""Characters of a line that may be a word and its tag."""


def read_conll(files: Sequence[str], text: str = "text", label: str = "label", labelled: bool = True) -> Dataset:
    """Read sentences: the words joined by single spaces, and the list of their labels.

    The word is in the first column and the label in the last; of Universal Dependencies (`.conllu`) the word form and
    the universal part of speech (`_` is none). Columns end at a tab where there is one in the line, else at spaces.

    Args:
        files (`Sequence[str]`): The files.
        text (`str`, *optional*, defaults to `"text"`): What to call the column of the words, which has no name there.
        label (`str`, *optional*, defaults to `"label"`): Likewise, of the labels.
        labelled (`bool`, *optional*, defaults to `True`): Whether every word must have a label; else a line may be a
            word alone.

    Raises:
        [`UserError`]: If a line has no label and needs one.

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
    """Whether a text file has a tag in the last column of nearly every line, as far as its beginning shows."""
    with open(file, encoding="utf-8-sig") as lines:
        head = [_fields(line) for line in itertools.islice(lines, _LINES_LOOKED_AT) if line.strip()]
    rows = [fields for fields in head if not _is_remark(fields)]
    tagged = [len(fields) > 1 and _TAG.fullmatch(fields[-1]) is not None for fields in rows]
    return bool(rows) and sum(tagged) >= _MOST * len(rows)


def looks_like_words(file: str) -> bool:
    """Whether a text file without such tags may have one word a line all the same: short lines, empty ones between."""
    with open(file, encoding="utf-8-sig") as lines:
        head = list(itertools.islice(lines, _LINES_LOOKED_AT))
    full = [line for line in head if line.strip()]
    short = all(len(line.split()) <= 2 and len(line) <= _LONGEST_ENTRY for line in full)
    return short and 0 < len(full) < len(head)


def _sentences(file: str, labelled: bool) -> Iterator[list[tuple[str, str | None]]]:
    universal = Path(file).suffix.lower() == _UNIVERSAL
    with open(file, encoding="utf-8-sig") as lines:
        numbered = ((number, line.rstrip("\n")) for number, line in enumerate(lines, start=1))
        for empty, sentence in itertools.groupby(numbered, key=lambda entry: not entry[1].strip()):
            if empty:
                continue
            if pairs := list(_pairs(sentence, file, universal, labelled)):
                yield pairs


def _pairs(
    sentence: Iterable[tuple[int, str]], file: str, universal: bool, labelled: bool
) -> Iterator[tuple[str, str | None]]:
    for number, line in sentence:
        fields = _fields(line)
        if _is_remark(fields) or (universal and line.startswith("#")):
            continue
        # `1-2` is a contraction of words that follow, `1.1` a word that is not written.
        if universal and not fields[0].isdigit():
            continue
        if len(fields) == 1 and not labelled and not universal:
            yield without_spaces(fields[0]), None
            continue
        if len(fields) < (4 if universal else 2):
            raise UserError(
                f"{file} line {number} has no label: {line!r}. Give it a word and a label, or mend the file."
            )
        word, label = fields[_UNIVERSAL_WORD if universal else _WORD], fields[_UNIVERSAL_LABEL if universal else -1]
        yield without_spaces(word), None if universal and label == "_" else label


def _fields(line: str) -> list[str]:
    # Not at every space: one that does not break is part of a word.
    line = line.rstrip("\r\n")
    return line.split("\t") if "\t" in line else [field for field in line.split(" ") if field]


def _is_remark(fields: Sequence[str]) -> bool:
    """Whether a line is about the text: the begin of a document, `# id ...` (MultiCoNER), or `# text = ...`."""
    return fields[0] == "-DOCSTART-" or (
        fields[0] == "#" and len(fields) > 2 and (fields[1] == "id" or fields[2] == "=")
    )
