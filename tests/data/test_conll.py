"""Files of words and labels, and what of a run they become."""

from pathlib import Path

import pytest

from xlkd.arguments import DataArguments, RunArguments
from xlkd.data.checks import labels_in
from xlkd.data.conll import is_conll, looks_like_words, read_conll
from xlkd.data.mixture import mix, texts_by_language
from xlkd.data.sources import load_sources
from xlkd.errors import UserError

NER = "-DOCSTART- -X- O O\n\nWizara NN B-ORG\nya NN I-ORG\nafya NN I-ORG\n\n\nNairobi NN B-LOC\n. . O\n"
UNIVERSAL = """# text = don't go
1-2\tdon't\t_\t_\t_
1\tdo\tdo\tAUX\t_
2\tn't\tnot\tPART\t_
2.1\tnot\t_\tX\t_
3\tgo\tgo\tVERB\t_
"""


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_sentences_have_words_and_labels_when_read(tmp_path: Path) -> None:
    rows = read_conll([write(tmp_path / "a.txt", NER)])
    assert rows["text"][:] == ["Wizara ya afya", "Nairobi ."]
    assert rows["label"][:] == [["B-ORG", "I-ORG", "I-ORG"], ["B-LOC", "O"]]


def test_columns_are_called_what_the_entry_calls_them(tmp_path: Path) -> None:
    rows = read_conll([write(tmp_path / "a.txt", NER)], "tokens", "ner_tags")
    assert rows.column_names == ["tokens", "ner_tags"]


def test_parts_of_speech_are_of_words_that_are_written_when_the_file_is_universal(tmp_path: Path) -> None:
    rows = read_conll([write(tmp_path / "a.conllu", UNIVERSAL)])
    assert rows[0] == {"text": "do n't go", "label": ["AUX", "PART", "VERB"]}


def test_space_in_a_word_does_not_part_it(tmp_path: Path) -> None:
    (row,) = read_conll([write(tmp_path / "a.conll", "1 000\tB-X\nna\tO\n")])
    assert row["text"].split(" ") == ["1\u00a0000", "na"]


def test_space_that_does_not_break_is_part_of_a_word(tmp_path: Path) -> None:
    (row,) = read_conll([write(tmp_path / "a.conll", "New\u00a0York  B-LOC\r\nna O\r\n")])
    assert row == {"text": "New\u00a0York na", "label": ["B-LOC", "O"]}


def test_names_of_sentences_are_no_words(tmp_path: Path) -> None:
    (row,) = read_conll([write(tmp_path / "a.conll", "# id 0123 domain=en\n# _ _ O\nna _ _ O\n")])
    assert row == {"text": "# na", "label": ["O", "O"]}


def test_remarks_are_no_words(tmp_path: Path) -> None:
    (row,) = read_conll([write(tmp_path / "a.conll", "# sent_id = 5\n# text = # na\n# O\nna O\n")])
    assert row == {"text": "# na", "label": ["O", "O"]}


def test_word_has_no_label_when_the_universal_file_gives_none(tmp_path: Path) -> None:
    (row,) = read_conll([write(tmp_path / "a.conllu", "1\tgo\tgo\tVERB\t_\n2\t_\t_\t_\t_\n")])
    assert row["label"] == ["VERB", None]


def test_line_without_a_label_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.conll", "Wizara B-ORG\nya\n")
    with pytest.raises(UserError, match=r"a.conll line 2 has no label: 'ya'\. Give it a word and a label"):
        read_conll([path])


@pytest.mark.parametrize("line", ["ya I-ORG extra", "ya B- ORG", "New York I-ORG"])
def test_line_with_other_columns_than_most_is_named(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "a.conll", f"Wizara B-ORG\n{line}\nafya I-ORG\n\nna O\n")
    with pytest.raises(UserError, match=rf"a.conll line 2 has 3 columns, where most lines have 2: '{line}'"):
        read_conll([path])


def test_line_with_fewer_columns_is_named_when_labels_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.conll", "Wizara NN B-ORG\nya B-LOC\nafya NN I-ORG\n")
    with pytest.raises(UserError, match="line 2 has 2 columns, where most lines have 3"):
        read_conll([path])
    assert read_conll([path], labelled=False)["text"][:] == ["Wizara ya afya"]


