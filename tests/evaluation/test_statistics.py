"""Intervals and tests, against simulation, loops and figures worked out by hand."""

import itertools

import numpy as np
import pytest
from bootstrap import ScoredRows, interval_of_mean, interval_of_score

from xlkd.errors import UserError
from xlkd.evaluation import resampling
from xlkd.evaluation.answers import Answers
from xlkd.evaluation.metrics import Accuracy, MacroF1, Metric, RightOrWrong
from xlkd.evaluation.metrics.base import Share
from xlkd.evaluation.predictions import LanguagePredictions
from xlkd.evaluation.resampling import Interval
from xlkd.evaluation.statistics import paired_p_value

NAMES = ["a", "b", "c", "d"]
ACCURACY, MACRO_F1 = Accuracy(NAMES), MacroF1(NAMES)


class RandomisedAccuracy(Share):
    """Accuracy that does not say that it is a share of right rows."""

    tally = vars(RightOrWrong)["tally"]
    is_right = Accuracy.is_right


def right_or_wrong(is_right: np.ndarray) -> tuple[Answers, Answers]:
    return is_right.astype(np.int64), np.ones(len(is_right), dtype=np.int64)


def classes(seed: int, count: int = 200) -> tuple[Answers, Answers]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(4, size=count)
    return np.where(generator.random(count) < 0.6, labels, generator.integers(4, size=count)), labels


def width(interval: Interval) -> float:
    return interval.high - interval.low


def test_bootstrap_covers_the_true_accuracy_when_samples_are_drawn_many_times() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for sample in range(400):
        predictions, labels = right_or_wrong(generator.random(200) < 0.7)
        interval = interval_of_score(ACCURACY, predictions, labels, resamples=400, seed=sample)
        covered += interval.low <= 0.7 <= interval.high
    # 95 % of 400 is 380, give or take 4.4: five standard errors either side.
    assert 358 <= covered <= 400


def test_bootstrap_is_narrower_when_the_level_is_lower() -> None:
    predictions, labels = classes(seed=1)
    wide, narrow = (interval_of_score(ACCURACY, predictions, labels, level=level) for level in (0.95, 0.5))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_bootstrap_agrees_with_a_loop_when_the_metric_is_macro_f1() -> None:
    predictions, labels = classes(seed=2)
    generator = np.random.default_rng(3)
    drawn = [generator.integers(len(labels), size=len(labels)) for _ in range(1000)]
    low, high = np.quantile([MACRO_F1.of(predictions[index], labels[index]) for index in drawn], [0.025, 0.975])
    interval = interval_of_score(MACRO_F1, predictions, labels)
    assert interval == pytest.approx((low, high), abs=0.015)


def test_bootstrap_is_repeated_exactly_when_the_seed_is_the_same() -> None:
    predictions, labels = classes(seed=4)
    first, again, other = (interval_of_score(ACCURACY, predictions, labels, seed=seed) for seed in (5, 5, 6))
    assert first == again != other


def test_bootstrap_keeps_its_width_when_it_is_drawn_in_small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    predictions, labels = classes(seed=4)
    whole = interval_of_score(ACCURACY, predictions, labels)
    monkeypatch.setattr(resampling, "_WEIGHTS_AT_ONCE", 999)
    assert interval_of_score(ACCURACY, predictions, labels) == pytest.approx(whole, abs=0.02)


def test_joint_bootstrap_is_wider_than_the_independent_one_when_languages_share_items() -> None:
    predictions, labels = right_or_wrong(np.random.default_rng(7).random(300) < 0.7)
    keys = [str(row) for row in range(300)]
    joint = interval_of_mean(ACCURACY, [ScoredRows(predictions, labels, keys)] * 9)
    alone = interval_of_mean(ACCURACY, [ScoredRows(predictions, labels)] * 9)
    # Nine equal languages say no more than one: three times the width of nine independent ones.
    assert width(joint) == pytest.approx(3 * width(alone), rel=0.15)


def test_joint_bootstrap_moves_items_together_when_their_rows_stand_in_another_order() -> None:
    is_right = np.random.default_rng(8).random(300) < 0.7
    order = np.random.default_rng(9).permutation(300)
    first = ScoredRows(*right_or_wrong(is_right), [str(row) for row in range(300)])
    second = ScoredRows(*right_or_wrong(~is_right[order]), [str(row) for row in order])
    # Where one language is right the other is wrong, on every item: the mean cannot vary.
    assert interval_of_mean(ACCURACY, [first, second]) == pytest.approx((0.5, 0.5))


