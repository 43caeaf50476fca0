"""The languages of training rows, for losses that ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets import Dataset

from xlkd.errors import UserError
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.outputs import LANGUAGE_COLUMN, NO_LANGUAGE


def languages_of(losses: WeightedSum, dataset: object) -> list[str]:
    """The languages of training rows, sorted; none where rows do not say theirs.

    Args:
        losses ([`~losses.weighted_sum.WeightedSum`]): The losses.
        dataset (`datasets.Dataset`, *optional*): The training data; anything else is not looked at.

    Raises:
        [`UserError`]: If a loss asks for them, and the rows come as a stream.
    """
    asking = next((name for name, loss in losses.items() if loss.reads_languages), None)
    if asking is not None and dataset is not None and not isinstance(dataset, Dataset):
        raise UserError(
            f"The loss {asking} asks for the languages of all rows, and of a stream nobody knows them beforehand: give"
            " a datasets.Dataset, or leave the loss out."
        )
    if not isinstance(dataset, Dataset) or "language" not in dataset.column_names:
        return []
    return sorted(language for language in dataset.unique("language") if language is not None)


def with_language_ids(losses: WeightedSum, dataset: Any, languages: Sequence[str]) -> Any:
    """Say of every training row which of the languages it is in, where a loss asks for it.

    Args:
        losses ([`~losses.weighted_sum.WeightedSum`]): The losses.
        dataset (`datasets.Dataset`, *optional*): The training data; anything else stays as it is.
        languages (`Sequence[str]`): The languages, as [`languages_of`] gives them.

    Returns:
        `datasets.Dataset` with the column `language_id`; the same data where no loss asks for it.
    """
    asked = any(loss.reads_languages for _, loss in losses.items())
    if not asked or not languages or not isinstance(dataset, Dataset):
        return dataset
    places = {language: place for place, language in enumerate(languages)}
    ids: Any = [places.get(language, NO_LANGUAGE) for language in dataset["language"]]
    # Rows that another training was given have the column already, maybe of other languages.
    left = [name for name in dataset.column_names if name != LANGUAGE_COLUMN]
    return dataset.select_columns(left).add_column(LANGUAGE_COLUMN, ids)
