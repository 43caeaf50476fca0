"""The tiny tokenizers, trimmed to three of their eight languages."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from tiny_tokenizers import TRIMMED_FOR, all_texts, texts_of, tiny_tokenizer
from transformers import PreTrainedTokenizerBase

from xlkd.students.pieces import count_pieces
from xlkd.students.ranking import Ranking
from xlkd.students.tokenizer_file import TokenizerFile


@dataclass(frozen=True)
class Trim:
    """A tokenizer before and after it was trimmed, and the old id of each new one."""

    before: PreTrainedTokenizerBase
    after: PreTrainedTokenizerBase
    kept: list[int]

    def old(self, ids: Sequence[int]) -> list[int]:
        """New ids as old ones."""
        return [self.kept[index] for index in ids]

    def are_kept(self, texts: Sequence[str]) -> list[str]:
        """The texts that the old tokenizer cuts into pieces that are all kept, and known."""
        known = set(self.kept) - {self.before.unk_token_id}
        ids = self.before(list(texts), add_special_tokens=False)["input_ids"]
        return [text for text, own in zip(texts, ids, strict=True) if known.issuperset(own)]

    @cached_property
    def texts(self) -> list[str]:
        """Whole texts, words and pairs of words whose pieces are all kept."""
        words = list(dict.fromkeys(word for text in all_texts() for word in text.split()))[::10]
        pairs = [f"{left} {right}" for left, right in zip(words, words[1:], strict=False)]
        found = self.are_kept([*all_texts()[::2], *words, *pairs])
        assert len(found) > 60
        return found


@cache
def trim(kind: str) -> Trim:
    """A tokenizer of one kind, trimmed to three of its eight languages."""
    before = tiny_tokenizer(kind)
    file = TokenizerFile(before)
    counts = {language: count_pieces(before, texts_of(language)[:60], len(file.pieces)) for language in TRIMMED_FOR}
    ranking = Ranking.of(file, counts)
    kept = ranking.first(len(ranking.required) + 400)
    return Trim(before, file.trimmed(kept), kept)
