"""Soft labels: the teacher's distribution over the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from xlkd.errors import UserError, check_choice, is_number
from xlkd.losses.class_weights import ClassWeights
from xlkd.losses.known_classes import kl_divergence, log_softmax, logits_of, mean_over, standardised, yes_and_no
from xlkd.losses.logit_loss import LogitLoss
from xlkd.losses.schedule import Schedule
from xlkd.losses.tag_sequences import NEVER, TagSequences, check_scheme
from xlkd.needs import ModelShape
from xlkd.outputs import Batch, StudentOutput, TeacherOutput
from xlkd.text.tag_scheme import has_spans, without_beginning

Divergence = Literal["forward", "reverse", "symmetric"]
Posterior = Literal["word", "sequence"]


_SEQUENCES = (
    "Wang et al. (2020), Structure-Level Knowledge Distillation For Multilingual Sequence Labeling, arXiv:2004.03846"
)


class SoftLabelLoss(LogitLoss):
    r"""Kullback-Leibler divergence between the softened distributions of teacher and student.

    For one row of one class, with logits \\(z\\) and temperature \\(T\\), in nats, over the classes \\(K\\) that the
    teacher knows:

    $$ KL(p \Vert q) = \sum_{c \in K} p_c \log \frac{p_c}{q_c}, \qquad p = softmax_K(z / T) $$

    - `"forward"`: \\( T^2 KL(p^{teacher} \Vert p^{student}) \\), the student covers all that the teacher thinks likely;
    - `"reverse"`: \\( T^2 KL(p^{student} \Vert p^{teacher}) \\), the student avoids what the teacher thinks unlikely;
    - `"symmetric"`: the mean of both.

    A class with a teacher logit of \\(-\infty\\) takes no part: both distributions are renormalised over the others
    ([`~teachers.LabelMap`]). With fewer than two known the loss is 0.

    Where a row may have any number of classes, each has a distribution of its own, over yes and no,
    \\(b_c = (\sigma(z_c / T), 1 - \sigma(z_c / T))\\), and the loss of the row is the mean over those that the teacher
    knows,

    $$ \frac{1}{|K|} \sum_{c \in K} w_c \, T^2 KL(b_c^{teacher} \Vert b_c^{student}) $$

    or another divergence in its place, with class weights \\(w_c\\); it is 0 where the teacher knows none.

    The factor \\(T^2\\) keeps the size of the gradient when the temperature changes, so that a weight keeps its meaning
    (Hinton et al., [Distilling the Knowledge in a Neural Network](https://huggingface.co/papers/1503.02531)).

    Begin with it: it works for any two models and any number of classes. Where the teacher is nearly always sure, soft
    labels say no more than its first choice: raise the temperature, or take [`LogitMSELoss`].

    Memory: a few numbers for each row and class, next to nothing.

    Args:
        temperature (`float` or a schedule, *optional*, defaults to 2.0): Softness of both distributions, above 0.
        divergence (`str`, *optional*, defaults to `"forward"`): `"forward"`, `"reverse"` or `"symmetric"`.
        standardise (`bool`, *optional*, defaults to `False`):
            Whether the logits of each row are brought to mean 0 and standard deviation 1 first, so that a small student
            learns the order and the ratios of the teacher's logits but not their size (Sun et al., [Logit
            Standardization in Knowledge Distillation](https://huggingface.co/papers/2403.01427)). It erases how sure
            the teacher is, and with it all there is to learn about two classes: at least four are needed.
        class_weights (`Mapping[str, float]`, *optional*):
            The weights of the classes, by label name, 0 or more; 1 where left out. The value of a row, or of a word,
            is multiplied by \\(\sum_c p_c w_c\\), with the teacher's \\(p\\) at temperature 1: `{O: 0.2}` keeps the
            many words outside names from drowning out the few names. Where a row may have any number of classes, each
            class's term is multiplied by its own weight.
        posterior (`str`, *optional*, defaults to `"word"`):
            Where words are labelled, what is taught of each: `"word"`, its distribution by itself; `"sequence"`, the
            probabilities of its tags over all sequences in which no tag contradicts the one before
            ([`~losses.tag_sequences.TagSequences`]), so that the student learns tags that agree with one another (Wang
            et al., [Structure-Level Knowledge Distillation](https://huggingface.co/papers/2004.03846)).
        transitions (`float`, *optional*, defaults to 0.0):
            With `posterior: sequence`, the weight of the transitions between the tags of the labelled rows, 0 or more:
            tags that often follow one another there make a sequence likelier, in text without labels too. This corrects
            a teacher that sees names where there are none, as in a language that it hardly knows.

    Raises:
        [`UserError`]: If an option is out of range, a name is not a label of the student, answers are numbers,
            `standardise` is set for fewer than four classes or for rows with any number of classes, or `posterior:
            sequence` comes with `standardise` or another divergence, or without fitting labels or transitions.

    Example:

    ```python
    >>> from xlkd.losses import SoftLabelLoss
    >>> loss = SoftLabelLoss(temperature=2.0)
    ```
    """

    name = "soft-label"
    citation = "Hinton et al. (2015), Distilling the Knowledge in a Neural Network, arXiv:1503.02531"
    refuses = {"number": "A number has no distribution to soften: use logit-mse."}

    def __init__(
        self,
        temperature: float | Mapping[str, Any] | Schedule = 2.0,
        divergence: Divergence = "forward",
        standardise: bool = False,
        class_weights: Mapping[str, float] | None = None,
        posterior: Posterior = "word",
        transitions: float = 0.0,
    ) -> None:
        super().__init__()
        check_choice("soft-label: divergence", divergence, get_args(Divergence))
        check_choice("soft-label: posterior", posterior, get_args(Posterior))
        if not isinstance(standardise, bool):
            raise UserError(f"soft-label: standardise {standardise!r} must be true or false.")
        if not is_number(transitions) or not 0 <= transitions < torch.inf:
            raise UserError(f"soft-label: transitions {transitions!r} must be a number, 0 or more.")
        if transitions and posterior != "sequence":
            raise UserError(
                "soft-label: transitions are between the tags of a sequence: write `posterior: sequence` too."
            )
        if posterior == "sequence" and (standardise or divergence != "forward"):
            raise UserError(
                "soft-label: posterior sequence: the teacher gives tags that contradict their neighbours no probability"
                " at all, which only `divergence: forward` without `standardise` can compare: leave these out."
            )
        self.temperature = Schedule.of(temperature, "soft-label: temperature", above=0)
        self.divergence = divergence
        self.standardise = standardise
        self.class_weights = ClassWeights(self.name, class_weights)
        self.posterior = posterior
        self.transitions = transitions
        self.reads_transitions = posterior == "sequence"
        self.needs_transitions = transitions > 0
        self.sequences: TagSequences | None = None
        self._labels: tuple[str, ...] = ()
        if posterior == "sequence":
            self.citation = f"{self.citation}; {_SEQUENCES}"

    def config(self) -> dict[str, Any]:
        return {
            "temperature": self.temperature.config(),
            "divergence": self.divergence,
            "standardise": self.standardise,
            "class_weights": self.class_weights.config(),
            "posterior": self.posterior,
            "transitions": self.transitions,
        }

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        super().check(student, teacher)
        self.class_weights.check(student.labels)
        bound = student.by_word and (self.transitions > 0 or has_spans(student.labels))
        if self.posterior == "sequence" and student.labels and not bound:
            raise UserError(
                f"soft-label: posterior sequence: the labels ({', '.join(student.labels)}) mark no spans of words, as"
                " B-PER and I-PER do, so that none contradicts another: leave `posterior` out."
            )
        if self.posterior == "sequence":
            self._check_beginnings(student, teacher)
        if self.standardise and student.answer_kind == "any-of":
            raise UserError(
                "soft-label: standardised logits of a row say which class is the likeliest, and not which are a yes:"
                " set `standardise: false`."
            )
        if self.standardise:
            self.refuse_few_classes(
                teacher,
                "Standardised logits of two classes are always the same two numbers, and those of three are one angle:"
                " set `standardise: false`.",
            )

    def _check_beginnings(self, student: ModelShape, teacher: ModelShape | None) -> None:
        for who, shape in (("student", student), ("teacher", teacher)):
            if shape is not None and (types := without_beginning(shape.labels)):
                raise UserError(
                    f"soft-label: posterior sequence: no tag of the {who} begins {' or '.join(types)}, as B-{types[0]}"
                    f" would, and one that goes on with it (I-{types[0]}) can follow nothing: leave `posterior` out."
                )

    def attach(self, student: ModelShape, teacher: ModelShape | None) -> None:
        """Put the class weights into the student's order, where its labels are known."""
        super().attach(student, teacher)
        self.class_weights.attach(student.labels)
        self._labels = student.labels
        if self.posterior == "sequence" and student.labels and not self.transitions:
            self.sequences = TagSequences(student.labels)

    def see_transitions(self, counts: Tensor) -> None:
        """See [`DistillationLoss.see_transitions`]."""
        check_scheme(self._labels, counts)
        if self.transitions:
            self.sequences = TagSequences(self._labels, counts, self.transitions)

    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """See [`SoftLabelLoss`]; `(batch, classes)` logits on both sides."""
        student, teacher, known = logits_of(student_output, teacher_output)
        if self.answer_kind == "any-of":
            return self._of_single_labels(student, teacher, known)
        if self.posterior == "sequence":
            teacher = self._marginals(teacher, known, batch)
        weights = self._weights_of(teacher, known)
        if self.standardise:
            student, teacher = standardised(student, known), standardised(teacher, known)
        return self._divergence(student, teacher, known) * weights

    def _marginals(self, teacher: Tensor, known: Tensor, batch: Batch) -> Tensor:
        if not self._labels:
            raise UserError(
                "soft-label: posterior sequence: which tags contradict one another is in their names, and the student's"
                " labels are not known: attach the loss to a ModelShape with `labels`."
            )
        if self.sequences is None:
            raise UserError("soft-label: transitions were never counted: tell the loss by `see_transitions`.")
        assert batch.word_context is not None
        # Of a word without any answer, such as one that pads the row, its neighbours are told nothing.
        impossible = ~known & known.any(-1, keepdim=True)
        alone = log_softmax(teacher, known, 1.0).masked_fill(impossible, NEVER)
        marginals: Tensor = self.sequences(alone, batch.word_context)
        return marginals.masked_fill(~known, 0.0)

    def _divergence(self, student: Tensor, teacher: Tensor, known: Tensor) -> Tensor:
        temperature = self.temperature.value
        student, teacher = log_softmax(student, known, temperature), log_softmax(teacher, known, temperature)
        if self.divergence == "forward":
            divergence = kl_divergence(teacher, student)
        elif self.divergence == "reverse":
            divergence = kl_divergence(student, teacher)
        else:
            divergence = (kl_divergence(teacher, student) + kl_divergence(student, teacher)) / 2
        return divergence * temperature**2

    def _of_single_labels(self, student: Tensor, teacher: Tensor, known: Tensor) -> Tensor:
        pairs, weights = yes_and_no(student), self.class_weights.of(student.dtype)
        values = self._divergence(pairs, yes_and_no(teacher), torch.ones_like(pairs, dtype=torch.bool))
        return mean_over(values if weights is None else values * weights, known).squeeze(-1)

    def _weights_of(self, teacher: Tensor, known: Tensor) -> Tensor:
        """What each row or word weighs: the mean of the class weights under the teacher's distribution."""
        weights = self.class_weights.of(teacher.dtype)
        if weights is None:
            return teacher.new_ones(())
        return (log_softmax(teacher, known, 1.0).exp().masked_fill(~known, 0.0) * weights).sum(-1)
