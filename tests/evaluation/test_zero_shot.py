"""Scores do not depend on the order in which models name their classes; another order is matched or refused."""

import copy

import pytest
import torch
from datasets import ClassLabel, Dataset
from task_cases import TASK_CASES

from xlkd import LiveTeacher, RunRecord, TeacherEnsemble, UserError, evaluate_zero_shot
from xlkd.evaluation import zero_shot
from xlkd.tasks import SequenceClassification, TokenClassification

RECORD = RunRecord(source_language="en", student="student", teacher="teacher")


@pytest.fixture
def labelled(rows):
    return rows.filter(lambda label: label is not None, input_columns="label").remove_columns("teacher_text")


def permuted(model, order):
    """The same function with its classes in another order."""
    other = copy.deepcopy(model)
    other.classifier.weight.data = model.classifier.weight.data[order]
    other.classifier.bias.data = model.classifier.bias.data[order]
    names = [model.config.id2label[index] for index in order]
    other.config.id2label = dict(enumerate(names))
    other.config.label2id = {name: index for index, name in enumerate(names)}
    return other


def report_of(student, teacher, tokenizer, labelled, record=RECORD):
    task = SequenceClassification(["a", "b", "c"])
    return evaluate_zero_shot(
        student, tokenizer, {"en": labelled}, task, record, teacher=LiveTeacher(teacher, tokenizer)
    )


def test_scores_are_equal_when_the_teachers_classes_are_in_another_order(make_model, tokenizer, labelled):
    student, teacher = make_model(seed=1), make_model(seed=2)
    straight = report_of(student, teacher, tokenizer, labelled)
    other = report_of(student, permuted(teacher, [2, 0, 1]), tokenizer, labelled)
    assert other.languages == straight.languages


def test_teacher_is_in_the_report_when_nobody_named_it(make_model, tokenizer, labelled):
    nameless = RunRecord(source_language="en", student="student")
    report = report_of(make_model(seed=1), make_model(seed=2), tokenizer, labelled, nameless)
    assert report.teacher == "unnamed"
    assert report.languages["en"]["teacher"] is not None


def test_language_is_refused_when_it_is_to_be_scored_and_not_to_be(make_model, tokenizer, labelled):
    both = RunRecord(source_language="en", student="student", unscored=["en"])
    with pytest.raises(UserError, match="There are rows to score in en, which the record calls unscored"):
        report_of(make_model(seed=1), make_model(seed=2), tokenizer, labelled, both)


def test_student_is_refused_when_its_classes_are_in_another_order(make_model, tokenizer, labelled):
    with pytest.raises(UserError, match="student's labels"):
        report_of(permuted(make_model(), [2, 0, 1]), make_model(seed=2), tokenizer, labelled)


def test_labels_go_by_their_names_when_a_data_set_counts_them_in_another_order(make_model, tokenizer, labelled):
    student, teacher = make_model(seed=1), LiveTeacher(make_model(seed=2), tokenizer)
    integers = labelled.cast_column("label", ClassLabel(names=["c", "a", "b"]))
    assert integers["label"][:] != [["a", "b", "c"].index(label) for label in labelled["label"]]
    task = SequenceClassification(["a", "b", "c"])
    found, expected = (
        evaluate_zero_shot(student, tokenizer, {"en": labelled, "sw": rows}, task, RECORD, teacher=teacher)
        for rows in (integers, labelled)
    )
    assert found.languages == expected.languages


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
@pytest.mark.parametrize("who", ["student", "teacher"])
def test_model_is_refused_when_its_answers_are_no_numbers(make_model, tokenizer, labelled, who, wrong):
    models = {"student": make_model(seed=1), "teacher": make_model(seed=2)}
    models[who].classifier.bias.data[0] = wrong
    sentence = f"Scoring the {who}: its answers to {len(labelled)} of {len(labelled)} texts are not finite numbers"
    with pytest.raises(UserError, match=sentence):
        report_of(models["student"], models["teacher"], tokenizer, labelled)


def test_tagger_is_refused_when_its_answers_to_words_are_no_numbers(tokenizer, words):
    model = TASK_CASES["token-classification"].model(tokenizer, layers=1, width=16, seed=0)
    model.classifier.bias.data[0] = torch.nan
    task = TokenClassification(list(model.config.id2label.values()))
    rows = Dataset.from_list([{"text": " ".join(words["en"][:3]), "label": [task.labels[0]] * 3}])
    with pytest.raises(UserError, match="Scoring the student: its answers to 1 of 1 texts are not finite numbers"):
        evaluate_zero_shot(model, tokenizer, {"en": rows}, task, RECORD)


def test_teacher_alone_is_refused_when_its_answers_are_no_numbers(make_model, tokenizer, labelled):
    model = make_model(seed=2)
    model.classifier.bias.data[0] = torch.nan
    with pytest.raises(UserError, match="Scoring a teacher: its answers to .* texts are not finite numbers"):
        zero_shot.score_teacher(LiveTeacher(model, tokenizer), labelled, SequenceClassification(["a", "b", "c"]))


