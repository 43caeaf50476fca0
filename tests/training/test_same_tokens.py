"""Rows of which teacher and student read the same tokens, and losses that compare token by token."""

import copy
import logging
from dataclasses import replace

import pytest
import torch
from tiny_tokenizer import build_tokenizer
from tiny_training import arguments, distance, distil, weights

from xlkd import DistillationTrainer, LiveTeacher, TeacherEnsemble, UserError, build_cache, describe_cache
from xlkd.losses import AttentionRelationLoss, HiddenStateLoss
from xlkd.needs import Needs
from xlkd.outputs import SAME_TOKENS_COLUMN, AttentionVectors, Batch, StudentOutput, TeacherOutput
from xlkd.tasks import SequenceClassification
from xlkd.training.same_tokens import cut_to_one_width, same_tokens

TASK = SequenceClassification(["a", "b", "c"])
BY_TOKEN = [
    {"name": "hidden-state", "layer_map": [[1, 2]], "pool": "none"},
    {"name": "attention-relation"},
    {"name": "attention-map"},
]


@pytest.fixture
def trimmed(words):
    """A tokenizer that lacks one English word in four, with other ids for the rest."""
    known = [word for language in ("sw", "en") for index, word in enumerate(words[language]) if index % 4]
    return build_tokenizer(known)


def trainer_of(student, teacher, tokenizer, rows, folder, losses, eval_dataset=None, **options):
    return DistillationTrainer(
        model=student,
        teacher=teacher,
        losses=losses,
        args=arguments(folder, **options),
        train_dataset=rows,
        eval_dataset=eval_dataset,
        processing_class=tokenizer,
    )


def names_of(tokenizer, ids):
    return tokenizer.convert_ids_to_tokens(ids)


def test_rows_are_the_same_when_their_pieces_have_the_same_names(tokenizer, trimmed, rows):
    encoded = TASK.preprocess(rows, {"": trimmed, "teacher_": tokenizer}, 32)
    found = same_tokens(encoded, "teacher_", trimmed, tokenizer).tolist()
    expected = [names_of(trimmed, row["input_ids"]) == names_of(tokenizer, row["teacher_input_ids"]) for row in encoded]
    assert found == expected
    assert 3 < sum(found) < 15
    assert encoded[found.index(True)]["input_ids"] != encoded[found.index(True)]["teacher_input_ids"]


def test_rows_are_compared_when_they_come_in_several_parts(tokenizer, trimmed, rows, monkeypatch):
    encoded = TASK.preprocess(rows, {"": trimmed, "teacher_": tokenizer}, 32).shuffle(seed=1)
    whole = same_tokens(encoded, "teacher_", trimmed, tokenizer)
    monkeypatch.setattr("xlkd.training.same_tokens._ROWS_AT_A_TIME", 4)
    assert same_tokens(encoded, "teacher_", trimmed, tokenizer).tolist() == whole.tolist()


@pytest.mark.parametrize("entry", BY_TOKEN, ids=lambda entry: entry["name"])
def test_student_with_a_trimmed_vocabulary_learns_token_by_token(
    entry, make_model, teacher, tokenizer, trimmed, rows, tmp_path, caplog
):
    student = make_model(layers=1, width=8, seed=1, vocab=len(trimmed))
    with caplog.at_level(logging.WARNING):
        trainer = trainer_of(student, LiveTeacher(teacher, tokenizer), trimmed, rows, tmp_path, [entry], max_steps=2)
    counted = sum(trainer.train_dataset[SAME_TOKENS_COLUMN])
    assert f"Loss {entry['name']}: counts for {counted} of 22 rows" in caplog.text
    before = weights(student)
    trainer.train()
    assert distance(before, weights(student)) > 1e-4


