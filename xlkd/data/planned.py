"""What is known of the training rows before any of them is cut into tokens."""

from __future__ import annotations

import torch

from xlkd.arguments import RunArguments
from xlkd.arguments.mixture import TRAINING_ROLES, MixtureArguments
from xlkd.data.labels import is_labelled
from xlkd.data.sources import Sources
from xlkd.errors import UserError
from xlkd.outputs import NO_LABEL, Batch


def training_languages(sources: Sources) -> list[str]:
    """The languages of the data that a student is trained on, sorted.

    Args:
        sources (`dict` from role and language to `datasets.Dataset`): The data that will be drawn, see [`drawn`].
    """
    return sorted({language for role, language in sources if role in TRAINING_ROLES})


def drawn(sources: Sources, mixture: MixtureArguments | str | None = None) -> Sources:
    """The data that training rows are drawn from; what the mixture gives no share teaches nothing.

    Args:
        sources (`dict` from role and language to `datasets.Dataset`): The data.
        mixture ([`MixtureArguments`], *optional*): How the rows will be drawn; a role without a share is left out.
    """
    shares = mixture.roles if isinstance(mixture, MixtureArguments) and mixture.roles else {}
    return {key: rows for key, rows in sources.items() if key[0] in TRAINING_ROLES and shares.get(key[0], 1.0)}


def check_unscored(run: RunArguments, mixture: MixtureArguments | str | None, sources: Sources) -> None:
    """Refuse languages that are neither scored nor trained for.

    Args:
        run ([`RunArguments`]): The run.
        mixture ([`MixtureArguments`], *optional*): How the rows will be drawn.
        sources (`dict` from role and language to `datasets.Dataset`): The data.

    Raises:
        [`UserError`]: If a language is neither scored nor trained for.
    """
    trained = training_languages(drawn(sources, mixture))
    if without := [language for language in run.unscored_languages if language not in trained]:
        raise UserError(
            f"unscored_languages: there is no text in {', '.join(without)} to train on either: add an entry of role"
            " unlabelled or parallel, or take the language out of unscored_languages and target_languages."
        )


def planned_rows(sources: Sources, mixture: MixtureArguments | str | None = None) -> Batch:
    """One row for every role and language that will be drawn, for losses to say which of them count.

    It has a label where any row of them has one. Translations are taken to be other tokens than the teacher reads, and
    all else to be the same.

    Args:
        sources (`dict` from role and language to `datasets.Dataset`): The data.
        mixture ([`MixtureArguments`], *optional*): How they will be drawn.
    """
    trained = drawn(sources, mixture)
    languages = training_languages(trained)
    return Batch(
        student_inputs={},
        teacher_inputs={},
        labels=torch.tensor([0 if is_labelled(rows) else NO_LABEL for rows in trained.values()]),
        row_mask=torch.ones(len(trained), dtype=torch.bool),
        language_ids=torch.tensor([languages.index(language) for _, language in trained]),
        same_tokens=torch.tensor([role != "parallel" for role, _ in trained]),
    )
