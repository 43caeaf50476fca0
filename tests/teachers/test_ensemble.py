"""Several teachers answer as one: each is asked in its own words, about what it knows."""

import copy
import pickle

import pytest
import torch
from datasets import Dataset
from tiny_training import LOSSES, arguments, distance, weights

from xlkd import DistillationTrainer, LiveTeacher, TeacherCache, TeacherEnsemble, build_cache, describe_cache
from xlkd.errors import UserError
from xlkd.needs import Needs
from xlkd.outputs import Batch
from xlkd.tasks import SequenceClassification

TASK = SequenceClassification(["a", "b", "c"])
NEEDS = Needs(logits=True, pooled_states=frozenset({2}))
LOGITS = Needs(logits=True)


@pytest.fixture
def first(make_model, tokenizer) -> LiveTeacher:
    """Two layers of BERT."""
    return LiveTeacher(make_model(seed=2), tokenizer)


@pytest.fixture
def second(make_model, other_tokenizer) -> LiveTeacher:
    """Three layers of XLM-R, with another tokenizer and width, and its classes in another order."""
    model = make_model(
        layers=3, width=24, labels=("c", "a", "b"), seed=5, vocab=len(other_tokenizer), kind="xlm-roberta"
    )
    return LiveTeacher(model, other_tokenizer)


def batch_of(teacher, rows: Dataset) -> Batch:
    """What the teacher is asked of raw rows, as the trainer makes it."""
    teacher.match_labels(TASK.labels)
    prepared = teacher.prepare(TASK.preprocess(rows, teacher.readers, 32))
    inputs = teacher.collator(prepared.to_list())
    return Batch.from_inputs({"input_ids": torch.zeros(len(rows), 1), **inputs})


def logits_of(teacher, rows: Dataset) -> torch.Tensor:
    return teacher.outputs(batch_of(teacher, rows), LOGITS).logits


def alone(live: LiveTeacher, text: str) -> torch.Tensor:
    """The log probabilities of one teacher for one text, in the task's order of classes."""
    encoded = live.processing_class(text, return_tensors="pt", truncation=True, max_length=32)
    logits = live.answer(dict(encoded), LOGITS).logits[0]
    return torch.stack([logits[live.labels.index(label)] for label in TASK.labels]).log_softmax(-1)


def expected(members, text: str, given: list[float], kind: str = "probabilities") -> torch.Tensor:
    """The mean of the members for one text, in a plain loop."""
    total = torch.zeros(3)
    for member, weight in zip(members, given, strict=True):
        answer = alone(member, text)
        total += weight / sum(given) * (answer.exp() if kind == "probabilities" else answer)
    return total.log() if kind == "probabilities" else total.log_softmax(-1)


