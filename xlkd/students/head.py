"""Another head for a student: rows of the classifier taken by label."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from xlkd.errors import UserError


def with_labels(model: PreTrainedModel, labels: Sequence[str], sources: Sequence[Sequence[int]]) -> PreTrainedModel:
    """A new model with other labels, everything else equal.

    Wherever a weight has a row for each label, the row of a new one is that of the old label that it comes from, the
    mean of several, or freshly initialised where it comes from none.

    Args:
        model (`PreTrainedModel`): The classifier to take from; it is not changed.
        labels (`Sequence[str]`): The new labels, in the order of ids.
        sources (`Sequence[Sequence[int]]`): The old classes that each new one comes from ([`LabelMap.sources`]).

    Raises:
        [`UserError`]: If no weight of the model has a row for each label.

    Example:

    ```python
    >>> student = with_labels(teacher, ["entailment", "not_entailment"], [[0], [1, 2]])
    ```
    """
    dimensions = label_dimensions(model)
    config = copy.deepcopy(model.config)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    config.dtype = torch.float32
    renamed: PreTrainedModel = type(model)(config)
    state, fresh = model.state_dict(), renamed.state_dict()
    for name, dimension in dimensions.items():
        state[name] = _rows(state[name], fresh[name], sources, dimension)
    renamed.load_state_dict(state)
    # `PreTrainedModel.to` is wrapped in a way that hides its types.
    nn.Module.to(renamed, model.device)
    renamed.train(model.training)
    return renamed


def label_dimensions(model: PreTrainedModel) -> dict[str, int]:
    """The weights that have a row for each label, and which of their dimensions counts them.

    They are found by building the model with one label more, without weights, so no family of models needs to be known.

    Args:
        model (`PreTrainedModel`): A classifier; its weights are not read.

    Raises:
        [`UserError`]: If no weight has a row for each label.
    """
    config: Any = copy.deepcopy(model.config)
    config.num_labels += 1
    with torch.device("meta"):
        larger = type(model)(config).state_dict()
    found = {
        name: dimension
        for name, weight in model.state_dict().items()
        for dimension, (size, with_one_more) in enumerate(zip(weight.shape, larger[name].shape, strict=True))
        if size != with_one_more
    }
    if not found:
        raise UserError(
            f"student: no weight of a {type(model).__name__} has a row for each label, so it cannot be given other"
            " labels than the teacher's: give the data those names, or start from a `model`."
        )
    return found


def _rows(old: Tensor, fresh: Tensor, sources: Sequence[Sequence[int]], dimension: int) -> Tensor:
    rows = fresh.clone().movedim(dimension, 0)
    for row, indices in enumerate(sources):
        if indices:
            rows[row] = old.movedim(dimension, 0)[list(indices)].float().mean(dim=0)
    return rows.movedim(0, dimension)
