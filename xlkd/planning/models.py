"""Whether the models that a run names can be what it says, found out before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xlkd.arguments import DistillationArguments, RunArguments, StudentArguments, TeacherArguments
from xlkd.data.planned import drawn, planned_rows, training_languages
from xlkd.data.sources import Sources
from xlkd.errors import UserError
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.needs import ModelShape, Needs, labels_of
from xlkd.planning.student import StudentPlan, empty_teacher, plan_student
from xlkd.planning.task import known_labels
from xlkd.pretrained import companions_of, config_of, load_tokenizer, resolve_model, tokenizer_of
from xlkd.students.attention import provides_of
from xlkd.tasks import Task
from xlkd.tasks.cutting import check_offsets
from xlkd.teachers.cache import CacheRecord
from xlkd.teachers.cache_checks import check_keepable, check_top_k, is_new
from xlkd.teachers.finetune import finetune_arguments
from xlkd.teachers.live import check_precision
from xlkd.training.loss_checks import check_batch_size, check_counts, check_provides, check_teaching
from xlkd.training.row_transitions import count_transitions, refuse_transitions


def plan_models(
    run: RunArguments,
    args: DistillationArguments,
    task: Task,
    losses: WeightedSum,
    texts: Mapping[str, Sequence[str]],
    sources: Sources,
) -> StudentPlan:
    """Plan the student, and check what the run says of its models against their configurations and tokenizers.

    Returns:
        [`StudentPlan`], what the student will be.

    Raises:
        [`UserError`]: If a layer is out of range, a width or a vocabulary is not possible, or a loss lacks a teacher,
            something that the models do not give, or rows that count for it.
    """
    teacher, gives = teacher_of(run, task)
    student = plan_student(run, task, texts)
    losses.check(student.shape, teacher)
    losses.check_languages(training_languages(drawn(sources, args.mixture)))
    settled = losses.attached_to(student.shape, teacher)
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
        task.check_companions(companions_of(one), f"The teacher {one.model}")
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
    return [(resolve_model(str(model.model)), model.revision, model.trust_remote_code) for model in named]


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
    known = known_labels(run, task)
    if run.base_teacher is not None:
        empty = empty_teacher(run, task)
        return ModelShape.of(empty.config, known, task.by_word, task.answer_kind), provides_of(empty)
    if run.teacher_cache.named is not None:
        record = CacheRecord.read(run.teacher_cache.named)
        return ModelShape(
            record.layers, record.width, labels=tuple(known), answer_kind=task.answer_kind
        ), record.provides
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
        check_top_k(cache.top_k, len(own), task.answer_kind)


def check_length(model: TeacherArguments | StudentArguments, max_length: int) -> None:
    """Refuse texts that are longer than a model reads, or that have no room for a word.

    Raises:
        [`UserError`]: If `max_length` is outside what the model reads.
    """
    assert model.model is not None
    tokenizer = tokenizer_of(model)
    config = config_of(model)
    least, most = tokenizer.num_special_tokens_to_add(pair=True) + 1, tokenizer.model_max_length
    if "max_position_embeddings" in config.to_dict():
        most = min(most, config.max_position_embeddings)
    if not least <= max_length <= most:
        raise UserError(f"max_length {max_length} is out of range: {model.model} reads {least} to {most} tokens.")
