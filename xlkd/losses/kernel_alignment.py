"""Kernel alignment: whether two models see the same structure in a batch, whatever their widths."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor

from xlkd.errors import check_choice
from xlkd.losses.relation import RelationLoss, pairs_of

Estimator = Literal["unbiased", "biased"]


class KernelAlignmentLoss(RelationLoss):
    r"""One minus the centred kernel alignment (linear CKA) of the text vectors.

    For text vectors as the rows of \\(S\\) (student) and \\(T\\) (teacher), with \\(K = S S^\top\\) and
    \\(L = T T^\top\\):

    $$ 1 - \frac{HSIC(K, L)}{\sqrt{HSIC(K, K) \, HSIC(L, L)}} $$

    Biased, \\(HSIC(K, L) = tr(K H L H)\\) with the centring matrix \\(H\\), as in Kornblith et al.
    ([1905.00414](https://huggingface.co/papers/1905.00414)). In a batch that is smaller than the widths, the
    alignment is near 1 for unrelated models too, which leaves little to learn from. Unbiased, with the diagonals of
    both kernels set to 0:

    $$ HSIC_1(K, L) = \frac{1}{n (n - 3)} \left[ tr(K L) + \frac{1^\top K 1 \; 1^\top L 1}{(n - 1)(n - 2)}
    - \frac{2}{n - 2} 1^\top K L 1 \right] $$

    from Song et al. (2012), [Feature Selection via Dependence
    Maximization](https://jmlr.org/papers/v13/song12a.html), as used for batches by Nguyen et al.
    ([2010.15327](https://huggingface.co/papers/2010.15327)); computed as the inner product of U-centred kernels, which
    is the same number and has no negative norm. It may be below 0, and the loss above 1.

    The widths may differ, without a projector: it is blind to rotations and to one common scale. Vectors are
    `(batch, width)`, over all processes; memory is \\(O(B^2)\\). Worth trying where the student is much narrower than
    its teacher. Needs 4 rows (unbiased) or 3 (biased).

    Args:
        student_layer (`int`, *optional*): The student's layer, 0 being the embeddings. Defaults to the last.
        teacher_layer (`int`, *optional*): The teacher's layer. Defaults to the last.
        estimator (`str`, *optional*, defaults to `"unbiased"`): `"unbiased"` or `"biased"`.

    Raises:
        [`UserError`]: If the estimator is unknown, or a layer is no number, or out of range.

    Example:

    ```python
    >>> from xlkd.losses import KernelAlignmentLoss
    >>> loss = KernelAlignmentLoss(estimator="unbiased")
    ```
    """

    name = "kernel-alignment"
    citation = "Kornblith et al. (2019), Similarity of Neural Network Representations Revisited, arXiv:1905.00414"

    def __init__(
        self,
        student_layer: int | None = None,
        teacher_layer: int | None = None,
        estimator: Estimator = "unbiased",
    ) -> None:
        super().__init__(student_layer, teacher_layer)
        check_choice("kernel-alignment: estimator", estimator, get_args(Estimator))
        self.estimator = estimator
        self.least_rows, self._centred = (4, _u_centred) if estimator == "unbiased" else (3, _centred)

    def config(self) -> dict[str, Any]:
        return {**super().config(), "estimator": self.estimator}

    def compare(self, student: Tensor, teacher: Tensor, counted: Tensor) -> Tensor:
        """See [`KernelAlignmentLoss`]."""
        own, wanted = (_unit(self._centred(vectors, counted)) for vectors in (student, teacher))
        return 1 - (own * wanted).sum()


def _centred(vectors: Tensor, counted: Tensor) -> Tensor:
    """The kernel, `(rows, rows)`, of vectors less their mean."""
    mean = vectors.sum(0) / counted.sum().clamp(min=1)
    vectors = torch.where(counted.unsqueeze(-1), vectors - mean, 0.0)
    return vectors @ vectors.T


def _u_centred(vectors: Tensor, counted: Tensor) -> Tensor:
    """The kernel, `(rows, rows)`, without its diagonal, less the means that make products of two of it unbiased."""
    pairs = pairs_of(counted)
    rows = counted.sum()
    # A common shift changes nothing, but large common parts would cost digits.
    kernel = torch.where(pairs, _centred(vectors, counted), 0.0)
    sums = kernel.sum(0) / (rows - 2).clamp(min=1)
    total = kernel.sum() / ((rows - 1) * (rows - 2)).clamp(min=1)
    return torch.where(pairs, kernel - sums.unsqueeze(0) - sums.unsqueeze(1) + total, 0.0)


def _unit(kernel: Tensor) -> Tensor:
    norm = torch.linalg.matrix_norm(kernel)
    return kernel / torch.where(norm > 0, norm, 1.0)
