"""The oracle: the checkpoint that labels of the target languages would have chosen, scored beside the zero-shot one."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, IntervalStrategy, SaveStrategy

from xlkd.arguments import DistillationArguments, RunArguments
from xlkd.data.sources import Sources
from xlkd.errors import UserError
from xlkd.evaluation.numbers import percent
from xlkd.evaluation.zero_shot import RunRecord, evaluate_zero_shot
from xlkd.pretrained import move
from xlkd.steps.models import load_classifier
from xlkd.steps.selection import selection_languages
from xlkd.tasks import Task
from xlkd.trainer import DistillationTrainer


def check_oracle(run: RunArguments, args: DistillationArguments, sources: Sources) -> None:
    """Refuse an oracle that will have nothing to choose by, or nothing to choose from, before anything is trained.

    Raises:
        [`UserError`]: If there are no labels in target languages, or checkpoints are not scored and kept.
    """
    if not run.oracle:
        return
    if not selection_languages(sources, run):
        raise UserError(
            "oracle: it is the checkpoint that is best on labels in target languages, and there are none: add an entry"
            " of role validation with `language: [...]`, or leave `oracle` out."
        )
    scored, kept = IntervalStrategy(args.eval_strategy).value, SaveStrategy(args.save_strategy).value
    if scored == "no" or kept != scored or args.save_total_limit is not None:
        raise UserError(
            f"oracle: it is one of the checkpoints, so that all must be scored and kept, but eval_strategy is {scored},"
            f" save_strategy {kept} and save_total_limit {args.save_total_limit}: write `eval_strategy: epoch`,"
            " `save_strategy: epoch` and `save_total_limit: null`."
        )


def score_oracle(
    run: RunArguments,
    args: DistillationArguments,
    task: Task,
    trainer: DistillationTrainer,
    evaluation: Mapping[str, Dataset],
    languages: list[str],
) -> dict[str, Any]:
    """Score the checkpoint that is best on validation rows in target languages, in every language.

    Args:
        run ([`RunArguments`]): The run.
        args ([`DistillationArguments`]): Its training arguments.
        task ([`~tasks.Task`]): The task.
        trainer ([`DistillationTrainer`]): After training, with its checkpoints.
        evaluation (`Mapping[str, datasets.Dataset]`): What is scored, by language.
        languages (`list[str]`): The target languages that have validation rows.

    Returns:
        `dict`: How it was chosen, in words (`selection`), the scores by language, and their mean (`target`).
    """
    assert isinstance(trainer.processing_class, PreTrainedTokenizerBase)
    checkpoint, score = best_checkpoint(args.folder, trainer.state.log_history, task.metric, languages)
    student = load_classifier(str(checkpoint), task, trust_remote_code=_runs_remote_code(run))
    record = RunRecord(run.source_language, student=str(checkpoint))
    report = evaluate_zero_shot(
        move(student, trainer.student.device),
        trainer.processing_class,
        evaluation,
        task,
        record,
        max_length=args.max_length,
        batch_size=args.per_device_eval_batch_size,
        bfloat16=args.bf16,
    )
    target = report.means["target"]
    labels = f"labels of {', '.join(languages)}"
    return {
        "selection": f"{checkpoint.name}, best mean {task.metric} ({percent(score)}) on {labels}",
        "languages": {language: scores["student"] for language, scores in report.languages.items()},
        "target": None if target is None else target["student"],
    }


def _runs_remote_code(run: RunArguments) -> bool:
    """Whether the user allows the student's model code: its own, or that of the model that it was cut from."""
    origin = run.base_teacher if run.student.is_cut else run.student
    return origin is not None and origin.trust_remote_code


def best_checkpoint(
    folder: Path, history: list[dict[str, Any]], metric: str, languages: list[str]
) -> tuple[Path, float]:
    """The checkpoint with the best mean score over some languages, the first of equals, and that score.

    Args:
        folder (`Path`): Where the checkpoints are.
        history (`list[dict]`): What the trainer logged.
        metric (`str`): The score.
        languages (`list[str]`): The languages.

    Raises:
        [`UserError`]: If no checkpoint was scored in these languages.
    """
    scores: dict[int, dict[str, float]] = defaultdict(dict)
    for entry in history:
        for language in languages:
            # A score that is undefined, as a correlation may be, says nothing.
            if not math.isnan(score := entry.get(f"eval_{language}_{metric}", math.nan)):
                scores[entry["step"]][language] = score
    means = {
        folder / f"{PREFIX_CHECKPOINT_DIR}-{step}": sum(own.values()) / len(own)
        for step, own in sorted(scores.items())
        if len(own) == len(languages)
    }
    means = {checkpoint: mean for checkpoint, mean in means.items() if checkpoint.is_dir()}
    if not means:
        raise UserError(
            f"oracle: {folder} has no checkpoint that was scored in {', '.join(languages)}: let `save_steps` be a"
            " multiple of `eval_steps`."
        )
    best = max(means, key=means.__getitem__)
    return best, means[best]
