"""The benchmark of decoders: which transitions it counts."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from datasets import Dataset
from made_taggers import TAGS

from xlkd import UserError
from xlkd.tasks import TokenClassification

sys.path.append(str(Path(__file__).parents[2] / "scripts" / "benchmarks"))

from decoding import transitions_in
from taggers import Ground


def ground(sources: dict[tuple[str, str], Dataset]) -> Ground:
    run: Any = SimpleNamespace(source_language="en")
    args: Any = None
    loaded: Any = sources
    return Ground(run, args, loaded, loaded, TokenClassification(TAGS), [])


def test_transitions_are_those_of_labelled_rows() -> None:
    rows = Dataset.from_dict({"text": ["one two", "three"], "label": [["B-PER", "O"], None]})
    counts = transitions_in(ground({("labelled", "en"): rows}))
    # From the edge of the text to B-PER, to O, to the edge.
    assert counts.nonzero().tolist() == [[0, 3], [1, 0], [3, 1]] and counts.max() == 1


def test_labelled_rows_are_asked_for_when_there_are_none() -> None:
    with pytest.raises(UserError, match="Transitions are counted in labelled rows: add an entry of role labelled"):
        transitions_in(ground({}))
