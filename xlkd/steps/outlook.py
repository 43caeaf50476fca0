"""A look ahead, of seconds: does the teacher know the languages, how is their text cut, what is at chance."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from xlkd.arguments import DistillationArguments, RunArguments
from xlkd.data.sources import Sources
from xlkd.evaluation.familiarity import Familiarity, familiarity
from xlkd.evaluation.table import wrapped
from xlkd.folders import OUTLOOK_FILE, write_json
from xlkd.students.verification import LanguageCheck
from xlkd.tasks import Task
from xlkd.teachers import Teacher

logger = logging.getLogger(__name__)

SURE = 0.85
"""Without labels, a teacher is taken not to know a language in which it is less than this share as sure as in the
source language. Of the quickstart's teacher that names 17 of 124 languages, among them 7 of the 8 in which it gets less
than 35 % right."""

WIDE = 0.4
"""A score whose 95 % interval is wider tells too little to say of a teacher that it is at chance: half of 8 texts right
is [0.22, 0.78]. Half of 24 is not that wide, nor is none of 8."""


@dataclass(frozen=True)
class Outlook:
    """What is known of the languages of a run before it trains.

    Args:
        source_language (`str`): Language of the labels.
        teacher (`dict[str, Familiarity]`): What the teacher made of a few texts, by language; empty without one.
        cut (`dict[str, LanguageCheck]`): How the student's tokenizer cuts text, by language.
        translated (`Sequence[str]`): Languages of which the teacher reads translations in the source language.
    """

    source_language: str
    teacher: Mapping[str, Familiarity] = field(default_factory=dict)
    cut: Mapping[str, LanguageCheck] = field(default_factory=dict)
    translated: Sequence[str] = ()

    @property
    def at_chance(self) -> list[str]:
        """The languages that the teacher does not know.

        With labels, those where its score cannot be told from that of one answer to all texts, and is known well enough
        to say so (see `WIDE`). Without, those in which it is much less sure than in the source language.
        """
        source = self.teacher.get(self.source_language)
        needed = 0.0 if source is None else SURE * source.confidence
        return [name for name, own in self.teacher.items() if _is_at_chance(own, needed)]

    def warnings(self) -> list[str]:
        """What should be done before anything is trained, a sentence each."""
        said = []
        alone = [name for name in self.at_chance if name not in (self.source_language, *self.translated)]
        helped = [name for name in self.at_chance if name in self.translated]
        if self.source_language in self.at_chance:
            said.append(
                f"The teacher is at chance in {self.source_language}, the language of the labels: fine-tune it"
                " (`teacher: {finetune: ...}`), or take another."
            )
        if alone:
            said.append(
                f"The teacher is at chance in {', '.join(alone)}, and what it says of that text is noise: give parallel"
                " text (role parallel), so that it reads the source language, or another teacher."
            )
        if helped:
            said.append(
                f"The teacher is at chance in {', '.join(helped)}: the student learns these from translations alone,"
                " and may well be better than its teacher."
            )
        return said

    def table(self) -> str:
        """What is known, a line for each language; columns of a teacher only where one was asked."""
        header = f"{'language':<12}{_TEACHER if self.teacher else ''}{_TEXT}"
        lines = [header, "-" * len(header)]
        for language in dict.fromkeys([*self.teacher, *self.cut]):
            own, cut = self.teacher.get(language), self.cut.get(language)
            mark = "*" if language in self.at_chance else ""
            left = _of_teacher(own) if self.teacher else ""
            lines.append(f"{language + mark:<12}{left}{_of_text(cut)}".rstrip())
        return "\n".join([*lines, *(_FOOTER if self.teacher else _FOOTER_WITHOUT_TEACHER)])

    def log(self) -> None:
        """Show it."""
        logger.info("%s", self.table())
        for sentence in self.warnings():
            logger.warning("%s", sentence)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self) | {"at_chance": self.at_chance}

    def save(self, folder: Path) -> None:
        """Write `outlook.json`."""
        write_json(folder / OUTLOOK_FILE, self.to_dict())


_TEACHER = f"{'texts':>6}{'right':>8} {'[low, high]':<13}{'chance':>8}{'sure':>6}{'stable':>8}"
_TEXT = f"{'pieces/word':>14}{'unknown':>10}"
_FOOTER = wrapped(
    "The teacher on a few texts, in %: right with its 95 % interval; chance is one answer to all; sure is its"
    " confidence, stable its agreement with itself under dropout. The student: pieces per word, unknown pieces in %."
    f" * at chance: the interval reaches down to it, and is not wider than {100 * WIDE:.0f} points; without labels,"
    f" less than {100 * SURE:.0f} % as sure as in the source language. Texts are of the validation data, else of the"
    " evaluation data, else of the training data; nothing is chosen by them."
)
_FOOTER_WITHOUT_TEACHER = ["The student: pieces per word, unknown pieces in %."]


def _is_at_chance(own: Familiarity, needed: float) -> bool:
    if own.low is None or own.high is None or own.chance is None:
        return own.confidence < needed
    return own.low <= own.chance and own.high - own.low <= WIDE


def _of_teacher(own: Familiarity | None) -> str:
    if own is None:
        return f"{'-':>6}{'-':>8} {'':<13}{'-':>8}{'-':>6}{'-':>8}"
    interval = "" if own.low is None or own.high is None else f"[{100 * own.low:.0f}, {100 * own.high:.0f}]"
    right, chance, stable = (_percent(value) for value in (own.accuracy, own.chance, own.agreement))
    return f"{own.texts:>6}{right:>8} {interval:<13}{chance:>8}{_percent(own.confidence):>6}{stable:>8}"


def _of_text(cut: LanguageCheck | None) -> str:
    return "" if cut is None else f"{cut.pieces_per_word:>14.2f}{100 * cut.unknown:>10.2f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}"


def look_ahead(
    run: RunArguments,
    args: DistillationArguments,
    task: Task,
    teacher: Teacher | None,
    cut: Mapping[str, LanguageCheck],
    sources: Sources,
) -> Outlook:
    """Let the teacher read a few texts of each language.

    They are validation rows where there are any, else evaluation rows, which nothing is chosen on here, else training
    text. A teacher whose answers were kept elsewhere is not asked, nor where answers do not say how sure a model is.

    Args:
        run ([`RunArguments`]): The run.
        args ([`DistillationArguments`]): How it trains.
        task ([`~tasks.Task`]): The task.
        teacher ([`~teachers.Teacher`], *optional*): The teacher.
        cut (`Mapping[str, LanguageCheck]`): How the student's tokenizer cuts text, by language.
        sources (`dict`): The data by role and language.
    """
    translated = [language for role, language in sources if role == "parallel"]
    found: dict[str, Familiarity] = {}
    if teacher is not None and task.says_confidence:
        # Nobody need know a language that is learnt from translations, and not scored.
        languages = [run.source_language, *run.target_languages]
        asked = [language for language in languages if teacher.is_asked_in(language)]
        found = familiarity(
            teacher,
            {language: _texts_in(sources, language) for language in asked},
            task,
            device=args.device,
            max_length=args.max_length,
            bfloat16=args.bf16,
        )
    return Outlook(run.source_language, found, cut, translated)


def _texts_in(sources: Sources, language: str) -> Any:
    return next(
        sources[role, language]
        for role in ("validation", "evaluation", "unlabelled", "parallel")
        if (role, language) in sources
    )
