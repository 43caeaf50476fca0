"""The results of losses.py, one file a contender and seed, and the tables of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from losses_contenders import BLOCKS, CONTENDERS
from numpy.typing import NDArray

DATA = ("quickstart", "sib200")
RESAMPLES = 2000
Numbers = NDArray[np.float64]

NOTE = (
    "Accuracy, means over languages; 95 % bootstrap intervals over the items (an item is drawn in all languages and"
    " systems together), differences paired. They say how sure a score is for other items, not for other seeds."
    " **Bold**: zero is outside the interval. One in twenty such differences of no meaning is outside by chance."
)


@dataclass(frozen=True)
class Result:
    """One contender with one seed.

    Args:
        data (`str`): The name of the data.
        contender (`str`): Its name.
        seed (`int`): The seed.
        losses (`list[dict]`): Its losses, as the YAML has them.
        settings (`dict`): The rest of the run.
        items (`list[str]`): The items that were scored.
        correct (`dict[str, str]`): By language a sign for each item: 1 right, 0 wrong, - where it lacks the item.
        groups (`dict[str, list[str]]`): Languages whose mean is reported.
        seconds (`float`): Time of training.
        cpu_seconds (`float`): Likewise, of the processor.
        config (`list[dict]`): The losses as they were settled.
        log (`list[dict]`): What the trainer logged.
    """

    data: str
    contender: str
    seed: int
    losses: Sequence[Mapping[str, Any]]
    settings: Mapping[str, Any]
    items: Sequence[str]
    correct: Mapping[str, str]
    groups: Mapping[str, Sequence[str]]
    seconds: float
    cpu_seconds: float
    config: Sequence[Mapping[str, Any]]
    log: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls, path: Path) -> "Result":
        """Read a file."""
        values = json.loads(path.read_text(encoding="utf-8"))
        del values["scores"]
        return cls(**values)

    def to_json(self) -> str:
        """The file; it has the scores by language for whoever reads it without this program."""
        return json.dumps({**asdict(self), "scores": self.scores}, ensure_ascii=False, indent=1) + "\n"

    @property
    def scores(self) -> dict[str, float]:
        """Accuracy by language."""
        return {own: signs.count("1") / (len(signs) - signs.count("-")) for own, signs in self.correct.items()}

    def line(self) -> str:
        """The result in one line."""
        scores = self.scores
        means = [f"{name} {np.mean([scores[own] for own in members]):.3f}" for name, members in self.groups.items()]
        return f"{self.contender}: {', '.join(means)}; {self.seconds:.0f} s, {self.cpu_seconds:.0f} s of CPU"

    @cached_property
    def means(self) -> dict[str, Numbers]:
        """By group, the mean score, then those of the resamples; the same items are drawn for all systems."""
        size = len(self.items)
        drawn = np.random.default_rng(0).multinomial(size, [1 / size] * size, RESAMPLES)
        weights = np.vstack([np.ones((1, size)), drawn])
        found = {}
        for name, members in self.groups.items():
            signs = np.array([list(self.correct[own]) for own in members])
            hits, present = ((signs == "1").astype(float), (signs != "-").astype(float))
            found[name] = ((weights @ hits.T) / (weights @ present.T)).mean(1)
        return found


def results_in(folder: Path, data: str) -> dict[str, dict[int, Result]]:
    """The results that are there, by contender and seed, in the order of the list of contenders."""
    found: dict[str, dict[int, Result]] = {name: {} for name in CONTENDERS}
    for path in sorted(folder.glob(f"{data}-*.json")):
        result = Result.read(path)
        found.setdefault(result.contender, {})[result.seed] = result
    return {name: of_seeds for name, of_seeds in found.items() if of_seeds}


def tables(results: Mapping[str, Mapping[int, Result]]) -> str:
    """The table of every block, in Markdown: scores, then differences to its baseline."""
    lines = []
    for baseline, block in BLOCKS.items():
        rows = {name: results[name] for name in block if name in results}
        if rows:
            groups = list(next(iter(next(iter(rows.values())).values())).groups)
            lines += [*scores_table(rows, groups), "", *differences_table(rows, groups, baseline), ""]
    return "\n".join([*lines, NOTE])


def scores_table(rows: Mapping[str, Mapping[int, Result]], groups: Sequence[str]) -> list[str]:
    """Mean scores with their intervals, and the time of training."""
    lines = [f"| losses | seeds | {' | '.join(groups)} | training, s of CPU |", "|---|" + "---|" * (len(groups) + 2)]
    for name, of_seeds in rows.items():
        means = [np.mean([own.means[group] for own in of_seeds.values()], axis=0) for group in groups]
        cells = [f"{mean[0]:.3f} [{low:.3f}, {high:.3f}]" for mean in means for low, high in [interval(mean)]]
        taken = np.mean([own.cpu_seconds for own in of_seeds.values()])
        lines.append(f"| {name} | {seeds_of(of_seeds)} | {' | '.join(cells)} | {taken:.0f} |")
    return lines


def differences_table(rows: Mapping[str, Mapping[int, Result]], groups: Sequence[str], baseline: str) -> list[str]:
    """Differences to the baseline on the same items, with the same seeds."""
    lines = [f"| minus {baseline} | seeds | {' | '.join(groups)} |", "|---|" + "---|" * (len(groups) + 1)]
    bases = rows.get(baseline, {})
    for name, of_seeds in rows.items():
        shared = [seed for seed in of_seeds if seed in bases]
        if name == baseline or not shared:
            continue
        cells = [cell([of_seeds[seed].means[group] - bases[seed].means[group] for seed in shared]) for group in groups]
        lines.append(f"| {name} | {', '.join(map(str, shared))} | {' | '.join(cells)} |")
    return lines


def summary(by_data: Mapping[str, Mapping[str, Mapping[int, Result]]]) -> str:
    """One table of all data: the scores of the baselines, and what the other losses add to them."""
    groups = ("source", "targets")
    columns = [f"{data}: {group}" for data in by_data for group in groups]
    lines = [f"| losses | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
    for baseline, block in BLOCKS.items():
        for name in block:
            cells = [
                summary_cell(results.get(name, {}), {} if name == baseline else results.get(baseline, {}), group)
                for results in by_data.values()
                for group in groups
            ]
            lines.append(f"| {f'**{name}**' if name == baseline else name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", NOTE])


def summary_cell(own: Mapping[int, Result], base: Mapping[int, Result], group: str) -> str:
    """A mean score where there is nothing to hold it against, else the difference; empty where it was not run."""
    if not own:
        return ""
    if not base:
        return f"{np.mean([result.means[group][0] for result in own.values()]):.3f}"
    return cell([own[seed].means[group] - base[seed].means[group] for seed in own if seed in base])


def cell(differences: Sequence[Numbers]) -> str:
    """A difference with its interval, and where there are several seeds that of each."""
    mean = np.mean(differences, axis=0)
    low, high = interval(mean)
    words = f"{mean[0]:+.3f}" if low <= 0 <= high else f"**{mean[0]:+.3f}**"
    seeds = f" ({', '.join(f'{own[0]:+.3f}' for own in differences)})" if len(differences) > 1 else ""
    return f"{words} [{low:+.3f}, {high:+.3f}]{seeds}"


def interval(resampled: Numbers) -> tuple[float, float]:
    """The 95 % percentile interval; the first value is not a resample."""
    low, high = np.quantile(resampled[1:], [0.025, 0.975])
    return float(low), float(high)


def seeds_of(of_seeds: Mapping[int, Result]) -> str:
    """The seeds, in words."""
    return ", ".join(map(str, sorted(of_seeds)))
