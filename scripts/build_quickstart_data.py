"""Build the embedded quickstart data set (`xlkd:cldr`) from two npm packages.

    python scripts/build_quickstart_data.py

Needs xlkd installed and `npm` on the path; `--cldr FILE.tgz --emojibase FILE.tgz` uses archives that are already
there. The packages are pinned by version and checksum, and the same archives give the same bytes.
"""

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from npm_packages import Package, check, describe, fetch, members, sha256_of

from xlkd.folders import write_json
from xlkd.quickstart.cldr import ANNOTATIONS_FILE, DATA_FOLDER, EMOJI_FILE, LABELS, MANIFEST_FILE
from xlkd.quickstart.split import families, split_by_family

VARIATION_SELECTOR = "\ufe0f"  # "show as a picture": some files write it and some do not, so it is dropped everywhere
MINIMUM_ANNOTATED = 1_000

# What the split must give; a package or a rule that changed shows here before it changes anybody's scores.
EXPECTED_COUNTS = {
    "languages": 124,
    "emoji": 1_580,
    "families": 1_170,
    "largest_family": 20,
    "labelled": 540,
    "transfer": 540,
    "validation": 100,
    "test": 400,
}


CLDR = Package(
    name="cldr-annotations-full",
    version="48.2.0",
    licence="Unicode-3.0",
    licence_file="LICENSE-unicode.txt",
    sha256="28576e51225deb51e3ddd734b0f824a0079682cb5d8c27faa9f68149317a14d1",
)
EMOJIBASE = Package(
    name="emojibase-data",
    version="17.0.0",
    licence="MIT",
    licence_file="LICENSE-emojibase.txt",
    sha256="d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
)

Texts = dict[str, dict[str, str]]  # language -> emoji -> text


def read_labels(files: dict[str, bytes]) -> dict[str, str]:
    """Emoji to the name of its group, for the groups that are labels (no flags, no components).

    Skin-tone variants are left out: CLDR does not annotate them.
    """
    groups = json.loads(files["meta/groups.json"])["groups"]
    names = {int(number): name for number, name in groups.items() if name in LABELS}
    return {
        entry["emoji"].replace(VARIATION_SELECTOR, ""): names[entry["group"]]
        for entry in json.loads(files["en/data.json"])
        if entry.get("group") in names
    }


def read_texts(files: dict[str, bytes], emoji: set[str]) -> Texts:
    """The text of each of `emoji` in every locale that annotates enough of them."""
    texts: Texts = {}
    for name, content in files.items():
        if not name.endswith("/annotations.json"):
            continue
        # A locale that inherits everything has no second level at all.
        annotations = json.loads(content).get("annotations", {}).get("annotations", {})
        found = {key.replace(VARIATION_SELECTOR, ""): text_of(entry) for key, entry in annotations.items()}
        kept = {key: found[key] for key in sorted(emoji & found.keys())}
        if len(kept) >= MINIMUM_ANNOTATED:
            texts[name.split("/")[1]] = kept
    return dict(sorted(texts.items()))


def text_of(entry: dict[str, list[str]]) -> str:
    """The name, then the keywords other than the name.

    A few entries have only keywords, because the name is inherited from the parent locale (Portuguese of Portugal,
    Spanish of Latin America, Chinese of Hong Kong). They count as annotated: 124 locales instead of 121.
    """
    return ", ".join(dict.fromkeys([*entry.get("tts", [])[:1], *entry.get("default", [])]))


def write_tables(labels: dict[str, str], split: dict[str, str], texts: Texts, folder: Path) -> None:
    """Write `emoji.parquet` and `annotations.parquet`."""
    emoji = pa.table({"emoji": list(split), "label": [labels[key] for key in split], "split": list(split.values())})
    rows = [(language, key, text) for language, by_emoji in texts.items() for key, text in by_emoji.items()]
    columns = zip(*rows, strict=True)
    annotations = pa.table(dict(zip(("language", "emoji", "text"), map(list, columns), strict=True)))
    for name, table in ((EMOJI_FILE, emoji), (ANNOTATIONS_FILE, annotations)):
        repetitive = [column for column in table.column_names if column != "text"]
        pq.write_table(
            table,
            folder / name,
            compression="zstd",
            compression_level=19,
            use_dictionary=repetitive,
            # One page a column, lengths apart from letters: 6 % smaller than the defaults.
            data_page_size=2**25,
            column_encoding={"text": "DELTA_LENGTH_BYTE_ARRAY"} if "text" in table.column_names else None,
        )


def counts(split: dict[str, str], texts: Texts) -> dict[str, int]:
    """What the manifest says about the size of the set."""
    sizes = [len(family) for family in families(texts["en"])]
    summary = {"languages": len(texts), "emoji": len(split), "families": len(sizes), "largest_family": max(sizes)}
    return summary | dict(sorted(Counter(split.values()).items())) | {"annotations": sum(map(len, texts.values()))}


def build(cldr: Path, emojibase: Path, folder: Path) -> dict[str, int]:
    """Write the tables, the licence texts and the manifest into `folder`, and return the counts.

    Args:
        cldr (`Path`): Archive of `cldr-annotations-full`.
        emojibase (`Path`): Archive of `emojibase-data`.
        folder (`Path`): Where the files go.

    Returns:
        `dict[str, int]`: The counts that the manifest records.
    """
    archives = {CLDR: (cldr, members(cldr)), EMOJIBASE: (emojibase, members(emojibase))}
    labels = read_labels(archives[EMOJIBASE][1])
    texts = read_texts(archives[CLDR][1], set(labels))
    split = split_by_family(texts["en"])
    # The set is what English annotates: an emoji without an English text has no family.
    texts = {language: {key: by_emoji[key] for key in by_emoji if key in split} for language, by_emoji in texts.items()}

    folder.mkdir(parents=True, exist_ok=True)
    write_tables(labels, split, texts, folder)
    for package, (_, files) in archives.items():
        (folder / package.licence_file).write_bytes(files["LICENSE"])
    written = [EMOJI_FILE, ANNOTATIONS_FILE, *(package.licence_file for package in archives)]
    summary = counts(split, texts)
    manifest = {
        "packages": [describe(package, archive) for package, (archive, _) in archives.items()],
        "files": {name: sha256_of(folder / name) for name in written},
        "counts": summary,
    }
    write_json(folder / MANIFEST_FILE, manifest)
    return summary


def main() -> None:
    """Fetch the packages where they were not given, build, and compare the counts with what they must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cldr", type=Path, help=f"archive of {CLDR.name} {CLDR.version}")
    parser.add_argument("--emojibase", type=Path, help=f"archive of {EMOJIBASE.name} {EMOJIBASE.version}")
    parser.add_argument("--out", type=Path, default=DATA_FOLDER, help="default: the package data of xlkd")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cldr = arguments.cldr or fetch(CLDR, Path(folder))
        emojibase = arguments.emojibase or fetch(EMOJIBASE, Path(folder))
        check(CLDR, cldr)
        check(EMOJIBASE, emojibase)
        found = build(cldr, emojibase, arguments.out)
    wrong = [f"{found[name]} {name} and not {count}" for name, count in EXPECTED_COUNTS.items() if found[name] != count]
    if wrong:
        raise SystemExit(f"The data set has {', '.join(wrong)}: the packages or the split rule have changed.")
    print(json.dumps(found), "->", arguments.out)


if __name__ == "__main__":
    main()
