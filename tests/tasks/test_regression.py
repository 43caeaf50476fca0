"""Rows with a number each."""

import math

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, Value
from scipy.stats import pearsonr, spearmanr
from transformers import EvalPrediction

from xlkd import UserError
from xlkd.data.collator import DistillationCollator
from xlkd.tasks import Regression, get_task

TASK = Regression()
LOGITS, LABELS = np.array([[0.1], [2.0], [1.5], [9.0]]), np.array([0.5, 3.0, 1.0, np.nan])


def test_number_is_called_score_unless_said():
    assert (TASK.labels, get_task("regression", ["similarity"]).labels) == (["score"], ["similarity"])


@pytest.mark.parametrize("labels", [[], ["a", "b"]])
def test_labels_are_refused_when_there_is_not_one(labels):
    with pytest.raises(UserError, match="of a regression must be one name"):
        Regression(labels)


def test_labels_are_numbers_and_nan_when_nobody_knows_them(tokenizer):
    rows = Dataset.from_dict({"text": ["x", "y", "z"], "label": [3, None, -0.5]})
    encoded = TASK.preprocess(rows, {"": tokenizer}, 8)
    labels = DistillationCollator(tokenizer)(list(encoded))["labels"]
    assert labels.dtype == torch.float32 and labels.tolist() == pytest.approx([3.0, math.nan, -0.5], nan_ok=True)


def test_integers_are_numbers_when_the_data_set_has_names_for_them(tokenizer):
    kind = Features({"text": Value("string"), "label": ClassLabel(names=["bad", "good"])})
    rows = Dataset.from_dict({"text": ["x", "y"], "label": [1, 0]}, features=kind)
    assert TASK.preprocess(rows, {"": tokenizer}, 8)["labels"][:] == [1.0, 0.0]


@pytest.mark.parametrize("label", ["good", True, math.inf, [1.0]])
def test_label_is_refused_when_it_is_no_number(label):
    with pytest.raises(UserError, match="is no number"):
        TASK.encode_label(label)


def test_scores_are_those_of_scipy_without_rows_that_have_no_label():
    found = TASK.compute_metrics(EvalPrediction(LOGITS, LABELS))
    own, gold = LOGITS[:3, 0], LABELS[:3]
    assert found == pytest.approx({"pearson": pearsonr(own, gold)[0], "spearman": spearmanr(own, gold)[0]})


def test_validation_loss_is_the_mean_over_rows_with_a_label():
    found = TASK.validation_loss(torch.tensor(LOGITS), torch.tensor(LABELS))
    assert found.item() == pytest.approx(np.mean((LOGITS[:3, 0] - LABELS[:3]) ** 2))
