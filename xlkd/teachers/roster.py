"""Who of several teachers is asked about a text, by its language, and how much each of them counts."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from xlkd.errors import UserError, did_you_mean
from xlkd.languages import check_language

DEFAULT = "default"
"""The entry of weights by language that holds for all languages without one."""


@dataclass(frozen=True)
class Roster:
    """The members of an ensemble by name, their languages and weights. Small enough for the workers of a loader.

    Args:
        names (`Sequence[str]`): The names of the members, in order.
        weights (`Sequence[float]` or a `Mapping` of them by language): One number a member; `default` in the mapping
            holds for all other languages.
        languages (`Mapping[str, Collection[str]]`, *optional*): What a member knows, by its name; one that is left out
            knows all.
        features (`str`, *optional*): The member that hidden states are taken from.

    Raises:
        [`UserError`]: If a name is unknown, or weights are too few, too many, negative or all 0.
    """

    names: Sequence[str]
    weights: Sequence[float] | Mapping[str, Sequence[float]]
    languages: Mapping[str, Collection[str]] = field(default_factory=dict)
    features: str | None = None

    def __post_init__(self) -> None:
        for name in [*self.languages, *([] if self.features is None else [self.features])]:
            if name not in self.names:
                known = ", ".join(self.names)
                raise UserError(
                    f"The ensemble has no member {name!r}{did_you_mean(name, self.names)}; its members are {known}."
                )
        by_language = self.weights if isinstance(self.weights, Mapping) else {DEFAULT: self.weights}
        for language, weights in by_language.items():
            if language != DEFAULT:
                check_language(language)
            self._check_weights(weights, "" if language == DEFAULT else f" for {language}")

    def _check_weights(self, weights: Sequence[float], where: str) -> None:
        if len(weights) != len(self.names):
            raise UserError(
                f"The ensemble has {len(weights)} weight(s){where}, but {len(self.names)} members"
                f" ({', '.join(self.names)}): give one for each, in this order."
            )
        for weight in weights:
            if not (weight >= 0 and math.isfinite(weight)):
                raise UserError(
                    f"The weight {weight} of the ensemble{where} must be a finite number, and not negative."
                )
        if not any(weights):
            raise UserError(f"The weights of the ensemble{where} are all 0: nobody would be asked; give one above 0.")

    def knows(self, name: str, language: str | None) -> bool:
        """Whether a member knows a language."""
        return name not in self.languages or language in self.languages[name]

    def weights_for(self, language: str | None) -> list[float]:
        """The weights of all members for a text in a language: 0 for those that do not know it."""
        weights = self.weights
        if isinstance(weights, Mapping):
            default = weights.get(DEFAULT, [0.0] * len(self.names))
            weights = default if language is None else weights.get(language, default)
        return [
            float(weight) if self.knows(name, language) else 0.0
            for name, weight in zip(self.names, weights, strict=True)
        ]

    def asked_in(self, language: str | None) -> list[bool]:
        """Which members are asked about a text in a language: not those without a weight, but for their features."""
        return [
            weight > 0 or (name == self.features and self.knows(name, language))
            for name, weight in zip(self.names, self.weights_for(language), strict=True)
        ]

    def check(self, languages: Iterable[str | None]) -> None:
        """Refuse languages that nobody is asked about.

        Raises:
            [`UserError`]: If nobody is asked about a language, or the rows do not say theirs.
        """
        unknown = [language for language in dict.fromkeys(languages) if not any(self.weights_for(language))]
        if None in unknown:
            raise UserError(
                "The rows do not say their language, which decides whom of the ensemble to ask: give them a column"
                " `language`."
            )
        if unknown:
            raise UserError(
                f"Nobody in the ensemble is asked about text in {_words(unknown)} ({self._who_knows_what()}): add the"
                " language to the `languages` of a teacher, give it weights, or leave its data out."
            )

    def check_features(self, languages: Iterable[str | None]) -> None:
        """Refuse to give hidden states of texts in these languages where the member for that does not know them.

        Raises:
            [`UserError`]: If the member does not know a language, or no member is named.
        """
        if self.features is None:
            raise UserError(
                f"The losses need hidden states, and the {len(self.names)} teachers of the ensemble have different"
                f" ones: name the one they are taken from as `features`, one of {', '.join(self.names)}."
            )
        unknown = [language for language in dict.fromkeys(languages) if not self.knows(self.features, language)]
        if unknown:
            raise UserError(
                f"The losses need hidden states of {self.features} for every row, but it does not know"
                f" {_words(unknown)}: name another member in `features`, or add to its `languages`."
            )

    def _who_knows_what(self) -> str:
        known = (
            f"{name} knows {_words(sorted(self.languages[name])) if name in self.languages else 'all languages'}"
            for name in self.names
        )
        weighted = f"; weights are given for {_words(self.weights)}" if isinstance(self.weights, Mapping) else ""
        return ", ".join(known) + weighted


def _words(languages: Iterable[str | None]) -> str:
    return ", ".join(map(str, languages))
