"""How two tokenizers, and two models, are compared."""

import pytest
import torch
from tiny_classifiers import classifier_for
from tiny_tokenizers import texts_of
from trimmed_tokenizers import trim

from xlkd.students.verification import compare_tokenizers, logit_difference


@pytest.mark.parametrize("kind", ["xlm-roberta", "bert", "wordlevel-file", "llama"])
@pytest.mark.parametrize("language", ["en", "ru"])
def test_check_is_the_one_told_in_loops_when_texts_are_compared(kind: str, language: str) -> None:
    own, texts = trim(kind), texts_of(language)[::4]
    same, unknown, pieces, words = 0, [0, 0], [0, 0], 0
    for text in texts:
        cuts = [tokenizer.encode(text, add_special_tokens=False) for tokenizer in (own.before, own.after)]
        same += own.old(cuts[1]) == cuts[0]
        words += len(text.split())
        for side, tokenizer in enumerate((own.before, own.after)):
            pieces[side] += len(cuts[side])
            unknown[side] += sum(1 for piece in cuts[side] if piece == tokenizer.unk_token_id)
    check = compare_tokenizers(own.before, own.after, texts)
    assert check.texts == len(texts)
    assert check.same == pytest.approx(same / len(texts))
    assert (check.unknown_before, check.unknown) == pytest.approx((unknown[0] / pieces[0], unknown[1] / pieces[1]))
    assert (check.pieces_per_word_before, check.pieces_per_word) == pytest.approx(
        (pieces[0] / words, pieces[1] / words)
    )
    assert check.unknown_rise == check.unknown - check.unknown_before


def test_nothing_is_unknown_when_the_tokenizer_has_no_unknown_piece() -> None:
    own = trim("gpt2")
    check = compare_tokenizers(own.before, own.after, texts_of("ru"))
    assert check.unknown == check.unknown_before == 0


def test_difference_is_the_largest_one_when_a_row_was_changed() -> None:
    own = trim("bert")
    before = classifier_for("bert", own.before)
    after = classifier_for("bert", own.before)
    ids = [[5, 6, 7], [8, 9, 10], [6, 9]]
    assert logit_difference(before, after, ids, ids, range(3000)) == 0
    with torch.no_grad():
        after.get_input_embeddings().weight[9] += 1
        expected = [
            (before(torch.tensor([row])).logits - after(torch.tensor([row])).logits).abs().max().item() for row in ids
        ]
    assert expected[0] == 0 < min(expected[1:])
    assert logit_difference(before, after, ids, ids, range(3000)) == pytest.approx(max(expected))
