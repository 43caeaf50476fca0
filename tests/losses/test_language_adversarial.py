"""The language adversary: which languages it is told, which rows count, and what is left of it on disk."""

import pytest
import safetensors.torch
import torch
from answers import LABELS, LENGTHS, SHAPE, batch_of, leaves_of, mask_of, output_of
from tiny_training import LANGUAGE_AND_START, distil, trainer_of

from xlkd.errors import UserError
from xlkd.losses import LanguageAdversarialLoss
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.outputs import LANGUAGE_COLUMN, Batch, StudentOutput, TeacherOutput
from xlkd.training.checkpointing import LOSSES_FILE

ALONE = [{"name": "language-adversarial"}]
NAME = "language-adversarial"


@pytest.fixture
def make_trainer(student, teacher, tokenizer, tmp_path):
    """Makes a trainer of rows."""
    return lambda rows, losses=ALONE, **options: trainer_of(
        student, teacher, tokenizer, rows, tmp_path, losses, **options
    )


def begun(languages=("am", "en", "sw"), **options):
    loss = LanguageAdversarialLoss(**options)
    loss.attach(SHAPE, None)
    loss.begin(None, languages)
    return loss


def gradients(strength):
    """Of the student's states and of the classifier, from the same weights."""
    torch.manual_seed(0)
    loss = begun(strength=strength)
    mask = mask_of(LENGTHS)
    states = leaves_of(0, mask)["states 2"].requires_grad_()
    output = StudentOutput(pooled_states={2: states.mean(1)})
    batch = batch_of(mask, LABELS)
    torch.where(loss.rows(batch), loss(output, TeacherOutput(), batch), 0.0).sum().backward()
    return states.grad, loss.classifier.weight.grad


@pytest.mark.parametrize("strength", [0.0, 0.5, 2.0])
def test_strength_turns_the_student_and_not_the_classifier(strength):
    (states, classifier), (of_one, classifier_of_one) = gradients(strength), gradients(1.0)
    torch.testing.assert_close(states, strength * of_one)
    torch.testing.assert_close(classifier, classifier_of_one)


def test_student_and_classifier_work_against_each_other():
    loss = begun(strength=1.0)
    mask, batch = mask_of(LENGTHS), batch_of(mask_of(LENGTHS), LABELS)
    states = output_of(StudentOutput, 0, mask).pooled_states[2].clone().requires_grad_()

    def value(states):
        values = loss(StudentOutput(pooled_states={2: states}), TeacherOutput(), batch)
        return torch.where(loss.rows(batch), values, 0.0).sum()

    before = value(states)
    before.backward()
    with torch.no_grad():
        assert value(states - 0.01 * states.grad) > before
        for parameter in loss.parameters():
            parameter -= 0.01 * parameter.grad
        assert value(states) < before


def test_rows_without_a_language_do_not_count():
    batch = batch_of(mask_of(LENGTHS), LABELS)
    assert begun().rows(batch).tolist() == [True, True, True, True, False]
    assert begun().rows(Batch({}, {}, batch.labels, batch.row_mask)).tolist() == [False] * 5


def test_strength_rises_from_nothing_to_one_by_default():
    loss = LanguageAdversarialLoss()
    assert loss.strength.value == 0
    loss.set_progress(1.0)
    assert loss.strength.value == 1


def test_hidden_layer_is_made_when_its_width_is_given():
    assert [tuple(weight.shape) for weight in begun().parameters()] == [(3, 6), (3,)]
    assert [tuple(weight.shape) for weight in begun(hidden_width=4).parameters()] == [(4, 6), (4,), (3, 4), (3,)]


def test_no_teacher_is_needed_and_layer_defaults_to_the_last():
    losses = WeightedSum.from_config([{"name": NAME}])
    assert not losses.attached_to(SHAPE, None).needs
    losses.attach(SHAPE, None)
    assert losses.student_needs.pooled_states == {2} and losses.config()[0]["layer"] == 2


def test_batches_say_the_language_that_the_student_reads(make_trainer, rows):
    trainer = make_trainer(rows)
    # Rows 10 to 16 are parallel: the teacher reads English, the student Swahili.
    assert trainer.train_dataset[LANGUAGE_COLUMN][:] == [0] * 10 + [1] * 12
    inputs = next(iter(trainer.get_train_dataloader()))
    batch = Batch.from_inputs(inputs)
    assert batch.language_ids.shape == batch.labels.shape and LANGUAGE_COLUMN not in batch.student_inputs