def trained(teacher, student, tokenizer, rows, folder, losses=LOSSES, **overrides):
    trainer = DistillationTrainer(
        model=copy.deepcopy(student),
        teacher=teacher,
        losses=losses,
        args=arguments(folder, **{"max_steps": 5, **overrides}),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    trainer.train()
    return weights(trainer.model)


@pytest.mark.parametrize("kind", ["probabilities", "logits"])
def test_answer_is_the_mean_when_tokenizers_architectures_and_orders_of_classes_differ(first, second, rows, kind):
    ensemble = TeacherEnsemble([first, second], weights=[1, 3], average=kind)
    found = logits_of(ensemble, rows)
    for index, row in enumerate(rows):
        mean = expected([first, second], row["teacher_text"], [1, 3], kind)
        torch.testing.assert_close(found[index], mean, rtol=1e-4, atol=1e-4)


def test_member_is_not_asked_about_rows_when_it_does_not_know_their_language(first, second, rows):
    seen = []
    second.model.register_forward_pre_hook(
        lambda model, _, inputs: seen.append(len(inputs["input_ids"])), with_kwargs=True
    )
    ensemble = TeacherEnsemble({"one": first, "two": second}, languages={"two": ["sw"]})
    found = logits_of(ensemble, rows)
    assert seen == [sum(row["language"] == "sw" for row in rows)] != [len(rows)]
    for index, row in enumerate(rows):
        given = [1, 1] if row["language"] == "sw" else [1, 0]
        mean = expected([first, second], row["teacher_text"], given)
        torch.testing.assert_close(found[index], mean, rtol=1e-4, atol=1e-4)


def test_language_is_what_the_teacher_reads_when_rows_say_so(first, second, rows):
    read = ["en" if row["text"] != row["teacher_text"] else row["language"] for row in rows]
    ensemble = TeacherEnsemble({"en": first, "sw": second}, languages={"en": ["en"], "sw": ["sw"]})
    found = logits_of(ensemble, rows.add_column("teacher_language", read))
    assert read != rows["language"][:]
    for index, language in enumerate(read):
        own = alone(first if language == "en" else second, rows[index]["teacher_text"])
        torch.testing.assert_close(found[index], own, rtol=1e-4, atol=1e-4)


def test_weights_follow_the_language_when_they_are_given_by_language(first, second, rows):
    ensemble = TeacherEnsemble([first, second], weights={"sw": [1, 3], "default": [1, 0]})
    found = logits_of(ensemble, rows)
    for index, row in enumerate(rows):
        given = [1, 3] if row["language"] == "sw" else [1, 0]
        mean = expected([first, second], row["teacher_text"], given)
        torch.testing.assert_close(found[index], mean, rtol=1e-4, atol=1e-4)


def test_surer_member_counts_more_when_weights_are_by_confidence(first, second, rows):
    found = logits_of(TeacherEnsemble([first, second], weights="confidence"), rows)
    for index, row in enumerate(rows):
        given = []
        for member in (first, second):
            answer = alone(member, row["teacher_text"])
            given.append(1 / max(-(answer.exp() * answer).sum().item(), 0.01))
        mean = expected([first, second], row["teacher_text"], given)
        torch.testing.assert_close(found[index], mean, rtol=1e-3, atol=1e-3)


def test_states_are_those_of_the_named_member(first, second, rows):
    ensemble = TeacherEnsemble({"one": first, "two": second}, features="two")
    layers = Needs(logits=True, hidden_states=frozenset({3}), pooled_states=frozenset({1, 3}))
    assert ensemble.shape == second.shape and ensemble.states_prefix == "teacher_1_"
    output = ensemble.outputs(batch_of(ensemble, rows), layers)
    second.prefix = "teacher_"
    own = second.outputs(batch_of(second, rows), layers)
    torch.testing.assert_close(output.pooled_states, own.pooled_states)
    torch.testing.assert_close(output.hidden_states, own.hidden_states)


def test_states_are_given_without_a_say_when_the_named_member_has_no_weight(first, second, rows):
    ensemble = TeacherEnsemble({"one": first, "two": second}, weights=[1, 0], features="two")
    output = ensemble.outputs(batch_of(ensemble, rows), Needs(logits=True, pooled_states=frozenset({3})))
    assert output.pooled_states[3].shape == (len(rows), 24)
    for index, row in enumerate(rows):
        torch.testing.assert_close(output.logits[index], alone(first, row["teacher_text"]), rtol=1e-4, atol=1e-4)


def test_member_is_not_asked_when_it_has_no_weight(first, second, rows):
    ensemble = TeacherEnsemble([first, second], weights=[1, 0])
    batch = batch_of(ensemble, rows)
    second.model.register_forward_pre_hook(lambda *words: pytest.fail("asked"))
    assert ensemble.outputs(batch, LOGITS).logits.shape == (len(rows), 3)


def test_only_the_named_member_is_asked_when_losses_need_no_logits(first, second, rows):
    ensemble = TeacherEnsemble({"one": first, "two": second}, features="two")
    batch = batch_of(ensemble, rows)
    first.model.register_forward_pre_hook(lambda *words: pytest.fail("asked"))
    assert ensemble.outputs(batch, Needs(pooled_states=frozenset({1}))).logits is None


def test_training_is_that_of_the_one_teacher_when_an_ensemble_has_one(first, student, tokenizer, rows, tmp_path):
    single = trained(first, student, tokenizer, rows, tmp_path / "a")
    ensemble = trained(TeacherEnsemble([first]), student, tokenizer, rows, tmp_path / "b")
    assert distance(single, ensemble) < 1e-5 < distance(weights(student), single)


@pytest.mark.parametrize(("batch_size", "accumulation"), [(4, 2), (2, 4), (1, 8)])
def test_weights_are_equal_when_a_window_is_cut_into_batches(
    first, second, student, tokenizer, rows, tmp_path, batch_size, accumulation
):
    def ensemble():
        return TeacherEnsemble({"one": first, "two": second}, "confidence", features="one", languages={"two": ["sw"]})

    options = {"per_device_train_batch_size": batch_size, "gradient_accumulation_steps": accumulation}
    whole = trained(ensemble(), student, tokenizer, rows, tmp_path / "a")
    cut = trained(ensemble(), student, tokenizer, rows, tmp_path / "b", **options)
    assert distance(whole, cut) < 1e-5 < distance(weights(student), whole) / 100


def cached(live: LiveTeacher, needs: Needs, rows: Dataset, folder) -> TeacherCache:
    """The answers of a member to some rows."""
    settings = {"task": TASK.name, "max_length": 32, "precision": "float32", "dtype": "float32"}
    prepared = TASK.preprocess(rows, live.readers, 32)
    return build_cache(live, prepared, describe_cache(live, needs, **settings), folder)


def test_weights_are_those_of_live_members_when_they_were_asked_before(
    first, second, student, tokenizer, rows, tmp_path
):
    live = TeacherEnsemble({"one": first, "two": second}, features="one", languages={"two": ["sw"]})
    swahili = rows.filter(lambda row: row["language"] == "sw")
    caches = [cached(first, NEEDS, rows, tmp_path / "1"), cached(second, LOGITS, swahili, tmp_path / "2")]
    with_live = trained(live, student, tokenizer, rows, tmp_path / "a")
    with_caches = trained(live.with_members(caches), student, tokenizer, rows, tmp_path / "b")
    mixed = trained(live.with_members([first, caches[1]]), student, tokenizer, rows, tmp_path / "c")
    assert distance(weights(student), with_live) > 1e-3
    assert distance(with_live, with_caches) < 1e-5
    assert distance(with_live, mixed) < 1e-5


def test_cache_is_refused_when_it_lacks_rows_that_its_member_is_asked_about(first, second, rows, tmp_path):
    swahili = rows.filter(lambda row: row["language"] == "sw")
    members = {"one": first, "two": cached(second, LOGITS, swahili, tmp_path)}
    ensemble = TeacherEnsemble(members)
    prepared = TASK.preprocess(rows, ensemble.readers, 32)
    with pytest.raises(UserError, match="has no answer to 10 of 22 rows"):
        ensemble.prepare(prepared)


def test_collator_gives_nothing_when_rows_are_only_for_the_student(first, second, tokenizer, rows):
    ensemble = TeacherEnsemble([first, second])
    assert ensemble.collator(TASK.preprocess(rows, {"": tokenizer}, 32).to_list()) == {}


def test_collator_can_be_sent_to_workers(first, second, rows):
    ensemble = TeacherEnsemble({"one": first, "two": second}, languages={"two": ["sw"]})
    prepared = TASK.preprocess(rows, ensemble.readers, 32).to_list()
    here, there = ensemble.collator(prepared), pickle.loads(pickle.dumps(ensemble.collator))(prepared)
    assert here.keys() == there.keys()
    assert all(torch.equal(here[name], there[name]) for name in here)


def test_language_is_refused_before_training_when_nobody_knows_it(first, second, student, tokenizer, rows, tmp_path):
    ensemble = TeacherEnsemble({"one": first, "two": second}, languages={"one": ["en"], "two": ["yo"]})
    with pytest.raises(UserError, match=r"asked about text in sw \(one knows en, two knows yo\): add the language"):
        trained(ensemble, student, tokenizer, rows, tmp_path, [{"name": "soft-label"}])


def test_rows_are_refused_when_they_do_not_say_a_language_that_matters(first, second, rows):
    ensemble = TeacherEnsemble({"one": first, "two": second}, languages={"one": ["en"], "two": ["sw"]})
    with pytest.raises(UserError, match="give them a column `language`"):
        batch_of(ensemble, rows.remove_columns("language"))
    assert len(logits_of(TeacherEnsemble([first, second]), rows.remove_columns("language"))) == len(rows)


def test_states_are_refused_when_nobody_is_named(first, second, student, tokenizer, rows, tmp_path):
    with pytest.raises(UserError, match="name the one they are taken from as `features`, one of 0, 1"):
        trained(TeacherEnsemble([first, second]), student, tokenizer, rows, tmp_path)


def test_states_are_refused_when_the_named_member_does_not_know_a_language(
    first, second, student, tokenizer, rows, tmp_path
):
    ensemble = TeacherEnsemble({"one": first, "two": second}, features="one", languages={"one": ["en"]})
    with pytest.raises(UserError, match="hidden states of one for every row, but it does not know sw"):
        trained(ensemble, student, tokenizer, rows, tmp_path)


BAD = {
    "no members": ({}, [], "has no members"),
    "unknown features": ({"features": "3"}, 2, "no member '3'; its members are 0, 1"),
    "unknown name of languages": ({"languages": {"x": ["sw"]}}, 2, "no member 'x'; its members are 0, 1"),
    "unknown word for weights": ({"weights": "equal"}, 2, "weights 'equal' of the ensemble must be uniform or"),
    "unknown average": ({"average": "median"}, 2, "average 'median' of the ensemble must be probabilities or logits"),
    "too few weights": ({"weights": [1]}, 2, r"1 weight\(s\), but 2 members"),
    "too many weights of a language": ({"weights": {"sw": [1, 2, 3]}}, 2, r"3 weight\(s\) for sw, but 2 members"),
    "a negative weight": ({"weights": [1, -0.5]}, 2, "weight -0.5 of the ensemble must be a finite number, and not"),
    "a weight that is no number": ({"weights": [1, float("nan")]}, 2, "weight nan of the ensemble must be a finite"),
    "no weight at all": ({"weights": [0, 0]}, 2, "weights of the ensemble are all 0"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_ensemble_is_refused_when_it_has(case, first, second):
    options, members, message = BAD[case]
    with pytest.raises(UserError, match=message):
        TeacherEnsemble([first, second] if members else [], **options)


def test_teacher_is_refused_when_it_stands_twice(first):
    with pytest.raises(UserError, match="stands twice in the ensemble"):
        TeacherEnsemble([first, first])


def test_ensemble_is_refused_inside_another(first, second):
    with pytest.raises(UserError, match="is an ensemble itself: name its members"):
        TeacherEnsemble([TeacherEnsemble([first]), second])


def test_nothing_is_averaged_when_orders_of_classes_were_not_matched(first, second, rows):
    ensemble = TeacherEnsemble([first, second])
    batch = batch_of(ensemble, rows)
    with pytest.raises(UserError, match="call `match_labels` first"):
        TeacherEnsemble([first, second]).outputs(batch, LOGITS)


def mapped(make_model, tokenizer, other_tokenizer) -> list[LiveTeacher]:
    """One that says `d`, which the task does not have, for `c`; one that knows `a` and `b`, `b` by two names."""
    first = LiveTeacher(make_model(labels=("a", "b", "d"), seed=2), tokenizer)
    model = make_model(labels=("b", "a", "bb"), seed=5, vocab=len(other_tokenizer), kind="xlm-roberta")
    return [first, LiveTeacher(model, other_tokenizer, {"bb": "b"})]


def by_label(live: LiveTeacher, text: str) -> dict[str, float]:
    """The probabilities of one teacher for one text, by its own labels."""
    encoded = live.processing_class(text, return_tensors="pt", truncation=True, max_length=32)
    probabilities = live.answer(dict(encoded), LOGITS).logits[0].softmax(-1)
    return dict(zip(live.labels, probabilities.tolist(), strict=True))


def test_each_class_is_averaged_over_those_who_know_it_when_members_have_label_maps(
    make_model, tokenizer, other_tokenizer, rows
):
    first, second = mapped(make_model, tokenizer, other_tokenizer)
    first.label_map = {"d": "c", "b": None}
    found = logits_of(TeacherEnsemble([first, second], weights=[1, 3]), rows).exp()
    for index, row in enumerate(rows):
        one, two = (by_label(member, row["teacher_text"]) for member in (first, second))
        known = one["a"] + one["d"]
        mean = [(one["a"] / known + 3 * two["a"]) / 4, two["b"] + two["bb"], one["d"] / known]
        torch.testing.assert_close(found[index], torch.tensor(mean) / sum(mean), rtol=1e-4, atol=1e-5)


def test_class_that_nobody_knows_teaches_nothing_when_members_have_label_maps(
    make_model, student, tokenizer, other_tokenizer, rows, tmp_path
):
    ensemble = TeacherEnsemble(mapped(make_model, tokenizer, other_tokenizer), weights="confidence")
    output = ensemble.outputs(batch_of(ensemble, rows), LOGITS)
    assert output.logits[:, 2].isneginf().all() and output.logits[:, :2].isfinite().all()
    moved = trained(ensemble, student, tokenizer, rows, tmp_path, [{"name": "soft-label"}])
    assert all(weight.isfinite().all() for weight in moved.values())


def test_mass_that_maps_nowhere_is_the_mean_of_the_members(make_model, tokenizer, other_tokenizer, rows):
    first, second = mapped(make_model, tokenizer, other_tokenizer)
    ensemble = TeacherEnsemble({"one": first, "two": second}, weights=[1, 3], languages={"two": ["sw"]})
    output = ensemble.outputs(batch_of(ensemble, rows), LOGITS)
    for index, row in enumerate(rows):
        lost = by_label(first, row["teacher_text"])["d"]
        share = 1 / 4 if row["language"] == "sw" else 1
        assert output.unmapped_mass[index].item() == pytest.approx(share * lost, rel=1e-4, abs=1e-5)


def test_member_answers_as_before_when_it_stands_in_two_ensembles(make_model, tokenizer):
    first, second, third = (LiveTeacher(make_model(seed=seed), tokenizer) for seed in range(3))
    one, other = TeacherEnsemble([first, second]), TeacherEnsemble([second, third])
    assert list(one.readers) == list(other.readers) == ["teacher_0_", "teacher_1_"]
    assert list(second.readers) == ["teacher_"]
