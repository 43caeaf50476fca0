"""The teachers that a run names: checked, loaded, fine-tuned, weighed, and asked once for each text."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from datasets import Dataset
from transformers import AutoModel, PreTrainedModel, PreTrainedTokenizerBase, set_seed

from xlkd.arguments import (
    FIXED,
    VALIDATION,
    CacheArguments,
    DistillationArguments,
    EnsembleArguments,
    RunArguments,
    TeacherArguments,
)
from xlkd.arguments.mixture import TRAINING_ROLES
from xlkd.data.labels import is_labelled
from xlkd.data.sources import Sources
from xlkd.errors import UserError
from xlkd.evaluation.zero_shot import score_teacher
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.needs import ModelShape, Needs
from xlkd.planning import task_of
from xlkd.pretrained import config_of, load_config, load_pretrained, load_tokenizer, resolve_model
from xlkd.steps.models import load_classifier
from xlkd.tasks import Task, task_class
from xlkd.teachers import LiveTeacher, Teacher, TeacherEnsemble
from xlkd.teachers.averaging import Average
from xlkd.teachers.cache_plan import ask_once
from xlkd.teachers.ensemble import Weights, check_weights
from xlkd.teachers.finetune import finetune_teacher
from xlkd.teachers.roster import Roster

logger = logging.getLogger(__name__)


def check_ensemble(run: RunArguments, losses: WeightedSum, student: ModelShape, sources: Sources) -> None:
    """Check several teachers against the losses and the languages of the data, before anything is loaded.

    Args:
        run ([`RunArguments`]): The run; one teacher alone is not looked at.
        losses ([`~losses.weighted_sum.WeightedSum`]): The losses.
        student ([`ModelShape`]): What the student will be.
        sources (`dict`): The data by role and language.

    Raises:
        [`UserError`]: If nobody is asked about a language, nobody is named for hidden states that a loss needs, or
            weights do not fit the teachers.
    """
    if len(run.teachers) < 2:
        return
    check_weights(run.ensemble_weights, student.answer_kind)
    roster = Roster(run.teacher_names, _numbers(run), _languages(run), _features(run))
    # What the teacher reads of parallel text is of the source language.
    trained = [
        run.source_language if role == "parallel" else language for role, language in sources if role in TRAINING_ROLES
    ]
    roster.check([*trained, *(language for role, language in sources if role == "evaluation")])
    for position, name in enumerate(roster.names):
        if not any(roster.asked_in(language)[position] for language in trained):
            logger.warning("Teacher %s: asked about no training row, for its languages or weights; only scored.", name)
    named = run.teachers[run.base_position]
    config = config_of(named)
    if losses.attached_to(student, ModelShape.of(config)).needs.states:
        roster.check_features(trained)
    if run.ensemble_weights == VALIDATION:
        _check_validation(run, roster, sources)


def _check_validation(run: RunArguments, roster: Roster, sources: Sources) -> None:
    source = run.source_language
    if ("validation", source) not in sources:
        raise UserError(
            f"ensemble: weights validation are the teachers' scores on validation rows in {source}, and there are"
            " none: add an entry of role validation, or choose other weights."
        )
    if strangers := [name for name in roster.names if not roster.knows(name, source)]:
        raise UserError(
            f"ensemble: weights validation are scores on rows in {source}, which {', '.join(strangers)} does not know:"
            " add it to its `languages`, or choose other weights."
        )


def prepare_teacher(
    run: RunArguments, args: DistillationArguments, task: Task, sources: Sources
) -> LiveTeacher | TeacherEnsemble | None:
    """Load the teacher, or all of an ensemble; fine-tune first where the run says so."""
    members = [load_teacher(run, named, args, task, sources) for named in run.teachers]
    if len(members) < 2:
        return members[0] if members else None
    options = run.ensemble or EnsembleArguments()
    return TeacherEnsemble(
        dict(zip(run.teacher_names, members, strict=True)),
        weights=_weights(run, args, members, task, sources),
        average=cast(Average, options.average),
        features=_features(run),
        languages=_languages(run),
    )


def load_teacher(
    run: RunArguments, named: TeacherArguments, args: DistillationArguments, task: Task, sources: Sources
) -> LiveTeacher:
    """Load one teacher; fine-tune it first where the run says so."""
    if named.finetune is not None:
        folder = str(finetuned(run, named, args, task, sources))
        remote = named.trust_remote_code
        model = load_classifier(folder, task, trust_remote_code=remote)
        return LiveTeacher(model, load_tokenizer(folder, None, remote), precision=named.precision)
    name, revision, remote = resolve_model(named.model), named.revision, named.trust_remote_code
    model = load_pretrained(task.auto_class, name, revision, remote)
    # A student that is cut from it says the same.
    task.say_answers(model.config)
    return LiveTeacher(model, load_tokenizer(name, revision, remote), named.label_map, named.precision)


def finetuned(
    run: RunArguments, teacher: TeacherArguments, args: DistillationArguments, task: Task, sources: Sources
) -> Path:
    """The folder of the teacher fine-tuned on the labelled rows, made now or before.

    Raises:
        [`UserError`]: If there are no labelled rows.
    """
    labelled = sources.get(("labelled", run.source_language))
    if labelled is None or not is_labelled(labelled):
        raise UserError("teacher: `finetune` needs labelled rows: add an entry of role labelled.")
    name = resolve_model(teacher.model)
    tokenizer = load_tokenizer(name, teacher.revision, teacher.trust_remote_code)
    options = teacher.finetune or {}
    # The head is drawn here: teachers of several seeds differ in it too.
    seed = options.get("seed", args.seed)
    set_seed(seed)
    model = load_classifier(name, task, teacher.revision, teacher.trust_remote_code)
    rows = task.preprocess(labelled, {"": tokenizer}, args.max_length)
    return finetune_teacher(
        model,
        tokenizer,
        rows,
        options,
        seed=seed,
        precision=args.precision_in_use,
        fast_matmul=args.fast_matmul,
    )


def prepare_base(
    run: RunArguments, args: DistillationArguments, sources: Sources
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """What a student is cut from when it is made alone: the fine-tuned teacher, a classifier, or a bare encoder.

    Raises:
        [`UserError`]: If there is no teacher, or it cannot be loaded.
    """
    named = run.base_teacher
    if named is None:
        raise UserError("student: it is cut from the teacher, and there is none: name one, `teacher: ...`.")
    if named.finetune is not None:
        teacher = load_teacher(run, named, args, task_of(run, sources), sources)
        return teacher.model, teacher.processing_class
    name, revision, remote = resolve_model(named.model), named.revision, named.trust_remote_code
    kind = task_class(run.task)
    answers = kind.is_head_of(load_config(name, revision, remote))
    if not answers and (run.student.heads is not None or run.student.feed_forward is not None):
        raise UserError(
            f"student: heads and feed_forward are chosen by what the teacher answers, and {named.model} has no"
            f" head for {kind.name}: fine-tune it first, `teacher: {{finetune: ...}}`, or leave them out."
        )
    auto_class = kind.auto_class if answers else AutoModel
    model = load_pretrained(auto_class, name, revision, remote)
    if answers:
        kind.say_answers(model.config)
    return model, load_tokenizer(name, revision, remote)


@dataclass(frozen=True)
class Questioning:
    """What one teacher alone is asked in a training.

    Args:
        teacher ([`~teachers.LiveTeacher`]): The teacher.
        rows (`datasets.Dataset`): The preprocessed training rows that it is asked about.
        share (`float`): How many of all rows these are.
        needs ([`Needs`]): What it is asked.
        cache ([`CacheArguments`]): Where its answers are kept: in a folder of its own inside the one that is named.
    """

    teacher: LiveTeacher
    rows: Dataset
    share: float
    needs: Needs
    cache: CacheArguments


def questionings(teacher: Teacher, rows: Dataset, needs: Needs, cache: CacheArguments) -> list[Questioning]:
    """What every single teacher will be asked."""
    if isinstance(teacher, LiveTeacher):
        return [Questioning(teacher, rows, 1.0, needs, cache)]
    assert isinstance(teacher, TeacherEnsemble)
    found = []
    for position, (member, asked) in enumerate(zip(teacher.members, teacher.asked(rows), strict=True)):
        assert isinstance(member, LiveTeacher)
        own = cache if cache.named is None else replace(cache, folder=str(cache.named / str(position)))
        chosen = rows.select(np.flatnonzero(asked))
        found.append(Questioning(member, chosen, float(asked.mean()), teacher.needs_of(member, needs), own))
    return found


def ask_all_once(
    teacher: Teacher, rows: Dataset, needs: Needs, run: RunArguments, args: DistillationArguments, task: str
) -> Teacher:
    """Ask a teacher, or each of an ensemble, about all its texts now, where that pays: see [`ask_once`]."""
    answering = [
        ask_once(part.teacher, part.rows, part.needs, part.cache, args, task, share=part.share)
        for part in questionings(teacher, rows, needs, run.teacher_cache)
    ]
    return teacher.with_members(answering) if isinstance(teacher, TeacherEnsemble) else answering[0]


def _languages(run: RunArguments) -> dict[str, list[str]]:
    named = zip(run.teacher_names, run.teachers, strict=True)
    return {name: teacher.languages for name, teacher in named if teacher.languages is not None}


def _features(run: RunArguments) -> str | None:
    named = run.ensemble is not None and run.ensemble.features is not None
    return run.teacher_names[run.base_position] if named else None


def _numbers(run: RunArguments) -> Sequence[float] | dict[str, list[float]]:
    """The weights that the run gives as numbers, else 1 for each."""
    if isinstance(run.ensemble_weights, dict):
        return run.ensemble_weights
    return [1.0 if teacher.weight is None else teacher.weight for teacher in run.teachers]


def _weights(
    run: RunArguments, args: DistillationArguments, members: Sequence[LiveTeacher], task: Task, sources: Sources
) -> Weights:
    if run.ensemble_weights == VALIDATION:
        return _scores(run, args, members, task, sources)
    if run.ensemble_weights == FIXED or isinstance(run.ensemble_weights, dict):
        return _numbers(run)
    return cast(Weights, run.ensemble_weights)


def _scores(
    run: RunArguments, args: DistillationArguments, members: Sequence[LiveTeacher], task: Task, sources: Sources
) -> list[float]:
    """The members' scores on the validation rows of the source language.

    Raises:
        [`UserError`]: If a score is negative, or undefined.
    """
    scores = []
    for name, member in zip(run.teacher_names, members, strict=True):
        # Not `member.to`, which may cast its weights: a student is cut from them yet, in full precision.
        home = member.model.device
        member.model.to(args.device)
        scores.append(
            score_teacher(
                member,
                sources["validation", run.source_language],
                task,
                max_length=args.max_length,
                batch_size=args.per_device_eval_batch_size,
                bfloat16=args.bf16,
            )
        )
        member.model.to(home)
        if not scores[-1] >= 0:
            raise UserError(
                f"ensemble: weights validation: the teacher {name} has {task.metric} {scores[-1]:.3f} on validation,"
                " which is no weight: leave it out, or choose other weights, `uniform` or numbers."
            )
        logger.info("Teacher %s: %s %.3f on validation, its weight in the ensemble.", name, task.metric, scores[-1])
    return scores
