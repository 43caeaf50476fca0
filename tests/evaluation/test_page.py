"""`report.html` in a browser: Debian's `chromium`, which CI installs; elsewhere these tests want it in the path."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_report import made_log, made_report
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from xlkd.evaluation.html import write_html

pytestmark = pytest.mark.slow

DESK, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser without a window. Of one module only: while it runs, nothing else in this thread can use asyncio."""
    program = shutil.which("chromium")
    if program is None:
        reason = "there is no chromium in the path: install it, on Debian with `apt-get install chromium`"
        pytest.fail(reason) if os.environ.get("XLKD_CI") else pytest.skip(reason)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the page of 105 languages, with all that it can have."""
    values = made_report(105, classes=True, oracle=True)
    values["languages"]["sw"] |= dict.fromkeys(["retention", "p_value"])
    path = tmp_path_factory.mktemp("page") / "report.html"
    return write_html(values, path, made_log()).as_uri()


@pytest.fixture
def page(browser: Browser, report: str) -> Iterator[Page]:
    """The page on a desk; it may neither complain nor ask for anything but itself."""
    with browser.new_context(viewport=DESK) as context:
        context.set_default_timeout(10_000)
        opened = context.new_page()
        complaints: list[str] = []
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("request", lambda request: complaints.append(request.url) if request.url != report else None)
        opened.goto(report)
        yield opened
        assert complaints == []


def column(page: Page, name: str) -> list[str]:
    """The first word of a column in every row that is shown, from above."""
    found: list[str] = page.evaluate(
        """(name) => {
            const table = document.getElementById("languages");
            const heads = [...table.tHead.rows[0].cells];
            const index = heads.findIndex((head) => head.innerText.trim().split(/\\s/).includes(name));
            const shown = [...table.tBodies[0].rows].filter((row) => row.offsetHeight > 0);
            return shown.map((row) => row.cells[index].textContent.trim().replace("−", "-").split(/\\s/)[0]);
        }""",
        name,
    )
    return found


def numbers(words: list[str]) -> list[float]:
    """Scores to one decimal at most, so that an interval that follows at once is not read."""
    return [float(word[: word.index(".") + 2] if "." in word else word) for word in words if word != "–"]


def heads_in_order(page: Page) -> dict[str, str]:
    """How the columns that are in order are said to be."""
    found: dict[str, str] = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('th[aria-sort]')].map("
        "(head) => [head.innerText.trim(), head.getAttribute('aria-sort')]))"
    )
    return found


def test_table_is_in_order_of_the_student_when_opened(page: Page) -> None:
    scores = numbers(column(page, "Student"))
    assert len(scores) == 105 and scores == sorted(scores, reverse=True)
    assert heads_in_order(page) == {"Student": "descending"}


@pytest.mark.parametrize("name", ["Teacher", "Difference", "Macro-F1", "Oracle", "n"])
def test_rows_are_in_order_when_a_head_is_clicked(page: Page, name: str) -> None:
    button = page.get_by_role("button", name=name, exact=name != "Oracle")
    button.click()
    assert numbers(column(page, name)) == sorted(numbers(column(page, name)), reverse=True)
    assert [*heads_in_order(page).values()] == ["descending"]
    button.click()
    assert numbers(column(page, name)) == sorted(numbers(column(page, name)))
    assert [*heads_in_order(page).values()] == ["ascending"]


def test_rows_are_in_order_when_a_key_is_pressed(page: Page) -> None:
    page.get_by_role("button", name="Language", exact=True).focus()
    page.keyboard.press("Enter")
    names = page.locator("#languages tbody th").all_inner_texts()
    assert names[0].startswith("Afrikaans") and names[-1] == "zu"
    page.keyboard.press("Space")
    assert page.locator("#languages tbody th").first.inner_text() == "zu"


def test_unknown_values_are_last_when_a_column_goes_up_or_down(page: Page) -> None:
    for _ in range(2):
        page.get_by_role("button", name="Retention").click()
        assert column(page, "Retention").index("–") == 104


def test_rows_are_those_of_a_script_and_class_when_filtered(page: Page) -> None:
    page.get_by_role("combobox", name="Script").select_option("Deva")
    assert set(column(page, "Script")) == {"Deva"}
    page.get_by_role("combobox", name="Resource class").select_option("1")
    assert set(column(page, "Language")) == {"Konkani", "Nepali"}
    student = sum(numbers(column(page, "Student"))) / 2
    shown = page.locator("#shown").inner_text()
    assert shown.startswith("2 of 105 languages. Mean of these, student: ")
    assert float(shown.split()[-2]) == pytest.approx(student, abs=0.11)
    assert page.locator(".point:not(.faint)").count() == 2
    page.get_by_role("button", name="Show all").click()
    assert len(column(page, "Language")) == 105 and page.locator(".point.faint").count() == 0


@pytest.mark.parametrize("wanted", ["NORWEG", " nn"])
def test_rows_are_those_with_a_text_when_it_is_typed(page: Page, wanted: str) -> None:
    page.get_by_role("searchbox", name="Language").fill(wanted)
    assert "Norwegian" in column(page, "Language") and len(column(page, "Language")) <= 3


def test_no_row_is_left_when_a_text_is_nowhere(page: Page) -> None:
    page.get_by_role("searchbox", name="Language").fill("Klingon")
    assert column(page, "Language") == []
    assert page.locator("#shown").inner_text() == "0 of 105 languages."


def test_order_and_filter_hold_together_when_both_are_used(page: Page) -> None:
    scripts = column(page, "Script")
    page.get_by_role("combobox", name="Script").select_option("Cyrl")
    page.get_by_role("button", name="Teacher").first.click()
    scores = numbers(column(page, "Teacher"))
    assert len(scores) == scripts.count("Cyrl") and scores == sorted(scores, reverse=True)


def test_tip_names_language_and_scores_when_a_point_is_pointed_at(page: Page) -> None:
    page.locator(".point[data-code=pcm] circle").hover()
    assert page.locator(".tip").inner_text().startswith("Nigerian Pidgin (pcm): student ")
    page.locator("h1").hover()
    assert not page.locator(".tip").is_visible()


def test_row_is_in_sight_when_its_point_is_clicked(page: Page) -> None:
    row = page.locator("tr[data-code=pcm]")
    expect(row).not_to_be_in_viewport()
    page.locator(".point[data-code=pcm] circle").click()
    expect(row).to_be_in_viewport()


def test_points_are_walked_through_when_arrow_keys_are_pressed(page: Page) -> None:
    page.locator(".scatter svg").focus()
    page.keyboard.press("ArrowRight")
    first = page.locator(".tip").inner_text()
    page.keyboard.press("ArrowRight")
    assert page.locator(".tip").inner_text() != first
    page.keyboard.press("ArrowLeft")
    assert page.locator(".tip").inner_text() == first
    page.keyboard.press("Escape")
    assert not page.locator(".tip").is_visible()


@pytest.mark.parametrize("viewport", [PHONE, DESK, ViewportSize(width=768, height=900)])
def test_page_is_no_wider_than_the_screen_when_that_is_small(
    browser: Browser, report: str, viewport: ViewportSize
) -> None:
    with browser.new_context(viewport=viewport) as context:
        page = context.new_page()
        page.goto(report)
        page.get_by_text("Telugu").last.click()
        page.locator("#classes").scroll_into_view_if_needed()
        assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
        assert page.evaluate("document.querySelector('#languages').offsetWidth") > viewport["width"] * 0.9


def test_table_scrolls_under_its_first_column_when_the_screen_is_small(browser: Browser, report: str) -> None:
    with browser.new_context(viewport=PHONE) as context:
        page = context.new_page()
        page.goto(report)
        page.evaluate("document.querySelector('#scores .scroll').scrollLeft = 500")
        name, score = (page.locator(f"tr[data-code=sw] {cell}").first.bounding_box() for cell in ("th", "td"))
        assert name is not None and score is not None
        assert name["x"] >= 0 and score["x"] < 0


def test_all_scores_are_there_when_no_script_may_run(browser: Browser, report: str) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(report)
        assert page.locator("#languages tbody tr").count() == 105
        assert page.locator("#languages tbody th").last.is_visible()
        assert not page.locator(".filters").is_visible()
        assert page.locator("#languages button").count() == 0


def test_colours_change_when_the_reader_likes_it_dark(browser: Browser, report: str) -> None:
    with browser.new_context(color_scheme="dark") as context:
        page = context.new_page()
        page.goto(report)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"


def test_script_of_a_name_does_not_run_when_the_page_is_opened(browser: Browser, tmp_path: Path) -> None:
    values = made_report(3)
    attack = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
    values["languages"]["sw"]["name"] = values["student"] = attack
    path = write_html(values, tmp_path / "report.html")
    # Were it not escaped, the page's policy would still let no other script run.
    raw = tmp_path / "raw.html"
    raw.write_text(path.read_text(encoding="utf-8").replace("</h1>", f"</h1>{attack}"), encoding="utf-8")
    with browser.new_context() as context:
        page = context.new_page()
        for address in (path.as_uri(), raw.as_uri()):
            page.goto(address)
            page.get_by_role("button", name="Teacher").first.click()
            page.locator(".point[data-code=sw] circle").hover()
            assert page.evaluate("window.hacked") is None
        page.goto(path.as_uri())
        assert page.locator("h1").inner_text() == attack
