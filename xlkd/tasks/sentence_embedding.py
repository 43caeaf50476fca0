"""One vector per text, near to that of its translations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import torch.nn.functional as F
from datasets import Dataset
from torch import Tensor
from transformers import AutoModel

from xlkd.errors import UserError
from xlkd.evaluation.answers import Answers
from xlkd.evaluation.metrics import retrieved
from xlkd.needs import ModelShape, Needs
from xlkd.outputs import TeacherOutput
from xlkd.padding import Readers
from xlkd.tasks.base import TRANSLATION_COLUMN, Task
from xlkd.tasks.reading import read_texts

_MODULES = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
"""The modules of sentence-transformers that a student is, each with the folder of its configuration."""


class SentenceEmbedding(Task):
    r"""One vector per text: the mean of the last layer over its tokens, padding left out, scaled to length 1.

    The student learns to give both a source text and its translation the teacher's vector of the source text
    (Reimers and Gurevych, [2004.09813](https://huggingface.co/papers/2004.09813)): with the loss `embedding`, and
    `contrastive` beside it, on parallel rows and on source text without labels. There are no classes, and no labels.

    The scores say whether a text finds its translation in the source language among those of all rows, and is found by
    it; rows with the same `key` are translations of one another. The source language, in which translations are sought,
    has no score of its own, and there is no transfer gap.

    Example:

    ```python
    >>> task = SentenceEmbedding()
    >>> dataset = task.preprocess(dataset, {"": tokenizer}, max_length=128)
    ```
    """

    name = "sentence-embedding"
    auto_class = AutoModel
    # Every encoder has vectors.
    architecture_suffix = ""
    metrics = ("retrieval-accuracy", "retrieval-to-source", "retrieval-from-source", "similarity-correlation")
    answer_kind = "vector"
    default_loss = "embedding"
    has_labels = False
    scores_source = False
    says_confidence = False

    def __init__(self, labels: Sequence[str] = (), metric: str | None = None) -> None:
        super().__init__(labels, metric)

    @classmethod
    def check_labels(cls, labels: Sequence[str]) -> None:
        """Refuse labels: there are none.

        Raises:
            [`UserError`]: If there are labels.
        """
        if labels:
            raise UserError(
                f"{cls.name} has no classes, so there is nothing to name with labels [{', '.join(labels)}]: leave them"
                " out."
            )

    @classmethod
    def is_head_of(cls, config: Any) -> bool:
        """Whether a model has vectors: all have."""
        return True

    def asks(self, model: ModelShape) -> Needs:
        """The mean over the tokens of the last layer."""
        return Needs(pooled_states=frozenset({model.layers}))

    def answers_in(self, output: TeacherOutput) -> Tensor:
        """The vectors of the texts, of shape `(rows, width)` and length 1."""
        return F.normalize(output.pooled_states[max(output.pooled_states)], dim=-1)

    def preprocess(self, dataset: Dataset, readers: Readers, max_length: int) -> Dataset:
        """See [`Task.preprocess`]; there are no `labels`.

        Raises:
            [`UserError`]: If there is no column `text`, or rows are pairs of texts.
        """
        if "text_pair" in dataset.column_names:
            raise UserError(f"{self.name} has one vector for a text, and these rows are pairs: give `text` one column.")
        return read_texts(dataset, readers, max_length, lambda rows: {})

    def predictions(self, logits: np.ndarray) -> Answers:
        """The vectors themselves: what becomes of them depends on other rows, see [`SentenceEmbedding.predictions_of`].

        Args:
            logits (`np.ndarray` of shape `(rows, width)`): The vectors.
        """
        return logits

    def predictions_of(self, rows: Dataset, logits: np.ndarray) -> Answers:
        """What the vectors of all rows say of translations, see [`~evaluation.metrics.retrieval.retrieved`].

        Args:
            rows (`datasets.Dataset`): Preprocessed rows, of the source language and others, with `translation`.
            logits (`np.ndarray` of shape `(rows, width)`): Their vectors.
        """
        logits = _one_vector_a_text(rows, logits)
        languages, translations = np.array(rows["language"][:]), np.array(rows[TRANSLATION_COLUMN][:])
        found = np.zeros((len(logits), 3))
        for language in np.unique(languages):
            own = np.flatnonzero(languages == language)
            found[own] = retrieved(logits[own], logits[translations[own]])
        return found

    def gold(self, rows: Dataset) -> Answers:
        """All ones: every translation is there to be found."""
        return np.ones(len(rows))

    def check_evaluation(self, datasets: Mapping[str, Dataset], source_language: str) -> None:
        """Refuse rows that are no translations of those in the source language.

        Raises:
            [`UserError`]: If there is none in the source language or none in another, or keys are missing, stand twice,
                or have no row.
        """
        if set(datasets) == {source_language}:
            raise UserError(
                f"{self.name}: nothing would be scored, since texts are sought in the source language"
                f" {source_language} and there are evaluation rows in no other: add those of a target language,"
                " and take it out of unscored_languages."
            )
        if source_language not in datasets:
            raise UserError(
                f"{self.name}: texts are sought in the source language {source_language}, and there are no evaluation"
                " rows in it: add them."
            )
        keys = {language: _keys_of(dataset, language) for language, dataset in datasets.items()}
        for language, own in keys.items():
            if missing := own - keys[source_language]:
                raise UserError(
                    f"{self.name}: {len(missing)} evaluation rows in {language} have no translation in"
                    f" {source_language} (the first key is {min(missing)!r}): leave them out, or add the translations."
                )

    def check_validation(self) -> NoReturn:
        """Refuse to be scored while a student trains: a text is sought among those of another language.

        Raises:
            [`UserError`]: Always.
        """
        raise UserError(
            f"{self.name} is not scored while a student trains, since a text is sought among those of another language:"
            " write `eval_strategy: no` and `load_best_model_at_end: false`, and give no validation rows."
        )

    def validation_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """There is none.

        Raises:
            [`UserError`]: Always.
        """
        self.check_validation()

    @classmethod
    def check_companions(cls, read: Callable[[str], Any], who: str) -> None:
        """Refuse a model of sentence-transformers whose vectors are not the mean over the tokens of the last layer.

        Raises:
            [`UserError`]: If the vectors are made in another way.
        """
        modules = read("modules.json") or []
        others = [kind for kind in (own["type"].rpartition(".")[2] for own in modules) if kind not in _MODULES]
        pooled = [how for how in (_pooling_of(own, read) for own in modules) if how != "mean"]
        if others or pooled:
            raise UserError(
                f"{who} makes its vectors by {' and '.join([*(f'pooling {how}' for how in pooled), *others])} (its"
                f" modules.json), and {cls.name} takes the mean over the tokens of the last layer: choose a model that"
                " does so too."
            )

    @classmethod
    def companions(cls, config: Any, max_length: int) -> Mapping[str, Any]:
        """What `SentenceTransformer(folder)` reads, of the library sentence-transformers."""
        pooling = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
        return {
            "modules.json": [
                {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
                for index, (kind, path) in enumerate(_MODULES.items())
            ],
            "sentence_bert_config.json": {"max_seq_length": max_length, "do_lower_case": False},
            "1_Pooling/config.json": {
                "word_embedding_dimension": config.hidden_size,
                **{f"pooling_mode_{mode}": mode == "mean_tokens" for mode in pooling},
                "include_prompt": True,
            },
        }


def _pooling_of(module: Mapping[str, Any], read: Callable[[str], Any]) -> str:
    """How a module of sentence-transformers pools, as its versions before and since 6 write it; of others `mean`."""
    # The path is somebody else's word: no more than a folder's name is read.
    if not module["type"].endswith("Pooling") or not re.fullmatch(r"\w+", module["path"]):
        return "mean"
    config = read(f"{module['path']}/config.json") or {}
    named = [key.removeprefix("pooling_mode_") for key, value in config.items() if "pooling_mode_" in key and value]
    short = [name.removesuffix("_tokens").removesuffix("_token") for name in named]
    return str(config.get("pooling_mode", " + ".join(short) or "mean"))


def _one_vector_a_text(rows: Dataset, vectors: np.ndarray) -> np.ndarray:
    """The vectors, those of equal texts to the last digit: they were computed in batches of different widths."""
    names = [name for name in rows.column_names if name.endswith("input_ids")]
    texts = list(zip(*(map(tuple, rows[name]) for name in names), strict=True))
    first = {text: place for place, text in reversed(list(enumerate(texts)))}
    return np.asarray(vectors[[first[text] for text in texts]])


def _keys_of(dataset: Dataset, language: str) -> set[str]:
    keys = dataset["key"][:] if "key" in dataset.column_names else [None]
    if None in keys:
        raise UserError(
            f"{SentenceEmbedding.name}: evaluation rows in {language} do not say whose translations they are: name the"
            " column that all languages share, `join: index_id` (`key` where rows are given to a program)."
        )
    if twice := [key for key, count in Counter(keys).items() if count > 1]:
        raise UserError(
            f"{SentenceEmbedding.name}: evaluation rows in {language} have the key {twice[0]!r} more than once, so that"
            " it does not say which is the translation: leave all but one out."
        )
    return set(keys)