@pytest.mark.parametrize("entry", BY_TOKEN, ids=lambda entry: entry["name"])
def test_weights_are_equal_when_rows_that_differ_are_left_out(
    entry, make_model, teacher, tokenizer, trimmed, rows, tmp_path
):
    encoded = TASK.preprocess(rows, {"": trimmed, "teacher_": tokenizer}, 32)
    same = same_tokens(encoded, "teacher_", trimmed, tokenizer)
    trained = []
    for name, own in (("all", rows), ("same", rows.select([index for index in range(22) if same[index]]))):
        student = make_model(layers=1, width=8, seed=1, vocab=len(trimmed))
        trainer = trainer_of(
            student,
            LiveTeacher(teacher, tokenizer),
            trimmed,
            own,
            tmp_path / name,
            [entry],
            max_steps=1,
            per_device_train_batch_size=22,
        )
        trainer.train()
        trained.append(weights(student))
    assert distance(*trained) < 1e-6


@pytest.mark.parametrize("entry", BY_TOKEN, ids=lambda entry: entry["name"])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_weights_are_equal_when_a_window_of_token_losses_is_cut_into_batches(
    entry, batch_size, student, teacher, tokenizer, rows, tmp_path
):
    trained = []
    for name, size in (("whole", 8), ("cut", batch_size)):
        options = {"per_device_train_batch_size": size, "gradient_accumulation_steps": 8 // size, "max_steps": 4}
        own = copy.deepcopy(student)
        distil(own, teacher, tokenizer, rows, tmp_path / name, [{**entry, "weight": 5.0}], **options)
        trained.append(weights(own))
    assert distance(*trained) < 1e-5 < distance(weights(student), trained[0]) / 20


def output_of(kind, width, padded_left, seed=0):
    """Two rows of 3 and 2 tokens, padded to a width with numbers that no loss may see."""
    generator = torch.Generator().manual_seed(seed)
    states = torch.full((2, width, 4), 99.0)
    mask = torch.zeros(2, width, dtype=torch.long)
    for row, length in enumerate((3, 2)):
        place = slice(width - length, width) if padded_left else slice(0, length)
        states[row, place] = torch.randn(3, 4, generator=generator)[:length]
        mask[row, place] = 1
    maps = torch.rand(2, 2, width, width, generator=generator)
    vectors = {1: AttentionVectors(states, states + 1, states * 2)}
    return kind(hidden_states={1: states}, attention_mask=mask, attention_maps={1: maps}, attention_vectors=vectors)


@pytest.mark.parametrize("padded_left", [False, True])
@pytest.mark.parametrize("widths", [(3, 6), (6, 3), (4, 5)])
def test_loss_is_the_same_when_one_side_is_padded_further(widths, padded_left):
    relation = AttentionRelationLoss(2, student_layer=1, teacher_layer=1)
    values = []
    for own, other in ((3, 3), widths):
        pair = output_of(StudentOutput, own, padded_left), output_of(TeacherOutput, other, padded_left, seed=1)
        student, teacher = cut_to_one_width(*pair)
        assert student.attention_mask.equal(teacher.attention_mask)
        assert teacher.attention_maps[1].shape[-2:] == student.attention_maps[1].shape[-2:]
        batch = Batch({}, {}, torch.zeros(2), torch.ones(2).bool())
        values.append([loss(student, teacher, batch) for loss in (HiddenStateLoss([(1, 1)], pool="none"), relation)])
    torch.testing.assert_close(*values)


def test_rows_that_differ_do_not_count_when_a_loss_compares_tokens():
    batch = Batch(
        {}, {}, torch.zeros(3), torch.tensor([True, True, False]), same_tokens=torch.tensor([True, False, True])
    )
    assert HiddenStateLoss([(1, 1)], pool="none").rows(batch).tolist() == [True, False, False]
    assert HiddenStateLoss([(1, 1)], pool="mean").rows(batch).tolist() == [True, True, False]
    everywhere = replace(batch, same_tokens=Batch.from_inputs({"input_ids": torch.zeros(3, 1)}).same_tokens)
    assert HiddenStateLoss([(1, 1)], pool="none").rows(everywhere).tolist() == [True, True, False]


def test_stream_is_refused_when_a_loss_compares_tokens(student, teacher, tokenizer, rows, tmp_path):
    stream = TASK.preprocess(rows, {"": tokenizer, "teacher_": tokenizer}, 32).to_iterable_dataset()
    with pytest.raises(UserError, match="token by token, and of a stream nobody knows"):
        trainer_of(student, LiveTeacher(teacher, tokenizer), tokenizer, stream, tmp_path, BY_TOKEN[:1], max_steps=1)


def test_padding_on_two_sides_is_refused_when_a_loss_compares_tokens(student, teacher, tokenizer, rows, tmp_path):
    other = copy.deepcopy(tokenizer)
    other.padding_side = "left"
    with pytest.raises(UserError, match="attention-relation compares .* on the left and the student's on the right"):
        trainer_of(student, LiveTeacher(teacher, other), tokenizer, rows, tmp_path, BY_TOKEN[1:2])


@pytest.mark.parametrize("entry", BY_TOKEN, ids=lambda entry: entry["name"])
def test_attention_is_as_before_when_the_training_is_over(entry, student, teacher, tokenizer, rows, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        distil(student, teacher, tokenizer, rows, tmp_path, [entry], max_steps=1, fast_matmul="off")
    assert student.config._attn_implementation == teacher.config._attn_implementation == "sdpa"
    assert ("computed step by step" in caplog.text) == (entry["name"] == "attention-map")


def test_attention_comes_from_the_named_member_of_an_ensemble(make_model, student, tokenizer, rows, tmp_path):
    members = {
        name: LiveTeacher(make_model(layers=2, width=16, seed=seed), tokenizer) for seed, name in enumerate("ab")
    }
    with pytest.raises(UserError, match="features"):
        trainer_of(student, TeacherEnsemble(members), tokenizer, rows, tmp_path, BY_TOKEN[1:2])
    trainer = trainer_of(
        student, TeacherEnsemble(members, features="b"), tokenizer, rows, tmp_path, BY_TOKEN[1:2], max_steps=2
    )
    before = weights(student)
    trainer.train()
    assert distance(before, weights(student)) > 1e-4


@pytest.mark.parametrize("entry", BY_TOKEN[1:], ids=lambda entry: entry["name"])
def test_attention_is_refused_when_answers_are_read(entry, student, teacher, tokenizer, rows, tmp_path):
    live = LiveTeacher(teacher, tokenizer)
    prepared = TASK.preprocess(rows, live.readers, 32)
    needs = Needs(logits=True, first_states=frozenset({2}))
    record = describe_cache(live, needs, task=TASK.name, max_length=32, precision="float32", dtype="float32")
    cache = build_cache(live, prepared, record, tmp_path / "cache")
    with pytest.raises(UserError, match=f"{entry['name']} needs the .* which the cache .* does not give: use .*hidden"):
        trainer_of(student, cache, tokenizer, rows, tmp_path, [entry])


def test_first_states_are_those_of_the_live_teacher_when_it_was_asked_before(
    student, teacher, tokenizer, rows, tmp_path
):
    losses = [{"name": "hidden-state", "layer_map": [[1, 2]], "distance": "normalised-mse", "pool": "first"}]
    live = LiveTeacher(teacher, tokenizer)
    needs = Needs(first_states=frozenset({2}))
    record = describe_cache(live, needs, task=TASK.name, max_length=32, precision="float32", dtype="float32")
    cache = build_cache(live, TASK.preprocess(rows, live.readers, 32), record, tmp_path / "cache", batch_size=5)
    trained = []
    for asked in (live, cache):
        own = copy.deepcopy(student)
        trainer_of(own, asked, tokenizer, rows, tmp_path / "out", losses, max_steps=3).train()
        trained.append(weights(own))
    assert distance(*trained) < 1e-5 < distance(weights(student), trained[0]) / 20


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_weights_are_equal_when_the_student_is_compiled(student, teacher, tokenizer, rows, tmp_path):
    trained = []
    for options in ({}, {"torch_compile": True, "torch_compile_backend": "aot_eager"}):
        own = copy.deepcopy(student)
        # An evaluation between the steps is a pass that nobody listens to, of the same compiled model.
        evaluation = {"eval_strategy": "steps", "eval_steps": 2, "max_steps": 6, "eval_dataset": rows.select(range(6))}
        live = LiveTeacher(teacher, tokenizer)
        trainer = trainer_of(own, live, tokenizer, rows, tmp_path, BY_TOKEN[1:2], **evaluation, **options)
        trainer.train()
        trained.append(weights(own))
    assert distance(*trained) < 1e-5 < distance(weights(student), trained[0]) / 20
