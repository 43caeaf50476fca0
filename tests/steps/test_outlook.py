"""What is said of a run before it trains."""

import json

import pytest

from xlkd.evaluation.familiarity import Familiarity
from xlkd.folders import OUTLOOK_FILE
from xlkd.steps.outlook import Outlook
from xlkd.students.verification import LanguageCheck

KNOWN = Familiarity(texts=32, confidence=0.9, accuracy=0.8, low=0.64, high=0.9, chance=0.4)
CHANCE = Familiarity(texts=32, confidence=0.9, accuracy=0.45, low=0.3, high=0.6, chance=0.4)
FEW = Familiarity(texts=8, confidence=0.9, accuracy=0.5, low=0.22, high=0.78, chance=0.4)
SURE = Familiarity(texts=32, confidence=0.8, agreement=0.9)
UNSURE = Familiarity(texts=32, confidence=0.7, agreement=0.6)
CUT = LanguageCheck(32, 0.9, 0.001, 0.02, 1.8, 2.1)


@pytest.mark.parametrize(("own", "expected"), [(KNOWN, []), (CHANCE, ["sw"]), (SURE, []), (UNSURE, ["sw"])])
def test_language_is_at_chance_when_its_answers_are_no_better_than_one_answer(own, expected):
    assert Outlook("en", {"en": KNOWN, "sw": own}).at_chance == expected


def test_language_is_not_said_to_be_at_chance_when_a_few_texts_cannot_tell():
    assert Outlook("en", {"en": KNOWN, "sw": FEW}).at_chance == []


def test_warning_asks_for_parallel_text_when_a_language_is_at_chance():
    (said,) = Outlook("en", {"en": KNOWN, "sw": CHANCE, "yo": CHANCE}).warnings()
    assert "at chance in sw, yo" in said and "give parallel text" in said


def test_warning_is_another_when_the_language_has_translations():
    first, second = Outlook("en", {"en": KNOWN, "sw": CHANCE, "yo": CHANCE}, translated=["yo"]).warnings()
    assert "in sw," in first and "give parallel text" in first
    assert "in yo:" in second and "translations alone" in second


def test_warning_asks_for_fine_tuning_when_the_source_language_is_at_chance():
    (said,) = Outlook("en", {"en": CHANCE, "sw": KNOWN}).warnings()
    assert "at chance in en, the language of the labels: fine-tune it" in said


def test_nothing_is_warned_of_when_the_teacher_knows_all():
    assert Outlook("en", {"en": KNOWN, "sw": SURE}, {"sw": CUT}).warnings() == []


def test_table_fits_100_columns_and_has_every_language():
    outlook = Outlook("en", {"en": KNOWN, "sw": CHANCE, "yo": UNSURE}, {"sw": CUT, "en": CUT, "ha": CUT})
    lines = outlook.table().splitlines()
    assert max(map(len, lines)) <= 100
    assert [line.split()[0] for line in lines[2:6]] == ["en", "sw*", "yo*", "ha"]
    assert lines[3].split() == ["sw*", "32", "45", "[30,", "60]", "40", "90", "-", "2.10", "2.00"]


def test_table_is_of_the_student_alone_when_no_teacher_was_asked():
    header, _, line, footer = Outlook("en", cut={"sw": CUT}).table().splitlines()
    assert header.split() == ["language", "pieces/word", "unknown"]
    assert line.split() == ["sw", "2.10", "2.00"] and "teacher" not in footer


def test_file_has_what_the_table_shows(tmp_path):
    Outlook("en", {"en": KNOWN, "sw": CHANCE}, {"sw": CUT}, ["sw"]).save(tmp_path)
    saved = json.loads((tmp_path / OUTLOOK_FILE).read_text(encoding="utf-8"))
    assert saved["at_chance"] == ["sw"]
    assert saved["teacher"]["sw"]["accuracy"] == 0.45
    assert saved["cut"]["sw"]["pieces_per_word"] == 2.1
