"""A `Trainer` that is given raw rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from datasets import Dataset
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase, Trainer

from xlkd.arguments import DistillationArguments
from xlkd.data.collator import DistillationCollator
from xlkd.padding import NOBODY, Readers
from xlkd.tasks import Task


class RawRows(Trainer):
    """A `Trainer` that makes of raw rows (`text`, `label`, ...) what its models read, as its task says.

    Rows that have `input_ids` are taken as they are.
    """

    args: DistillationArguments
    task: Task

    def _preprocess(
        self, dataset: Any, tokenizer: PreTrainedTokenizerBase, args: DistillationArguments, readers: Readers = NOBODY
    ) -> Any:
        if isinstance(dataset, dict):
            return {name: self._preprocess(part, tokenizer, args, readers) for name, part in dataset.items()}
        if not isinstance(dataset, Dataset) or "input_ids" in dataset.column_names:
            return dataset
        with args.main_process_first(desc="preprocessing"):
            return self.task.preprocess(dataset, {"": tokenizer, **readers}, args.max_length)

    def _set_signature_columns_if_needed(self) -> None:
        if self._signature_columns is None and isinstance(self.data_collator, DistillationCollator):
            self._signature_columns = cast(Any, self.data_collator.columns)
        super()._set_signature_columns_if_needed()

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Any]:
        """`Trainer.get_eval_dataloader`, of raw rows too."""
        return super().get_eval_dataloader(self._preprocess(eval_dataset, self._tokenizer, self.args))

    def get_test_dataloader(self, test_dataset: Any) -> DataLoader[Any]:
        """`Trainer.get_test_dataloader`, of raw rows too."""
        return super().get_test_dataloader(self._preprocess(test_dataset, self._tokenizer, self.args))

    @property
    def _tokenizer(self) -> PreTrainedTokenizerBase:
        return cast(PreTrainedTokenizerBase, self.processing_class)

    def _first_rows(self) -> list[Any]:
        dataset = self.train_dataset
        if isinstance(dataset, Dataset):
            return [dataset[index] for index in range(min(2, len(dataset)))]
        return [next(iter(cast(Any, dataset)))]

    def _collate(self, rows: Sequence[Any]) -> dict[str, Any]:
        return dict(self._get_collator_with_removed_columns(self.data_collator)(list(rows)))
