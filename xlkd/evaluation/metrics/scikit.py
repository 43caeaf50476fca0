"""The metrics that scikit-learn has, as `evaluate.Metric`: the definitions that the tallies must agree with."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
import numpy as np
from sklearn.metrics import accuracy_score, f1_score

MULTI_LABEL = "multilabel"
"""The `config_name`, as `evaluate` has it, where a row is a list of 0 and 1, one for each class."""


class _ScikitMetric(evaluate.Metric):  # type: ignore[misc]
    """A metric that works offline and leaves no file behind."""

    def __init__(self, config_name: str | None = None, **keywords: Any) -> None:
        # In memory, so that two processes that score at once do not meet at one Arrow file and its lock.
        super().__init__(config_name, **{"keep_in_memory": True, **keywords})

    def _build_data_dir(self) -> str:
        # The parent makes this folder in the user's cache even in memory, where nothing is ever written to it.
        return super()._build_data_dir() if not self.keep_in_memory else ""

    def _info(self) -> evaluate.MetricInfo:
        class_id = datasets.Value("int64")
        answer = datasets.Sequence(class_id) if self.config_name == MULTI_LABEL else class_id
        return evaluate.MetricInfo(
            description=self.__doc__ or "",
            citation="",
            inputs_description="`predictions` and `references` are lists of class ids of one length.",
            features=datasets.Features({"predictions": answer, "references": answer}),
        )


class ScikitAccuracy(_ScikitMetric):
    """See [`~evaluation.metrics.Accuracy`].

    Example:

    ```python
    >>> ScikitAccuracy().compute(predictions=[0, 1, 1, 0], references=[0, 1, 0, 0])
    {'accuracy': 0.75}
    ```
    """

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"accuracy": float(accuracy_score(np.asarray(references), np.asarray(predictions)))}


class ScikitMacroF1(_ScikitMetric):
    """See [`~evaluation.metrics.MacroF1`].

    Example:

    ```python
    >>> ScikitMacroF1().compute(predictions=[0, 1, 1, 0], references=[0, 1, 1, 0])
    {'macro-f1': 1.0}
    ```
    """

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"macro-f1": _f1(predictions, references, "macro")}


class ScikitMicroF1(_ScikitMetric):
    """See [`~evaluation.metrics.MicroF1`].

    Example:

    ```python
    >>> ScikitMicroF1("multilabel").compute(predictions=[[1, 0]], references=[[1, 1]])
    {'micro-f1': 0.6666666666666666}
    ```
    """

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"micro-f1": _f1(predictions, references, "micro")}


def _f1(predictions: Any, references: Any, average: str) -> float:
    return float(f1_score(np.asarray(references), np.asarray(predictions), average=average, zero_division=np.nan))


SCIKIT_METRICS: dict[str, type[_ScikitMetric]] = {
    "accuracy": ScikitAccuracy,
    "macro-f1": ScikitMacroF1,
    "micro-f1": ScikitMicroF1,
}
