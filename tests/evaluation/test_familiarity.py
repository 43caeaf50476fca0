"""What a teacher makes of a few texts of each language."""

import numpy as np
import pytest
import torch
from datasets import Dataset
from made_taggers import TAGS, tagger

from xlkd.evaluation.familiarity import TEXTS, TEXTS_A_TURN, Familiarity, dropout, familiarity
from xlkd.tasks import SequenceClassification, TokenClassification
from xlkd.teachers import LiveTeacher, TeacherEnsemble

TASK = SequenceClassification(["a", "b", "c"])


def rows_of(words: list[str], number: int, labels: str | None = "abc") -> Dataset:
    texts = [f"{words[n % len(words)]} {words[5 * n % len(words)]} {words[7 * n % len(words)]}" for n in range(number)]
    columns: dict[str, list[str]] = {"text": texts}
    if labels is not None:
        columns["label"] = [labels[n % len(labels)] for n in range(number)]
    return Dataset.from_dict(columns)


def ask(teacher, datasets, **options):
    return familiarity(teacher, datasets, TASK, device=torch.device("cpu"), **options)


def test_accuracy_is_that_of_a_loop_when_texts_have_labels(make_model, tokenizer, words):
    model, rows = make_model(), rows_of(words["sw"], 20)
    right = 0
    for row in rows:
        with torch.no_grad():
            answer = model(**tokenizer(row["text"], return_tensors="pt")).logits.argmax().item()
        right += "abc"[answer] == row["label"]
    found = ask(LiveTeacher(model, tokenizer), {"sw": rows})["sw"]
    assert (found.texts, found.accuracy) == (20, right / 20)
    assert found.agreement is None


def test_chance_is_the_share_of_the_most_frequent_label(make_model, tokenizer, words):
    found = ask(LiveTeacher(make_model(), tokenizer), {"sw": rows_of(words["sw"], 16, "aaab")})
    assert found["sw"].chance == 0.75


def test_interval_is_wilsons_when_texts_have_labels():
    found = Familiarity(8, 0.9).scored(np.array([0] * 6 + [1] * 2), np.arange(8) < 6)
    # https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval#Wilson_score_interval
    z, n, share = 1.959963984540054, 8, 0.75
    centre, half = (share + z * z / 2 / n), z * (share * (1 - share) / n + z * z / 4 / n / n) ** 0.5
    assert (found.low, found.high) == pytest.approx(
        ((centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n))
    )


def test_agreement_is_measured_under_dropout_when_texts_have_no_labels(make_model, tokenizer, words):
    teacher = LiveTeacher(make_model(dropout=0.5), tokenizer)
    found = ask(teacher, {"sw": rows_of(words["sw"], 30, None)})["sw"]
    assert found.accuracy is None and found.low is None and found.chance is None
    assert found.agreement is not None and 0 < found.agreement < 1
    assert 1 / 3 < found.confidence < 1


def test_agreement_says_nothing_when_the_teacher_has_no_dropout(make_model, tokenizer, words):
    found = ask(LiveTeacher(make_model(dropout=0.0), tokenizer), {"sw": rows_of(words["sw"], 9, None)})
    assert found["sw"].agreement is None


def test_random_numbers_are_as_before_when_dropout_was_on(make_model, tokenizer, words):
    teacher = LiveTeacher(make_model(dropout=0.5), tokenizer)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    ask(teacher, {"sw": rows_of(words["sw"], 9, None)})
    assert torch.equal(torch.rand(3), expected)


def test_models_are_in_evaluation_mode_again_when_dropout_was_on(make_model):
    model = make_model(dropout=0.5)
    inputs = {"input_ids": torch.tensor([[1, 2, 3]])}
    with dropout([model]):
        assert not torch.equal(model(**inputs).logits, model(**inputs).logits)
    assert not any(module.training for module in model.modules())
    assert torch.equal(model(**inputs).logits, model(**inputs).logits)


def test_labelled_rows_alone_are_read_when_some_have_labels(make_model, tokenizer, words):
    rows = rows_of(words["sw"], 12)
    rows = rows.remove_columns("label").add_column("label", ["a", None, "b"] * 4)
    assert ask(LiveTeacher(make_model(), tokenizer), {"sw": rows})["sw"].texts == 8


@pytest.mark.parametrize("number", [10 * TEXTS, 2 * TEXTS - 1])
def test_texts_are_taken_from_all_over_when_there_are_many(make_model, tokenizer, words, monkeypatch, number):
    rows = rows_of(words["sw"], number, None)
    seen: list[str] = []
    monkeypatch.setattr(
        TASK, "preprocess", lambda chosen, *rest: [seen.extend(chosen["text"]), PREPROCESS(chosen, *rest)][1]
    )
    assert ask(LiveTeacher(make_model(), tokenizer), {"sw": rows})["sw"].texts == TEXTS
    assert seen == [rows["text"][place * (number - 1) // (TEXTS - 1)] for place in range(TEXTS)]


PREPROCESS = TASK.preprocess


def test_one_turn_is_read_of_every_language_when_there_is_no_time(make_model, tokenizer, words):
    datasets = {"en": rows_of(words["en"], 40), "sw": rows_of(words["sw"], 5), "am": rows_of(words["am"], 40, None)}
    found = ask(LiveTeacher(make_model(), tokenizer), datasets, seconds=0.0)
    assert {name: own.texts for name, own in found.items()} == {"en": TEXTS_A_TURN, "sw": 5, "am": TEXTS_A_TURN}


def test_several_teachers_answer_as_one(make_model, tokenizer, words):
    members = {name: LiveTeacher(make_model(seed=seed), tokenizer) for seed, name in enumerate(("x", "y"))}
    rows = rows_of(words["sw"], 20)
    assert ask(TeacherEnsemble(members, weights=[1.0, 0.0]), {"sw": rows}) == ask(members["x"], {"sw": rows})


def test_word_without_a_label_is_no_mistake(tokenizer, words):
    model = tagger(tokenizer)
    task = TokenClassification(TAGS)
    labels = [[TAGS[n % len(TAGS)], None, "O"] for n in range(12)]
    rows = rows_of(words["sw"], 12, None).add_column("label", labels)
    outside = rows.remove_columns("label").add_column("label", [[one, "O", "O"] for one, *_ in labels])
    device = torch.device("cpu")
    found = [
        familiarity(LiveTeacher(model, tokenizer), {"sw": own}, task, device=device)["sw"] for own in (rows, outside)
    ]
    assert found[0].accuracy is not None
    assert (found[0].accuracy, found[0].chance) == (found[1].accuracy, found[1].chance)