def test_batches_say_no_language_when_no_loss_asks(make_trainer, rows):
    trainer = make_trainer(rows, [{"name": "soft-label"}])
    assert LANGUAGE_COLUMN not in trainer.train_dataset.column_names
    assert Batch.from_inputs(next(iter(trainer.get_train_dataloader()))).language_ids is None


def test_row_that_names_no_language_is_unknown(make_trainer, rows):
    some = rows.map(lambda row, index: {"language": None if index == 3 else row["language"]}, with_indices=True)
    assert make_trainer(some).train_dataset[LANGUAGE_COLUMN][:5] == [0, 0, 0, -100, 0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: rows.remove_columns("language"), "name no language"),
        (lambda rows: rows.select(range(10)), "name en: give data in two or more"),
    ],
)
def test_fewer_than_two_languages_are_refused(make_trainer, rows, change, reason):
    with pytest.raises(UserError, match=reason):
        make_trainer(change(rows))


def test_stream_is_refused_since_its_languages_are_not_known(make_trainer, rows):
    with pytest.raises(UserError, match="of a stream nobody knows them beforehand: give a datasets.Dataset"):
        make_trainer(rows.to_iterable_dataset(), max_steps=1)


def test_rows_of_another_training_are_numbered_anew(make_trainer, rows):
    given = make_trainer(rows).train_dataset
    swahili = [index for index, language in enumerate(given["language"]) if language == "sw"]
    renamed = given.map(lambda row: {"language": "am" if row["language"] == "sw" else "en"})
    assert make_trainer(given).train_dataset[LANGUAGE_COLUMN][:] == given[LANGUAGE_COLUMN][:]
    assert {make_trainer(renamed).train_dataset[LANGUAGE_COLUMN][index] for index in swahili} == {0}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strength": -0.5}, "strength -0.5 must be a number 0 or more"),
        ({"hidden_width": 0}, "hidden_width 0 must be a whole number above 0"),
        ({"layer": -1}, "layer -1 must be the number of a layer"),
        ({"layer": 3}, "layer names student layer 3, but the student has 2 layers"),
    ],
)
def test_wrong_option_is_refused(options, words):
    with pytest.raises(UserError, match=words):
        LanguageAdversarialLoss(**options).check(SHAPE, None)


def test_classifier_is_in_checkpoints_and_not_in_the_student(student, teacher, tokenizer, rows, tmp_path):
    distil(student, teacher, tokenizer, rows, tmp_path, LANGUAGE_AND_START, max_steps=1, save_strategy="steps")
    losses = safetensors.torch.load_file(tmp_path / "checkpoint-1" / LOSSES_FILE)
    kept = {name.split(".")[1] for name in losses}
    # L2-SP keeps nothing: the student that a resumed run starts from is the same one.
    assert kept == {"hidden-state", "language-adversarial"}
    saved = safetensors.torch.load_file(tmp_path / "checkpoint-1" / "model.safetensors")
    assert saved.keys() == student.state_dict().keys()


def test_head_that_only_the_penalty_would_reach_is_left_as_it_is(student, teacher, tokenizer, rows, tmp_path):
    before = student.classifier.weight.detach().clone()
    losses = [{"name": "hidden-state"}, {"name": "l2-sp", "strength": 0.1, "head_strength": 0.1, "head": "zero"}]
    distil(student, teacher, tokenizer, rows, tmp_path, losses, max_steps=2)
    assert torch.equal(student.classifier.weight, before) and student.classifier.weight.requires_grad


def test_penalty_alone_is_refused(make_trainer, rows):
    with pytest.raises(UserError, match="l2-sp is a penalty and teaches nothing alone: add soft-label"):
        make_trainer(rows, [{"name": "l2-sp"}])


def test_language_is_refused_when_none_of_its_rows_is_drawn(make_trainer, rows):
    # Rows 0 to 9 are labelled and English; all Swahili ones have a role without a share.
    mixed = rows.add_column("role", ["labelled"] * 10 + ["parallel"] * 12)
    with pytest.raises(UserError, match="name en: give data in two or more"):
        make_trainer(mixed, mixture={"roles": {"labelled": 1, "parallel": 0}})
