"""Metrics, against loops that follow their definition and against scikit-learn."""

from pathlib import Path

import evaluate
import numpy as np
import pytest
from metric_cases import CASES, TAGS, listed, loop_spans, name_of
from scipy.stats import spearmanr
from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support

from xlkd.errors import UserError
from xlkd.evaluation.answers import Answers, by_word, renumbered
from xlkd.evaluation.metrics import (
    METRICS,
    MacroF1,
    Metric,
    Pearson,
    SimilarityCorrelation,
    SpanF1,
    Spearman,
    build_metrics,
    retrieval,
    retrieved,
)
from xlkd.evaluation.metrics.scikit import MULTI_LABEL, SCIKIT_METRICS
from xlkd.evaluation.resampling import Tallies
from xlkd.evaluation.statistics import paired_p_value

RANKED_ANEW = [case for case in CASES if case != "spearman"]


def made(case: str, seed: int, count: int = 60) -> tuple[Metric, Answers, Answers]:
    own = CASES[case]
    name = name_of(case)
    return build_metrics([name], own.labels)[name], *own.draw(np.random.default_rng(seed), count)


def test_references_cover_every_metric() -> None:
    assert {name_of(case) for case in CASES} == set(METRICS)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", range(5))
def test_score_equals_its_definition(case: str, seed: int) -> None:
    metric, predictions, labels = made(case, seed)
    assert metric.of(predictions, labels) == pytest.approx(CASES[case].definition(listed(predictions), listed(labels)))


@pytest.mark.parametrize("case", RANKED_ANEW)
def test_score_of_weighted_tallies_is_that_of_repeated_rows(case: str) -> None:
    metric, predictions, labels = made(case, seed=3, count=12)
    weights = np.random.default_rng(4).integers(3, size=(20, 12)).astype(np.float32)
    found = metric.score(Tallies([metric.tally(predictions, labels)]).sums(weights)[0])
    rows = [np.repeat(np.arange(12), counts.astype(int)) for counts in weights]
    expected = [CASES[case].definition(listed(predictions[own]), listed(labels[own])) for own in rows]
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("case", CASES)
def test_score_is_undefined_when_all_weights_are_zero(case: str) -> None:
    metric, predictions, labels = made(case, seed=3, count=12)
    assert np.isnan(metric.score(0 * metric.tally(predictions, labels).sum(axis=0)))


@pytest.mark.parametrize("case", ["accuracy", "macro-f1", "micro-f1", "macro-f1 of several"])
@pytest.mark.parametrize("seed", range(5))
def test_score_is_that_of_scikit_learn(case: str, seed: int) -> None:
    metric, predictions, labels = made(case, seed)
    if predictions.ndim == 2:
        # A class that nobody has or is said to have.
        predictions[:, 0], labels[:, 0] = False, False
    other = SCIKIT_METRICS[metric.name](MULTI_LABEL if predictions.ndim == 2 else None)
    computed = other.compute(predictions=predictions.astype(int).tolist(), references=labels.astype(int).tolist())
    assert computed == {metric.name: pytest.approx(metric.of(predictions, labels))}


@pytest.mark.parametrize("name", SCIKIT_METRICS)
def test_scikit_metric_is_the_same_when_fed_in_batches(name: str) -> None:
    predictions, labels = CASES["accuracy"].draw(np.random.default_rng(2), 60)
    metric = SCIKIT_METRICS[name]()
    for start in range(0, len(labels), 7):
        metric.add_batch(predictions=predictions[start : start + 7], references=labels[start : start + 7])
    assert metric.compute()[name] == pytest.approx(METRICS[name](["a", "b", "c", "d"]).of(predictions, labels))


def test_scikit_metric_writes_no_file_when_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate.config, "HF_METRICS_CACHE", str(tmp_path / "cache"))
    for metric in SCIKIT_METRICS.values():
        metric().compute(predictions=[0, 1], references=[0, 1])
    assert list(tmp_path.iterdir()) == []


def test_two_scikit_metrics_do_not_meet_when_they_are_filled_in_turns() -> None:
    first, second = SCIKIT_METRICS["accuracy"](), SCIKIT_METRICS["accuracy"]()
    first.add_batch(predictions=[1], references=[1])
    second.add_batch(predictions=[0], references=[1])
    assert [first.compute(), second.compute()] == [{"accuracy": 1.0}, {"accuracy": 0.0}]


