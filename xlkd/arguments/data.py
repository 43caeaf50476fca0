"""The data of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from xlkd.errors import UserError, did_you_mean
from xlkd.languages import check_code, check_language

Role = Literal["labelled", "unlabelled", "parallel", "validation", "evaluation"]


@dataclass
class DataArguments:
    """One entry under `data`: text of one role, from one place, in one language or many."""

    role: Role = field(metadata={"help": "labelled, unlabelled, parallel, validation or evaluation."})
    path: str = field(
        metadata={
            "help": "A local file or glob (jsonl, json, csv, tsv, parquet, txt, conll), a Hub id, or xlkd:cldr. "
            "{language} or {code} in it stands for each language in turn."
        }
    )
    language: str | list[str] | None = field(
        default=None,
        metadata={
            "help": "The languages of this entry. Default: the source language for labelled and validation, all "
            "targets for unlabelled and parallel, source and scored targets for evaluation."
        },
    )
    text: str | list[str] = field(
        default="text", metadata={"help": "Column of the text, or two columns: premise and hypothesis."}
    )
    teacher_text: str | list[str] | None = field(
        default=None, metadata={"help": "Column of the source-language text that the teacher reads (parallel only)."}
    )
    label: str | list[str] = field(
        default="label",
        metadata={
            "help": "Column of the hard label: a name or a class id; for several labels, a list of them; for a "
            "regression, a number. Several labels may also be columns of 0 and 1 with their names: [toxic, insult]."
        },
    )
    label_map: dict[str, str] = field(
        default_factory=dict,
        metadata={"help": "Renames labels of this entry, for example {B-DATE: O}; the others keep their names."},
    )
    join: str | None = field(
        default=None,
        metadata={
            "help": "Column that identifies a sentence in every language: joins parallel text whose two sides are in "
            "two files, and lets intervals over languages take into account that these share their sentences."
        },
    )
    made_up_words: float | None = field(
        default=None,
        metadata={
            "help": "The chance that a rare word is replaced by an invented one that the text does not have "
            "(unlabelled only). To train on the original text too, name it in a second entry."
        },
    )
    codes: dict[str, str] = field(
        default_factory=dict,
        metadata={"help": "The data set's own code for each language, {sw: swh_Latn}; it replaces {code}."},
    )
    name: str | None = field(default=None, metadata={"help": "Configuration of a Hub data set; may hold {code}."})
    split: str = field(default="train", metadata={"help": "Split of a Hub data set."})
    revision: str | None = field(default=None, metadata={"help": "Revision of a Hub data set."})
    title: str | None = field(
        default=None, metadata={"help": "What the model card calls the data. Default: the Hub id, or the file's name."}
    )
    license: str | None = field(
        default=None, metadata={"help": "Licence, for the model card. Default: what the card of a Hub data set says."}
    )

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):
            known = ", ".join(get_args(Role))
            raise UserError(f"Unknown role {self.role!r}{did_you_mean(self.role, get_args(Role))}; known are {known}.")
        self._check_languages()
        self._check_columns()
        self._check_made_up_words()
        self._check_teacher_text()

    def _check_languages(self) -> None:
        for language in self.languages:
            check_language(language)
        if self.language == [] or len(set(self.languages)) < len(self.languages):
            raise UserError(
                f"data: language {self.language!r} of {self.path} names none, or one twice: name each once, or leave it"
                " out for those of the role."
            )
        for language, code in self.codes.items():
            check_language(language)
            check_code(code)

    def _check_columns(self) -> None:
        if self.label == []:
            raise UserError("data: label [] names no column: write the one with the labels, or one for each class.")
        for column in (self.text, self.teacher_text):
            if isinstance(column, list) and len(column) != 2:
                raise UserError(f"data: text {column!r} must be one column or two (premise, hypothesis).")
            if isinstance(column, list) and column[0] == column[1]:
                raise UserError(f"data: text {column!r} is one column twice: name the two of a pair, or one.")
        if self.label != "label" and not self.has_labels:
            raise UserError(
                f"data: label {self.label!r} of {self.path} would not be read, since role {self.role} has no labels:"
                " leave it out."
            )
        if self.label_map and not self.has_labels:
            raise UserError(f"data: label_map has nothing to map, since role {self.role} has no labels: leave it out.")

    def _check_made_up_words(self) -> None:
        if self.made_up_words is None:
            return
        if self.role != "unlabelled":
            raise UserError(
                f"data: made_up_words is for text that a teacher answers to, not for role {self.role}: name the text in"
                " an entry of role unlabelled."
            )
        if isinstance(self.text, list):
            raise UserError(
                f"data: made_up_words is for single texts, not for the pairs {self.text}: what two texts share of their"
                " words would be lost."
            )
        if not 0 < self.made_up_words <= 1:
            raise UserError(f"data: made_up_words {self.made_up_words:g} must be above 0 and at most 1.")

    def _check_teacher_text(self) -> None:
        if self.teacher_text is None:
            return
        if self.teacher_text == self.text:
            raise UserError(f"data: text and teacher_text are one column, {self.text!r}: name the two sides.")
        if self.role != "parallel":
            raise UserError(f"data: teacher_text belongs to role parallel, not to {self.role}: change the role.")
        if isinstance(self.teacher_text, list) != isinstance(self.text, list):
            raise UserError(
                f"data: text {self.text!r} and teacher_text {self.teacher_text!r} must be one column each, or two each."
            )

    @property
    def has_labels(self) -> bool:
        """Whether rows of its role have labels."""
        return self.role in ("labelled", "validation", "evaluation")

    @property
    def languages(self) -> list[str]:
        """The languages that the entry names itself; empty when its role decides."""
        if self.language is None:
            return []
        return self.language if isinstance(self.language, list) else [self.language]
