"""How soon `report.html` can be used: from opening its address to the first sorted table, in a headless browser.

    python scripts/benchmarks/page.py model_cards/cldr

The page is written anew from the `zero_shot.json` of a folder. It needs `playwright` (of `.[test]`) and
`chromium` in the path.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from xlkd.evaluation.html import write_html

USED = """() => {
    document.querySelector("#languages button").click();
    document.body.offsetHeight;
    return performance.now();
}"""
"""Sort the table and lay it out; milliseconds since the address was asked for."""


def main() -> None:
    """Write the page, open it some times, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--times", type=int, default=5)
    arguments = parser.parse_args()
    report = json.loads((arguments.folder / "zero_shot.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        path = write_html(report, Path(folder) / "report.html")
        times = opened(path, arguments.times)
        size = path.stat().st_size
    shown = ", ".join(f"{own / 1000:.2f}" for own in times)
    print(f"{len(report['languages'])} languages, {size / 1000:.0f} kB, first sort done after {shown} s")


def opened(path: Path, times: int) -> list[float]:
    """Milliseconds from the address to a sorted table, each time that the page is opened."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page()
        found = []
        for _ in range(times):
            page.goto(path.as_uri())
            found.append(float(page.evaluate(USED)))
        browser.close()
    return found


if __name__ == "__main__":
    main()
