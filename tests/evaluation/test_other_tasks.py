"""Evaluation takes from a task what its answers are: of words, of any number of classes."""

import numpy as np
import pytest
import torch
from datasets import Dataset
from made_taggers import TAGS, tagger

from xlkd import LiveTeacher, RunRecord, UserError, evaluate_zero_shot
from xlkd.evaluation.familiarity import familiarity
from xlkd.evaluation.predictions import load_run
from xlkd.evaluation.zero_shot import score_teacher
from xlkd.tasks import MultiLabelClassification, TokenClassification

RECORD = RunRecord(source_language="en", student="student", teacher="teacher")
TAGGING = TokenClassification(TAGS)


def tagged(words: list[str], count: int = 12, seed: int = 0) -> Dataset:
    """Rows of 1 to 9 words, with tags at random."""
    generator = np.random.default_rng(seed)
    rows = []
    for length in generator.integers(1, 10, size=count):
        text = " ".join(generator.choice(words, length))
        rows.append({"text": text, "label": generator.choice(TAGS, length).tolist()})
    return Dataset.from_list(rows)


def tags_of(model, tokenizer, text: str, max_length: int = 128) -> list[int]:
    """What a model says of the first token of each word of a text alone; words that do not fit are outside."""
    read = tokenizer(
        text.split(), is_split_into_words=True, truncation=True, max_length=max_length, return_tensors="pt"
    )
    with torch.no_grad():
        answers = model(**read).logits[0].argmax(-1).tolist()
    spans = [read.word_to_tokens(0, word) for word in range(len(text.split()))]
    return [0 if span is None else answers[span.start] for span in spans]


@pytest.mark.parametrize("max_length", [128, 6])
def test_words_are_scored_as_those_of_single_rows(tokenizer, words, max_length):
    student, teacher, rows = tagger(tokenizer), tagger(tokenizer, 1), tagged(words["sw"])
    report = evaluate_zero_shot(
        student,
        tokenizer,
        {"sw": rows},
        TAGGING,
        RECORD,
        teacher=LiveTeacher(teacher, tokenizer),
        max_length=max_length,
        batch_size=5,
    )
    (own,) = report.predictions
    for model, answers in ((student, own.student), (teacher, own.teacher)):
        expected = [tags_of(model, tokenizer, text, max_length) for text in rows["text"]]
        assert [row.tolist() for row in answers] == expected
    assert [len(row) for row in own.labels] == [len(text.split()) for text in rows["text"]]
    assert (report.metric, list(report.languages["sw"]["metrics"])) == ("span-f1", ["span-f1", "tag-accuracy"])


def test_words_behind_the_cut_are_counted_and_said_when_texts_are_too_long(tokenizer, words):
    rows = {"sw": tagged(words["sw"])}
    report = evaluate_zero_shot(tagger(tokenizer), tokenizer, rows, TAGGING, RECORD, max_length=4)
    # Two tokens of the four are those about the text, and a word is a token.
    unread = sum(max(len(text.split()) - 2, 0) for text in rows["sw"]["text"])
    assert report.languages["sw"]["unread_words"] == {"student": unread}
    assert unread > 0
    assert f"count as outside: student {unread} (sw {unread})." in " ".join(report.table().split())


def test_words_that_no_model_read_are_counted_after_scores_are_saved(tokenizer, words, tmp_path):
    rows = {"sw": tagged(words["sw"])}
    report = evaluate_zero_shot(tagger(tokenizer), tokenizer, rows, TAGGING, RECORD, max_length=4)
    report.save(tmp_path)
    (saved,) = load_run(tmp_path).languages.values()
    assert int(saved.unread.sum()) == report.languages["sw"]["unread_words"]["student"]


def test_nothing_is_said_of_the_cut_when_all_words_are_read(tokenizer, words):
    report = evaluate_zero_shot(tagger(tokenizer), tokenizer, {"sw": tagged(words["sw"])}, TAGGING, RECORD)
    assert report.languages["sw"]["unread_words"] == {"student": 0}
    assert "behind the cut" not in report.table()


def test_spans_are_scored_by_type_when_classes_are_asked_for(tokenizer, words):
    rows = {"en": tagged(words["en"]), "sw": tagged(words["sw"])}
    report = evaluate_zero_shot(tagger(tokenizer), tokenizer, rows, TAGGING, RECORD, per_class=True)
    assert list(report.languages["sw"]["classes"]) == ["PER"]


def test_teacher_is_scored_alone_by_the_tasks_metric(tokenizer, words):
    model, rows = tagger(tokenizer), tagged(words["sw"])
    pairs = [
        (found, TAGS.index(tag))
        for text, label in zip(rows["text"], rows["label"], strict=True)
        for found, tag in zip(tags_of(model, tokenizer, text), label, strict=True)
    ]
    task = TokenClassification(TAGS, "tag-accuracy")
    right = sum(found == gold for found, gold in pairs) / len(pairs)
    assert score_teacher(LiveTeacher(model, tokenizer), rows, task) == pytest.approx(right)


