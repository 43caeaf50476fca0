"""The rows of a training set by role and language, and the share that a mixture gives each of these groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset

from xlkd.arguments.mixture import MixtureArguments
from xlkd.errors import UserError

Indices = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]

_COLUMNS = ("role", "language")


@dataclass(frozen=True)
class RowGroups:
    """Which rows are of which role and language.

    Args:
        names (`list[tuple[str, str]]`): Role and language of every group, sorted.
        codes (`np.ndarray` of shape `(rows,)`): The group of every row, a place in `names`.
    """

    names: list[tuple[str, str]]
    codes: Indices

    @classmethod
    def of(cls, dataset: Dataset) -> RowGroups:
        """Read the groups from the columns `role` and `language`.

        Raises:
            [`UserError`]: If the dataset lacks one, or a row does.
        """
        for name in _COLUMNS:
            if name not in dataset.column_names:
                raise UserError(
                    f"mixture draws by role and language, but the training data have no column `{name}`: add it, or"
                    " leave `mixture` out."
                )
        table = dataset.select_columns(list(_COLUMNS)).with_format("arrow")[:]
        (roles, own_role), (languages, own_language) = (_encoded(table.column(name), name) for name in _COLUMNS)
        pairs, codes = np.unique(own_role * len(languages) + own_language, return_inverse=True)
        names = [(roles[pair // len(languages)], languages[pair % len(languages)]) for pair in pairs.tolist()]
        return cls(names, codes.astype(np.int64))

    @property
    def roles(self) -> list[str]:
        """The roles that there are rows of."""
        return list(dict.fromkeys(role for role, _ in self.names))

    @property
    def sizes(self) -> Indices:
        """Number of rows of every group, of shape `(groups,)`."""
        return np.bincount(self.codes, minlength=len(self.names)).astype(np.int64)

    def shares(self, mixture: MixtureArguments) -> Shares:
        """The probability that a mixture gives each group; of shape `(groups,)`, adding up to 1.

        Raises:
            [`UserError`]: If the mixture's roles are not those of the rows.
        """
        mixture.check_roles(self.roles)
        shares = np.zeros(len(self.names))
        for role in self.roles:
            members = np.array([own == role for own, _ in self.names])
            ratio = self.sizes[members].sum() if mixture.roles is None else mixture.roles[role]
            powers = self.sizes[members].astype(np.float64) ** mixture.exponent
            shares[members] = ratio * powers / powers.sum()
        shares /= shares.sum()
        return shares


def _encoded(column: pa.ChunkedArray, name: str) -> tuple[list[str], Indices]:
    """The sorted values of a column, and for each row its place among them."""
    if column.null_count:
        raise UserError(f"{column.null_count} rows of the training data have no {name}: name it, for `mixture`.")
    encoded = pc.dictionary_encode(column.combine_chunks())
    values = np.array(encoded.dictionary.to_pylist(), dtype=object)
    order = np.argsort(values)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return values[order].tolist(), place[encoded.indices.to_numpy()].astype(np.int64)
