"""Embeddings: the one vector that a model makes of a text."""

from __future__ import annotations

from typing import Any, Literal, get_args

from xlkd.errors import check_choice
from xlkd.losses.states import StateLoss

EmbeddingDistance = Literal["cosine", "mse"]
EmbeddingPool = Literal["mean", "first"]


class EmbeddingLoss(StateLoss):
    r"""Distance between the sentence vectors of student and teacher.

    The vector of a text is the mean over its tokens of the last layer, padding left out, or the state of its first
    token. For \\(s\\) (student, through a projector where the widths differ) and \\(t\\) (teacher) of width \\(d\\):
    \\( \frac{1}{d} \lVert s - t \rVert^2 \\) or \\( 1 - \cos(s, t) \\).

    In parallel rows the teacher reads the source sentence and the student its translation, which thus learns the
    vector of its source: Reimers and Gurevych, [2004.09813](https://huggingface.co/papers/2004.09813). Their loss has a
    second part, in which the student reads the source sentence too: unlabelled or labelled source text in the data
    does that.

    It is for sentence similarity and retrieval; [`HiddenStateLoss`] can also use other layers and single tokens.

    Memory: batch x width numbers for either model.

    Args:
        distance (`str`, *optional*, defaults to `"mse"`): `"mse"` or `"cosine"`.
        pool (`str`, *optional*, defaults to `"mean"`):
            `"mean"` over the text, or `"first"`, for its first token (not of a decoder, where it sees no other).

    Raises:
        [`UserError`]: If an option is unknown, there is no teacher, or a first token sees nothing of its text.

    Example:

    ```python
    >>> from xlkd.losses import EmbeddingLoss
    >>> loss = EmbeddingLoss(distance="cosine")
    ```
    """

    name = "embedding"
    citation = "Reimers and Gurevych (2020), Making Monolingual Sentence Embeddings Multilingual, arXiv:2004.09813"

    def __init__(self, distance: EmbeddingDistance = "mse", pool: EmbeddingPool = "mean") -> None:
        check_choice("embedding: distance", distance, get_args(EmbeddingDistance))
        check_choice("embedding: pool", pool, get_args(EmbeddingPool))
        super().__init__(None, distance, pool)

    def config(self) -> dict[str, Any]:
        return {"distance": self.distance, "pool": self.pool}
