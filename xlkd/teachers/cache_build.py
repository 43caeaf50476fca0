"""Asking a teacher once for each text, and keeping what it says."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np
import safetensors
import torch
from accelerate import PartialState
from datasets import Dataset
from torch import Tensor
from tqdm.auto import tqdm

from xlkd.errors import UserError, check_choice
from xlkd.needs import Needs, answer_kind_of
from xlkd.outputs import TeacherOutput
from xlkd.teachers.answer_store import LENGTHS, WORDS, AnswerStore, Questions, write_answers
from xlkd.teachers.cache import STATES, TOKENIZER, CacheRecord, TeacherCache
from xlkd.teachers.cache_checks import check_room, check_top_k, unanswered
from xlkd.teachers.fingerprint import identity_of
from xlkd.teachers.live import LiveTeacher
from xlkd.text.words import WORD_SPANS, is_word

logger = logging.getLogger(__name__)

SHARD_TEXTS, SHARD_BYTES, SHARD_SECONDS = 8192, 2**26, 60.0
"""A file of answers is written when it has one of these: a process that is killed loses no more."""

LOGIT_ERROR = 0.05
"""How much float16 may change a logit: 5 % of a probability."""

DTYPES = {"float16": torch.float16, "float32": torch.float32}


def describe_cache(
    teacher: LiveTeacher,
    needs: Needs,
    *,
    task: str,
    max_length: int,
    precision: str,
    dtype: str = "float16",
    top_k: int | None = None,
    by_word: bool = False,
) -> CacheRecord:
    """What a cache of a teacher's answers will hold.

    Args:
        teacher ([`~teachers.LiveTeacher`]): The teacher.
        needs ([`Needs`]): What the losses ask of it.
        task (`str`): The name of the task.
        max_length (`int`): Texts are cut to this many tokens.
        precision (`str`): What the teacher computes in.
        dtype (`str`, *optional*, defaults to `"float16"`): The type of the numbers on disk, or `"float32"`.
        top_k (`int`, *optional*): How many logits to keep of each text, the largest, with the mass of the rest.
        by_word (`bool`, *optional*, defaults to `False`): Whether rows are labelled word by word.

    Raises:
        [`UserError`]: If `dtype` is unknown, or `top_k` is not below the number of classes, or rows do not have one
            class each.
    """
    check_choice("dtype", dtype, list(DTYPES))
    check_top_k(top_k, len(teacher.labels), answer_kind_of(teacher.model.config))
    return CacheRecord(
        identity=identity_of(teacher, task=task, max_length=max_length, precision=precision),
        labels=teacher.labels,
        layers=teacher.shape.layers,
        width=teacher.shape.width,
        dtype=dtype,
        logits=needs.logits,
        top_k=top_k if needs.logits else None,
        by_word=by_word,
        **{kind: sorted(getattr(needs, kind)) for kind in STATES},
        label_map=None if teacher.label_map is None else dict(teacher.label_map),
    )


def build_cache(
    teacher: LiveTeacher, dataset: Dataset, record: CacheRecord, folder: str | Path, *, batch_size: int = 32
) -> TeacherCache:
    """Ask a teacher about every different text of a data set that the folder has no answer to yet.

    All processes take part, each with its share. A build that was interrupted goes on where it stopped: at most the
    answers of the last minute are lost.

    Args:
        teacher ([`~teachers.LiveTeacher`]): The teacher.
        dataset (`datasets.Dataset`): Preprocessed rows.
        record ([`CacheRecord`]): What to keep, from [`describe_cache`].
        folder (`str` or `Path`): Where.
        batch_size (`int`, *optional*, defaults to 32): How many texts to ask about at a time.

    Raises:
        [`UserError`]: If the folder is a cache of another teacher, or the disk has no room.

    Example:

    ```python
    >>> teacher = LiveTeacher(model, tokenizer)
    >>> rows = task.preprocess(dataset, {"": student_tokenizer, **teacher.readers}, max_length=128)
    >>> needs = Needs(logits=True, pooled_states=frozenset({12}))
    >>> record = describe_cache(teacher, needs, task=task.name, max_length=128, precision="float32")
    >>> cache = build_cache(teacher, rows, record, "caches/topics")
    ```
    """
    folder = Path(folder).expanduser()
    state = PartialState()
    questions = Questions.of(dataset, teacher.prefix, teacher.processing_class)
    missing = unanswered(questions, record, folder)
    check_room(record, missing, folder)
    # All have looked before anybody writes, so that all have the same share in mind.
    state.wait_for_everyone()
    if len(missing) and state.is_main_process:
        # A complete cache is only read, and may lie where nobody may write.
        _begin(folder, record, teacher)
    state.wait_for_everyone()
    # The longest first: a batch that does not fit into memory is found at once.
    order = np.argsort(-missing.lengths, kind="stable")[state.process_index :: state.num_processes]
    _ask(teacher, dataset, missing.where(order), record, folder, batch_size)
    state.wait_for_everyone()
    return TeacherCache(record, AnswerStore(folder, record.fingerprint), teacher.processing_class, teacher.label_map)


def _begin(folder: Path, record: CacheRecord, teacher: LiveTeacher) -> None:
    try:
        for left in folder.glob(".*.tmp"):
            # Of a process that was killed; one that still writes has touched its file within the hour.
            if time.time() - left.stat().st_mtime > 3600:
                left.unlink(missing_ok=True)
        # First, so that a folder that was begun is known for what it is.
        record.save(folder)
        teacher.processing_class.save_pretrained(folder / TOKENIZER)
    except OSError as error:
        raise UserError(
            f"The cache {folder} cannot be written: {error.strerror or error}. Free some space, or name another folder."
        ) from error


def _ask(
    teacher: LiveTeacher, dataset: Dataset, questions: Questions, record: CacheRecord, folder: Path, batch_size: int
) -> None:
    collator, device = teacher.collator, teacher.model.device
    precision = record.identity["precision"]
    keys = questions.text_keys
    buffer = _Buffer(folder, record.fingerprint)
    bar = tqdm(total=len(questions), desc="Asking the teacher", disable=not PartialState().is_main_process)
    for start in range(0, len(questions), batch_size):
        rows = dataset[questions.first_rows[start : start + batch_size]]
        read = [{name: rows[name][index] for name in rows} for index in range(len(rows[next(iter(rows))]))]
        inputs = {name.removeprefix(teacher.prefix): value.to(device) for name, value in collator(read).items()}
        with torch.autocast(device.type, _AUTOCAST.get(precision), enabled=precision in _AUTOCAST):
            answer = teacher.answer(inputs, record.provides)
        words = is_word(inputs[WORD_SPANS]) if record.by_word else torch.empty(0)
        buffer.add(keys[start : start + batch_size], _values(answer, record, words))
        bar.update(len(read))
    buffer.flush()
    bar.close()


_AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


_LOGITS = ("logits", "rest", "classes")


def _values(answer: TeacherOutput, record: CacheRecord, words: Tensor) -> dict[str, Tensor]:
    """What is kept of an answer, one row a text, a token or a word."""
    values: dict[str, Tensor] = {}
    if record.logits:
        assert answer.logits is not None
        logits = answer.logits.float()
        if record.top_k is None:
            values["logits"] = logits
        else:
            values["logits"], classes = logits.topk(record.top_k)
            values["rest"] = logits.scatter(-1, classes, -torch.inf).logsumexp(-1)
            values["classes"] = classes.int()
    for kind in STATES:
        values |= {f"{kind}_{layer}": states for layer, states in getattr(answer, kind).items()}
    assert answer.attention_mask is not None
    by_token = [name for name in values if name.startswith("hidden_states_")]
    by_word = [name for name in values if name.startswith("word_")]
    by_word += [name for name in _LOGITS if name in values and record.by_word]
    for names, mask, lengths in ((by_token, answer.attention_mask.bool(), LENGTHS), (by_word, words, WORDS)):
        if names:
            values |= {name: values[name][mask] for name in names}
            values[lengths] = mask.sum(-1).int()
    stored = {name: _as_stored(value, record) for name, value in values.items()}
    # Rows may have no word, and so no logits.
    kept = stored["logits"].float() if record.logits else torch.empty(0)
    if len(kept) and not (kept - values["logits"].float().cpu()).abs().max() < LOGIT_ERROR:
        raise UserError(
            f"float16 would change the teacher's logits by more than {LOGIT_ERROR}, since they are large: write"
            " `teacher_cache: {dtype: float32}`."
        )
    return stored


def _as_stored(value: Tensor, record: CacheRecord) -> Tensor:
    if not value.is_floating_point():
        return value.cpu()
    stored = value.to(DTYPES[record.dtype]).cpu()
    if not stored.isfinite().all():
        raise UserError(
            "The teacher's answers have values that float16 cannot hold (above 65504), or that are not finite: write"
            " `teacher_cache: {dtype: float32}`, and check the teacher if that does not help."
        )
    return stored


class _Buffer:
    """Answers that are not on disk yet."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder, self.fingerprint = folder, fingerprint
        self._keys: list[np.ndarray] = []
        self._values: list[dict[str, Tensor]] = []
        self._since = time.monotonic()

    def add(self, keys: np.ndarray, values: dict[str, Tensor]) -> None:
        self._keys.append(keys)
        self._values.append(values)
        texts = sum(map(len, self._keys))
        size = sum(value.nbytes for values in self._values for value in values.values())
        if texts >= SHARD_TEXTS or size >= SHARD_BYTES or time.monotonic() - self._since > SHARD_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self._keys:
            names = self._values[0]
            values = {name: torch.cat([own[name] for own in self._values]).contiguous() for name in names}
            try:
                write_answers(self.folder, self.fingerprint, np.concatenate(self._keys), values)
            except (OSError, safetensors.SafetensorError) as error:
                raise UserError(
                    f"The cache {self.folder} cannot be written: {error}. What is there is kept: free"
                    " some space and start again."
                ) from error
        self._keys, self._values, self._since = [], [], time.monotonic()