def test_joint_bootstrap_agrees_with_a_loop_when_languages_share_some_items() -> None:
    generator = np.random.default_rng(10)
    keys = [[str(key) for key in range(0, 80)], [str(key) for key in range(40, 120)]]
    is_right = [generator.random(80) < 0.7, generator.random(80) < 0.5]
    means = []
    for _ in range(1000):
        drawn = generator.integers(120, size=120)
        scores = [
            np.mean([right[names.index(str(key))] for key in drawn if str(key) in names])
            for names, right in zip(keys, is_right, strict=True)
        ]
        means.append(np.mean(scores))
    languages = [ScoredRows(*right_or_wrong(is_right[number]), keys[number]) for number in range(2)]
    expected = np.quantile(means, [0.025, 0.975])
    assert interval_of_mean(ACCURACY, languages) == pytest.approx(tuple(expected), abs=0.02)


def test_joint_bootstrap_is_defined_when_some_resamples_miss_a_language() -> None:
    many = ScoredRows(*right_or_wrong(np.ones(50, dtype=bool)), [str(row) for row in range(50)])
    one = ScoredRows(*right_or_wrong(np.zeros(1, dtype=bool)), ["alone"])
    assert interval_of_mean(ACCURACY, [many, one]) == pytest.approx((0.5, 1.0))


def test_predictions_are_refused_when_keys_are_missing() -> None:
    labels = np.array([0, 1])
    with pytest.raises(UserError, match="Language sw: 2 rows have 1 keys: give one for each, or none"):
        LanguagePredictions("sw", labels, labels, keys=["only"])


def test_mcnemar_equals_the_hand_computed_value_when_one_system_is_right_more_often() -> None:
    labels = np.ones(20, dtype=np.int64)
    first, second = labels.copy(), labels.copy()
    first[:1], second[1:7] = 0, 0
    # 1 against 6 of 7 rows: 2 * (C(7,0) + C(7,1)) / 2**7.
    assert paired_p_value(ACCURACY, first, second, labels) == (pytest.approx(2 * 8 / 128), "exact McNemar")


def test_randomisation_agrees_with_all_swaps_when_they_can_be_listed() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2, 0, 1])
    first, second = np.array([0, 0, 1, 1, 2, 2, 1, 0]), np.array([0, 1, 0, 1, 0, 2, 0, 2])
    differences = []
    for swap in itertools.product([False, True], repeat=len(labels)):
        left, right = np.where(swap, second, first), np.where(swap, first, second)
        differences.append(abs(MACRO_F1.of(left, labels) - MACRO_F1.of(right, labels)))
    exact = np.mean(np.array(differences) >= differences[0] - 1e-12)
    p_value, test = paired_p_value(MACRO_F1, first, second, labels)
    assert (p_value, test) == (pytest.approx(exact, abs=0.02), "paired approximate randomisation")


def test_randomisation_agrees_with_mcnemar_when_both_compare_accuracy() -> None:
    generator = np.random.default_rng(11)
    labels = np.ones(300, dtype=np.int64)
    first, second = (generator.random((2, 300)) < [[0.8], [0.73]]).astype(np.int64)
    exact = paired_p_value(ACCURACY, first, second, labels).p_value
    assert paired_p_value(RandomisedAccuracy(NAMES), first, second, labels).p_value == pytest.approx(exact, abs=0.02)


def test_randomisation_never_gives_zero_when_systems_are_far_apart() -> None:
    labels = np.tile([0, 1], 100)
    p_value = paired_p_value(MACRO_F1, labels, 1 - labels, labels, permutations=99).p_value
    assert p_value == pytest.approx(1 / 100)


@pytest.mark.parametrize("metric", [ACCURACY, MACRO_F1])
def test_p_value_is_one_when_predictions_are_identical(metric: Metric) -> None:
    predictions, labels = classes(seed=12)
    assert paired_p_value(metric, predictions, predictions.copy(), labels).p_value == 1.0


def test_paired_test_refuses_when_lengths_differ() -> None:
    with pytest.raises(UserError, match="lengths"):
        paired_p_value(ACCURACY, np.array([1]), np.array([1, 0]), np.array([1, 0]))
