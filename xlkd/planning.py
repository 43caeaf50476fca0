"""The task, the losses and the student that a run names, and whether its models can be what it says."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import PreTrainedModel

from xlkd.arguments import DistillationArguments, RunArguments, StudentArguments, TeacherArguments
from xlkd.data.checks import labels_in
from xlkd.data.planned import planned_rows, training_languages
from xlkd.data.sources import Sources
from xlkd.errors import UserError
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.needs import ModelShape, Needs
from xlkd.preflight import check_batch_size, check_counts, check_provides, check_teaching
from xlkd.pretrained import config_of, load_tokenizer, loading, resolve_model, tokenizer_of
from xlkd.row_transitions import count_transitions, refuse_transitions
from xlkd.students.attention import provides_of
from xlkd.students.build import choice_of, layers_to_keep
from xlkd.students.choice import ChosenPieces, choose_pieces
from xlkd.students.layers import blocks_to_freeze
from xlkd.students.width import check_width
from xlkd.tasks import TASKS, Task, get_task, task_class
from xlkd.tasks.cutting import check_offsets
from xlkd.tasks.without_labels import task_without_labels
from xlkd.teachers.cache import CacheRecord
from xlkd.teachers.cache_checks import check_keepable, check_top_k, is_new
from xlkd.teachers.finetune import finetune_arguments
from xlkd.teachers.label_map import LabelMap, labels_of
from xlkd.teachers.live import check_precision

logger = logging.getLogger(__name__)


def task_of(run: RunArguments, sources: Sources) -> Task:
    """The task with its labels: those that the user named, else those of the data.

    Where they are those of a teacher that is a classifier, they have its order.

    Raises:
        [`UserError`]: If no row has a label, the teacher's labels cannot teach these, or the task has none and the run
            speaks of some.
    """
    if not task_class(run.task).has_labels:
        return task_without_labels(run, [role for role, _ in sources])
    named = run.labels or labels_of_data(run, sources, "labelled", "validation", "evaluation")
    task = get_task(run.task, named, run.metric)
    own = [_labels_of(teacher, task) for teacher in run.teachers]
    # The student has the head of the teacher that it is cut from, with its order of classes.
    base = own[run.base_position] if own else None
    if base is not None and set(base) == set(named):
        task = get_task(run.task, base, run.metric)
    _check_taught(task, _label_maps(run, task), labels_in(sources, "labelled") | set(run.labels or []))
    return task


def _check_taught(task: Task, maps: Sequence[LabelMap], taught_by_rows: set[str]) -> None:
    """Refuse labels that only data have that are scored: a class that nothing teaches is a mistake, or needs a map."""
    unknown = _unknown_to_all(maps) if maps or not taught_by_rows else set(task.labels)
    if untaught := sorted(unknown - taught_by_rows):
        known = "; ".join(", ".join(own.teacher_labels) for own in maps)
        raise UserError(
            f"The data have the label {', '.join(untaught)}, which neither the teacher{known and f' ({known})'} nor a"
            f" labelled row teaches: correct it; map it to one that is taught, `label_map: {{{untaught[0]}: ...}}` of"
            " its entry, or one of a teacher's to it, `teacher: {label_map: ...}`; or name all `labels`."
        )


def labels_of_data(run: RunArguments, sources: Sources, *roles: str) -> list[str]:
    """The labels that rows of some roles have, in the order of the alphabet; else those that the task always has."""
    return sorted(labels_in(sources, *roles)) or list(task_class(run.task).default_labels)


def _label_maps(run: RunArguments, task: Task) -> list[LabelMap]:
    """How the labels of each teacher that has been trained teach the task's."""
    if not task.has_labels:
        return []
    if not run.teachers and run.teacher_cache.named is not None:
        record = CacheRecord.read(run.teacher_cache.named)
        return [LabelMap(record.labels, task.labels, record.label_map, task.answers)]
    own = [(_labels_of(teacher, task), teacher.label_map) for teacher in run.teachers]
    return [LabelMap(labels, task.labels, mapping, task.answers) for labels, mapping in own if labels is not None]


def _unknown_to_all(maps: Iterable[LabelMap]) -> set[str]:
    unknown = [set(own.unknown) for own in maps]
    return set.intersection(*unknown) if unknown else set()


def _labels_of(teacher: TeacherArguments, task: Task) -> list[str] | None:
    """The labels of a teacher in its own order; `None` of one that is still to be fine-tuned."""
    if teacher.finetune is not None:
        return None
    config = config_of(teacher)
    if not task.is_head_of(config):
        others = [name for name, kind in TASKS.items() if kind.has_labels and kind.is_head_of(config)]
        raise UserError(
            f"The teacher {teacher.model} is not a model for {task.name}: "
            + (f"write `task: {' or '.join(others)}`, or " if others else "")
            + "fine-tune it first on the labelled rows,"
            f" `teacher: {{model: {teacher.model}, finetune: {{num_train_epochs: 6}}}}`."
        )
    task.check_answers(config, f"The teacher {teacher.model}")
    return labels_of(config)


