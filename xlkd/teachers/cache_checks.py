"""Whether a folder is the cache that is wanted, and has room for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from xlkd.errors import UserError
from xlkd.folders import free_bytes
from xlkd.needs import AnswerKind, Needs
from xlkd.teachers.answer_store import AnswerStore, Questions
from xlkd.teachers.cache import CacheRecord


def check_top_k(top_k: int | None, classes: int, answer_kind: AnswerKind = "one-of") -> None:
    """Refuse to keep as many logits as there are, or more; or the largest alone where the others mean as much.

    Raises:
        [`UserError`]: If `top_k` is less than 1 or not below the number of classes, or answers are not one class a row.
    """
    if top_k is not None and answer_kind != "one-of":
        raise UserError(
            f"teacher_cache: top_k {top_k} keeps the likeliest classes of a row that has one; here all logits say"
            " something of their own: leave it out."
        )
    if top_k is not None and not 0 < top_k < classes:
        raise UserError(
            f"teacher_cache: top_k {top_k} must be between 1 and {classes - 1}, since the teacher has {classes}"
            " classes: leave it out to keep them all."
        )


def check_keepable(needs: Needs, folder: Path | None) -> None:
    """Refuse to keep what is not kept: attention is as large as a text is long, squared, or three hidden states.

    Args:
        needs ([`Needs`]): What the losses ask of the teacher.
        folder (`Path`, *optional*): The folder that is named for its answers; `None` where none is.

    Raises:
        [`UserError`]: If a folder is named, and a loss needs attention.
    """
    if needs.attention and folder is not None:
        raise UserError(
            f"teacher_cache: {folder} cannot hold what attention-map and attention-relation need, since attention is"
            " never kept: write `teacher_cache: auto` or `off`, or use hidden-state instead."
        )


def unanswered(questions: Questions, record: CacheRecord, folder: Path) -> Questions:
    """The texts that a folder has no answer to.

    Raises:
        [`UserError`]: If the folder is no cache, or of another teacher.
    """
    if is_new(folder):
        return questions
    check_same(CacheRecord.read(folder), record, folder)
    places = AnswerStore(folder, record.fingerprint).places(questions.text_keys)
    return questions.where(np.flatnonzero(places < 0))


def is_new(folder: Path) -> bool:
    """Whether a cache can be begun in a folder: there is none, or nothing in it but what a killed process left.

    Raises:
        [`UserError`]: If it is not a folder, or cannot be looked into.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise UserError(f"teacher_cache: {folder} is a file: name a folder.")
        return not folder.exists() or all(path.suffix == ".tmp" for path in folder.iterdir())
    except OSError as error:
        raise UserError(f"teacher_cache: {folder} cannot be read: {error.strerror}. Name another folder.") from error


def covering(record: CacheRecord, folder: Path) -> CacheRecord:
    """The record of the cache in a folder where it holds what is wanted and more; else the one that is wanted."""
    if is_new(folder):
        return record
    found = CacheRecord.read(folder)
    same = (found.identity, found.dtype, found.top_k) == (record.identity, record.dtype, record.top_k)
    more = not record.provides.missing_from(found.provides)
    return replace(found, label_map=record.label_map) if same and more else record


def check_same(found: CacheRecord, wanted: CacheRecord, folder: Path) -> None:
    """Refuse a cache that is not what is wanted, and say what differs.

    Raises:
        [`UserError`]: If the two differ in anything but the label map.
    """
    if found.fingerprint == wanted.fingerprint:
        return
    before, now = ({**vars(record), **record.identity} for record in (found, wanted))
    different = [name for name in now if name not in ("identity", "label_map") and before.get(name) != now[name]]
    raise UserError(
        f"The cache {folder} was built for another teacher or another run (other {', '.join(different)}): name another"
        " folder, remove this one, or write `teacher_cache: auto`."
    )


def check_room(record: CacheRecord, missing: Questions, folder: Path) -> None:
    """Find a full disk before the work.

    Raises:
        [`UserError`]: If the answers will not fit.
    """
    needed, free = record.bytes_of(missing), free_bytes(folder)
    if needed > free:
        raise UserError(
            f"The teacher's answers to {len(missing)} texts take {needed / 1e9:.2f} GB, and {folder} has"
            f" {free / 1e9:.2f} GB free: free some space, name another folder, or write `teacher_cache: off`."
        )
