"""The runs that come with the repository."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_quickstart import Save, tiny_quickstart
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlkd import run as program
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.quickstart import cldr
from xlkd.tasks import task_class

CONFIGS = sorted((Path(__file__).parents[1] / "scripts" / "configs").glob("*.yaml"))
QUICKSTART = Path(__file__).parents[1] / "scripts" / "configs" / "quickstart.yaml"


def test_there_are_configs_when_they_are_looked_for() -> None:
    assert QUICKSTART in CONFIGS


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_config_is_understood_when_it_is_read(path: Path) -> None:
    run, args, values = program.read_run([str(path)])
    assert WeightedSum.from_config(run.losses).config()
    needed = {"labelled", "evaluation"} if task_class(run.task).has_labels else {"evaluation"}
    assert needed <= {entry.role for entry in run.data}
    assert args.output_dir.startswith("runs/")
    assert values["seed"] == args.seed


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_command_is_in_the_head_when_a_config_is_opened(path: Path) -> None:
    assert f"#     accelerate launch scripts/distill.py scripts/configs/{path.name}\n" in path.read_text(
        encoding="utf-8"
    )


def test_languages_have_data_when_the_quickstart_names_them() -> None:
    run, _, _ = program.read_run([str(QUICKSTART)])
    assert {run.source_language, *run.target_languages} <= set(cldr.languages())
    grouped = [language for languages in run.groups.values() for language in languages]
    assert sorted(grouped) == sorted(run.target_languages)


@pytest.mark.slow
def test_quickstart_runs_two_steps_when_the_encoder_is_tiny(
    tmp_path: Path,
    make_model: Callable[..., PreTrainedModel],
    tokenizer: PreTrainedTokenizerBase,
    save_model: Save,
) -> None:
    words = tiny_quickstart(tmp_path, make_model, tokenizer, save_model)
    report = program.main([str(QUICKSTART), *words, "--disable_tqdm", "true", "--output_dir", str(tmp_path / "out")])
    assert report is not None
    written = json.loads((tmp_path / "out" / "zero_shot.json").read_text())
    assert set(written["languages"]) == {"en", "sw", "am"}
    assert written["setting"] == "parallel"
    assert set(written["groups"]) == {"low-resource"}
    assert json.loads((tmp_path / "out" / "config.json").read_text())["num_hidden_layers"] == 3