def labels_to_build(run: RunArguments, sources: Sources) -> list[str] | None:
    """The labels of a student that is made alone: those of the task, or `None` where nothing in the run says them.

    Raises:
        [`UserError`]: If the teacher's labels cannot teach these.
    """
    base = run.base_teacher
    if base is None or base.finetune is not None or not task_class(run.task).has_labels:
        return None
    config = config_of(base)
    said = run.labels or base.label_map or labels_in(sources, "labelled", "validation", "evaluation")
    has_labels = base.label_map or task_class(run.task).is_head_of(config)
    return task_of(run, sources).labels if said and has_labels else None


def losses_of(run: RunArguments, task: Task) -> WeightedSum:
    """The losses, with the layers that the student will keep where one says `layer_map: kept`.

    Raises:
        [`UserError`]: If a loss or an option is unknown, or the student is not cut from the teacher.
    """
    entries = run.losses if run.losses is not None else [{"name": task.default_loss}]
    if any(entry.get("layer_map") == KEPT for entry in entries):
        if not run.student.is_cut:
            raise UserError(
                f"layer_map: {KEPT} are the layers that are cut from the teacher, but the student is a `model` of its"
                " own: name the pairs, [[3, 12]]."
            )
        layer_map = [list(pair) for pair in enumerate(_kept_layers(run.student, _empty_teacher(run, task)), start=1)]
        entries = [{**entry, "layer_map": layer_map} if entry.get("layer_map") == KEPT else entry for entry in entries]
    return WeightedSum.from_config(entries)


KEPT = "kept"


@dataclass(frozen=True)
class StudentPlan:
    """What the student will be, found out without weights.

    Args:
        shape ([`ModelShape`]): Its layers and width.
        pieces ([`~students.choice.ChosenPieces`], *optional*): What it keeps of its vocabulary; `None` for all.
        provides ([`Needs`]): What losses can ask of it.
    """

    shape: ModelShape
    pieces: ChosenPieces | None
    provides: Needs


def check_models(
    run: RunArguments,
    args: DistillationArguments,
    task: Task,
    losses: WeightedSum,
    texts: Mapping[str, Sequence[str]],
    sources: Sources,
) -> StudentPlan:
    """Check what the run says of its models against their configurations and tokenizers, before anything is trained.

    Returns:
        [`StudentPlan`], what the student will be.

    Raises:
        [`UserError`]: If a layer is out of range, a width or a vocabulary is not possible, or a loss lacks a teacher,
            something that the models do not give, or rows that count for it.
    """
    teacher, gives = teacher_of(run, task)
    student = check_student(run, task, texts)
    losses.check(student.shape, teacher)
    losses.check_languages(training_languages(sources))
    with torch.device("meta"):
        settled = WeightedSum.from_config(losses.config())
        settled.attach(student.shape, teacher)
    check_teaching(settled)
    check_batch_size(settled, args.train_batch_size * args.world_size)
    title = "the teacher" if run.teachers else f"the cache {run.teacher_cache.named}"
    check_provides(settled, student.provides, gives, title)
    check_keepable(settled.needs, run.teacher_cache.named)
    check_counts(settled, planned_rows(sources, args.mixture))
    _check_labelled(run, settled, task, sources)
    models: list[TeacherArguments | StudentArguments] = [*run.teachers, run.student]
    for model in models:
        if model.model is not None:
            check_length(model, args.max_length)
    for one in run.teachers:
        check_precision(one.precision, args.device)
        if one.finetune is not None:
            finetune_arguments(one.finetune, args.folder)
    check_cache(run, task)
    if task.by_word:
        for name, revision, remote in _tokenizers_of(run):
            check_offsets(load_tokenizer(name, revision, remote))
    if run.student.freeze is not None and args.embedding_learning_rate is not None:
        raise UserError(
            f"embedding_learning_rate {args.embedding_learning_rate} has nothing to train, since `freeze:"
            f" {run.student.freeze}` keeps the student's embeddings: leave out one of them."
        )
    return student


def _tokenizers_of(run: RunArguments) -> list[tuple[str, str | None, bool]]:
    """Where the tokenizers of all models are: name, revision, and whether to run code of theirs."""
    named: list[TeacherArguments | StudentArguments] = [*run.teachers]
    if not run.student.is_cut:
        named.append(run.student)
    return [(resolve_model(str(own.model)), own.revision, own.trust_remote_code) for own in named]


