"""Words of parallel text find one another by the teacher's vectors."""

import pytest
import torch
from datasets import Dataset
from task_cases import TASK_CASES
from tiny_tokenizer import build_tokenizer
from tokenizers import Regex
from tokenizers.pre_tokenizers import Sequence, Split, WhitespaceSplit

from xlkd import LiveTeacher, UserError
from xlkd.steps.word_alignment import align_words


@pytest.fixture
def teacher(tokenizer) -> LiveTeacher:
    """A teacher whose embeddings say which word it is, and not where it stands."""
    model = TASK_CASES["token-classification"].model(tokenizer, layers=1, width=16, seed=0)
    with torch.no_grad():
        model.bert.embeddings.position_embeddings.weight.zero_()
    return LiveTeacher(model, tokenizer)


def pairs(row) -> list[tuple[str, str]]:
    flat = row["alignment"]
    spans = zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True)
    return [(row["teacher_text"][a:b], row["text"][c:d]) for a, b, c, d in spans]


@pytest.mark.parametrize("side", ["left", "right"])
def test_words_are_paired_when_they_are_nearest_to_one_another(teacher, words, side, monkeypatch) -> None:
    monkeypatch.setattr(teacher.processing_class, "padding_side", side)
    one, two, three, four = words["en"][:4]
    rows = Dataset.from_list(
        [
            {"teacher_text": f"{one} {two} {three}", "text": f"{three} {one}"},
            {"teacher_text": one, "text": f"{one} {one} {four} {two}"},
        ]
    )
    aligned = align_words(rows, teacher, layer=0, batch_size=2)
    assert pairs(aligned[0]) == [(one, one), (three, three)]
    # One source word has one partner, however many target words are like it.
    assert pairs(aligned[1]) == [(one, one)]


def test_row_has_no_alignment_when_it_is_no_parallel_text(teacher, words) -> None:
    text = words["en"][0]
    rows = Dataset.from_list([{"teacher_text": text, "text": text}, {"teacher_text": text, "text": f"{text} ."}])
    aligned = align_words(rows, teacher, layer=0)
    assert aligned[0]["alignment"] is None and pairs(aligned[1]) == [(text, text)]


def test_words_are_paired_when_texts_are_lists_of_words(teacher, words) -> None:
    rows = {"teacher_text": words["en"][:3], "text": words["en"][2::-1]}
    running = {name: " ".join(text) for name, text in rows.items()}
    aligned = [align_words(Dataset.from_list([own]), teacher, layer=0)[0]["alignment"] for own in (rows, running)]
    assert aligned[0] == aligned[1] and len(aligned[0]) == 12


def test_words_without_spaces_are_the_pieces_on_which_teacher_and_student_agree(words) -> None:
    pieces, letters = build_tokenizer(["上海", "大", "big", "shanghai"]), build_tokenizer(["上", "海", "大"])
    for reader in (pieces, letters):
        cut = Split(Regex("上海|大|[a-z]+" if reader is pieces else "."), "isolated")
        reader.backend_tokenizer.pre_tokenizer = Sequence([WhitespaceSplit(), cut])
    model = TASK_CASES["token-classification"].model(pieces, layers=1, width=16, seed=0)
    rows = Dataset.from_list([{"teacher_text": "上海大", "text": "上海大 大"}])
    by_letters = LiveTeacher(TASK_CASES["token-classification"].model(letters, layers=1, width=16, seed=0), letters)
    for teacher, student in ((LiveTeacher(model, pieces), letters), (by_letters, pieces)):
        aligned = align_words(rows, teacher, readers={"": student, "teacher_": teacher.processing_class}, layer=0)
        assert {own for _, own in pairs(aligned[0])} <= {"上海", "大"}
        # The source text is cut by teachers alone: whatever other teacher there is must agree on its words.
        aligned = align_words(rows, teacher, readers={"teacher_": teacher.processing_class, "other_": student}, layer=0)
        assert {own for own, _ in pairs(aligned[0])} <= {"上海", "大"}
    # Alone the teacher of letters knows no better.
    assert {own for _, own in pairs(align_words(rows, by_letters, layer=0)[0])} & {"上", "海"}


def test_rows_without_a_source_text_are_refused(teacher, words) -> None:
    with pytest.raises(UserError, match="the rows have no column teacher_text"):
        align_words(Dataset.from_dict({"text": words["sw"][:2]}), teacher)
