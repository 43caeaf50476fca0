"""The benchmark of the losses: its contenders, its arithmetic and its files."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from bootstrap import ScoredRows, interval_of_mean
from tiny_quickstart import tiny_quickstart

from xlkd import UserError
from xlkd.evaluation.metrics import Accuracy
from xlkd.losses import LOSSES
from xlkd.losses.weighted_sum import WeightedSum

sys.path.append(str(Path(__file__).parents[2] / "scripts" / "benchmarks"))

import losses as benchmark
from losses_contenders import BASELINE, CONTENDERS, PARALLEL, SAME_TEXT, SAME_TEXT_BASELINE, baseline_of
from losses_cost import peak_of
from losses_table import Result, cell, results_in, summary, tables


def result_of(contender: str, signs: dict[str, str], seed: int = 0) -> Result:
    items = [str(number) for number in range(len(next(iter(signs.values()))))]
    groups = {"source": ["en"], "targets": [name for name in signs if name != "en"]}
    return Result("quickstart", contender, seed, [{"name": "soft-label"}], {}, items, signs, groups, 1.0, 1.0, [], [])


def random_signs(seed: int, languages: int = 4, items: int = 60) -> dict[str, str]:
    generator = np.random.default_rng(seed)
    names = ["en", *(f"x{number}" for number in range(1, languages))]
    return {name: "".join(generator.choice(["0", "1", "1", "-"], items)) for name in names}


@pytest.mark.parametrize("name", CONTENDERS)
def test_contender_is_built_when_it_is_listed(name):
    assert len(WeightedSum.from_config(CONTENDERS[name]).config()) == len(CONTENDERS[name])


def test_every_loss_is_compared():
    assert {entry["name"] for entries in CONTENDERS.values() for entry in entries} == set(LOSSES)


def test_every_contender_has_the_baseline_of_its_block():
    assert {baseline_of(name) for name in PARALLEL} == {BASELINE}
    assert {baseline_of(name) for name in SAME_TEXT} == {SAME_TEXT_BASELINE}


def test_score_leaves_out_items_that_a_language_lacks():
    assert result_of("soft-label", {"en": "11", "sw": "1-"}).scores == {"en": 1.0, "sw": 1.0}
    assert result_of("soft-label", {"en": "1001", "sw": "01--"}).scores == {"en": 0.5, "sw": 0.5}


def test_interval_is_that_of_the_report_but_for_the_draws():
    signs = random_signs(1)
    mine = np.quantile(result_of("soft-label", signs).means["targets"][1:], [0.025, 0.975])
    rows = []
    for name in ("x1", "x2", "x3"):
        kept = [index for index, sign in enumerate(signs[name]) if sign != "-"]
        is_right = np.array([int(signs[name][index]) for index in kept])
        rows.append(ScoredRows(is_right, np.ones_like(is_right), [str(index) for index in kept]))
    expected = interval_of_mean(Accuracy(["wrong", "right"]), rows, resamples=4000)
    assert np.abs(mine - np.array(expected)).max() < 0.01


def test_paired_interval_is_narrow_when_systems_err_on_the_same_items():
    signs = random_signs(2)
    better = {name: own[:-1] + "1" for name, own in signs.items()}
    base, other = result_of("soft-label", signs), result_of("hard-label", better)
    alone = np.ptp(np.quantile(other.means["targets"][1:], [0.025, 0.975]))
    paired = np.ptp(np.quantile((other.means["targets"] - base.means["targets"])[1:], [0.025, 0.975]))
    assert paired < alone / 2


def test_difference_is_bold_when_zero_is_outside():
    assert cell([np.array([0.1, *[0.1] * 50])]).startswith("**+0.100**")
    assert cell([np.array([0.0, *np.linspace(-1, 1, 50)])]).startswith("+0.000 [")


def test_file_gives_the_same_result_when_it_is_read(tmp_path):
    result = result_of("soft-label", random_signs(3))
    (tmp_path / "quickstart-soft-label-0.json").write_text(result.to_json())
    assert results_in(tmp_path, "quickstart") == {"soft-label": {0: result}}


def test_tables_compare_only_seeds_that_the_baseline_has():
    results = {
        "soft-label": {0: result_of("soft-label", random_signs(4))},
        "hard-label": {seed: result_of("hard-label", random_signs(5 + seed), seed) for seed in (0, 1)},
    }
    lines = tables(results).splitlines()
    rows = [line for line in lines if line.startswith("| hard-label")]
    assert [row.split("|")[2].strip() for row in rows] == ["0, 1", "0"]


def test_finished_contender_is_skipped_and_one_of_other_settings_refused(tmp_path):
    path = tmp_path / "quickstart-soft-label-0.json"
    losses = json.loads(json.dumps(CONTENDERS["soft-label"]))
    signs = random_signs(6)
    values = json.loads(result_of("soft-label", signs).to_json()) | {"losses": losses, "settings": {"max_steps": 1600}}
    path.write_text(json.dumps(values))
    assert benchmark.is_done(path, "soft-label", {"max_steps": 1600})
    assert not benchmark.is_done(tmp_path / "other.json", "soft-label", {})
    with pytest.raises(UserError, match="other losses or settings"):
        benchmark.is_done(path, "soft-label", {"max_steps": 20})


@pytest.mark.parametrize("data", ["quickstart", "sib200"])
def test_both_models_read_the_same_text_when_tokens_are_compared(data):
    settings = benchmark.settings_of(benchmark.words_of(data, SAME_TEXT_BASELINE, 0, None, []))
    assert {entry["role"] for entry in settings["data"]} == {"labelled", "unlabelled", "validation", "evaluation"}
    assert settings["student"]["vocabulary"] is None and settings["student"]["freeze"] == "embeddings"


def test_settings_are_those_of_the_yaml_when_losses_are_compared():
    settings = benchmark.settings_of(benchmark.words_of("quickstart", BASELINE, 0, None, []))
    assert settings["max_steps"] == 1600 and settings["student"] == {"layers": 3, "vocabulary": {"size": 30000}}


def test_peak_is_that_of_the_tensors_that_live_at_once():
    def work():
        first = torch.ones(1000, 1000)
        second = first + 1
        del first
        return second * 2

    assert 8e6 <= peak_of(work) < 8.1e6


@pytest.mark.slow
def test_contenders_have_files_and_tables_when_the_encoder_is_tiny(tmp_path, make_model, tokenizer, save_model, capsys):
    words = ["quickstart", "--output", str(tmp_path / "out"), "--only", "soft-label", "hidden-state"]
    words += ["same-text-soft-label", "same-text-hidden-state-tokens"]
    words += tiny_quickstart(tmp_path, make_model, tokenizer, save_model)
    benchmark.main(words)
    assert "| minus same-text-soft-label |" in capsys.readouterr().out
    assert len(list((tmp_path / "out").glob("*.json"))) == 4
    benchmark.main(words)
    assert "of 2:" not in capsys.readouterr().out


def test_summary_has_the_baseline_scores_and_what_others_add():
    base, better = result_of("soft-label", {"en": "1100", "sw": "1000"}), {"en": "1100", "sw": "1110"}
    found = summary({"quickstart": {"soft-label": {0: base}, "hard-label": {0: result_of("hard-label", better)}}})
    cells = [[own.strip() for own in line.split("|")[1:4]] for line in found.splitlines()[2:-2]]
    rows = {name: scores for name, *scores in cells}
    assert rows["**soft-label**"] == ["0.500", "0.250"] and rows["logit-mse"] == ["", ""]
    assert rows["hard-label"][0].startswith("+0.000") and rows["hard-label"][1].lstrip("*").startswith("+0.500")
