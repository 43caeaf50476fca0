"""Words and their labels to inputs of readers that cut them differently."""

import copy
import logging

import pytest
import torch
from datasets import ClassLabel, Dataset, List
from made_taggers import tagger
from task_cases import TASK_CASES
from tiny_training import arguments
from tokenizers import Regex, normalizers, pre_tokenizers

from xlkd import DistillationTrainer, LiveTeacher, build_cache, describe_cache
from xlkd.errors import UserError
from xlkd.needs import Needs
from xlkd.outputs import NO_LABEL
from xlkd.tasks import TokenClassification
from xlkd.tasks.token_classification import ALIGNMENT, WORD_PLACES
from xlkd.text.words import (
    WORD_CONTEXT,
    WORD_SPANS,
    first_of_words,
    is_word,
    mean_over_items,
    mean_over_words,
    padded_spans,
)

TASK = TokenClassification(["O", "B-X", "I-X"])


@pytest.fixture
def text(words) -> str:
    return " ".join(words["en"][:4])


def spans(row, prefix: str = "") -> list[tuple[int, int]]:
    flat = row[prefix + WORD_SPANS]
    return list(zip(flat[::2], flat[1::2], strict=True))


def test_word_has_its_label_and_its_tokens_when_rows_are_preprocessed(tokenizer, text) -> None:
    rows = Dataset.from_list([{"text": text, "label": ["O", "B-X", "I-X", None]}])
    (row,) = TASK.preprocess(rows, {"": tokenizer}, 64)
    assert row["labels"] == [0, 1, 2, NO_LABEL]
    assert row[WORD_PLACES] == [0, 1, 2, 3]
    # `<s>` is the first token, and every word of this tokenizer is one.
    assert spans(row) == [(1, 2), (2, 3), (3, 4), (4, 5)]


def test_row_says_what_stands_around_its_words_whatever_cuts_them(tokenizer, other_tokenizer, words) -> None:
    text = " ".join(words["en"][:3])
    rows = Dataset.from_list([{"text": f"{text} \u200b {text}"}, {"text": text}])
    for reader in (tokenizer, other_tokenizer):
        dropping = copy.deepcopy(reader)
        dropping.backend_tokenizer.normalizer = normalizers.Replace("\u200b", "")
        read = TASK.preprocess(rows, {"": dropping}, 64)
        assert read[WORD_CONTEXT][:] == [[1, 2, 2, 0, 2, 6], [1, 2, 6]]
    cut = TASK.preprocess(rows, {"": tokenizer}, 4)
    assert cut[WORD_CONTEXT][:] == [[1, 2], [1, 2]]


