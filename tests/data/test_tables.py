"""Tables as users keep them: every suffix, and every way in which a file can be wrong."""

import csv
import json
import re
from pathlib import Path
from typing import Any, NoReturn

import datasets
import huggingface_hub.constants
import pytest

from xlkd.arguments import DataArguments
from xlkd.data import tables
from xlkd.data.tables import fill_in, read_table
from xlkd.errors import UserError

ROWS = [{"text": "habari", "label": "x"}, {"text": "ሰላም", "label": "y"}]
TABLES = {
    "rows.jsonl": "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS),
    "rows.json": json.dumps(ROWS),
    "rows.csv": "text,label\nhabari,x\nሰላም,y\n",
    "rows.tsv": "text\tlabel\nhabari\tx\nሰላም\ty\n",
    "rows.JSONL": "\n".join(json.dumps(row) for row in ROWS),
}


def entry(path: Path | str, **changes: Any) -> DataArguments:
    """An entry of the role labelled."""
    return DataArguments(**{"role": "labelled", "path": str(path), **changes})


def write(path: Path, content: str | bytes) -> Path:
    """Write a file and give its path."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("name", TABLES)
def test_rows_are_the_same_when_the_suffix_is(tmp_path: Path, name: str) -> None:
    table = read_table(entry(write(tmp_path / name, TABLES[name])), "en")
    assert table.to_list() == ROWS


def test_rows_are_the_same_when_the_file_is_parquet(tmp_path: Path) -> None:
    datasets.Dataset.from_list(ROWS).to_parquet(tmp_path / "rows.parquet")
    assert read_table(entry(tmp_path / "rows.parquet"), "en").to_list() == ROWS


def test_lines_are_rows_when_the_file_is_txt(tmp_path: Path) -> None:
    path = write(tmp_path / "raw.txt", "habari yako\nሰላም\n")
    assert read_table(entry(path), "sw").to_list() == [{"text": "habari yako"}, {"text": "ሰላም"}]


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.jsonl", "raw.txt"])
def test_byte_order_mark_is_no_text_when_an_editor_left_one(tmp_path: Path, name: str) -> None:
    content = {"raw.txt": "habari\n", **TABLES}[name]
    table = read_table(entry(write(tmp_path / name, b"\xef\xbb\xbf" + content.encode())), "en")
    assert table[0]["text"] == "habari"


def test_quote_is_text_when_the_file_is_tsv(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.tsv", 'text\tlabel\n"a stray quote\tx\nthe "second"\ty\nthird"\tx\n')
    assert read_table(entry(path), "en")["text"][:] == ['"a stray quote', 'the "second"', 'third"']


def test_line_is_named_when_a_field_of_it_is_too_long(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", f"text,label\n{'a' * (csv.field_size_limit() + 1)},x\n")
    with pytest.raises(UserError, match=r"line 2 cannot be read: field larger than .*\. Mend the line\."):
        read_table(entry(path), "en")


@pytest.mark.parametrize("name", ["rows.tsv", "rows.csv"])
@pytest.mark.parametrize("word", ["NA", "null", "None", "nan"])
def test_word_survives_when_it_looks_like_nothing(tmp_path: Path, name: str, word: str) -> None:
    separator = "\t" if name.endswith("tsv") else ","
    path = write(tmp_path / name, f"text{separator}label\n{word}{separator}{word}\n")
    assert read_table(entry(path), "en").to_list() == [{"text": word, "label": word}]


@pytest.mark.parametrize("name", ["rows.tsv", "rows.csv"])
def test_digits_stay_as_written_when_they_are_text(tmp_path: Path, name: str) -> None:
    separator = "\t" if name.endswith("tsv") else ","
    path = write(tmp_path / name, f"text{separator}label\n007{separator}1\n1.50{separator}0\n")
    table = read_table(entry(path), "en")
    assert table["text"][:] == ["007", "1.50"]
    assert table["label"][:] == [1, 0]


def test_columns_stay_text_when_text_is_a_pair(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", "premise,hypothesis\n01,02\n")
    assert read_table(entry(path, text=["premise", "hypothesis"]), "en").to_list() == [
        {"premise": "01", "hypothesis": "02"}
    ]


def test_files_are_read_in_order_when_the_path_is_a_glob(tmp_path: Path) -> None:
    for number in (2, 1, 3):
        write(tmp_path / f"part-{number}.txt", f"line {number}\n")
    assert read_table(entry(tmp_path / "part-*.txt"), "en")["text"][:] == ["line 1", "line 2", "line 3"]


def test_language_is_filled_in_when_the_path_has_a_place_for_it(tmp_path: Path) -> None:
    write(tmp_path / "raw.sw.txt", "habari\n")
    assert read_table(entry(tmp_path / "raw.{language}.txt"), "sw")["text"][:] == ["habari"]


def test_code_is_filled_in_when_the_data_set_has_its_own(tmp_path: Path) -> None:
    write(tmp_path / "raw.swh_Latn.txt", "habari\n")
    named = entry(tmp_path / "raw.{code}.txt", codes={"sw": "swh_Latn"})
    assert read_table(named, "sw")["text"][:] == ["habari"]


def test_missing_code_is_asked_for_when_the_path_needs_it() -> None:
    with pytest.raises(UserError, match=re.escape("raw.{code}.txt needs the code of yo: add it, `codes: {yo: ...}`")):
        fill_in("raw.{code}.txt", entry("raw.{code}.txt", codes={"sw": "swh_Latn"}), "yo")


BROKEN: dict[str, tuple[str, str | bytes, str]] = {
    "no byte": ("rows.jsonl", b"", "is empty: check the file"),
    "only blank lines": ("raw.txt", "\n \n\t\n", "is empty: check the file"),
    "only a csv header": ("rows.csv", "text,label\n\n", "is empty below its header: check the file"),
    "only a tsv header": ("rows.tsv", "text\tlabel", "is empty below its header: check the file"),
    "not UTF-8": (
        "raw.txt",
        "größe\n".encode("latin-1"),
        "is not UTF-8 (invalid start byte near byte 2): save it as UTF-8",
    ),
    "late not UTF-8": ("rows.jsonl", b'{"text": "a"}\n' * 9000 + b'{"text": "\xff"}\n', "is not UTF-8"),
    "not JSON": ("rows.jsonl", '{"text": "a"}\n{"text":\n', "is not a readable .jsonl file"),
    "not parquet": ("rows.parquet", "text", "is not a readable .parquet file"),
    "ragged": ("rows.tsv", "text\tlabel\na\tx\nb\ty\tz\tz\n", "line 3 has 4 fields, but the header 2"),
    "trailing tab": ("rows.tsv", "text\tlabel\na\tx\t\n", "line 2 has 3 fields, but the header 2"),
    "missing field": ("rows.csv", "text,label\na\n", "line 2 has 1 fields, but the header 2"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_file_is_refused_when_it_has(tmp_path: Path, case: str) -> None:
    name, content, message = BROKEN[case]
    with pytest.raises(UserError) as caught:
        read_table(entry(write(tmp_path / name, content)), "sw")
    assert f"{name} (labelled, sw) {message}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["rows.jsonl", "rows.json", "rows.csv", "rows.tsv", "raw.txt", "rows.parquet", "A.TSV"]
)
def test_hub_is_never_asked_when_a_local_file_is_missing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def refuse(*arguments: Any, **options: Any) -> NoReturn:
        raise AssertionError("load_dataset must not be called")

    monkeypatch.setattr(tables, "load_dataset", refuse)
    message = f"nowhere/{name} (labelled, sw) cannot be read: No such file or directory. Check the path"
    with pytest.raises(UserError, match=re.escape(message)):
        read_table(entry(f"nowhere/{name}"), "sw")


def test_glob_is_named_when_it_matches_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\*\.txt \(labelled, sw\) matches no file: check the path"):
        read_table(entry(tmp_path / "*.txt"), "sw")


def test_reason_is_named_when_the_path_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "raw.txt").mkdir()
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_table(entry(tmp_path / "raw.txt"), "sw")


def test_hub_gets_name_split_and_revision_when_the_path_has_no_suffix(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def load_dataset(*arguments: Any, **options: Any) -> datasets.Dataset:
        asked.append((arguments, options))
        return datasets.Dataset.from_list(ROWS)

    monkeypatch.setattr(tables, "load_dataset", load_dataset)
    named = entry("org/topics", name="{code}", codes={"sw": "swh_Latn"}, split="test", revision="abc")
    assert read_table(named, "sw").to_list() == ROWS
    assert asked == [(("org/topics", "swh_Latn"), {"split": "test", "revision": "abc"})]


def test_connection_is_named_when_the_hub_cannot_be_reached() -> None:
    assert huggingface_hub.constants.HF_HUB_OFFLINE
    with pytest.raises(UserError) as caught:
        read_table(entry("nobody/nothing"), "sw")
    assert "The data set 'nobody/nothing' (labelled, sw) could not be had from the Hub" in str(caught.value)
    assert "Check the name and the connection; a local file ends in .jsonl, .json, .csv" in str(caught.value)


def test_sentence_is_one_when_the_data_set_is_a_script(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*arguments: Any, **options: Any) -> NoReturn:
        raise RuntimeError("Dataset scripts are no longer supported, but found topics.py")

    monkeypatch.setattr(tables, "load_dataset", load_dataset)
    with pytest.raises(UserError, match="could not be had from the Hub: Dataset scripts are no longer supported"):
        read_table(entry("org/topics"), "sw")


def test_words_alone_are_enough_when_the_role_has_no_labels(tmp_path: Path) -> None:
    words = write(tmp_path / "raw.conll", "habari\nyako\n\njambo\n")
    assert read_table(entry(words, role="unlabelled"), "sw")["text"][:] == ["habari yako", "jambo"]
    with pytest.raises(UserError, match="line 1 has no label: 'habari'"):
        read_table(entry(words), "sw")


def test_user_is_told_when_a_text_file_may_have_a_word_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", logger="xlkd")
    read_table(entry(write(tmp_path / "raw.txt", "habari yako, jambo\n\nasante sana rafiki\n")), "sw")
    assert "word a line" not in caplog.text
    read_table(entry(write(tmp_path / "words.txt", "habari B_X\nyako O\n\njambo O\n")), "sw")
    assert "words.txt is read as one text a line. If it has one word a line, rename it to .conll" in caplog.text


@pytest.mark.parametrize("name", ["words.txt", "words.tsv"])
def test_renaming_is_proposed_when_a_file_has_no_such_column(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, "habari\tPER\n\nyako\tO\n")
    with pytest.raises(UserError, match="If it has one word and its tag a line, rename it to .conll"):
        tables.require_columns(read_table(entry(path), "sw"), ["label"], entry(path), "sw")


def test_local_file_is_named_as_one_when_its_suffix_is_unknown(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.xyz", "habari\n")
    with pytest.raises(UserError, match=r"rows.xyz \(labelled, sw\) is a local file, and must end in .jsonl"):
        read_table(entry(path), "sw")
