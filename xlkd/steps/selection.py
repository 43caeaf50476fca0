"""On what the checkpoint is chosen, and what to say of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from xlkd.arguments import VALIDATION, DistillationArguments, RunArguments
from xlkd.data.sources import Sources
from xlkd.errors import UserError, did_you_mean
from xlkd.tasks import Task
from xlkd.trainer import DistillationTrainer

logger = logging.getLogger(__name__)


def is_validated(run: RunArguments, args: DistillationArguments) -> bool:
    """Whether anything is chosen, or weighed, on rows that nobody is trained on."""
    return args.eval_strategy != "no" or run.oracle or run.ensemble_weights == VALIDATION


def refuse_loss_of_no_language(values: Mapping[str, Any]) -> None:
    """Refuse to choose the checkpoint by `loss`: validation is by language, and there is one of each.

    Args:
        values (`Mapping[str, Any]`): What the user wrote.

    Raises:
        [`UserError`]: If the checkpoint is to be chosen by `loss`.
    """
    if values.get("metric_for_best_model") in ("loss", "eval_loss"):
        raise UserError(
            "metric_for_best_model loss: a student is validated language by language, so name one's,"
            f" `metric_for_best_model: {values.get('source_language', 'en')}_loss`."
        )


def settle_selection(run: RunArguments, args: DistillationArguments, task: Task, sources: Sources) -> None:
    """Settle what the checkpoint is chosen on: the source language's validation rows, unless the user says otherwise.

    Raises:
        [`UserError`]: If there are no rows to choose on, the task is not scored while it is trained, or the metric is
            not measured.
    """
    if args.eval_strategy != "no" or run.oracle:
        task.check_validation()
    if args.eval_strategy != "no" and not any(role == "validation" for role, _ in sources):
        raise UserError(
            "There are no validation rows to choose a checkpoint on, or to score the student on while it trains: add an"
            " entry of role validation or labelled, or set `eval_strategy: no` and `load_best_model_at_end: false`."
        )
    if args.eval_strategy == "no":
        args.load_best_model_at_end = False
    languages = [language for role, language in sources if role == "validation"]
    measured = [*dict.fromkeys([task.metric, *task.metrics]), "loss"]
    known = [f"{language}_{metric}" for language in languages for metric in measured]
    known += [f"mean_{task.metric}"] if len(languages) > 1 else []
    if not known:
        return
    if args.metric_for_best_model in (None, "loss"):
        source = f"{run.source_language}_{task.metric}"
        args.metric_for_best_model = source if source in known else known[0]
        args.greater_is_better = True
    elif args.metric_for_best_model.removeprefix("eval_") not in known:
        named = args.metric_for_best_model
        raise UserError(
            f"metric_for_best_model {named!r} is not measured{did_you_mean(named, known)}: {', '.join(known)}."
        )


def selection_of(run: RunArguments, args: DistillationArguments, sources: Sources) -> str:
    """How the checkpoint was chosen, in words, and by labels of which target languages."""
    if args.average_last:
        return f"mean of the weights over the last {100 * args.average_last:g}% of the training"
    if not args.load_best_model_at_end:
        return "last step"
    read = ", ".join(selected_on(run, args, sources))
    best = f"best {args.metric_for_best_model} on validation"
    return f"{best} with labels in {read}, not zero-shot" if read else best


def selected_on(run: RunArguments, args: DistillationArguments, sources: Sources) -> list[str]:
    """The target languages whose labels choose the checkpoint."""
    if not args.load_best_model_at_end:
        return []
    named = str(args.metric_for_best_model).removeprefix("eval_").partition("_")[0]
    return [language for language in selection_languages(sources, run) if named in (language, "mean")]


def selection_languages(sources: Sources, run: RunArguments) -> list[str]:
    """The target languages that have validation rows, in the order of the run."""
    return [language for language in run.target_languages if ("validation", language) in sources]


def own_up_to_last_step(
    run: RunArguments, args: DistillationArguments, trainer: DistillationTrainer, sources: Sources
) -> None:
    """Say so where no checkpoint could be chosen after all, so that the student is that of the last step."""
    if not args.load_best_model_at_end or trainer.state.best_model_checkpoint is not None:
        return
    args.load_best_model_at_end = False
    logger.warning(
        "No checkpoint was chosen: %s was undefined, or never measured. The student is that of the last step.",
        args.metric_for_best_model,
    )
    if trainer.provenance is not None:
        trainer.provenance = replace(trainer.provenance, selection=selection_of(run, args, sources))
