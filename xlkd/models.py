"""The task, teacher and student that a run names."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, set_seed

from xlkd.arguments import DistillationArguments, RunArguments, StudentArguments, TeacherArguments
from xlkd.data.sources import Sources
from xlkd.errors import UserError
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.outputs import ModelShape
from xlkd.pretrained import load_config, load_tokenizer, loading, resolve_model
from xlkd.students.build import build_student
from xlkd.students.layers import freeze, kept_layers
from xlkd.tasks import Task, get_task
from xlkd.teachers import LiveTeacher
from xlkd.teachers.finetune import finetune_teacher

logger = logging.getLogger(__name__)


def task_of(run: RunArguments, sources: Sources) -> Task:
    """The task with its labels: those of a teacher that is a classifier, else those that the labelled rows have.

    Raises:
        [`UserError`]: If no row has a label, or the teacher's labels are others.
    """
    named = run.labels or sorted(
        {
            label
            for role in ("labelled", "validation", "evaluation")
            for (own, _), dataset in sources.items()
            if own == role
            for label in dataset["label"]
            if label is not None
        }
    )
    task = get_task(run.task, named, run.metric)
    if run.teacher is None or run.teacher.finetune is not None:
        return task
    config = load_config(resolve_model(run.teacher.model), run.teacher.revision, run.teacher.trust_remote_code)
    own = [config.id2label[index] for index in range(config.num_labels)]
    if not task.is_head_of(config):
        raise UserError(
            f"The teacher {run.teacher.model} is not a model for {task.name}: fine-tune it first on the labelled rows,"
            f" `teacher: {{model: {run.teacher.model}, finetune: {{num_train_epochs: 6}}}}`."
        )
    if set(own) != set(named):
        raise UserError(
            f"The teacher's labels ({', '.join(own)}) are not those of the data ({', '.join(named)}): labels are"
            " matched by name, so give the data the teacher's names."
        )
    return get_task(run.task, own, run.metric)


def check_models(run: RunArguments, task: Task, losses: WeightedSum, max_length: int) -> None:
    """Check layers against what the configurations of teacher and student say, before anything is trained.

    Raises:
        [`UserError`]: If a layer is out of range, or a loss lacks a teacher.
    """
    teacher = None
    if run.teacher is not None:
        config = load_config(resolve_model(run.teacher.model), run.teacher.revision, run.teacher.trust_remote_code)
        teacher = ModelShape.of(config)
    if run.student.layers is not None:
        if teacher is None:
            raise UserError(
                "student: `layers` cuts it from the teacher, and there is none: name a teacher or a `model`."
            )
        shape = replace(teacher, layers=len(kept_layers(run.student.layers, teacher.layers)))
    else:
        shape = ModelShape.of(_student_config(run.student, task))
    losses.check(shape, teacher)
    for model in (run.teacher, run.student):
        if model is not None and model.model is not None:
            check_length(model, max_length)


def check_length(model: TeacherArguments | StudentArguments, max_length: int) -> None:
    """Refuse texts that are longer than a model reads, or that have no room for a word.

    Raises:
        [`UserError`]: If they are.
    """
    assert model.model is not None
    tokenizer = load_tokenizer(resolve_model(model.model), model.revision, model.trust_remote_code)
    config = load_config(resolve_model(model.model), model.revision, model.trust_remote_code)
    least, most = tokenizer.num_special_tokens_to_add(pair=True) + 1, tokenizer.model_max_length
    if "max_position_embeddings" in config.to_dict():
        most = min(most, config.max_position_embeddings)
    if not least <= max_length <= most:
        raise UserError(f"max_length {max_length} is out of range: {model.model} reads {least} to {most} tokens.")


def _student_config(student: StudentArguments, task: Task) -> Any:
    assert student.model is not None
    config = load_config(resolve_model(student.model), student.revision, student.trust_remote_code)
    own = [config.id2label[index] for index in range(config.num_labels)]
    if task.is_head_of(config) and own != task.labels:
        raise UserError(
            f"The student {student.model} has the labels {', '.join(own)}, but the task has {', '.join(task.labels)}:"
            " start from a model without this head, or use labels of the same names in the same order."
        )
    return config


def prepare_teacher(run: RunArguments, args: DistillationArguments, task: Task, sources: Sources) -> LiveTeacher | None:
    """Load the teacher; fine-tune it first where the run says so."""
    if run.teacher is None:
        return None
    if run.teacher.finetune is not None:
        folder = str(finetuned(run, run.teacher, args, task, sources))
        return LiveTeacher(load_classifier(folder, task), load_tokenizer(folder))
    name = resolve_model(run.teacher.model)
    revision, trust_remote_code = run.teacher.revision, run.teacher.trust_remote_code
    with loading(name):
        model = task.auto_class.from_pretrained(name, revision=revision, trust_remote_code=trust_remote_code)
    return LiveTeacher(model, load_tokenizer(name, revision, trust_remote_code))


def finetuned(
    run: RunArguments, teacher: TeacherArguments, args: DistillationArguments, task: Task, sources: Sources
) -> Path:
    """The folder of the teacher fine-tuned on the labelled rows, made now or before.

    Raises:
        [`UserError`]: If there are no labelled rows.
    """
    labelled = sources.get(("labelled", run.source_language))
    if labelled is None:
        raise UserError("teacher: `finetune` needs labelled rows: add an entry of role labelled.")
    name = resolve_model(teacher.model)
    tokenizer = load_tokenizer(name, teacher.revision, teacher.trust_remote_code)
    set_seed(args.seed)
    model = load_classifier(name, task, teacher.revision, teacher.trust_remote_code)
    rows = task.preprocess(labelled, tokenizer, None, args.max_length)
    return finetune_teacher(
        model, tokenizer, rows, teacher.finetune or {}, seed=args.seed, precision=args.precision_in_use
    )


def load_classifier(
    name: str, task: Task, revision: str | None = None, trust_remote_code: bool = False
) -> PreTrainedModel:
    """Load a model with the head of the task, a new one where it has none."""
    with loading(name):
        model: PreTrainedModel = task.auto_class.from_pretrained(
            name,
            revision=revision,
            trust_remote_code=trust_remote_code,
            num_labels=len(task.labels),
            id2label=task.id2label,
            label2id=task.label2id,
            # What is trained needs full precision: in bfloat16 a small update is lost. Autocast makes it fast.
            dtype=torch.float32,
        )
    return model


def prepare_student(
    student: StudentArguments, teacher: LiveTeacher | None, task: Task
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Cut the student from the teacher, or load a model of its own; freeze what is to stay."""
    if student.layers is not None:
        assert teacher is not None
        model, layer_map = build_student(teacher.model, student.layers)
        tokenizer = teacher.processing_class
        logger.info("Student: the teacher's layers %s.", ", ".join(str(layer) for _, layer in layer_map))
    else:
        assert student.model is not None
        name = resolve_model(student.model)
        model = load_classifier(name, task, student.revision, student.trust_remote_code)
        tokenizer = load_tokenizer(name, student.revision, student.trust_remote_code)
    if student.freeze is not None:
        freeze(model, student.freeze)
    return model, tokenizer
