"""Models whose attention can be looked at while they train."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence

from transformers import PreTrainedModel

from xlkd.needs import Needs
from xlkd.students.attention import no_attention_dropout
from xlkd.training.levers import eager_attention

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def attention_shown(needs: Needs, student: PreTrainedModel, models: Sequence[PreTrainedModel]) -> Iterator[None]:
    """Let models give their attention probabilities while this lasts, where those are needed; it is said in the log.

    Args:
        needs ([`Needs`]): What is needed of them.
        student (`PreTrainedModel`): The one that is trained.
        models (`Sequence[PreTrainedModel]`): All of them.
    """
    if not needs.attention_maps:
        yield
        return
    logger.info(
        "attention-map: attention is computed step by step in this training, and the student's without dropout; that"
        " is slower and takes more memory."
    )
    with eager_attention(models), no_attention_dropout(student):
        yield