def test_lines_may_differ_in_columns_when_most_have_no_number_in_common(tmp_path: Path) -> None:
    (row,) = read_conll([write(tmp_path / "a.conll", "na case=loc O\nNairobi case=loc name=yes B-LOC\n")])
    assert row == {"text": "na Nairobi", "label": ["O", "B-LOC"]}


def test_tags_before_the_words_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.conll", "B-ORG Wizara\nI-ORG ya\n\nO 10\n")
    with pytest.raises(UserError, match="has tags such as 'B-ORG' in its first column, where the words should be"):
        read_conll([path])


def test_words_that_look_like_tags_may_come_first(tmp_path: Path) -> None:
    (row,) = read_conll([write(tmp_path / "a.conll", "O B-PER\nX I-PER\n")])
    assert row == {"text": "O X", "label": ["B-PER", "I-PER"]}


UNIVERSAL_NER = """# newdoc id = weblog-1
# newpar id = weblog-1-p1
# sent_id = 1
# text = AP comes
1\tAP\tB-ORG\t-\tstephen
2\tcomes\tO\t-\tstephen

# newpar
# sent_id = 2
1\tNairobi\tB-LOC\t-\tstephen
"""
CONLL_X = "1\tdo\tdo\tAUX\tVB\t2\n2\tgo\tgo\tVERB\tVB\t0\n"
COUNTED = "1\tWizara\tORG\n2\tya\tnone\n"


@pytest.mark.parametrize(
    ("name", "text", "rows"),
    [
        ("a.iob2", UNIVERSAL_NER, [("AP comes", ["B-ORG", "O"]), ("Nairobi", ["B-LOC"])]),
        ("a.conll", CONLL_X, [("do go", ["AUX", "VERB"])]),
        ("a.conll", COUNTED, [("Wizara ya", ["ORG", "none"])]),
        ("a.conll", "# a remark of one's own\n1\tAP\tO\n2\tcomes\tO\n", [("AP comes", ["O", "O"])]),
        ("a.conll", "0\tAP\tO\n1\tcomes\tO\n\n2\tna\tO\n", [("AP comes", ["O", "O"]), ("na", ["O"])]),
        ("a.conll", "1-2\tdon't\n1\tdo\tO\n2\tn't\tO\n", [("do n't", ["O", "O"])]),
        ("a.conll", "1\tO\n\n1\tB-X\n", [("1", ["O"]), ("1", ["B-X"])]),
        ("a.conll", "1\tO\n3\tB-X\n", [("1 3", ["O", "B-X"])]),
    ],
)
def test_word_is_behind_its_number_when_the_first_column_counts_words(tmp_path: Path, name, text, rows) -> None:
    found = read_conll([write(tmp_path / name, text)])
    assert [(row["text"], row["label"]) for row in found] == rows


def test_counted_file_is_refused_when_no_column_holds_tags(tmp_path: Path) -> None:
    path = write(tmp_path / "a.conll", "1\tdo\tdo\tVB\n2\tgo\tgo\tVB\n")
    with pytest.raises(UserError, match="counts its words in the first column, and no other column holds a tag"):
        read_conll([path])
    assert read_conll([path], labelled=False)["text"][:] == ["do go"]


def test_begin_and_end_of_documents_are_no_words(tmp_path: Path) -> None:
    text = "#begin document (bc/cctv); part 000\n# newpar\nna O\n\n#end document\n\n#begin O\n"
    assert read_conll([write(tmp_path / "a.conll", text)])["text"][:] == ["na", "#begin"]


def test_empty_last_columns_are_none(tmp_path: Path) -> None:
    (row,) = read_conll([write(tmp_path / "a.conll", "Wizara\tB-ORG\t\nNew York\tB-LOC\t\n")])
    assert row == {"text": "Wizara New\u00a0York", "label": ["B-ORG", "B-LOC"]}


@pytest.mark.parametrize(
    ("first", "line", "what"),
    [
        ("Wizara\tB-ORG", "ya\t", "label"),
        ("Wizara\tNN\tB-ORG", "ya\tIN\t", "label"),
        ("Wizara\tB-ORG", "\tO", "word"),
        ("1\tWizara\tB-ORG", "2\tya", "label"),
    ],
)
def test_line_is_named_when_one_of_its_columns_is_empty(tmp_path: Path, first: str, line: str, what: str) -> None:
    path = write(tmp_path / "a.conll", f"{first}\n{line}\n")
    with pytest.raises(UserError, match=f"a.conll line 2 has no {what}"):
        read_conll([path])


