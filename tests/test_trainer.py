"""`DistillationTrainer` is a `Trainer`, and the teacher is never in the student."""

import json
import logging
import subprocess
import sys

import pytest
import safetensors.torch
import torch
from tiny_training import HIDDEN_ONLY, LOSSES, arguments, distance, distil, trainer_of, weights
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    EarlyStoppingCallback,
    Trainer,
    TrainerCallback,
)

from xlkd import DistillationTrainer, LiveTeacher, UserError
from xlkd.losses import HiddenStateLoss, SoftLabelLoss
from xlkd.needs import LOSSES_ATTRIBUTE, Needs
from xlkd.outputs import Batch
from xlkd.tasks import SequenceClassification
from xlkd.training.checkpointing import LOSSES_FILE

HARD_ONLY = [{"name": "hard-label"}]


@pytest.fixture
def labelled(rows):
    return rows.filter(lambda label: label is not None, input_columns="label")


def test_weights_are_those_of_stock_trainer_when_hard_labels_are_alone(make_model, tokenizer, labelled, tmp_path):
    options = {"optim": "adamw_torch", "learning_rate": 1e-2, "max_steps": 6, "max_grad_norm": 1.0}
    # Equal to the last bit only where both compute with the same products.
    options |= {"per_device_train_batch_size": 4, "fast_matmul": "off"}
    ours = distil(
        make_model(seed=1, dropout=0.1).train(), None, tokenizer, labelled, tmp_path / "a", HARD_ONLY, **options
    )
    args = arguments(tmp_path / "b", **options)
    args.ddp_find_unused_parameters = None
    stock_model = make_model(seed=1, dropout=0.1).train()
    before = weights(stock_model)
    task = SequenceClassification(ours.task.labels)
    stock = Trainer(
        stock_model,
        args,
        data_collator=DataCollatorWithPadding(tokenizer),
        train_dataset=task.preprocess(labelled, {"": tokenizer}, 32),
    )
    stock.train()
    assert distance(before, weights(stock.model)) > 0
    assert distance(weights(ours.model), weights(stock.model)) == 0


def test_teacher_is_unchanged_when_student_trained(student, teacher, tokenizer, rows, tmp_path):
    before = weights(teacher)
    distil(student, teacher.train(), tokenizer, rows, tmp_path, max_steps=3)
    assert distance(before, weights(teacher)) == 0


def test_teacher_and_losses_are_not_in_student_when_trained(student, teacher, tokenizer, rows, tmp_path):
    names = set(student.state_dict())
    trainer = distil(student, teacher, tokenizer, rows, tmp_path, max_steps=2)
    assert set(trainer.model.state_dict()) == names and not hasattr(trainer.model, LOSSES_ATTRIBUTE)


def test_checkpoint_holds_student_alone_and_losses_beside_it(student, teacher, tokenizer, rows, tmp_path):
    names = set(student.state_dict())
    distil(student, teacher, tokenizer, rows, tmp_path, max_steps=2, save_strategy="steps", save_steps=1)
    folder = tmp_path / "checkpoint-1"
    assert set(safetensors.torch.load_file(folder / "model.safetensors")) == names
    assert set(safetensors.torch.load_file(folder / LOSSES_FILE)) == {
        "terms.hidden-state.projectors.0.weight",
        "terms.hidden-state.projectors.0.bias",
    }


def test_projector_is_trained(student, teacher, tokenizer, rows, tmp_path):
    trainer = trainer_of(student, teacher, tokenizer, rows, tmp_path, max_steps=2)
    before = weights(trainer.losses)
    trainer.train()
    assert distance(before, weights(trainer.losses)) > 0


def test_saved_student_has_no_pickle(student, teacher, tokenizer, rows, tmp_path):
    distil(student, teacher, tokenizer, rows, tmp_path, max_steps=1).save_model()
    assert (tmp_path / "model.safetensors").is_file() and (tmp_path / "tokenizer.json").is_file()
    assert not [path.name for path in tmp_path.iterdir() if path.suffix in (".bin", ".pt", ".pkl")]


