"""What a training logged becomes curves."""

import math

import pytest
from made_report import made_log
from tiny_training import distil

from xlkd.evaluation.training_curves import Curve, TrainingCurves


def test_terms_are_those_of_the_training_when_one_was_run(student, teacher, tokenizer, rows, tmp_path) -> None:
    validation = rows.select(range(6))
    trainer = distil(student, teacher, tokenizer, rows, tmp_path, max_steps=3)
    trainer.evaluate({"en": validation})
    curves = TrainingCurves.from_log(trainer.state.log_history, "accuracy")
    assert [curve.name for curve in curves.terms] == ["loss", *(name for name, _ in trainer.losses.items())]
    assert all(list(curve.steps) == [1, 2, 3] for curve in curves.terms)
    assert [curve.name for curve in curves.validation] == ["en"]


def test_total_is_first_when_terms_were_logged_before_it() -> None:
    curves = TrainingCurves.from_log(made_log(), "accuracy")
    assert [curve.name for curve in curves.terms] == ["loss", "soft-label", "hidden-state", "hard-label"]


def test_validation_is_the_metric_alone_when_more_was_measured() -> None:
    curves = TrainingCurves.from_log(made_log(), "macro-f1")
    assert [curve.name for curve in curves.validation] == ["en", "sw"]
    assert curves.validation[0].values[-1] == pytest.approx(0.82 - 0.4 / 7 - 0.03)


def test_validation_has_no_language_when_its_set_has_no_name() -> None:
    curves = TrainingCurves.from_log([{"eval_accuracy": 0.5, "eval_loss": 1.0, "step": 3}], "accuracy")
    assert curves.validation == [Curve("validation", [3], [0.5])]


def test_later_value_counts_when_a_step_was_logged_twice() -> None:
    log = [{"loss": 3.0, "step": 10}, {"loss": 2.0, "step": 20}, {"loss": 1.0, "step": 10}]
    assert TrainingCurves.from_log(log, "accuracy").terms == [Curve("loss", [10, 20], [1.0, 2.0])]


def test_value_is_left_out_when_it_is_not_finite() -> None:
    log = [{"loss": loss, "step": step} for step, loss in enumerate([math.nan, 2.0, math.inf, 1.0])]
    assert TrainingCurves.from_log(log, "accuracy").terms == [Curve("loss", [1, 3], [2.0, 1.0])]


def test_there_are_no_curves_when_nothing_was_logged() -> None:
    assert not TrainingCurves.from_log([{"train_loss": 1.0, "step": 3}], "accuracy")


def test_points_are_means_of_neighbours_when_there_are_too_many() -> None:
    thinned = Curve("loss", [1, 2, 3, 4, 5], [1.0, 3.0, 5.0, 7.0, 9.0]).thinned(3)
    assert thinned == Curve("loss", [2, 4, 5], [2.0, 6.0, 9.0])


@pytest.mark.parametrize(("values", "spans"), [([31.0, 1.0], True), ([29.0, 1.0], False), ([31.0, 0.0], False)])
def test_axis_is_logarithmic_when_values_span_decades(values: list[float], spans: bool) -> None:
    assert Curve("loss", [1, 2], values).spans_decades is spans
