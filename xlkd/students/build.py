"""Build a student from a teacher."""

from __future__ import annotations

from transformers import PreTrainedModel

from xlkd.students.layers import cut_layers, kept_layers


def build_student(teacher: PreTrainedModel, layers: int | list[int]) -> tuple[PreTrainedModel, list[tuple[int, int]]]:
    """Cut a student from a teacher: some of its layers, with its embeddings and its head.

    Args:
        teacher (`PreTrainedModel`): The teacher; it is not changed.
        layers (`int` or `list[int]`):
            How many layers to keep (the ends of equal blocks: 3 of 12 are 4, 8 and 12), or which ones, counted from 1.

    Returns:
        The student, and its layer map: pairs of a student layer and the teacher layer that it comes from.

    Raises:
        [`UserError`]: If a layer does not exist, or the architecture does not let its layers be cut.

    Example:

    ```python
    >>> student, layer_map = build_student(teacher, layers=3)
    >>> layer_map
    [(1, 4), (2, 8), (3, 12)]
    ```
    """
    kept = kept_layers(layers, teacher.config.num_hidden_layers)
    return cut_layers(teacher, kept), list(enumerate(kept, start=1))
