"""A student's vocabulary: what its languages use of the teacher's, under new ids, verified when it is made."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlkd.folders import write_bytes
from xlkd.students.choice import ChosenPieces, choose_pieces, token_ids
from xlkd.students.sentencepiece_file import pieces_of, sentencepiece_file, trim_sentencepiece
from xlkd.students.tokenizer_file import TokenizerFile
from xlkd.students.verification import logit_difference
from xlkd.students.weights import carry_over

logger = logging.getLogger(__name__)

COMPARED_TEXTS = 32
"""How many texts are read by the model before and after."""

LENGTH = 32
"""So many pieces of each."""

ROUNDING = 1e-4
"""How much a head that scores all pieces may differ, since there are fewer; other answers do not differ at all."""


@dataclass
class TrimmedVocabulary(ChosenPieces):
    """A model with a smaller vocabulary: the pieces that were chosen, and what became of the model.

    Args:
        model (`PreTrainedModel`): The model.
        logit_difference (`float`): The largest difference of a logit on texts of kept pieces: 0.
        texts_compared (`int`): How many of them were read.
        sentencepiece (`tuple[str, bytes]`, *optional*):
            Name and content of the trimmed `.model`, where the tokenizer came with one.
    """

    model: PreTrainedModel
    logit_difference: float
    texts_compared: int
    sentencepiece: tuple[str, bytes] | None = field(default=None, repr=False)

    def save_sentencepiece(self, folder: Path) -> None:
        """Write the trimmed `.model`, where there is one; Transformers itself reads `tokenizer.json`."""
        if self.sentencepiece is not None:
            name, content = self.sentencepiece
            write_bytes(folder / name, content)


def trim_vocabulary(
    model: PreTrainedModel,
    processing_class: PreTrainedTokenizerBase,
    texts: Mapping[str, Sequence[str]],
    *,
    languages: Sequence[str] | None = None,
    size: int | None = None,
    coverage: float | None = None,
    max_unknown_rise: float = 0.02,
) -> TrimmedVocabulary:
    """Keep of a vocabulary what some languages use, and verify that nothing else changed.

    Pieces are kept in the order of their frequency in the language that uses them most. Special tokens, bytes, digits,
    punctuation and every single character that was seen always stay. Pieces that the texts do not hold are ranked by
    how often they are to be expected, see [`~students.ranking.expected_frequency`], so that a little text goes far.

    A tenth of the texts is not counted (of a language with a handful of texts perhaps none). On these the new tokenizer
    is compared with the old one, by language; texts whose pieces are all kept must be cut as before and get the same
    logits, to the last bit.

    Args:
        model (`PreTrainedModel`): The model; it is not changed.
        processing_class (`PreTrainedTokenizerBase`): Its tokenizer, a fast one (Unigram, WordPiece, WordLevel or BPE).
        texts (`Mapping[str, Sequence[str]]`): Text by language; training text, never test text.
        languages (`Sequence[str]`, *optional*):
            Whose text is counted; by default all. The others are verified all the same.
        size (`int`, *optional*): How many pieces to keep.
        coverage (`float`, *optional*, defaults to 1.0):
            Instead of `size`: as many as cover this share of the pieces that stand in each language's text.
        max_unknown_rise (`float`, *optional*, defaults to 0.02):
            How much the share of unknown pieces in held-out text may rise, in any language.

    Returns:
        [`TrimmedVocabulary`].

    Raises:
        [`UserError`]:
            If the tokenizer cannot be trimmed, a language has no text, `size` is too small or too large, or a
            language's share of unknown pieces would rise too much; the message names a size that would do.

    Example:

    ```python
    >>> trimmed = trim_vocabulary(model, tokenizer, {"en": english, "sw": swahili}, size=30_000)
    >>> trimmed.model.save_pretrained("small"), trimmed.processing_class.save_pretrained("small")
    ```
    """
    chosen = choose_pieces(
        model,
        processing_class,
        texts,
        languages=languages,
        size=size,
        coverage=coverage,
        max_unknown_rise=max_unknown_rise,
    )
    return trim_to(model, chosen, texts)


def trim_to(model: PreTrainedModel, chosen: ChosenPieces, texts: Mapping[str, Sequence[str]]) -> TrimmedVocabulary:
    """Keep pieces that were chosen, and verify that nothing else changed; see [`trim_vocabulary`].

    Args:
        model (`PreTrainedModel`): The model; it is not changed.
        chosen ([`~students.choice.ChosenPieces`]): The pieces.
        texts (`Mapping[str, Sequence[str]]`): Text by language, to verify on.
    """
    kept, before, after = chosen.kept, chosen.file.tokenizer, chosen.processing_class
    smaller = with_rows(model, kept)
    examples = _texts_of_kept(before, kept, texts)
    difference = _verify(before, after, kept, model, smaller, examples)
    return TrimmedVocabulary(
        **vars(chosen),
        model=smaller,
        logit_difference=difference,
        texts_compared=len(examples),
        sentencepiece=_trimmed_sentencepiece(chosen.file, kept, after, examples),
    )


def with_rows(model: PreTrainedModel, kept: Sequence[int]) -> PreTrainedModel:
    """A model with some rows of its embedding table, tied or untied output head included, under new ids.

    Args:
        model (`PreTrainedModel`): The model; it is not changed.
        kept (`Sequence[int]`): Ids in ascending order, those that the configuration names among them.
    """
    config = copy.deepcopy(model.config)
    config.get_text_config().vocab_size = len(kept)
    new_ids = {index: place for place, index in enumerate(kept)}
    _rewrite_ids(config, new_ids)
    rows = torch.tensor(kept)
    smaller = carry_over(model, config, lambda name, size, kept: rows)
    if model.can_generate():
        smaller.generation_config = copy.deepcopy(model.generation_config)
        _rewrite_ids(smaller.generation_config, new_ids)
    return smaller


def _rewrite_ids(config: Any, new_ids: Mapping[int, int]) -> None:
    for key, ids in token_ids(config).items():
        # An id that the tokenizer does not have, as defaults of configurations name, is no id any more.
        new = [new_ids[index] for index in ids if index in new_ids]
        setattr(config, key, new if len(new) > 1 else new[0] if new else None)


def _verify(
    before: PreTrainedTokenizerBase,
    after: PreTrainedTokenizerBase,
    kept: Sequence[int],
    model: PreTrainedModel,
    smaller: PreTrainedModel,
    texts: Sequence[str],
) -> float:
    """Compare pieces and logits of texts whose pieces are all kept, and of every so manieth piece itself."""
    old, new = ([_short(encode(text, verbose=False)["input_ids"]) for text in texts] for encode in (before, after))
    if [[kept[piece] for piece in ids] for ids in new] != old:
        raise RuntimeError("Texts whose pieces are all kept are not cut as before: please report this as a bug.")
    places = [*range(0, len(kept), len(kept) // LENGTH + 1), *after("")["input_ids"]]
    old, new = [*old, [kept[place] for place in places]], [*new, places]
    difference = logit_difference(model, smaller, old, new, kept)
    if difference:
        # Weights that are mapped from a file lie anywhere in memory, and a sum depends on that in its last bit: copied,
        # they lie as those of the new model do.
        difference = logit_difference(copy.deepcopy(model), smaller, old, new, kept)
    allowed = 0 if model.get_output_embeddings() is None else ROUNDING
    # A model in half precision is compared with one in float32, where it has the same weights but rounds less.
    if model.dtype == torch.float32 and not difference <= allowed:
        raise RuntimeError(
            f"Texts whose pieces are all kept get other logits, by up to {difference:g}: please report this as a bug."
        )
    return difference


def _short(ids: list[int]) -> list[int]:
    """The first pieces of a text, and the last one: some models ask for the end of a text."""
    return ids if len(ids) <= LENGTH else [*ids[: LENGTH - 1], ids[-1]]


def _texts_of_kept(
    tokenizer: PreTrainedTokenizerBase, kept: Sequence[int], texts: Mapping[str, Sequence[str]]
) -> list[str]:
    """Some texts, of all languages in turn, that hold kept pieces only and nothing unknown."""
    known = set(kept) - {tokenizer.unk_token_id}
    found: list[str] = []
    share = COMPARED_TEXTS // len(texts) + 1
    for own in texts.values():
        some = list(own[: 10 * share])
        ids = tokenizer(some, add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]
        found += [text for text, pieces in zip(some, ids, strict=True) if known.issuperset(pieces)][:share]
    return found


def _trimmed_sentencepiece(
    file: TokenizerFile, kept: Sequence[int], tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]
) -> tuple[str, bytes] | None:
    path = sentencepiece_file(file.tokenizer)
    if path is None or (trimmed := trim_sentencepiece(path, {file.pieces[index] for index in kept})) is None:
        return None
    if pieces_of(trimmed, list(texts)) != [tokenizer.tokenize(text) for text in texts]:
        logger.warning("%s is not written: trimmed, it does not cut texts as tokenizer.json does.", path.name)
        return None
    return path.name, trimmed