def test_soft_label_of_a_source_word_reaches_the_target_word_it_is_aligned_with(tokenizer, words, tmp_path) -> None:
    source, target = words["en"][:2], words["sw"][:2]
    read, text = " ".join(source), " ".join(target)
    flat = [
        place
        for own, other in ((source[0], target[1]), (source[1], target[0]))
        for place in (read.index(own), read.index(own) + len(own), text.index(other), text.index(other) + len(other))
    ]
    rows = Dataset.from_list([{"text": text, "teacher_text": read, ALIGNMENT: flat}])
    student, teacher = tagger(tokenizer, seed=1), tagger(tokenizer, seed=2)
    said = []
    for model, own in ((student, text), (teacher, read)):
        with torch.no_grad():
            # Every word is one token, behind `<s>`.
            said.append(model(**tokenizer(own, return_tensors="pt")).logits[0, 1:3].log_softmax(-1))
    found, taught = said[0], said[1].flip(0)
    expected = (taught.exp() * (taught - found)).sum(-1).mean().item()
    trainer = DistillationTrainer(
        student,
        LiveTeacher(teacher, tokenizer),
        [{"name": "soft-label", "temperature": 1.0}],
        args=arguments(tmp_path, max_steps=1),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    assert trainer.train().training_loss == pytest.approx(expected, rel=1e-4)
    assert expected > 0.01


def test_soft_labels_of_sequences_are_the_same_when_a_longer_text_is_in_the_batch(tokenizer, words, tmp_path) -> None:
    rows = Dataset.from_list([{"text": " ".join(words["en"][:2])}, {"text": " ".join(words["en"][:6])}])
    trainer = DistillationTrainer(
        tagger(tokenizer, seed=1),
        LiveTeacher(tagger(tokenizer, seed=2), tokenizer),
        [{"name": "soft-label", "posterior": "sequence"}],
        args=arguments(tmp_path, max_steps=1),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    with trainer.ready(), torch.no_grad():
        trainer.model.eval()
        short, long = (trainer.train_dataset[row] for row in range(2))
        together, *alone = (
            trainer.compute_loss(trainer.model, trainer._collate(batch)) for batch in ([short, long], [short], [long])
        )
    torch.testing.assert_close(together, sum(alone) / 2)


def test_labels_are_refused_when_the_teacher_reads_another_text(tokenizer, words) -> None:
    rows = Dataset.from_list([{"text": words["sw"][0], "label": ["O"], "teacher_text": words["en"][0]}])
    with pytest.raises(UserError, match="has labels for its words, and another `teacher_text`"):
        TASK.preprocess(rows.add_column(ALIGNMENT, [[0, 1, 0, 1]]), {"": tokenizer, "teacher_": tokenizer}, 64)


def test_tags_go_by_their_names_when_a_data_set_counts_them_in_another_order(tokenizer, text) -> None:
    rows = Dataset.from_list([{"text": text.split(" "), "label": ["O", "B-X", "I-X", "O"]}])
    integers = rows.cast_column("label", List(ClassLabel(names=["B-X", "I-X", "O"])))
    assert integers["label"][0] == [2, 0, 1, 2]
    assert TASK.preprocess(integers, {"": tokenizer}, 64)["labels"][0] == [0, 1, 2, 0]
    assert list(TASK.word_label_ids(integers)) == [[0, 1, 2, 0]]


def test_word_without_a_label_is_refused_before_it_is_scored_when_labels_are_counted(tokenizer, text) -> None:
    kind = List(ClassLabel(names=["O", "B-X", "I-X"]))
    rows = Dataset.from_list([{"text": text, "label": [0, -1, 0, 0]}]).cast_column("label", kind)
    with pytest.raises(UserError, match="has a word without a label"):
        TASK.check_evaluation({"en": rows}, "en")


def test_rows_are_refused_when_their_labels_stand_where_nobody_looks(tokenizer, text) -> None:
    rows = Dataset.from_list([{"text": text, "labels": ["O"] * 4}])
    with pytest.raises(UserError, match="have a column `labels`, and their labels are looked for in `label`"):
        TASK.preprocess(rows, {"": tokenizer}, 64)
    with pytest.raises(UserError, match=r"have no column `label` \(only text, labels\)"):
        TASK.check_evaluation({"en": rows}, "en")


@pytest.mark.parametrize("labels", [["O", "B_PER", "I_PER"], ["PER-B", "PER-I", "O"]])
def test_labels_are_refused_when_they_mark_spans_in_another_writing(labels) -> None:
    with pytest.raises(UserError, match="mark spans, but not as B-PER and I-PER do: write them so, or rename them"):
        TokenClassification(labels)
    assert TokenClassification(["O", "NOUN", "X_B"]).metric == "tag-accuracy"
    assert TokenClassification(["O", "B-VITAMIN_E", "I-VITAMIN_E"]).metric == "span-f1"


def test_running_text_has_words_without_labels(tokenizer, text) -> None:
    rows = Dataset.from_list([{"text": f"{text} ?"}])
    (row,) = TASK.preprocess(rows, {"": tokenizer}, 64)
    assert row["labels"] == [NO_LABEL] * 5


def test_word_is_left_out_and_counted_when_the_text_is_too_long_for_a_reader(tokenizer, text, caplog) -> None:
    rows = Dataset.from_list([{"text": text, "label": ["O", "B-X", "I-X", "O"]}])
    with caplog.at_level(logging.WARNING, "xlkd"):
        (row,) = TASK.preprocess(rows, {"": tokenizer, "teacher_": tokenizer}, 4)
    assert row["labels"] == [0, 1] and row[WORD_PLACES] == [0, 1]
    assert spans(row) == spans(row, "teacher_") == [(1, 2), (2, 3)]
    assert "2 of 4 words are not seen by all models: texts are cut to 4 tokens." in caplog.text


def test_text_is_said_to_be_cut_when_the_teacher_alone_cuts_it(tokenizer, other_tokenizer, text, caplog) -> None:
    letters = copy.deepcopy(other_tokenizer)
    letters.backend_tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    rows = Dataset.from_list([{"text": text}])
    with caplog.at_level(logging.WARNING, "xlkd"):
        TASK.preprocess(rows, {"": tokenizer, "teacher_": letters}, 8)
    assert "words are not seen by all models: texts are cut to 8 tokens." in caplog.text


def test_word_is_left_out_and_said_to_have_no_piece_when_a_tokenizer_drops_it(tokenizer, text, caplog) -> None:
    dropping = copy.deepcopy(tokenizer)
    dropping.backend_tokenizer.normalizer = normalizers.Replace("\u200b", "")
    rows = Dataset.from_list([{"text": f"{text} \u200b", "label": ["O"] * 5}])
    with caplog.at_level(logging.WARNING, "xlkd"):
        (row,) = TASK.preprocess(rows, {"": dropping}, 64)
    assert row[WORD_PLACES] == [0, 1, 2, 3]
    assert "1 of 5 words are not seen by all models: a tokenizer has no piece for them." in caplog.text
    assert "texts are cut" not in caplog.text


def test_words_may_come_one_by_one(tokenizer, text) -> None:
    rows = Dataset.from_list([{"text": text.split(), "label": ["O", "B-X", "I-X", "O"]}])
    (row,) = TASK.preprocess(rows, {"": tokenizer}, 64)
    assert row["labels"] == [0, 1, 2, 0] and row[WORD_PLACES] == [0, 1, 2, 3]


def test_empty_text_has_no_words(tokenizer) -> None:
    rows = Dataset.from_dict({"text": ["", "a"], "label": [[], ["O"]]})
    assert TASK.preprocess(rows, {"": tokenizer}, 64)["labels"][:] == [[], [0]]


def test_text_is_refused_when_it_has_another_number_of_labels(tokenizer, text) -> None:
    rows = Dataset.from_list([{"text": text, "label": ["O"]}])
    with pytest.raises(UserError, match="has 4 words and 1 labels: give one label a word"):
        TASK.preprocess(rows, {"": tokenizer}, 64)


def test_unknown_label_is_refused_by_name(tokenizer, text) -> None:
    rows = Dataset.from_list([{"text": text, "label": ["O", "B-X", "I-Y", "O"]}])
    with pytest.raises(
        UserError, match=r"The label 'I-Y' \(did you mean I-X\?\) is not one of the task's: O, B-X, I-X"
    ):
        TASK.preprocess(rows, {"": tokenizer}, 64)


def test_parallel_text_is_refused_until_its_words_are_aligned(tokenizer, words) -> None:
    rows = Dataset.from_list([{"text": words["sw"][0], "teacher_text": words["en"][0]}])
    with pytest.raises(
        UserError, match="say nothing of one another until they are aligned: add the column `alignment`"
    ):
        TASK.preprocess(rows, {"": tokenizer, "teacher_": tokenizer}, 64)


def test_aligned_words_are_read_by_student_and_teacher_when_they_stand_elsewhere(tokenizer, words) -> None:
    source, target = words["en"][:3], words["sw"][:2]
    text, read = " ".join(target), " ".join(source)
    # The first target word is the last source word, the second target word the first one.
    pairs = [(source[0], target[1]), (source[2], target[0])]
    flat = [
        place
        for own, other in pairs
        for place in (read.index(own), read.index(own) + len(own), text.index(other), text.index(other) + len(other))
    ]
    rows = Dataset.from_list([{"text": text, "teacher_text": read, ALIGNMENT: flat}])
    (row,) = TASK.preprocess(rows, {"": tokenizer, "teacher_": tokenizer}, 64)
    assert spans(row) == [(1, 2), (2, 3)] and spans(row, "teacher_") == [(3, 4), (1, 2)]
    assert row["labels"] == [NO_LABEL, NO_LABEL]


def test_states_and_labels_are_those_of_the_words_when_rows_are_padded_on_the_left() -> None:
    found = padded_spans([[1, 2, 2, 4], [1, 3]], shifts=[0, 1])
    assert found.tolist() == [[[1, 2], [2, 4]], [[2, 4], [-1, -1]]]
    assert is_word(found).tolist() == [[True, True], [True, False]]
    states = torch.arange(20.0).reshape(2, 5, 2)
    assert first_of_words(states, found)[:, 0].tolist() == [[2.0, 3.0], [14.0, 15.0]]
    assert mean_over_words(states, found).tolist() == [[[2.0, 3.0], [5.0, 6.0]], [[15.0, 16.0], [0.0, 0.0]]]


def test_mean_of_a_word_is_in_full_precision_when_the_run_computes_in_less() -> None:
    states = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0))
    spans = torch.tensor([[[0, 3], [3, 4]], [[0, 1], [1, 4]]])
    with torch.autocast("cpu", torch.bfloat16):
        found = mean_over_words(states, spans)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, mean_over_words(states, spans), rtol=0, atol=0)