def test_macro_f1_is_lowered_when_a_class_is_only_ever_predicted() -> None:
    labels = np.array([0, 0, 1, 1])
    assert MacroF1(["a", "b", "c"]).of(np.array([0, 0, 1, 2]), labels) == pytest.approx((1 + 2 / 3 + 0) / 3)


@pytest.mark.parametrize(
    ("row", "spans"),
    [
        ("O B-PER I-PER O", {(1, 3, "PER")}),
        ("I-PER I-PER B-PER", {(0, 2, "PER"), (2, 3, "PER")}),
        ("O I-PER", {(1, 2, "PER")}),
        ("B-PER I-LOC", {(0, 1, "PER"), (1, 2, "LOC")}),
        ("B-PER E-PER I-PER", {(0, 2, "PER"), (2, 3, "PER")}),
        ("S-PER S-PER E-PER", {(0, 1, "PER"), (1, 2, "PER"), (2, 3, "PER")}),
        ("B-PER S-PER I-PER O E-PER", {(0, 1, "PER"), (1, 2, "PER"), (2, 3, "PER"), (4, 5, "PER")}),
    ],
)
def test_spans_are_those_of_conlleval_when_written_out(row: str, spans: set[tuple[int, int, str]]) -> None:
    assert loop_spans(row.split()) == spans
    ids = by_word([[TAGS.index(tag) for tag in row.split()]])
    metric = SpanF1(TAGS)
    found = metric.class_counts(metric.tally(ids, ids)[0])
    assert found[:, 0].tolist() == [sum(kind == name for *_, kind in spans) for name in ("LOC", "PER")]


@pytest.mark.parametrize("seed", range(5))
def test_span_f1_is_that_of_seqeval_when_tags_are_random(seed: int) -> None:
    names, (_, predictions, labels) = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"], made("span-f1", seed)
    rows = [[[names[tag % 5] for tag in row] for row in listed(answers)] for answers in (labels, predictions)]
    ids = [by_word([[names.index(tag) for tag in row] for row in own]) for own in rows]
    metric = SpanF1(names)
    assert metric.of(ids[1], ids[0]) == pytest.approx(f1_score(*rows), abs=1e-12)
    by_type = precision_recall_fscore_support(*rows, average=None)[:3]
    own = metric.class_scores(metric.tally(ids[1], ids[0]).sum(axis=0))
    np.testing.assert_allclose(own, np.stack(by_type, axis=-1), atol=1e-12)


def test_spans_are_the_same_when_places_have_the_names_of_bilou() -> None:
    names = [tag.replace("E-", "L-").replace("S-", "U-") for tag in TAGS]
    _, predictions, labels = made("span-f1", seed=1)
    assert np.array_equal(SpanF1(names).tally(predictions, labels), SpanF1(TAGS).tally(predictions, labels))


def test_span_does_not_go_on_in_the_next_row() -> None:
    one_row, two_rows = by_word([[1, 2]]), by_word([[1], [2]])
    counts = [SpanF1(TAGS).tally(rows, rows).sum() for rows in (one_row, two_rows)]
    assert counts == [3, 6]


def test_tags_without_place_are_outside() -> None:
    metric = SpanF1(["O", "B-PER", "X", "NOUN"])
    assert metric.classes == ["PER"]
    assert np.isnan(metric.of(by_word([[0, 2, 3]]), by_word([[0, 3, 3]])))


@pytest.mark.parametrize("labels", [["NOUN", "VERB"], ["O", "B-PER"]])
def test_word_without_an_answer_is_outside_all_spans(labels: list[str]) -> None:
    gold, read, cut = by_word([[0, 1, 1]]), by_word([[0, 1, 0]]), by_word([[0, 1, -100]])
    for name in ("span-f1", "tag-accuracy"):
        metric = METRICS[name](labels)
        assert str(metric.of(cut, gold)) == str(metric.of(read, gold))


def test_word_without_an_answer_has_none_after_classes_are_renumbered() -> None:
    (row,) = renumbered(by_word([[0, -100, 1]]), np.array([1, 0]))
    assert row.tolist() == [1, -100, 0]


@pytest.mark.parametrize("metric", [Pearson(["score"]), Spearman(["score"])])
def test_correlation_is_undefined_when_nothing_varies(metric: Metric) -> None:
    labels = np.random.default_rng(0).normal(3.0, 1.0, 50)
    assert np.isnan(metric.of(np.full(50, 0.1), labels)) and np.isnan(metric.of(labels, np.full(50, 0.1)))


