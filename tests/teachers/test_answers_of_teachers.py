"""Teachers of rows with any number of classes, or a number: their labels by name, and several that answer as one."""

import math

import pytest
import torch
from datasets import Dataset

from xlkd import LiveTeacher, TeacherEnsemble, UserError, build_cache, describe_cache
from xlkd.data.collator import DistillationCollator
from xlkd.needs import Needs
from xlkd.outputs import Batch
from xlkd.tasks import MultiLabelClassification, Regression
from xlkd.teachers import LabelMap
from xlkd.teachers.averaging import LEAST_ENTROPY, confidence, mean_answers
from xlkd.teachers.cache_checks import check_top_k

NEVER = -math.inf
THREE = ["abuse", "threat", "menace"]


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def test_label_is_taught_by_the_surest_of_several():
    matched = LabelMap(THREE, ["threat", "insult"], {"menace": "threat", "abuse": "insult"}, "any-of")
    assert matched.apply(torch.tensor([[0.5, -1.0, 2.0]])).tolist() == [[2.0, 0.5]]


def test_nothing_is_lost_when_labels_map_nowhere():
    matched = LabelMap(THREE, ["threat", "other"], answer_kind="any-of")
    logits = torch.tensor([[0.5, -1.0, 2.0]])
    assert matched.apply(logits).tolist() == [[-1.0, NEVER]] and matched.unmapped_mass(logits) is None
    assert "renormalised" not in matched.describe() and "abuse and menace teach nothing" in matched.describe()


@pytest.mark.parametrize("answer_kind", ["any-of", "number"])
def test_labels_are_refused_when_none_is_taught(answer_kind):
    with pytest.raises(UserError, match=r"none in common.*`label_map: \{grade: score, ...\}`"):
        LabelMap(["grade"], ["score"], answer_kind=answer_kind)
    assert LabelMap(["grade"], ["score"], {"grade": "score"}, answer_kind).is_identity


def mean_of(rows: list[float], weights: list[float], kind: str) -> float:
    """The logit of one class of one text: `rows` are the logits of the members."""
    those = [(row, weight) for row, weight in zip(rows, weights, strict=True) if weight and row > NEVER]
    total = sum(weight for _, weight in those)
    if not those:
        return NEVER
    if kind == "logits":
        return sum(weight * row for row, weight in those) / total
    p = sum(weight * sigmoid(row) for row, weight in those) / total
    return math.log(p / (1 - p))


@pytest.fixture
def logits() -> torch.Tensor:
    """Three members, five texts, four classes; some do not know some, and one class nobody knows."""
    made = 2 * torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    made[1, :, 2], made[2, 1], made[:, :, 3] = NEVER, NEVER, NEVER
    return made


@pytest.mark.parametrize("kind", ["probabilities", "logits"])
def test_mean_is_that_of_each_class_alone(logits, kind):
    weights = torch.rand(3, 5, generator=torch.Generator().manual_seed(1))
    weights[0, 4] = 0.0
    found = mean_answers(logits, weights, kind, "any-of")
    expected = [
        [mean_of(logits[:, text, label].tolist(), weights[:, text].tolist(), kind) for label in range(4)]
        for text in range(5)
    ]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["probabilities", "logits"])
def test_mean_of_numbers_is_a_number(kind):
    logits = torch.tensor([[[1.0], [4.0]], [[3.0], [NEVER]]])
    weights = torch.tensor([[1.0, 1.0], [3.0, 1.0]])
    assert mean_answers(logits, weights, kind, "number").tolist() == [[2.5], [4.0]]


def test_confidence_is_by_the_mean_entropy_of_the_classes_that_are_known(logits):
    entropies = []
    for row in logits[0].tolist():
        known = [sigmoid(value) for value in row if value > NEVER]
        entropies.append(-sum(q * math.log(q) for p in known for q in (p, 1 - p)) / len(known))
    expected = [1 / max(entropy, LEAST_ENTROPY) for entropy in entropies]
    torch.testing.assert_close(confidence(logits[0], "any-of"), torch.tensor(expected))


def two_of(make_model, tokenizer, labels) -> list[LiveTeacher]:
    """Two teachers that say other things."""
    return [LiveTeacher(make_model(labels=labels, seed=seed), tokenizer) for seed in (1, 2)]


def test_confidence_is_refused_as_a_weight_when_answers_are_numbers(make_model, tokenizer):
    teacher = TeacherEnsemble(two_of(make_model, tokenizer, ["score"]), "confidence")
    with pytest.raises(UserError, match="weights confidence: a number does not say"):
        teacher.match_labels(["score"], "number")


def asked(teacher, task, tokenizer, words) -> torch.Tensor:
    """What a teacher says of five texts."""
    teacher.match_labels(task.labels, task.answer_kind)
    rows = task.preprocess(Dataset.from_dict({"text": words["en"][:5]}), {"": tokenizer, **teacher.readers}, 16)
    rows = teacher.prepare(rows)
    batch = Batch.from_inputs(DistillationCollator(tokenizer, teacher.collator)(list(rows)))
    return teacher.outputs(batch, Needs(logits=True)).logits


@pytest.mark.parametrize("task", [MultiLabelClassification(["b", "a", "c"]), Regression()], ids=lambda task: task.name)
def test_ensemble_answers_with_the_mean_of_its_members(make_model, tokenizer, words, task):
    teachers = two_of(make_model, tokenizer, sorted(task.labels))
    own = [asked(teacher, task, tokenizer, words) for teacher in teachers]
    found = asked(TeacherEnsemble(teachers), task, tokenizer, words)
    expected = sum(own) / 2
    if task.answer_kind == "any-of":
        expected = (sum(logits.sigmoid() for logits in own) / 2).logit()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_surer_member_counts_more_when_weights_are_confidence(make_model, tokenizer, words):
    task = MultiLabelClassification(["a", "b", "c"])
    teachers = two_of(make_model, tokenizer, task.labels)
    own = torch.stack([asked(teacher, task, tokenizer, words) for teacher in teachers])
    expected = mean_answers(own, confidence(own, "any-of"), "probabilities", "any-of")
    torch.testing.assert_close(asked(TeacherEnsemble(teachers, "confidence"), task, tokenizer, words), expected)


def test_cache_says_the_same_in_the_students_labels(make_model, tokenizer, words, tmp_path):
    task = MultiLabelClassification(["threat", "insult"])
    label_map = {"menace": "threat", "abuse": "insult"}
    live = LiveTeacher(make_model(labels=THREE), tokenizer, label_map)
    task.say_answers(live.model.config)
    rows = task.preprocess(Dataset.from_dict({"text": words["en"][:5]}), live.readers, 16)
    options = {"task": task.name, "max_length": 16, "precision": "float32", "dtype": "float32"}
    record = describe_cache(live, Needs(logits=True), **options)
    cache = build_cache(live, rows, record, tmp_path / "cache")
    torch.testing.assert_close(
        asked(cache, task, tokenizer, words), asked(live, task, tokenizer, words), rtol=1e-5, atol=1e-6
    )
    with pytest.raises(UserError, match="top_k 1 keeps the likeliest classes"):
        describe_cache(live, Needs(logits=True), **options, top_k=1)


def test_top_k_is_refused_when_all_logits_say_something():
    with pytest.raises(UserError, match="leave it out"):
        check_top_k(2, 8, "any-of")