def test_teacher_keeps_its_precision_when_it_is_scored_alone(tokenizer, words):
    model = tagger(tokenizer)
    score_teacher(LiveTeacher(model, tokenizer, precision="bfloat16"), tagged(words["sw"]), TokenClassification(TAGS))
    assert model.dtype == torch.float32


def test_any_number_of_classes_is_scored(make_model, tokenizer, words):
    generator = np.random.default_rng(0)
    labels = [[name for name in "abc" if generator.random() < 0.5] for _ in range(20)]
    rows = Dataset.from_dict({"text": generator.choice(words["sw"], 20).tolist(), "label": labels})
    student = make_model(seed=1)
    report = evaluate_zero_shot(
        student, tokenizer, {"sw": rows}, MultiLabelClassification(["a", "b", "c"]), RECORD, per_class=True
    )
    right = found = 0
    for text, label in zip(rows["text"], labels, strict=True):
        with torch.no_grad():
            said = (student(**tokenizer(text, return_tensors="pt")).logits[0] > 0).tolist()
        right += sum(flag and name in label for flag, name in zip(said, "abc", strict=True))
        found += sum(said)
    assert report.languages["sw"]["student"] == pytest.approx(2 * right / (found + sum(map(len, labels))))
    assert report.languages["sw"]["classes"]["a"]["n"] == sum("a" in label for label in labels)


def test_metric_is_refused_when_another_task_has_it():
    with pytest.raises(UserError, match="The task has no metric 'accuracy': did you mean 'tag-accuracy'"):
        TokenClassification(TAGS, "accuracy")


def test_spans_are_refused_when_the_labels_mark_none():
    with pytest.raises(UserError, match=r"'span-f1': the labels \(NOUN, VERB\) mark no spans.*choose tag-accuracy"):
        TokenClassification(["NOUN", "VERB"], "span-f1")
    assert TokenClassification(["NOUN", "VERB"]).metric == "tag-accuracy"


def ask(model, tokenizer, rows, task=TAGGING):
    return familiarity(LiveTeacher(model, tokenizer), {"sw": rows}, task, device=torch.device("cpu"))["sw"]


@pytest.mark.parametrize("names", [TAGS, ["NOUN", "VERB", "ADJ"]], ids=["names", "parts of speech"])
def test_words_that_are_not_outside_tell_what_a_teacher_knows(tokenizer, words, names):
    model, rows = tagger(tokenizer), tagged(words["sw"])
    model.config.id2label = dict(enumerate(names))
    rows = rows.map(lambda row: {"label": [names[TAGS.index(tag)] for tag in row["label"]]})
    gold = np.array([names.index(tag) for label in rows["label"] for tag in label])
    said = np.array([tag for text in rows["text"] for tag in tags_of(model, tokenizer, text)])
    telling = gold != names.index("O") if "O" in names else np.ones(len(gold), bool)
    found = ask(model, tokenizer, rows, TokenClassification(names))
    assert found.accuracy == pytest.approx(np.mean(gold[telling] == said[telling]))
    assert found.chance == pytest.approx(np.bincount(gold[telling]).max() / telling.sum())


def test_texts_without_a_name_tell_nothing_of_a_teacher(tokenizer, words):
    rows = Dataset.from_dict({"text": words["sw"][:6], "label": [["O"], ["B-PER"]] * 3})
    assert ask(tagger(tokenizer), tokenizer, rows).texts == 3


def test_nothing_is_known_of_a_teacher_when_no_text_has_a_name(tokenizer, words):
    rows = Dataset.from_dict({"text": words["sw"][:6], "label": [["O"]] * 6})
    assert ask(tagger(tokenizer), tokenizer, rows).accuracy is None


def test_agreement_is_by_word_when_words_have_no_tags(tokenizer, words):
    rows = tagged(words["sw"]).remove_columns("label")
    found = ask(tagger(tokenizer, dropout=0.5), tokenizer, rows)
    assert found.accuracy is None and 0 < found.agreement < 1
    assert 1 / 3 < found.confidence < 1


def test_confidence_alone_is_known_when_a_row_may_have_several_classes(make_model, tokenizer, words):
    rows = Dataset.from_dict(
        {"text": words["sw"][:8], "label": [list(names) for names in ("a", "", "abc", "c", "ab", "", "a", "b")]}
    )
    found = ask(make_model(), tokenizer, rows, MultiLabelClassification(["a", "b", "c"]))
    assert found.accuracy is None and found.chance is None and 0.5 < found.confidence < 1