def test_correlation_keeps_its_digits_when_numbers_are_far_from_zero() -> None:
    _, predictions, labels = made("pearson", seed=5)
    own = Pearson(["score"])
    assert own.of(predictions + 1e4, labels + 1e4) == pytest.approx(own.of(predictions, labels), abs=1e-7)


@pytest.mark.parametrize("metric", [Pearson(["score"]), Spearman(["score"])])
def test_correlation_is_undefined_when_numbers_differ_by_their_rounding(metric: Metric) -> None:
    labels = np.random.default_rng(0).normal(3.0, 1.0, 50)
    predictions = np.where(labels > 3, np.float32(3.01), np.nextafter(np.float32(3.01), np.float32(4)))
    assert np.isnan(metric.of(predictions, labels))


@pytest.mark.parametrize(("scale", "shift"), [(5.0, 0.0), (0.2, 0.0), (1.0, 3.0)])
@pytest.mark.parametrize("metric", [Pearson(["score"]), Spearman(["score"])])
def test_paired_test_of_a_correlation_is_the_same_when_one_system_has_another_scale(
    metric: Metric, scale: float, shift: float
) -> None:
    generator = np.random.default_rng(6)
    labels = generator.normal(size=80)
    near, far = labels + generator.normal(0, 0.8, 80), labels + generator.normal(0, 1.2, 80)
    own = paired_p_value(metric, near, far, labels, permutations=500)
    other = paired_p_value(metric, near, scale * far + shift, labels, permutations=500)
    assert 0.01 < own.p_value < 0.9 and other.p_value == pytest.approx(own.p_value)


def test_text_without_two_others_has_no_correlation_of_similarities() -> None:
    assert np.isnan(SimilarityCorrelation([]).of(retrieved(np.eye(2), np.eye(2)), np.ones(2)))


@pytest.mark.parametrize("rows_at_once", [512, 30, 7, 1])
def test_translation_is_found_when_it_is_nearest_both_ways(rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "_ROWS_AT_ONCE", rows_at_once)
    generator = np.random.default_rng(8)
    sources = generator.normal(size=(30, 8))
    vectors = sources + generator.normal(0, 0.8, size=(30, 8))
    found = retrieved(vectors, sources)

    def cosine(one: np.ndarray, other: np.ndarray) -> float:
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    for row in range(30):
        to_source = [cosine(vectors[row], source) for source in sources]
        from_source = [cosine(vector, sources[row]) for vector in vectors]
        meant = [cosine(sources[row], source) for source in sources]
        assert found[row] == pytest.approx(
            [float(np.argmax(own) == row) for own in (to_source, from_source)]
            + [spearmanr(*(np.delete(own, row) for own in (to_source, meant))).statistic]
        )
    assert 0 < found[:, 0].mean() < 1 and found[:, 0].tolist() != found[:, 1].tolist()


def test_translation_is_not_found_when_all_vectors_are_one() -> None:
    assert retrieved(np.eye(4)[[0, 0, 0]], np.eye(4)[[0, 0, 0]])[:, :2].sum() == 0


def test_nearest_metric_is_named_when_it_is_unknown() -> None:
    with pytest.raises(UserError, match="no metric 'macro_f1': did you mean 'macro-f1'"):
        build_metrics(["macro_f1"], ["a", "b"])


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        (np.array([], int), np.array([], int), "no rows"),
        (np.array([0, 1]), np.array([0, 1, 1]), r"lengths \[3, 2\]"),
        (np.array([0.5, 1.0]), np.array([0, 1]), "are class ids and numbers: give both in one form"),
        (by_word([[0, 1], [0]]), by_word([[0, 1], [0, 1]]), "of 1 rows, the first of them 1, have different"),
    ],
)
def test_answers_are_refused_when_they_do_not_match(predictions: Answers, labels: Answers, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_metrics(["accuracy"], ["a", "b"])["accuracy"].of(predictions, labels)


def test_translation_is_not_found_when_another_is_nearer_or_further_by_rounding_alone() -> None:
    sources = np.array([[1.0, 0.0], [1.0, 1e-5]])
    assert retrieved(sources, sources)[:, :2].sum() == 0