def test_words_alone_are_read_when_nobody_asks_for_labels(tmp_path: Path) -> None:
    (row,) = read_conll([write(tmp_path / "a.conll", "Wizara\nya\nafya O\n")], labelled=False)
    assert row["text"] == "Wizara ya afya"


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("Wizara B_ORG\nya O\n\nNairobi B_LOC\n", True),
        ("Wizara\nya\n\nNairobi\n", True),
        ("Wizara\nya\n", False),
        ("Wizara ya afya\n\nNairobi\n", False),
        ("\n\n", False),
    ],
)
def test_text_file_may_have_a_word_a_line_when_its_lines_are_short(tmp_path: Path, text: str, yes: bool) -> None:
    assert looks_like_words(write(tmp_path / "a.txt", text)) is yes


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        (NER, True),
        ("Nairobi PROPN\nni AUX\nkubwa ADJ\n", True),
        ("Nairobi B-LOC\n" * 19 + "ni\n", True),
        ("Nairobi B-LOC\n" * 18 + "ni\n", False),
        ("One sentence a line.\nAnd another O\n", False),
        ("word\nword\n", False),
        (UNIVERSAL_NER, True),
        (UNIVERSAL_NER.replace("1\t", "1-2\tAPs\t_\n1\t"), True),
        ("1\tWizara\tORG\n2\tya\tnone\n", False),
        ("O\nO\n", False),
        ("\n", False),
    ],
)
def test_text_file_is_known_by_what_is_in_it(tmp_path: Path, text: str, yes: bool) -> None:
    assert is_conll(write(tmp_path / "a.txt", text)) is yes


def run(tmp_path: Path, **evaluation: object) -> RunArguments:
    path = write(tmp_path / "a.txt", NER.replace("afya", "elimu"))
    other = write(tmp_path / "b.txt", NER)
    roles = [("labelled", "en", path), ("validation", "en", path), ("unlabelled", "sw", other)]
    data = [DataArguments(role=role, language=language, path=name) for role, language, name in roles]
    data += [
        DataArguments(role="evaluation", language=language, path=other, **evaluation)  # type: ignore[arg-type]
        for language in ("en", "sw")
    ]
    return RunArguments(source_language="en", target_languages=["sw"], student=None, data=data)  # type: ignore[arg-type]


def test_labels_stay_behind_when_the_text_is_unlabelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xlkd.data.sources._load_vocabulary_text", lambda run: {})
    sources = load_sources(run(tmp_path))
    assert "label" not in sources["unlabelled", "sw"].column_names
    mixed = mix(sources, "en")
    assert mixed["label"][:] == [["B-ORG", "I-ORG", "I-ORG"], ["B-LOC", "O"], None, None]
    assert texts_by_language(sources, "en")["sw"] == ["Wizara ya afya", "Nairobi ."]


def test_nothing_is_told_of_a_mapped_label_when_one_language_of_the_entry_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("xlkd.data.sources._load_vocabulary_text", lambda run: {})
    own = run(tmp_path)
    write(tmp_path / "test.en.conll", NER)
    write(tmp_path / "test.sw.conll", NER.replace("B-LOC", "B-DATE"))
    path = str(tmp_path / "test.{language}.conll")
    own.data[-2:] = [DataArguments(role="evaluation", language=["en", "sw"], path=path, label_map={"B-DATE": "O"})]
    load_sources(own)
    assert caplog.messages == []


def test_mapped_label_is_told_when_no_row_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("xlkd.data.sources._load_vocabulary_text", lambda run: {})
    load_sources(run(tmp_path, label_map={"B-LOCS": "O"}))
    assert f"{tmp_path}/b.txt (evaluation): label_map maps 'B-LOCS' (did you mean B-LOC?)" in caplog.text


def test_labels_are_renamed_when_the_entry_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("xlkd.data.sources._load_vocabulary_text", lambda run: {})
    sources = load_sources(run(tmp_path, label_map={"B-LOC": "O"}))
    assert caplog.messages == []
    assert sources["evaluation", "sw"]["label"][:] == [["B-ORG", "I-ORG", "I-ORG"], ["O", "O"]]
    assert labels_in(sources, "labelled") == {"B-ORG", "I-ORG", "B-LOC", "O"}