def _check_labelled(run: RunArguments, losses: WeightedSum, task: Task, sources: Sources) -> None:
    """Check the labels of rows against their texts, and what losses make of the order of tags."""
    for (role, _), rows in sources.items():
        if role in ("labelled", "validation"):
            task.check_labelled(rows)
    labelled = sources.get(("labelled", run.source_language)) if task.by_word else None
    counts = count_transitions([] if labelled is None else task.word_label_ids(labelled), len(task.labels))
    if counts.any():
        losses.see_transitions(counts)
    else:
        refuse_transitions(losses)


def teacher_of(run: RunArguments, task: Task) -> tuple[ModelShape | None, Needs | None]:
    """The shape of the teacher, with those of the task's labels that it knows, and what it gives; without weights."""
    # One that is still to be fine-tuned will know all.
    to_train = any(teacher.finetune is not None for teacher in run.teachers)
    unknown = set() if to_train else _unknown_to_all(_label_maps(run, task))
    known = [label for label in task.labels if label not in unknown]
    if run.base_teacher is not None:
        empty = _empty_teacher(run, task)
        return ModelShape.of(empty.config, known, task.by_word, task.answers), provides_of(empty)
    if run.teacher_cache.named is not None:
        record = CacheRecord.read(run.teacher_cache.named)
        return ModelShape(record.layers, record.width, labels=tuple(known), answers=task.answers), record.provides
    return None, None


def check_cache(run: RunArguments, task: Task) -> None:
    """Check what the run says of the teacher's answers, as far as that is known before there is a teacher.

    Raises:
        [`UserError`]: If the folder is of something else, or there are not so many classes.
    """
    cache = run.teacher_cache
    if cache.named is not None and not is_new(cache.named) and len(run.teachers) < 2:
        CacheRecord.read(cache.named)
    for teacher in run.teachers:
        config = config_of(teacher)
        own = task.labels if teacher.finetune is not None else labels_of(config)
        check_top_k(cache.top_k, len(own), task.answers)


def check_student(run: RunArguments, task: Task, texts: Mapping[str, Sequence[str]]) -> StudentPlan:
    """Check what the run says of its student without loading weights.

    Returns:
        [`StudentPlan`], what it will be.

    Raises:
        [`UserError`]: If its layers, width, vocabulary or frozen part are not possible.
    """
    student = run.student
    source = run.base_teacher if student.is_cut else student
    empty = _empty_teacher(run, task) if student.is_cut else _empty(_student_config(student, task), student, task)
    assert source is not None and source.model is not None
    shape = task.shape_of(empty.config)
    if student.is_cut:
        shape = replace(shape, layers=len(_kept_layers(student, empty)))
        check_width(empty, heads=student.heads, feed_forward=student.feed_forward)
    if student.freeze is not None:
        blocks_to_freeze(student.freeze, shape.layers)
    pieces = None
    if student.vocabulary is not None:
        tokenizer = tokenizer_of(source)
        pieces = choose_pieces(empty, tokenizer, texts, **choice_of(student.vocabulary))
    return StudentPlan(shape, pieces, provides_of(empty, shape.layers))


def _empty_teacher(run: RunArguments, task: Task) -> PreTrainedModel:
    """The teacher without its weights, which says how it is built before anything is loaded."""
    teacher = run.base_teacher
    if teacher is None:
        raise UserError("student: it is cut from the teacher, and there is none: name a teacher, or a `model`.")
    config = config_of(teacher)
    return _empty(config, teacher, task)


def _empty(config: Any, named: TeacherArguments | StudentArguments, task: Task) -> PreTrainedModel:
    with torch.device("meta"), loading(str(named.model)):
        empty: PreTrainedModel = task.auto_class.from_config(config, trust_remote_code=named.trust_remote_code)
    return empty


def _kept_layers(student: StudentArguments, teacher: PreTrainedModel) -> list[int]:
    return layers_to_keep(teacher, student.layers, student.keep)


def check_length(model: TeacherArguments | StudentArguments, max_length: int) -> None:
    """Refuse texts that are longer than a model reads, or that have no room for a word.

    Raises:
        [`UserError`]: If they are.
    """
    assert model.model is not None
    tokenizer = tokenizer_of(model)
    config = config_of(model)
    least, most = tokenizer.num_special_tokens_to_add(pair=True) + 1, tokenizer.model_max_length
    if "max_position_embeddings" in config.to_dict():
        most = min(most, config.max_position_embeddings)
    if not least <= max_length <= most:
        raise UserError(f"max_length {max_length} is out of range: {model.model} reads {least} to {most} tokens.")


def _student_config(student: StudentArguments, task: Task) -> Any:
    assert student.model is not None
    config = config_of(student)
    own = labels_of(config)
    if task.is_head_of(config):
        task.check_answers(config, f"The student {student.model}")
    if task.has_labels and task.is_head_of(config) and own != task.labels:
        raise UserError(
            f"The student {student.model} has the labels {', '.join(own)}, but the task has {', '.join(task.labels)}:"
            " start from a model without this head, or use labels of the same names in the same order."
        )
    return config
