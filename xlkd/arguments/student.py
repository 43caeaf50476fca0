"""The student of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from xlkd.errors import UserError
from xlkd.languages import check_language


@dataclass
class VocabularyArguments:
    """What a student keeps of its vocabulary: `size` pieces, or as many as `coverage` takes."""

    size: int | None = field(default=None, metadata={"help": "How many pieces to keep, special tokens included."})
    coverage: float | None = field(
        default=None,
        metadata={
            "help": "Instead of size: keep as many pieces as make up this share of each language's text, such as "
            "0.9999. With neither, all pieces that occur in it are kept."
        },
    )
    languages: list[str] | None = field(
        default=None, metadata={"help": "Whose text is counted. Default: the source language and the targets."}
    )
    text: str | None = field(
        default=None,
        metadata={
            "help": "A file or glob of text to count besides the run's training text, such as corpora/{language}.txt."
        },
    )
    max_unknown_rise: float = field(
        default=0.02, metadata={"help": "How much the share of unknown pieces may rise in any language."}
    )

    def __post_init__(self) -> None:
        if self.size is not None and self.coverage is not None:
            raise UserError("student: vocabulary has size and coverage: give one.")
        if self.size is not None and self.size < 1:
            raise UserError(f"student: vocabulary size {self.size} must be 1 or more: 30000 is usual.")
        if self.coverage is not None and not 0 < self.coverage <= 1:
            raise UserError(
                f"student: vocabulary coverage {self.coverage} must be above 0, at most 1: 0.9999 is usual."
            )
        if not 0 <= self.max_unknown_rise <= 1:
            raise UserError(f"student: vocabulary max_unknown_rise {self.max_unknown_rise} must lie between 0 and 1.")
        for language in self.languages or []:
            check_language(language)
        if self.languages is not None and (not self.languages or len(set(self.languages)) < len(self.languages)):
            raise UserError(
                "student: vocabulary languages must name one or more, each once; left out, all are counted."
            )


@dataclass
class StudentArguments:
    """The student: cut from the teacher, or a model of its own (`model`)."""

    model: str | None = field(default=None, metadata={"help": "Hub id or folder of a model to start from."})
    layers: int | list[int] | None = field(
        default=None, metadata={"help": "Cut it from the teacher: how many layers to keep, or which, [4, 8, 12]."}
    )
    keep: str | list[int] = field(
        default="block-ends",
        metadata={
            "help": "Which layers a number means: block-ends (the last layer of each of equal blocks), alternate, "
            "first, last, or a list."
        },
    )
    heads: int | None = field(
        default=None, metadata={"help": "How many attention heads each layer keeps, the most important ones."}
    )
    feed_forward: int | None = field(
        default=None, metadata={"help": "How many feed-forward units each layer keeps, the most important ones."}
    )
    vocabulary: VocabularyArguments | None = field(
        default=None, metadata={"help": "What it keeps of its vocabulary: {size: 30000}. Default: all of it."}
    )
    revision: str | None = field(default=None, metadata={"help": "Revision of a Hub model."})
    trust_remote_code: bool = field(default=False, metadata={"help": "Whether to run code that comes with the model."})
    freeze: str | int | None = field(
        default=None,
        metadata={"help": "What is not trained: `embeddings`, or a number: the embeddings and that many first layers."},
    )

    def __post_init__(self) -> None:
        of_its_own = self.model is not None
        cut = {"layers": self.layers, "heads": self.heads, "feed_forward": self.feed_forward}
        cut_by = [name for name, value in cut.items() if value is not None]
        if self.keep != "block-ends" and self.layers is None and not isinstance(self.keep, list):
            raise UserError(f"student: keep {self.keep!r} says which layers, but not how many: give `layers` too.")
        if isinstance(self.keep, list):
            cut_by.append("keep")
        if of_its_own and cut_by:
            raise UserError(
                f"student: {', '.join(cut_by)} cut it from the teacher, but `model` names one of its own: give one."
            )
        if not of_its_own and (self.revision is not None or self.trust_remote_code):
            raise UserError(
                "student: revision and trust_remote_code are of a `model` of its own, and this one is cut from its"
                " teacher: write them under `teacher`."
            )
        if not of_its_own and not cut_by and self.vocabulary is None:
            raise UserError(
                "student: give `layers`, `feed_forward` or `vocabulary` (cut it from the teacher), or `model` (a Hub id"
                " or folder)."
            )

    @property
    def is_cut(self) -> bool:
        """Whether it is cut from the teacher."""
        return self.model is None
