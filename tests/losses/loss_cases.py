"""One row a loss: how it is built, and the same formula in plain loops of float64. A new loss joins with one row."""

from collections.abc import Callable
from dataclasses import dataclass

from answers import HEADS
from feature_references import (
    attention_map,
    attention_relation,
    cosine,
    first_token,
    mse,
    normalised_mse,
    per_token,
    pooled,
)
from output_references import decoupled_label, hard_label, label_correlation, logit_mse, soft_label
from relation_references import (
    KnownAdversary,
    biased_hsic,
    contrastive,
    kernel_alignment,
    language_adversarial,
    of_vectors,
    relational_angle,
    relational_distance,
    similarity_preserving,
    unbiased_hsic,
)

from xlkd.losses import (
    AttentionMapLoss,
    AttentionRelationLoss,
    ContrastiveLoss,
    DecoupledLabelLoss,
    DistillationLoss,
    EmbeddingLoss,
    HardLabelLoss,
    HiddenStateLoss,
    KernelAlignmentLoss,
    LabelCorrelationLoss,
    LogitMSELoss,
    RelationalAngleLoss,
    RelationalDistanceLoss,
    SimilarityPreservingLoss,
    SoftLabelLoss,
)
from xlkd.outputs import Batch, StudentOutput, TeacherOutput

Reference = Callable[[StudentOutput, TeacherOutput, Batch], list[float]]


@dataclass(frozen=True)
class LossCase:
    """`reference` gives what `forward` gives: a value for each row, or one alone where `scope` is `"batch"`."""

    name: str
    build: Callable[[], DistillationLoss]
    reference: Reference
    zero_at_identity: bool = True
    reverses_gradient: bool = False


def by_row(reference: Callable[[StudentOutput, TeacherOutput, Batch, int], float]) -> Reference:
    """The loss of one row, for every row."""
    return lambda student, teacher, batch: [reference(student, teacher, batch, row) for row in range(len(batch.labels))]


ALL = ["queries", "keys", "values"]
MAP = [(1, 1), (2, 2)]

LOSS_CASES = [
    LossCase("soft-label T=1", lambda: SoftLabelLoss(1.0), by_row(soft_label(1.0))),
    LossCase("soft-label T=4", lambda: SoftLabelLoss(4.0), by_row(soft_label(4.0))),
    LossCase(
        "soft-label reverse", lambda: SoftLabelLoss(2.0, "reverse"), by_row(soft_label(2.0, divergence="reverse"))
    ),
    LossCase(
        "soft-label symmetric", lambda: SoftLabelLoss(2.0, "symmetric"), by_row(soft_label(2.0, divergence="symmetric"))
    ),
    LossCase(
        "soft-label standardised",
        lambda: SoftLabelLoss(2.0, standardise=True),
        by_row(soft_label(2.0, standardise=True)),
    ),
    LossCase("logit-mse", LogitMSELoss, by_row(logit_mse(centre=True))),
    LossCase("logit-mse as it is", lambda: LogitMSELoss(centre=False), by_row(logit_mse(centre=False))),
    LossCase("decoupled-label", lambda: DecoupledLabelLoss(0.5, 2.0, 2.0), by_row(decoupled_label(0.5, 2.0, 2.0))),
    LossCase(
        "label-correlation",
        lambda: LabelCorrelationLoss(1.0, 2.0, 4.0),
        lambda student, teacher, batch: [label_correlation(1.0, 2.0, 4.0, student, teacher, batch)],
    ),
    LossCase(
        "label-correlation intra-class",
        lambda: LabelCorrelationLoss(inter_class=0.0),
        lambda student, teacher, batch: [label_correlation(0.0, 1.0, 1.0, student, teacher, batch)],
    ),
    LossCase("hard-label", HardLabelLoss, by_row(hard_label()), zero_at_identity=False),
    LossCase(
        "hard-label smoothed and weighted",
        lambda: HardLabelLoss(0.1, {"b": 3.0, "d": 0.25}),
        by_row(hard_label(0.1, [1, 3, 1, 0.25, 1, 1])),
        zero_at_identity=False,
    ),
    LossCase("hidden-state cosine", lambda: HiddenStateLoss(MAP, "cosine", "none"), by_row(per_token(MAP, cosine))),
    LossCase("hidden-state mse", lambda: HiddenStateLoss(MAP, "mse", "none"), by_row(per_token(MAP, mse))),
    LossCase("hidden-state pooled cosine", lambda: HiddenStateLoss(MAP, "cosine", "mean"), by_row(pooled(MAP, cosine))),
    LossCase(
        "hidden-state pooled mse", lambda: HiddenStateLoss([(2, 2)], "mse", "mean"), by_row(pooled([(2, 2)], mse))
    ),
    LossCase("relational-distance", RelationalDistanceLoss, of_vectors(relational_distance)),
    LossCase(
        "relational-distance of layer 1", lambda: RelationalDistanceLoss(1, 1), of_vectors(relational_distance, 1)
    ),
    LossCase("relational-angle", RelationalAngleLoss, of_vectors(relational_angle)),
    LossCase("similarity-preserving", SimilarityPreservingLoss, of_vectors(similarity_preserving)),
    LossCase("kernel-alignment unbiased", KernelAlignmentLoss, of_vectors(kernel_alignment(unbiased_hsic))),
    LossCase(
        "kernel-alignment biased",
        lambda: KernelAlignmentLoss(estimator="biased"),
        of_vectors(kernel_alignment(biased_hsic)),
    ),
    LossCase("contrastive", ContrastiveLoss, of_vectors(contrastive(0.07)), zero_at_identity=False),
    LossCase(
        "contrastive T=1", lambda: ContrastiveLoss(temperature=1), of_vectors(contrastive(1.0)), zero_at_identity=False
    ),
    LossCase(
        "language-adversarial",
        lambda: KnownAdversary(strength=1),
        by_row(language_adversarial),
        zero_at_identity=False,
        reverses_gradient=True,
    ),
    LossCase(
        "hidden-state PKD",
        lambda: HiddenStateLoss("uniform", "normalised-mse", "first"),
        by_row(first_token(MAP, normalised_mse)),
    ),
    LossCase(
        "hidden-state normalised mse",
        lambda: HiddenStateLoss([(0, 1)], "normalised-mse", "none"),
        by_row(per_token([(0, 1)], normalised_mse)),
        zero_at_identity=False,
    ),
    LossCase("embedding", EmbeddingLoss, by_row(pooled([(2, 2)], mse))),
    LossCase("embedding cosine", lambda: EmbeddingLoss("cosine", "first"), by_row(first_token([(2, 2)], cosine))),
    LossCase("attention-map kl", AttentionMapLoss, by_row(attention_map([(2, 2)], "kl"))),
    LossCase("attention-map mse", lambda: AttentionMapLoss("uniform", "mse"), by_row(attention_map(MAP, "mse"))),
    LossCase("attention-relation", AttentionRelationLoss, by_row(attention_relation(HEADS, ALL, 2, 2))),
    LossCase(
        "attention-relation chosen",
        lambda: AttentionRelationLoss(3, ["values", "queries"], 1, 2),
        by_row(attention_relation(3, ["values", "queries"], 1, 2)),
        zero_at_identity=False,
    ),
]