def test_long_row_weighs_no_more_than_a_short_one() -> None:
    values = torch.tensor([[1.0, 3.0, 5.0], [7.0, torch.inf, 9.0], [2.0, 2.0, 2.0]])
    counted = torch.tensor([[True, True, True], [True, False, False], [False, False, False]])
    means, rows = mean_over_items(values, counted)
    assert means.tolist() == [3.0, 7.0, 0.0] and rows.tolist() == [True, True, False]
    assert mean_over_items(means, rows)[0].tolist() == [3.0, 7.0, 0.0]


def test_task_is_that_of_the_head_when_a_trainer_is_given_none(tokenizer, words, tmp_path) -> None:
    case = TASK_CASES["token-classification"]
    trainer = DistillationTrainer(
        case.model(tokenizer, 1, 8, 1),
        LiveTeacher(case.model(tokenizer, 1, 8, 2), tokenizer),
        args=arguments(tmp_path),
        train_dataset=case.rows(words),
        processing_class=tokenizer,
    )
    assert isinstance(trainer.task, TokenClassification) and trainer.task.labels == case.task.labels
    scores = trainer.evaluate(case.rows(words).filter(lambda row: row["label"] is not None))
    assert {"eval_span-f1", "eval_tag-accuracy", "eval_loss"} <= set(scores)


def test_answers_are_kept_when_a_batch_has_no_word(tokenizer, text, tmp_path) -> None:
    dropping = copy.deepcopy(tokenizer)
    dropping.backend_tokenizer.normalizer = normalizers.Replace("\u200b", "")
    rows = Dataset.from_dict({"text": [text, "\u200b"]})
    teacher = LiveTeacher(TASK_CASES["token-classification"].model(tokenizer, 1, 16, 0), dropping)
    encoded = TASK.preprocess(rows, {"": dropping, **teacher.readers}, 32)
    record = describe_cache(
        teacher, Needs(logits=True), task=TASK.name, max_length=32, precision="float32", by_word=True
    )
    cache = build_cache(teacher, encoded, record, tmp_path, batch_size=1)
    assert len(cache.prepare(encoded)) == 2