def test_scores_are_those_of_running_text_when_texts_are_lists_of_words(tokenizer, words):
    model = TASK_CASES["token-classification"].model(tokenizer, layers=1, width=16, seed=0)
    task = TokenClassification(list(model.config.id2label.values()))
    text, labels = words["en"][:3], [task.labels[0], task.labels[-1], task.labels[0]]
    listed, running = (
        evaluate_zero_shot(model, tokenizer, {"en": Dataset.from_list([{"text": own, "label": labels}])}, task, RECORD)
        for own in (text, " ".join(text))
    )
    assert listed.languages == running.languages


def test_scores_are_those_of_single_rows(make_model, tokenizer, labelled):
    student = make_model(seed=1)
    report = report_of(student, make_model(seed=2), tokenizer, labelled)
    right = 0
    for row in labelled:
        logits = student(**tokenizer(row["text"], return_tensors="pt")).logits
        right += student.config.id2label[logits.argmax().item()] == row["label"]
    assert report.languages["en"]["student"] == pytest.approx(right / len(labelled))
    assert report.languages["en"]["n"] == len(labelled)


def ensemble_report(make_model, tokenizer, other_tokenizer, labelled, **languages):
    """English and, under another name, the same rows again, scored by two teachers."""
    second = make_model(seed=3, layers=1, vocab=len(other_tokenizer), kind="xlm-roberta")
    teacher = TeacherEnsemble(
        {"one": LiveTeacher(make_model(seed=2), tokenizer), "two": LiveTeacher(second, other_tokenizer)},
        languages=languages,
    )
    task = SequenceClassification(["a", "b", "c"])
    datasets = {"en": labelled, "sw": labelled}
    return evaluate_zero_shot(make_model(seed=1), tokenizer, datasets, task, RECORD, teacher=teacher)


def test_each_language_is_scored_by_those_who_know_it_when_the_teacher_is_an_ensemble(
    make_model, tokenizer, other_tokenizer, labelled
):
    report = ensemble_report(make_model, tokenizer, other_tokenizer, labelled, one=["en"], two=["sw"])
    for language, model, reader in (
        ("en", make_model(seed=2), tokenizer),
        ("sw", make_model(seed=3, layers=1, vocab=len(other_tokenizer), kind="xlm-roberta"), other_tokenizer),
    ):
        right = 0
        for row in labelled:
            logits = model(**reader(row["text"], return_tensors="pt")).logits
            right += model.config.id2label[logits.argmax().item()] == row["label"]
        assert report.languages[language]["teacher"] == pytest.approx(right / len(labelled))
    assert report.languages["en"]["teacher"] != report.languages["sw"]["teacher"]


def test_language_is_refused_before_scoring_when_nobody_of_the_ensemble_knows_it(
    make_model, tokenizer, other_tokenizer, labelled, monkeypatch
):
    monkeypatch.setattr(zero_shot.AskedRows, "answers", lambda *words: pytest.fail("scored"))
    with pytest.raises(UserError, match="asked about text in sw"):
        ensemble_report(make_model, tokenizer, other_tokenizer, labelled, one=["en"], two=["en"])


def test_model_with_other_labels_is_scored_when_a_map_matches_them(make_model, tokenizer, labelled):
    task = SequenceClassification(["a", "b", "c"])
    straight = evaluate_zero_shot(make_model(seed=1), tokenizer, {"en": labelled}, task, RECORD)
    other = permuted(make_model(seed=1), [2, 0, 1])
    other.config.id2label = {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    names = {"LABEL_0": "c", "LABEL_1": "a", "LABEL_2": "b"}
    mapped = evaluate_zero_shot(other, tokenizer, {"en": labelled}, task, RECORD, label_map=names)
    assert mapped.languages == straight.languages


def test_size_and_speed_say_embeddings_and_the_time_of_one_text(make_model, tokenizer, labelled):
    student, teacher = make_model(seed=1, width=8), make_model(seed=2)
    report = report_of(student, teacher, tokenizer, labelled)
    assert report.size["student"]["embedding_parameters"] == len(tokenizer) * 8
    assert report.size["teacher"]["parameters"] == teacher.num_parameters()
    for name in ("student", "teacher"):
        assert 0 < report.speed[name]["latency_ms"] < 1000
        assert report.speed[name]["texts_per_second"] > 0


def test_rows_are_known_by_what_they_say_when_predictions_are_kept(make_model, tokenizer, labelled):
    report = report_of(make_model(seed=1), make_model(seed=2), tokenizer, labelled)
    backwards = report_of(make_model(seed=1), make_model(seed=2), tokenizer, labelled.select(range(9, -1, -1)))
    assert backwards.predictions[0].rows.tolist() == report.predictions[0].rows.tolist()[::-1]
    assert backwards.predictions[0].student.tolist() == report.predictions[0].student.tolist()[::-1]
