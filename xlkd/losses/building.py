"""A loss from its entry in a YAML file."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from xlkd.errors import UserError, did_you_mean
from xlkd.losses import LOSSES
from xlkd.losses.base import DistillationLoss

_KEYS_OF_THE_SUM = ("name", "weight", "example_weight")


def build_loss(entry: Mapping[str, Any]) -> DistillationLoss:
    """Build one loss from its entry in a YAML file.

    Args:
        entry (`Mapping[str, Any]`):
            `name`, one of `LOSSES`, and the options of that loss; `weight` and `example_weight` belong to the sum and
            are ignored here.

    Raises:
        [`UserError`]: If the name or an option is unknown, or a value is wrong.

    Example:

    ```python
    >>> build_loss({"name": "logit-mse", "centre": True}).config()
    {'centre': True}
    ```
    """
    if not isinstance(entry, Mapping) or "name" not in entry:
        raise UserError(f"The loss {entry!r} has no name: write {{name: soft-label, weight: 1.0}}.")
    name = entry["name"]
    if not isinstance(name, str) or name not in LOSSES:
        raise UserError(f"Unknown loss {name!r}{did_you_mean(name, LOSSES)}; known are {', '.join(LOSSES)}.")
    options = {key: value for key, value in entry.items() if key not in _KEYS_OF_THE_SUM}
    known = [parameter for parameter in inspect.signature(LOSSES[name].__init__).parameters if parameter != "self"]
    known = [parameter for parameter in known if parameter not in ("args", "kwargs")]
    for option in options:
        if option not in known:
            allowed = ", ".join([*_KEYS_OF_THE_SUM[1:], *known])
            raise UserError(f"The loss {name} has no option {option!r}{did_you_mean(option, known)}; it has {allowed}.")
    return LOSSES[name](**options)
