"""`report.html` as text: what is in it, what is left out, and that no value of a user becomes markup."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from made_report import made_log, made_report

from xlkd.evaluation.html import write_html

HOSTILE = "</script></title>\"'><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>{{ 7 * 7 }}"


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of one kind."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def sections(self) -> list[str | None]:
        return [section["id"] for section in self.named("section") if "id" in section]


def page_of(values: Any, folder: Path, training: Any = None) -> Page:
    """The page of a report."""
    return Page(write_html(values, folder / "deep" / "report.html", training).read_text(encoding="utf-8"))


def hostile(value: Any) -> Any:
    """The same values with names that are an attack wherever a user has a word."""
    words = ("name", "student", "teacher", "task", "setting", "selection", "test", "script")
    if isinstance(value, dict):
        return {
            key: HOSTILE if key in words and isinstance(entry, str) else hostile(entry) for key, entry in value.items()
        }
    return value


def test_sections_are_all_there_when_all_is_known(tmp_path: Path) -> None:
    page = page_of(made_report(5, classes=True, oracle=True), tmp_path, made_log())
    assert page.sections == ["against", "scores", "means", "training", "classes", "setup"]
    assert {link["href"] for link in page.named("a")} == {f"#{section}" for section in page.sections}


def test_sections_are_left_out_when_nothing_is_known_of_them(tmp_path: Path) -> None:
    page = page_of(made_report(5, teacher=False), tmp_path)
    assert page.sections == ["scores", "means", "setup"]
    assert "retention" not in page.text.lower().split("use strict")[0]


def test_scores_are_in_the_table_when_no_script_runs(tmp_path: Path) -> None:
    values = made_report(12)
    page = page_of(values, tmp_path)
    rows = [row for row in page.named("tr") if "data-code" in row]
    by_score = sorted(values["languages"], key=lambda code: values["languages"][code]["student"], reverse=True)
    assert [row["data-code"] for row in rows] == by_score
    for scores in values["languages"].values():
        low, high = (f"{100 * scores[f'student_{end}']:.1f}" for end in ("low", "high"))
        assert f"{100 * scores['student']:.1f} {low} to {high}" in page.text


def test_oracle_is_marked_wherever_it_stands_when_there_is_one(tmp_path: Path) -> None:
    page = page_of(made_report(5, oracle=True), tmp_path)
    assert page.text.count("not zero-shot") == 3
    assert "not zero-shot" not in page_of(made_report(5), tmp_path).text


def test_source_language_is_not_counted_among_the_targets_of_an_oracle(tmp_path: Path) -> None:
    values = made_report(5, oracle=True)
    values["oracle"]["languages"]["en"] = 0.9
    written = write_html(values, tmp_path / "report.html").read_text(encoding="utf-8")
    row = written.partition('<tbody class="oracle">')[2].partition("</tbody>")[0]
    assert "<td>4</td></tr>" in row


def test_minus_is_a_minus_and_unknown_a_dash(tmp_path: Path) -> None:
    values = made_report(3)
    values["languages"]["sw"] |= {"transfer_gap": -0.031, "retention": None}
    words = page_of(values, tmp_path).words
    assert "−3.1" in words and "-3.1" not in words and "–" in words


def test_nothing_is_called_zero_shot_when_no_target_is_scored(tmp_path: Path) -> None:
    values = made_report(3)
    page = page_of({**values, "means": {**values["means"], "target": None}, "unscored": ["qu"]}, tmp_path)
    assert "zero-shot" not in page.words and "Not scored: Quechua (qu)." in page.text


@pytest.mark.parametrize(
    ("setting", "badges"),
    [("parallel", ["zero-shot"]), ("translated-labels", ["not zero-shot"]), ("unknown", [])],
)
def test_setting_says_whether_it_is_zero_shot_when_that_is_known(
    tmp_path: Path, setting: str, badges: list[str]
) -> None:
    page = page_of({**made_report(3), "setting": setting}, tmp_path)
    assert [words for words in page.words if words in ("zero-shot", "not zero-shot")] == badges


def test_setting_is_not_zero_shot_when_labels_of_a_target_chose_the_checkpoint(tmp_path: Path) -> None:
    page = page_of({**made_report(3), "setting": "parallel", "selected_on": ["sw"]}, tmp_path)
    assert [words for words in page.words if words in ("zero-shot", "not zero-shot")] == ["not zero-shot"]
    assert "chosen by labels in sw" in page.text


def test_every_class_has_its_scores_when_they_were_asked_for(tmp_path: Path) -> None:
    values = made_report(3, classes=True)
    page = page_of(values, tmp_path)
    assert len(page.named("details")) == 3
    score, low, high = values["languages"]["sw"]["classes"]["symbols"]["student"]["recall"]
    assert f"{100 * score:.1f} {100 * low:.1f} to {100 * high:.1f}" in page.text


def test_terms_are_drawn_when_a_training_was_logged(tmp_path: Path) -> None:
    page = page_of(made_report(3), tmp_path, made_log())
    labels = [svg["aria-label"] for svg in page.named("svg") if svg.get("class") == "chart"]
    assert labels == [
        *(f"{name} over the steps" for name in ("loss", "soft-label", "hidden-state", "hard-label")),
        "Validation accuracy over the steps",
    ]


def test_nulls_are_dashes_when_nothing_is_known(tmp_path: Path) -> None:
    values = made_report(3)
    values["languages"]["sw"] |= dict.fromkeys(["student", "student_low", "student_high", "retention", "p_value"])
    values["languages"]["sw"] |= dict.fromkeys(["difference", "difference_low", "difference_high", "transfer_gap"])
    values["means"] |= {"source": None, "target": None, "retention": None, "resource_classes": {}, "scripts": {}}
    values |= {"groups": {}, "size": {}, "speed": {}, "labels": [], "test": None}
    page = page_of(values, tmp_path)
    assert "None" not in page.source and "nan" not in page.text.split("use strict")[0]
    assert page.sections == ["against", "scores", "setup"]


def test_names_are_text_when_they_are_an_attack(tmp_path: Path) -> None:
    values = made_report(5, classes=True, oracle=True)
    honest = page_of(values, tmp_path, made_log())
    values = hostile(values) | {"labels": [HOSTILE, "b"], "groups": {HOSTILE: values["groups"]["high-resource"]}}
    values["languages"]["sw"]["classes"] = {HOSTILE: values["languages"]["sw"]["classes"]["symbols"]}
    values["oracle"]["selection"] = HOSTILE
    values["languages"][HOSTILE] = values["languages"].pop("yo")
    log = [{f"loss_{HOSTILE}": 1.0, f"eval_{HOSTILE}_accuracy": 0.5, "step": 1}]
    page = page_of(values, tmp_path, [*made_log(), *log])
    assert page.text.count("{{ 7 * 7 }}") > 20
    assert page.named("img") == [] and len(page.named("script")) == 1
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in honest.tags}
    attributes = {name for _, found in page.tags for name in found}
    assert attributes == {name for _, found in honest.tags for name in found}


def test_nothing_is_asked_of_a_network_when_the_page_is_read(tmp_path: Path) -> None:
    page = page_of(made_report(5, classes=True), tmp_path, made_log())
    addresses = [found[name] for _, found in page.tags for name in ("src", "href") if name in found]
    assert len(addresses) > 20
    assert all(address is not None and address.startswith(("#", "data:")) for address in addresses)
    assert "http" not in page.source.replace("http-equiv", "") and "url(" not in page.source


def test_file_is_small_when_there_are_105_languages(tmp_path: Path) -> None:
    path = write_html(made_report(105, classes=True, oracle=True), tmp_path / "report.html", made_log(20_000))
    assert path.stat().st_size < 500_000
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_words_that_were_not_read_are_said_when_there_are_some(tmp_path: Path) -> None:
    values = made_report(3)
    first = next(iter(values["languages"]))
    values["languages"][first]["unread_words"] = {"student": 7, "teacher": 0}
    assert f"count as outside: student 7 ({first} 7)." in page_of(values, tmp_path).text
    assert "count as outside" not in page_of(made_report(3), tmp_path).text
