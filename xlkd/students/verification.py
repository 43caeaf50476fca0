"""What became of text and answers when a vocabulary was trimmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class LanguageCheck:
    """Text of one language, as the old tokenizer (or the teacher's) and the new one cut it.

    Args:
        texts (`int`): How many texts were compared.
        same (`float`): The share of them that is cut as before.
        unknown_before (`float`): The share of unknown pieces before.
        unknown (`float`): The share of unknown pieces now.
        pieces_per_word_before (`float`): Pieces per word, between spaces, before.
        pieces_per_word (`float`): Pieces per word now.
        held_out (`bool`): Whether none of it was counted when the vocabulary was chosen.
    """

    texts: int
    same: float
    unknown_before: float
    unknown: float
    pieces_per_word_before: float
    pieces_per_word: float
    held_out: bool = True

    @property
    def unknown_rise(self) -> float:
        """By how much the share of unknown pieces rose."""
        return self.unknown - self.unknown_before


def compare_tokenizers(
    before: PreTrainedTokenizerBase, after: PreTrainedTokenizerBase, texts: Sequence[str], held_out: bool = True
) -> LanguageCheck:
    """Compare two tokenizers on the text of one language.

    Args:
        before (`PreTrainedTokenizerBase`): The old tokenizer.
        after (`PreTrainedTokenizerBase`): The new one.
        texts (`Sequence[str]`): The text.
        held_out (`bool`, *optional*, defaults to `True`): Whether none of it was counted for the new vocabulary.
    """
    old, new = (_cut(tokenizer, texts) for tokenizer in (before, after))
    pieces = zip(_pieces(before, old), _pieces(after, new), strict=True)
    same = sum(then == now for then, now in pieces)
    words = max(sum(len(text.split()) for text in texts), 1)
    return LanguageCheck(
        texts=len(texts),
        same=same / len(texts),
        unknown_before=_share_of(before.unk_token_id, old),
        unknown=_share_of(after.unk_token_id, new),
        pieces_per_word_before=sum(map(len, old)) / words,
        pieces_per_word=sum(map(len, new)) / words,
        held_out=held_out,
    )


def _cut(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    encoded = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False)
    return encoded["input_ids"]  # type: ignore[no-any-return]


def _pieces(tokenizer: PreTrainedTokenizerBase, texts: Sequence[list[int]]) -> list[list[str]]:
    return [[str(piece) for piece in tokenizer.convert_ids_to_tokens(ids)] for ids in texts]


def _share_of(piece: int | None, texts: Sequence[Sequence[int]]) -> float:
    if piece is None:
        return 0.0
    return sum(list(text).count(piece) for text in texts) / max(sum(map(len, texts)), 1)


@torch.no_grad()
def logit_difference(
    before: PreTrainedModel,
    after: PreTrainedModel,
    texts_before: Sequence[Sequence[int]],
    texts_after: Sequence[Sequence[int]],
    kept: Sequence[int],
) -> float:
    """The largest difference of what two models say of the same texts, each in its own ids.

    Args:
        before (`PreTrainedModel`): The old model.
        after (`PreTrainedModel`): The new one.
        texts_before (`Sequence[Sequence[int]]`): The texts in the old one's ids.
        texts_after (`Sequence[Sequence[int]]`): The same texts in the new one's ids.
        kept (`Sequence[int]`): The old id of each new one: what a head that scores all pieces is compared by.
    """
    differences = []
    for old, new in zip(texts_before, texts_after, strict=True):
        expected, found = _answer(before, old), _answer(after, new)
        if expected.shape != found.shape:
            expected = expected[..., list(kept)]
        differences.append((expected - found).abs().max().item())
    return max(differences)


def _answer(model: PreTrainedModel, ids: Sequence[int]) -> Tensor:
    training = model.training
    inputs = torch.tensor([list(ids)], device=model.device)
    answer = model.eval()(input_ids=inputs, attention_mask=torch.ones_like(inputs))[0]
    model.train(training)
    return answer.float()  # type: ignore[no-any-return]
