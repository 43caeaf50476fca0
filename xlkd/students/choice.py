"""Which pieces a vocabulary of some languages holds, and whether it can read them: all that needs no weights."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlkd.errors import UserError
from xlkd.students.pieces import count_pieces
from xlkd.students.ranking import Ranking
from xlkd.students.tokenizer_file import TokenizerFile
from xlkd.students.verification import LanguageCheck, compare_tokenizers

logger = logging.getLogger(__name__)

HELD_OUT_SHARE = 10
"""One text in so many is not counted but verified on."""

HELD_OUT_TEXTS = 500
"""At most so many texts of a language are held out."""


@dataclass
class ChosenPieces:
    """The pieces of a smaller vocabulary.

    Args:
        file ([`~students.tokenizer_file.TokenizerFile`]): The old tokenizer.
        kept (`list[int]`): The old id of each new one.
        processing_class (`PreTrainedTokenizerBase`): The new tokenizer.
        languages (`dict[str, LanguageCheck]`): How the two cut text, by language.
        size_before (`int`): Rows of the old embedding table.
    """

    file: TokenizerFile = field(repr=False)
    kept: list[int] = field(repr=False)
    processing_class: PreTrainedTokenizerBase
    languages: dict[str, LanguageCheck]
    size_before: int


def choose_pieces(
    model: PreTrainedModel,
    processing_class: PreTrainedTokenizerBase,
    texts: Mapping[str, Sequence[str]],
    *,
    languages: Sequence[str] | None = None,
    size: int | None = None,
    coverage: float | None = None,
    max_unknown_rise: float = 0.02,
) -> ChosenPieces:
    """Choose pieces by the text of some languages, and refuse a choice that cannot read a language.

    The arguments are those of [`~students.vocabulary.trim_vocabulary`]; of `model` the weights are not read.

    Raises:
        [`UserError`]: As [`~students.vocabulary.trim_vocabulary`] says.
    """
    for language in (*(languages or ()), *texts):
        if not texts.get(language):
            raise UserError(f"student: vocabulary has no text of {language} to count: give some, or leave it out.")
    file = TokenizerFile(processing_class)
    total = len(file.pieces)
    rows: Any = model.get_input_embeddings().num_embeddings
    if total > rows:
        raise UserError(
            f"student: vocabulary has {total} pieces, but the model only {rows} rows for them: resize it"
            " (`resize_token_embeddings`), or give the tokenizer that belongs to it."
        )
    counted, compared = split_texts(texts, languages)
    counts = {language: count_pieces(processing_class, own, total) for language, own in counted.items()}
    ranking = Ranking.of(file, counts, _named_ids(model, file.pieces))
    kept = ranking.first(size) if size is not None else ranking.covering(1.0 if coverage is None else coverage)
    tokenizer = file.trimmed(kept)
    checks = {
        language: compare_tokenizers(
            processing_class, tokenizer, own, held_out=set(own).isdisjoint(counted.get(language, ()))
        )
        for language, own in compared.items()
    }
    _refuse_unknown(checks, file, ranking, compared, max_unknown_rise)
    if size is not None and len(kept) < size:
        logger.info("Student: %d pieces, not %d: the languages are expected to use no others.", len(kept), size)
    return ChosenPieces(file, kept, tokenizer, checks, rows)


def split_texts(
    texts: Mapping[str, Sequence[str]], languages: Sequence[str] | None = None
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Texts to count, and texts to verify on: a tenth, by content; where there are too few, the same ones.

    Args:
        texts (`Mapping[str, Sequence[str]]`): By language.
        languages (`Sequence[str]`, *optional*): Those to count, by default all; the others are verified on alone.
    """
    counted: dict[str, list[str]] = {}
    held_out: dict[str, list[str]] = {}
    for language, own in texts.items():
        distinct = list(dict.fromkeys(own))
        if languages is not None and language not in languages:
            held_out[language] = distinct[:HELD_OUT_TEXTS]
            continue
        chosen = [text for text in distinct if zlib.crc32(text.encode()) % HELD_OUT_SHARE == 0][:HELD_OUT_TEXTS]
        apart = set(chosen)
        counted[language] = [text for text in distinct if text not in apart] or distinct
        held_out[language] = chosen or distinct[:HELD_OUT_TEXTS]
    return counted, held_out


def token_ids(config: Any) -> dict[str, list[int]]:
    """The ids that a configuration names, by key: `pad_token_id: 1`, `eos_token_id: [2, 5]`."""
    named = {key: value for key, value in config.to_dict().items() if key.endswith("_token_id") and value is not None}
    return {key: value if isinstance(value, list) else [value] for key, value in named.items()}


def _named_ids(model: PreTrainedModel, pieces: Sequence[str]) -> set[int]:
    configs = [model.config, model.generation_config] if model.can_generate() else [model.config]
    named = {index for config in configs for ids in token_ids(config).values() for index in ids}
    return {index for index in named if 0 <= index < len(pieces) and pieces[index]}


def _refuse_unknown(
    checks: Mapping[str, LanguageCheck],
    file: TokenizerFile,
    ranking: Ranking,
    texts: Mapping[str, Sequence[str]],
    allowed: float,
) -> None:
    """Refuse a vocabulary that cannot read a language, and find a size that can."""
    rises = {language: check.unknown_rise for language, check in checks.items()}
    if max(rises.values()) <= allowed:
        return
    too_high = {language: texts[language] for language, rise in rises.items() if rise > allowed}

    def reads(trial: int) -> bool:
        kept = ranking.first(trial)
        tokenizer = file.trimmed(kept)
        trials = (compare_tokenizers(file.tokenizer, tokenizer, own) for own in too_high.values())
        return max(check.unknown_rise for check in trials) <= allowed

    size = _size_that_does(reads, len(ranking.required), ranking.largest)
    way_out = "No size would do, for the text that was counted has too little of them: give"
    if size is not None:
        way_out = f"A size of {size} would do; so may"
    if uncounted := [language for language in too_high if language not in ranking.counts]:
        way_out = f"{', '.join(uncounted)} was not counted: name it in `languages`; else give"
    worst = ", ".join(f"{language} by {100 * rises[language]:.1f}" for language in too_high)
    raise UserError(
        f"student: vocabulary leaves too much unknown: the share of unknown pieces rises in {worst}"
        f" points, and {100 * allowed:g} are allowed. {way_out} more text of these languages"
        " (`vocabulary: {text: ...}`), or allow it (`max_unknown_rise`)."
    )


def _size_that_does(reads: Callable[[int], bool], low: int, high: int) -> int | None:
    """A size that will do, at most a twentieth above the smallest one; `None` where the largest does not do."""
    if not reads(high):
        return None
    while high - low > max(low // 20, 1):
        middle = (low + high) // 2
        low, high = (low, middle) if reads(middle) else (middle, high)
    return high
