"""What may be said of a mixture, and in which forms a program may hold it."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from transformers import HfArgumentParser

from xlkd import DistillationArguments, MixtureArguments, UserError

MIXTURE = MixtureArguments(exponent=0.5, roles={"labelled": 1, "parallel": 2})
PLAIN = {"exponent": 0.5, "roles": {"labelled": 1, "parallel": 2}}


def arguments(folder: Path, **changes: Any) -> DistillationArguments:
    """Training arguments with a mixture."""
    return DistillationArguments(**{"output_dir": str(folder), "precision": "float32", "mixture": MIXTURE, **changes})


@pytest.mark.parametrize("given", [MIXTURE, PLAIN, json.dumps(PLAIN)], ids=["itself", "mapping", "JSON"])
def test_mixture_is_the_same_when_given_as(given: Any, tmp_path: Path) -> None:
    assert arguments(tmp_path, mixture=given).mixture == MIXTURE


def test_mixture_is_none_when_left_out(tmp_path: Path) -> None:
    args = DistillationArguments(output_dir=str(tmp_path))
    assert args.mixture is None and args.to_dict()["mixture"] is None


def test_arguments_make_the_same_mixture_when_they_went_through_a_dict(tmp_path: Path) -> None:
    args = arguments(tmp_path)
    assert args.to_dict()["mixture"] == PLAIN
    assert DistillationArguments(**args.to_dict()).mixture == MIXTURE


def test_arguments_can_be_written_when_they_hold_a_mixture(tmp_path: Path) -> None:
    args = arguments(tmp_path)
    assert json.loads(args.to_json_string())["mixture"] == PLAIN
    assert "0.5" in str(args.to_sanitized_dict()["mixture"]) and "exponent=0.5" in repr(args)
    assert pickle.loads(pickle.dumps(args)).mixture == MIXTURE


def test_argument_parser_of_transformers_reads_a_mixture(tmp_path: Path) -> None:
    parser: Any = HfArgumentParser(DistillationArguments)  # type: ignore[arg-type]
    words = ["--output_dir", str(tmp_path), "--mixture", json.dumps(PLAIN)]
    (from_words,) = parser.parse_args_into_dataclasses(words)
    (from_values,) = parser.parse_dict({"output_dir": str(tmp_path), "mixture": PLAIN})
    assert from_words.mixture == from_values.mixture == MIXTURE


MISTAKES: dict[str, tuple[Any, str]] = {
    "unknown key": ({"exponents": 0.5}, r"Unknown key 'exponents' in mixture \(did you mean exponent\?\); it has exp"),
    "unknown role": ({"roles": {"labeled": 1}}, r"unknown role 'labeled' \(did you mean labelled\?\)"),
    "scored role": ({"roles": {"evaluation": 1}}, "unknown role 'evaluation'.* labelled, unlabelled, parallel"),
    "negative ratio": ({"roles": {"labelled": -1, "parallel": 2}}, "ratio -1 of labelled must be a number, 0 or more"),
    "infinite ratio": ({"roles": {"labelled": float("inf")}}, "ratio inf of labelled"),
    "ratio in words": ({"roles": {"labelled": "much"}}, "ratio 'much' of labelled"),
    "no share at all": ({"roles": {"labelled": 0, "parallel": 0}}, "roles gives no role a share"),
    "no roles": ({"roles": {}}, "roles gives no role a share"),
    "exponent too large": ({"exponent": 1.5}, "exponent 1.5 must lie between 0 and 1"),
    "negative exponent": ({"exponent": -0.1}, "exponent -0.1 must lie between 0 and 1"),
    "exponent that is no number": ({"exponent": float("nan")}, "exponent nan must lie"),
    "exponent in words": ({"exponent": "half"}, "exponent 'half' must lie"),
    "a number": (0.5, "must hold `key: value` pairs, .*, not 0.5"),
    "a word": ("half", "must hold `key: value` pairs, .*, not 'half'"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mixture_is_refused_when(case: str, tmp_path: Path) -> None:
    given, message = MISTAKES[case]
    with pytest.raises(UserError, match=message):
        arguments(tmp_path, mixture=given)


def test_other_order_is_refused_when_there_is_a_mixture(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="train_sampling_strategy sequential does not apply to a mixture"):
        arguments(tmp_path, train_sampling_strategy="sequential")


def test_roles_are_refused_when_the_data_have_none_of_one() -> None:
    with pytest.raises(UserError, match="roles names parallel, of which the training data have no rows"):
        MIXTURE.check_roles(["labelled"])


def test_role_of_the_data_is_refused_when_it_has_no_ratio() -> None:
    with pytest.raises(UserError, match="does not say how much of unlabelled: give it a ratio, 0 to leave it out"):
        MIXTURE.check_roles(["labelled", "parallel", "unlabelled"])


def test_all_roles_are_good_when_none_is_named() -> None:
    MixtureArguments().check_roles(["labelled", "unlabelled"])
