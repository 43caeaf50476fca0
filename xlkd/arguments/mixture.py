"""How the training rows are drawn: which share each role and each language gets."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from xlkd.errors import UserError, did_you_mean, is_number

TrainingRole = Literal["labelled", "unlabelled", "parallel"]
TRAINING_ROLES: tuple[str, ...] = get_args(TrainingRole)


@dataclass
class MixtureArguments:
    """The shares of the roles and languages in the training.

    First the role of a row is drawn, by its ratio, then its language: language \\(l\\) with \\(n_l\\) rows of that
    role is drawn with \\( n_l^a / \\sum_k n_k^a \\), \\(a\\) being the exponent. Within a role and a language
    each epoch has its own order of the rows, and none is repeated in it before all of them have been drawn. (Sampling
    by size to a power: Conneau et al., 2020, arXiv:1911.02116.)

    Args:
        exponent (`float`, *optional*, defaults to 1.0):
            0 gives all languages of a role the same share, 1 gives them their share of the rows; 0.3 to 0.7 is usual.
        roles (`dict[str, float]`, *optional*):
            The ratio of each role, `{"labelled": 1, "parallel": 2}`; 0 leaves a role out. By default each role has its
            share of the rows.

    Raises:
        [`UserError`]: If the exponent is not between 0 and 1, a role is unknown, or a ratio is negative.

    Example:

    ```python
    >>> mixture = MixtureArguments(exponent=0.5, roles={"labelled": 1, "parallel": 2})
    ```
    """

    exponent: float = field(
        default=1.0,
        metadata={"help": "A language's share is proportional to (its rows) ** exponent: 1 by size, 0 all equal."},
    )
    roles: dict[str, float] | None = field(
        default=None, metadata={"help": "Ratio of each role, {labelled: 1, parallel: 2}. Default: by number of rows."}
    )

    def __post_init__(self) -> None:
        if not is_number(self.exponent) or not 0 <= self.exponent <= 1:
            raise UserError(f"mixture: exponent {self.exponent!r} must lie between 0 and 1: 0.5 is usual.")
        if self.roles is None:
            return
        for role, ratio in self.roles.items():
            if role not in TRAINING_ROLES:
                known = ", ".join(TRAINING_ROLES)
                raise UserError(
                    f"mixture: unknown role {role!r}{did_you_mean(role, TRAINING_ROLES)}; it is one of {known}."
                )
            if not is_number(ratio) or not 0 <= ratio < math.inf:
                raise UserError(f"mixture: the ratio {ratio!r} of {role} must be a number, 0 or more.")
        if not sum(self.roles.values()):
            raise UserError("mixture: roles gives no role a share: give one of them more than 0, or leave `roles` out.")

    @classmethod
    def of(cls, value: Any) -> MixtureArguments | None:
        """Make it of what a program may hold: itself, a mapping, JSON, or nothing.

        Raises:
            [`UserError`]: If it is none of these, or a key is unknown.
        """
        if value is None or isinstance(value, cls):
            return value
        if isinstance(value, str):
            with contextlib.suppress(json.JSONDecodeError):  # Refused below, as any other value.
                value = json.loads(value)
        if not isinstance(value, Mapping):
            raise UserError(f"mixture must hold `key: value` pairs, such as {{exponent: 0.5}}, not {value!r}.")
        known = [entry.name for entry in fields(cls)]
        for key in value:
            if key not in known:
                raise UserError(f"Unknown key {key!r} in mixture{did_you_mean(key, known)}; it has {', '.join(known)}.")
        return cls(**value)

    def check_roles(self, roles: Collection[str]) -> None:
        """Refuse ratios that do not match the roles of the training data.

        Raises:
            [`UserError`]: If a role of the data has no ratio, or a role with a ratio above 0 has no rows.
        """
        if self.roles is None:
            return
        if missing := [role for role, ratio in self.roles.items() if ratio and role not in roles]:
            raise UserError(
                f"mixture: roles names {', '.join(missing)}, of which the training data have no rows: leave it out, or"
                " add an entry under `data`."
            )
        if unnamed := [role for role in roles if role not in self.roles]:
            raise UserError(
                f"mixture: roles does not say how much of {', '.join(unnamed)}: give it a ratio, 0 to leave it out."
            )
