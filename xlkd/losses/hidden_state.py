"""Hidden states: what the teacher's layers hold, per token or pooled over the text."""

from __future__ import annotations

from typing import Any

from xlkd.losses.layer_map import LayerMap, config_of_layer_map, parse_layer_map
from xlkd.losses.states import Distance, Pool, StateLoss


class HiddenStateLoss(StateLoss):
    r"""Distance between mapped layers of student and teacher, averaged over the pairs of layers.

    For one pair of vectors \\(s\\) (student, through the projector where the widths differ) and \\(t\\) (teacher) of
    width \\(d\\):

    - `cosine`: \\( 1 - \cos(s, t) \\)
    - `mse`: \\( \frac{1}{d} \lVert s - t \rVert^2 \\)
    - `normalised-mse`: \\( \left\lVert \frac{s}{\lVert s \rVert} - \frac{t}{\lVert t \rVert} \right\rVert^2 \\), the
      sum over the width as in the paper of PKD; it is twice the cosine distance.

    A vector shorter than 0.000001 has no direction: `cosine` and `normalised-mse` are constant there, without gradient.

    Per token, the distances are averaged over the text of a row, padding left out, and only rows in which teacher and
    student read the same tokens count. Pooled over the text, there is one vector per text, so the two may read
    different tokens or different languages. Pooled over words, where rows are labelled word by word, there is one
    vector per word, whatever pieces it is cut into, and the distances are averaged over the words.

    From FitNets ([1412.6550](https://huggingface.co/papers/1412.6550)), DistilBERT
    ([1910.01108](https://huggingface.co/papers/1910.01108)) and PKD
    ([1908.09355](https://huggingface.co/papers/1908.09355)), which is `normalised-mse` with `pool: first`.

    Memory: the states of the mapped layers, which the student keeps for its gradient anyway, and the teacher's: batch x
    tokens x width numbers a layer; pooled, batch x width.

    Args:
        layer_map (`list[tuple[int, int]]` or `str`, *optional*):
            Pairs of a student layer and a teacher layer, 0 being the embeddings. `"uniform"` pairs layer i of the
            student's n with layer i * L / n of the teacher's L, rounded; `"last"` pairs its n layers with the teacher's
            last n, `"first"` with the first n. Defaults to the last layer of both. In a YAML file, `kept` pairs each
            layer with the one that it was cut from.
        distance (`str`, *optional*, defaults to `"cosine"`): `"cosine"`, `"mse"` or `"normalised-mse"`.
        pool (`str`, *optional*, defaults to `"mean"`):
            `"mean"` over the text, `"first"` for the state of its first token (not of a decoder, where it sees no
            other), `"none"` for a distance per token, `"word"` for the mean over the tokens of each word, or
            `"word-first"` for the first of them.

    Raises:
        [`UserError`]: If an option is unknown, a layer is out of range, or a first token sees nothing of its text.

    Example:

    ```python
    >>> from xlkd.losses import HiddenStateLoss
    >>> loss = HiddenStateLoss(layer_map=[(1, 4), (2, 8), (3, 12)], distance="cosine")
    ```
    """

    name = "hidden-state"
    citation = (
        "Romero et al. (2015), FitNets, arXiv:1412.6550; Sanh et al. (2019), DistilBERT, arXiv:1910.01108; Sun et al."
        " (2019), Patient Knowledge Distillation, arXiv:1908.09355"
    )
    alternative = "hidden-state with `pool: mean` and layers that are there, or soft-label"

    def __init__(
        self,
        layer_map: LayerMap | None = None,
        distance: Distance = "cosine",
        pool: Pool = "mean",
    ) -> None:
        super().__init__(parse_layer_map(self.name, layer_map), distance, pool)

    def config(self) -> dict[str, Any]:
        return {"layer_map": config_of_layer_map(self.layer_map), "distance": self.distance, "pool": self.pool}