@pytest.mark.slow
def test_saved_student_loads_when_xlkd_cannot_be_imported(student, teacher, tokenizer, rows, tmp_path):
    trainer = distil(student, teacher, tokenizer, rows, tmp_path, max_steps=1)
    trainer.save_model()
    program = (
        "import sys; sys.modules['xlkd'] = None\n"
        "from transformers import AutoModelForSequenceClassification, pipeline\n"
        f"AutoModelForSequenceClassification.from_pretrained({str(tmp_path)!r})\n"
        f"print(pipeline('text-classification', model={str(tmp_path)!r})('one text')[0]['label'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() in trainer.task.labels, done.stderr[-2000:]


def test_best_model_brings_projectors_of_its_step(student, teacher, tokenizer, rows, labelled, tmp_path):
    trainer = trainer_of(
        student,
        teacher,
        tokenizer,
        rows,
        tmp_path,
        eval_dataset=labelled,
        max_steps=4,
        learning_rate=5.0,
        eval_strategy="steps",
        eval_steps=1,
        save_strategy="steps",
        save_steps=1,
        load_best_model_at_end=True,
        metric_for_best_model="step_of_two",
        greater_is_better=True,
    )
    trainer.compute_metrics = lambda _: {"step_of_two": -abs(trainer.state.global_step - 2)}
    trainer.train()
    saved = safetensors.torch.load_file(tmp_path / "checkpoint-2" / LOSSES_FILE)
    last = safetensors.torch.load_file(tmp_path / "checkpoint-4" / LOSSES_FILE)
    assert distance(weights(trainer.losses), saved) == 0 < distance(saved, last)


def test_parameters_without_gradient_are_frozen_for_the_run_and_named(
    student, teacher, tokenizer, rows, tmp_path, caplog
):
    head = student.classifier.weight.detach().clone()
    with caplog.at_level(logging.INFO, logger="xlkd"):
        trainer = distil(student, teacher, tokenizer, rows, tmp_path, HIDDEN_ONLY, max_steps=2, weight_decay=0.1)
    assert "classifier.weight" in caplog.text
    assert torch.equal(trainer.model.classifier.weight, head)
    assert all(parameter.requires_grad for parameter in trainer.model.parameters())


def test_run_without_anything_to_train_is_refused(student, teacher, tokenizer, rows, tmp_path):
    student.requires_grad_(False)
    with pytest.raises(UserError, match="No loss reaches a trainable parameter .* choose other losses"):
        distil(student, teacher, tokenizer, rows, tmp_path, [{"name": "soft-label"}], max_steps=1)


def test_log_has_the_mean_of_every_term(student, teacher, tokenizer, rows, tmp_path):
    trainer = distil(student, teacher, tokenizer, rows, tmp_path, max_steps=4, logging_steps=2)
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert len(logged) == 2
    for entry in logged:
        total = entry["loss_soft-label"] + 2.0 * entry["loss_hidden-state"] + 0.5 * entry["loss_hard-label"]
        assert entry["loss"] == pytest.approx(total, rel=1e-4)


def test_log_has_weights_that_change_and_no_others(student, teacher, tokenizer, rows, tmp_path):
    losses = [{"name": "soft-label", "weight": {"start": 4.0, "end": 0.0}}, {"name": "hard-label", "weight": 0.5}]
    trainer = distil(student, teacher, tokenizer, rows, tmp_path, losses, max_steps=4, logging_steps=2)
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    # Those of the second and of the fourth of four updates.
    assert [entry["weight_soft-label"] for entry in logged] == [3.0, 1.0]
    assert not any("weight_hard-label" in entry for entry in logged)


def test_rows_without_labels_are_weighted_when_examples_are(student, teacher, tokenizer, rows, tmp_path):
    unlabelled = rows.filter(lambda row: row["label"] is None)
    losses = [{"name": "soft-label", "example_weight": "product"}]
    trainer = distil(student, teacher, tokenizer, unlabelled, tmp_path, losses, max_steps=2)
    assert all(entry["loss_soft-label"] > 0 for entry in trainer.state.log_history if "loss" in entry)


def test_evaluation_in_training_asks_no_teacher(student, teacher, tokenizer, rows, labelled, tmp_path):
    trainer = trainer_of(student, teacher, tokenizer, rows, tmp_path, eval_dataset=labelled)
    trainer.teacher.outputs = None
    metrics = trainer.evaluate()
    assert 0 <= metrics["eval_accuracy"] <= 1 and metrics["eval_loss"] > 0


def test_evaluation_on_several_languages_adds_their_mean(student, teacher, tokenizer, rows, labelled, tmp_path):
    languages = {"en": labelled, "sw": labelled.select(range(3))}
    metrics = trainer_of(student, teacher, tokenizer, rows, tmp_path, eval_dataset=languages).evaluate()
    mean = (metrics["eval_en_accuracy"] + metrics["eval_sw_accuracy"]) / 2
    assert metrics["eval_mean_accuracy"] == pytest.approx(mean)


def test_predictions_are_logits_alone(student, teacher, tokenizer, rows, labelled, tmp_path):
    trainer = trainer_of(student, teacher, tokenizer, rows, tmp_path, eval_dataset=labelled)
    assert trainer.predict(trainer.eval_dataset).predictions.shape == (len(labelled), 3)


def test_early_stopping_stops(student, teacher, tokenizer, rows, labelled, tmp_path):
    trainer = trainer_of(
        student,
        teacher,
        tokenizer,
        rows,
        tmp_path,
        eval_dataset=labelled,
        max_steps=10,
        learning_rate=0.0,
        eval_strategy="steps",
        eval_steps=1,
        save_strategy="steps",
        save_steps=1,
        load_best_model_at_end=True,
        metric_for_best_model="accuracy",
    )
    trainer.add_callback(EarlyStoppingCallback(2))
    trainer.train()
    assert trainer.state.global_step == 3


def test_callbacks_see_every_step(student, teacher, tokenizer, rows, tmp_path):
    class Counter(TrainerCallback):
        steps = 0

        def on_step_end(self, *_, **__):
            self.steps += 1

    counter = Counter()
    trainer = trainer_of(student, teacher, tokenizer, rows, tmp_path, max_steps=4)
    trainer.add_callback(counter)
    trainer.train()
    assert counter.steps == 4


@pytest.mark.parametrize("option", ["gradient_checkpointing", pytest.param("torch_compile", marks=pytest.mark.slow)])
def test_option_of_trainer_gives_the_same_weights(option, make_model, teacher, tokenizer, rows, tmp_path):
    plain, changed = (
        distil(make_model(layers=1, width=8, seed=1), teacher, tokenizer, rows, tmp_path, max_steps=3, **options)
        for options in ({}, {option: True})
    )
    assert distance(weights(plain.model), weights(changed.model)) < 1e-4


def test_trainer_can_train_twice(student, teacher, tokenizer, rows, tmp_path):
    trainer = trainer_of(student, teacher, tokenizer, rows, tmp_path, max_steps=2)
    trainer.train()
    first = weights(trainer.model)
    trainer.train()
    assert distance(first, weights(trainer.model)) > 0


def test_teacher_may_be_a_folder(student, teacher, tokenizer, rows, tmp_path, save_model):
    save_model(tmp_path / "teacher", teacher, tokenizer)
    trainer = DistillationTrainer(
        model=student,
        teacher=str(tmp_path / "teacher"),
        losses=LOSSES,
        args=arguments(tmp_path / "out", max_steps=1),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    trainer.train()
    assert trainer.state.global_step == 1


def test_teacher_with_another_tokenizer_reads_its_own_tokens(
    student, make_model, tokenizer, other_tokenizer, rows, tmp_path
):
    teacher = LiveTeacher(make_model(layers=2, width=16, seed=2, vocab=len(other_tokenizer)), other_tokenizer)
    trainer = DistillationTrainer(
        student, teacher, LOSSES, args=arguments(tmp_path), train_dataset=rows, processing_class=tokenizer
    )
    row = trainer.train_dataset[0]
    assert row["input_ids"] == tokenizer(rows[0]["text"])["input_ids"]
    assert row["teacher_input_ids"] == other_tokenizer(rows[0]["teacher_text"])["input_ids"]


def test_states_of_tokens_are_refused_when_teacher_reads_other_text(student, teacher, tokenizer, rows, tmp_path):
    losses = [{"name": "hidden-state", "layer_map": [[1, 2]], "pool": "none"}]
    parallel = rows.select(range(10, 17))
    with pytest.raises(UserError, match="different tokens in every row .*pool: mean"):
        trainer_of(student, teacher, tokenizer, parallel, tmp_path, losses)


def test_states_of_tokens_are_allowed_when_both_read_the_same(student, teacher, tokenizer, rows, tmp_path):
    losses = [{"name": "hidden-state", "layer_map": [[1, 2]], "pool": "none"}]
    distil(student, teacher, tokenizer, rows.remove_columns("teacher_text"), tmp_path, losses, max_steps=1)


def test_labels_of_teacher_in_another_order_are_matched_by_name(student, make_model, tokenizer, rows, tmp_path):
    teacher = make_model(seed=2, labels=("c", "a", "b"))
    trainer = trainer_of(student, teacher, tokenizer, rows, tmp_path)
    batch = Batch.from_inputs(trainer._collate(trainer._first_rows()))
    asked = trainer.teacher.outputs(batch, Needs(logits=True)).logits
    own = teacher(**batch.teacher_inputs).logits
    torch.testing.assert_close(asked, own[:, [1, 2, 0]])


def test_labels_with_none_in_common_are_refused(student, make_model, tokenizer, rows, tmp_path):
    with pytest.raises(UserError, match=r"\(x, y, z\) and the student's \(a, b, c\) have none in common"):
        trainer_of(student, make_model(labels=("x", "y", "z")), tokenizer, rows, tmp_path)


@pytest.mark.parametrize("labels", [("b", "a", "x"), ("a", "b", "c", "d")])
def test_student_learns_when_the_teacher_has_other_labels(student, make_model, tokenizer, rows, tmp_path, labels):
    before = weights(student)
    trainer = distil(student, make_model(seed=2, labels=labels), tokenizer, rows, tmp_path, max_steps=2)
    after = weights(trainer.model)
    assert distance(before, after) > 0
    assert all(value.isfinite().all() for value in after.values())


def test_teacher_without_head_is_refused(student, teacher, tokenizer, rows, tmp_path):
    with pytest.raises(UserError, match="not a model for sequence-classification"):
        DistillationTrainer(student, teacher.base_model, LOSSES, args=arguments(tmp_path), processing_class=tokenizer)


def test_loss_that_needs_a_teacher_is_refused_without_one(student, tokenizer, rows, tmp_path):
    with pytest.raises(UserError, match="needs a teacher"):
        trainer_of(student, None, tokenizer, rows, tmp_path)


def test_layer_out_of_range_is_refused_before_training(student, teacher, tokenizer, rows, tmp_path):
    with pytest.raises(UserError, match="teacher layer 9"):
        trainer_of(student, teacher, tokenizer, rows, tmp_path, [{"name": "hidden-state", "layer_map": [[1, 9]]}])


def test_find_unused_parameters_is_refused(tmp_path):
    with pytest.raises(UserError, match="ddp_find_unused_parameters"):
        arguments(tmp_path, ddp_find_unused_parameters=True)


def test_checkpoint_state_is_json_of_trainer(student, teacher, tokenizer, rows, tmp_path):
    distil(student, teacher, tokenizer, rows, tmp_path, max_steps=1, save_strategy="steps", save_steps=1)
    assert json.loads((tmp_path / "checkpoint-1" / "trainer_state.json").read_text())["global_step"] == 1
    AutoModelForSequenceClassification.from_pretrained(tmp_path / "checkpoint-1")


def test_both_are_kept_when_two_losses_are_of_one_kind(student, teacher, tokenizer, rows, tmp_path):
    losses = [SoftLabelLoss(1.0), SoftLabelLoss(4.0)]
    trainer = trainer_of(student, teacher, tokenizer, rows, tmp_path, losses)
    assert [name for name, _ in trainer.losses.items()] == ["soft-label", "soft-label-2"]


def test_logged_terms_are_those_of_the_straight_run_when_resumed(make_model, teacher, tokenizer, rows, tmp_path):
    def logged(folder, resume=None):
        options = {"max_steps": 4, "save_strategy": "steps", "save_steps": 3}
        trainer = trainer_of(make_model(layers=1, width=8, seed=1), teacher, tokenizer, rows, folder, **options)
        trainer.train(resume_from_checkpoint=resume)
        return [entry for entry in trainer.state.log_history if "loss" in entry][-1]

    straight = logged(tmp_path / "a")
    resumed = logged(tmp_path / "b", str(tmp_path / "a" / "checkpoint-3"))
    for name in ("loss_soft-label", "loss_hidden-state", "loss_hard-label"):
        assert resumed[name] == pytest.approx(straight[name])


def test_raw_rows_are_scored_when_given_to_evaluate(student, teacher, tokenizer, rows, labelled, tmp_path):
    trainer = trainer_of(student, teacher, tokenizer, rows, tmp_path)
    assert trainer.evaluate(labelled)["eval_accuracy"] == trainer.predict(labelled).metrics["test_accuracy"]


def test_loss_function_of_stock_trainer_is_refused(student, tokenizer, labelled, tmp_path):
    with pytest.raises(UserError, match="compute_loss_func does not apply"):
        DistillationTrainer(student, losses=HARD_ONLY, args=arguments(tmp_path), compute_loss_func=print)


def rates(trainer) -> dict[str, float]:
    """The learning rate of every trained parameter, by name."""
    of_parameter = {id(weight): group["lr"] for group in trainer.optimizer.param_groups for weight in group["params"]}
    named = trainer.model.named_parameters()
    return {name: of_parameter[id(weight)] for name, weight in named if id(weight) in of_parameter}


def test_table_of_pieces_has_its_own_rate_when_one_is_given(student, teacher, tokenizer, rows, tmp_path):
    trainer = distil(student, teacher, tokenizer, rows, tmp_path, max_steps=1, embedding_learning_rate=0.125)
    found = rates(trainer)
    assert found.pop("bert.embeddings.word_embeddings.weight") == 0.125
    assert len(found) > 10 and set(found.values()) == {0.5}


def test_schedule_scales_both_rates_alike(student, teacher, tokenizer, rows, tmp_path):
    options = {"max_steps": 4, "embedding_learning_rate": 0.125, "lr_scheduler_type": "linear"}
    trainer = trainer_of(student, teacher, tokenizer, rows, tmp_path, **options)
    seen = []

    class Watch(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            found = rates(trainer)
            seen.append((found["bert.embeddings.word_embeddings.weight"], found["classifier.weight"]))

    trainer.add_callback(Watch())
    trainer.train()
    assert len(seen) == 4
    assert all(table == pytest.approx(other / 4) for table, other in seen)


def test_embeddings_stay_when_their_rate_is_zero(student, teacher, tokenizer, rows, tmp_path):
    before = student.get_input_embeddings().weight.detach().clone()
    distil(student, teacher, tokenizer, rows, tmp_path, max_steps=2, embedding_learning_rate=0.0)
    assert torch.equal(student.get_input_embeddings().weight, before)


def test_rate_of_embeddings_is_refused_when_the_optimizer_is_given(student, teacher, tokenizer, rows, tmp_path):
    given = torch.optim.SGD(student.parameters(), lr=0.1)
    with pytest.raises(UserError, match="does not apply to an optimizer of your own"):
        DistillationTrainer(
            student,
            LiveTeacher(teacher, tokenizer),
            LOSSES,
            args=arguments(tmp_path, embedding_learning_rate=0.1),
            train_dataset=rows,
            processing_class=tokenizer,
            optimizers=(given, None),
        )


def test_run_is_not_resumed_when_its_groups_of_parameters_are_others(student, teacher, tokenizer, rows, tmp_path):
    saved = {"max_steps": 1, "save_strategy": "steps", "save_steps": 1}
    distil(student, teacher, tokenizer, rows, tmp_path, **saved)
    trainer = trainer_of(student, teacher, tokenizer, rows, tmp_path, max_steps=2, embedding_learning_rate=0.1)
    with pytest.raises(UserError, match="checkpoint-1 has other groups of parameters"):
        trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))


def test_mass_that_maps_nowhere_is_logged_when_the_teacher_knows_more(make_model, tokenizer, rows, tmp_path):
    live = LiveTeacher(make_model(seed=2), tokenizer)
    unlabelled = rows.remove_columns("label").select(range(8))
    student = make_model(layers=1, labels=("a", "c"))
    trainer = DistillationTrainer(
        student,
        live,
        [{"name": "soft-label"}],
        args=arguments(tmp_path, max_steps=2, gradient_accumulation_steps=2, per_device_train_batch_size=4),
        train_dataset=unlabelled,
        processing_class=tokenizer,
    )
    trainer.train()
    expected = 0.0
    for text in unlabelled["teacher_text"]:
        inputs = tokenizer(text, return_tensors="pt")
        expected += live.model(**inputs).logits.softmax(-1)[0, 1].item() / len(unlabelled)
    logged = [entry["teacher_mass_unmapped"] for entry in trainer.state.log_history if "loss" in entry]
    assert logged == pytest.approx([expected, expected], rel=1e-4)


def test_nothing_is_logged_of_unmapped_mass_when_all_labels_map(student, teacher, tokenizer, rows, tmp_path):
    trainer = distil(student, teacher, tokenizer, rows, tmp_path, max_steps=1)
    assert not any("teacher_mass_unmapped" in entry for entry in trainer.state.log_history)


@pytest.mark.parametrize("takes_trial", [False, True])
def test_student_is_made_when_its_maker_takes_a_trial_or_nothing(student, tokenizer, labelled, tmp_path, takes_trial):
    trainer = DistillationTrainer(
        model_init=(lambda trial: student) if takes_trial else (lambda: student),
        losses=HARD_ONLY,
        args=arguments(tmp_path),
        train_dataset=labelled,
        processing_class=tokenizer,
    )
    assert trainer.model is student


def test_losses_begin_anew_when_a_student_is_made_for_every_training(make_model, teacher, tokenizer, rows, tmp_path):
    trainer = DistillationTrainer(
        model_init=lambda: make_model(layers=1, width=8, seed=1),
        teacher=LiveTeacher(teacher, tokenizer),
        losses=[{"name": "hidden-state", "weight": 2.0}, {"name": "l2-sp", "strength": 1.0}],
        args=arguments(tmp_path, max_steps=3),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    trained = []
    for _ in range(2):
        trainer.train()
        trained.append(weights(trainer.model) | weights(trainer.losses))
    assert distance(*trained) == 0


def test_losses_are_settled_anew_when_the_next_student_is_deeper(make_model, teacher, tokenizer, rows, tmp_path):
    depth = [1]
    trainer = DistillationTrainer(
        model_init=lambda: make_model(layers=depth[0], width=8, seed=1),
        teacher=LiveTeacher(teacher, tokenizer),
        losses=[{"name": "relational-distance"}],
        args=arguments(tmp_path),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    assert trainer.losses.config()[0]["student_layer"] == 1
    depth[0] = 2
    trainer.call_model_init()
    assert trainer.losses.config()[0]["student_layer"] == 2


def test_blocks_are_those_of_the_student_when_it_has_as_many_projectors(make_model, tokenizer, rows, tmp_path):
    losses = [{"name": "soft-label"}, {"name": "hidden-state", "layer_map": "uniform"}, {"name": "attention-relation"}]
    student, teacher = make_model(layers=3, width=8, seed=1), make_model(layers=6, width=16, seed=2)
    trainer = distil(student, teacher, tokenizer, rows.remove_columns("teacher_text"), tmp_path, losses, max_steps=1)
    assert len(trainer.losses.terms["hidden-state"].projectors) == trainer.model.config.num_hidden_layers


def test_losses_are_settled_for_each_trainer_when_they_are_given_to_two(student, make_model, tokenizer, rows, tmp_path):
    losses = [HiddenStateLoss()]
    trainers = [
        trainer_of(student, make_model(layers=layers, seed=2), tokenizer, rows, tmp_path, losses) for layers in (2, 4)
    ]
    assert [trainer.losses.config()[0]["layer_map"] for trainer in trainers] == [[[1, 2]], [[1, 4]]]
    assert losses[0].config()["layer_map"] is None


@pytest.mark.parametrize(
    ("name", "rows_needed"),
    [
        ("relational-distance", 3),
        ("relational-angle", 3),
        ("similarity-preserving", 2),
        ("kernel-alignment", 4),
        ("contrastive", 2),
        ("label-correlation", 2),
    ],
)
def test_batch_that_is_too_small_to_compare_rows_is_refused(
    name, rows_needed, student, make_model, tokenizer, rows, tmp_path
):
    labels = ("a", "b", "c", "d")
    student, teacher = make_model(layers=1, seed=1, labels=labels), make_model(seed=2, labels=labels)

    def make(size):
        options = {"per_device_train_batch_size": size, "gradient_accumulation_steps": 8}
        return trainer_of(student, teacher, tokenizer, rows, tmp_path, [{"name": name}], **options)

    make(rows_needed)
    with pytest.raises(UserError, match=f"{name} compares .* needs {rows_needed} or more, but a batch has"):
        make(rows_needed - 1)


def test_terms_are_those_of_its_own_updates_when_a_training_comes_after_another(
    student, teacher, tokenizer, rows, tmp_path
):
    # The first ends two updates after its last window.
    losses = [{"name": "soft-label", "temperature": 2.0}]
    options = {"max_steps": 5, "logging_steps": 3, "learning_rate": 0.0}
    trainer = trainer_of(student, teacher, tokenizer, rows, tmp_path, losses=losses, **options)
    for _ in range(2):
        trainer.train()
        window = next(entry for entry in trainer.state.log_history if "loss_soft-label" in entry)
        assert window["loss_soft-label"] == pytest.approx(window["loss"], rel=1e-4)
