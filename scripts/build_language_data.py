"""Build the facts about languages that xlkd ships (`xlkd/language_data`): English name, script and resource class.

    python scripts/build_language_data.py

Names and scripts are those of Unicode CLDR, from two npm packages that are pinned by version and checksum; resource
classes are those of Joshi et al. (2020), from `scripts/lang2tax.csv`, whose head says where it was read. Needs `npm` on
the path; `--core FILE.tgz --names FILE.tgz` uses archives that are already there. The same files give the same bytes.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from npm_packages import Package, check, describe, fetch, members, sha256_of

from xlkd.folders import write_json
from xlkd.languages import DATA_FOLDER, FACTS_FILE

CORE = Package(
    name="cldr-core",
    version="48.2.0",
    licence="Unicode-3.0",
    licence_file="LICENSE-unicode.txt",
    sha256="5310e0c7a06c1feb83dc8e54c8584bbe0b9c2ea8320172a18d541986b124585d",
)
NAMES = Package(
    name="cldr-localenames-full",
    version="48.2.0",
    licence="Unicode-3.0",
    licence_file="LICENSE-unicode.txt",
    sha256="7f2ac7fd3b5d90f56ad127f9ed5ae67b58b3e556818f55530b9f47bb81bcde57",
)
CLASSES_FILE = Path(__file__).parent / "lang2tax.csv"

# Joshi's names that are not CLDR's English names, with the codes of their language; checked by hand.
CODES_OF: Mapping[str, str] = {
    # Classes 2 to 5.
    "bengali": "bn", "eastern punjabi": "pa", "haitian": "ht", "mandarin": "zh",
    "tagalog": "tl fil", "western punjabi": "lah pnb",
    # Class 1.
    "alemannic": "gsw", "anglo-saxon": "ang", "avar": "av", "bishnupriya manipuri": "bpy", "buryat": "bua",
    "central bicolano": "bcl", "chavacano": "cbk", "chichewa": "ny", "classical chinese": "lzh", "doteli": "dty",
    "dutch low saxon": "nds-NL", "emilian-romagnol": "egl rgn eml", "franco-provençal": "frp", "gan": "gan",
    "greenlandic": "kl", "hakka": "hak", "hill mari": "mrj", "ilocano": "ilo", "inupiak": "ik",
    "jamaican patois": "jam", "kabiye": "kbp", "kapampangan": "pam", "karakalpak": "kaa", "kirghiz": "ky",
    "kirundi": "rn", "kurdish (kurmanji)": "ku kmr", "kurdish (sorani)": "ckb", "lak": "lbe", "lezgian": "lez",
    "livvi-karelian": "olo", "low saxon": "nds", "luganda": "lg", "maori": "mi",
    "mazandarani": "mzn", "meadow mari": "chm mhr", "min dong": "cdo", "min nan": "nan", "nahuatl": "nah",
    "nauruan": "na", "newar": "new", "norfolk": "pih", "norman": "nrf", "north frisian": "frr",
    "norwegian (bokmål)": "nb no", "norwegian (nynorsk)": "nn", "old church slavonic": "cu", "ossetian": "os",
    "palatinate german": "pfl", "papiamentu": "pap", "ripuarian": "ksh", "romani": "rom", "sakha": "sah",
    "sesotho": "st", "sinhalese": "si", "southern azerbaijani": "azb", "sranan": "srn",
    "tuvan": "tyv", "vepsian": "vep", "west frisian": "fy", "wu": "wuu", "zazaki": "zza",
    # Class 0.
    "abkhaz": "ab", "acholi": "ach", "altai": "alt", "ao": "njo", "basaá": "bas", "bilin": "byn", "blackfoot": "bla",
    "ciluba": "lua", "dabida": "dav", "dhivehi": "dv", "diola-fogny": "dyo", "fongbe": "fon",
    "goajiro": "guc", "gurenne": "gur", "gã": "gaa", "izhor": "izh", "jingpho": "kac", "k'ekchí": "kek",
    "khoekhoe": "naq", "kiluba": "lu", "kiribati": "gil", "kutchin": "gwi", "kwakw'ala": "kwk", "lakhota": "lkt",
    "liv": "liv", "luiseño": "lui", "maasai": "mas", "makassar": "mak", "mapudungun": "arn",
    "mauritian creole": "mfe", "meithei": "mni", "melayu betawi": "bew", "micmac": "mic", "montagnais": "moe",
    "mooré": "mos", "muisca": "chb", "n'ko": "nqo", "noghay": "nog", "nuosu": "ii",
    "ojibwe": "oj", "passamaquoddy-maliseet": "pqm", "quiché": "quc", "runyankore": "nyn",
    "seediq": "trv", "seychelles creole": "crs", "sidaama": "sid", "slavey": "den", "tashlhiyt": "shi",
    "temne": "tem", "terêna": "ter", "tetun": "tet", "tigré": "tig", "tuvaluan": "tvl",
    "waray-waray": "war", "yup'ik": "esu",
}  # fmt: skip

# What the tables must give; a package or a rule that changed shows here before it changes anybody's report.
EXPECTED_COUNTS = {"languages": 7_226, "scripts": 7_267, "names": 1_168, "classes": 480}


def read_scripts(files: Mapping[str, bytes]) -> dict[str, str]:
    """The likely script of each language, and of a language in a region where it is another one."""
    likely = json.loads(files["supplemental/likelySubtags.json"])["supplemental"]["likelySubtags"]
    scripts = {code: full.split("-")[1] for code, full in likely.items() if "-" not in code and code != "und"}
    for code, full in likely.items():
        language, _, region = code.partition("-")
        is_region = len(region) == 2 or region.isdigit()
        if is_region and language in scripts and full.split("-")[1] != scripts[language]:
            scripts[code] = full.split("-")[1]
    return scripts


def read_names(files: Mapping[str, bytes]) -> dict[str, str]:
    """The English name of each language, script and territory by its code, which cannot be one another's."""
    names: dict[str, str] = {}
    for kind in ("languages", "scripts", "territories"):
        content: dict[str, Any] = json.loads(files[f"main/en/{kind}.json"])["main"]["en"]["localeDisplayNames"][kind]
        names |= {code: name for code, name in content.items() if "-alt-" not in code and "-menu-" not in code}
    return names


def read_classes(lines: Iterable[str], names: Mapping[str, str]) -> dict[str, int]:
    """The class of each code; the highest where the list has a language under several names, or twice.

    Each of those names counted only the resources that go by it, so that the highest is nearest to the language's.
    """
    by_name = {name.casefold(): code for code, name in names.items() if code.partition("-")[0].islower()}
    found: dict[str, set[int]] = defaultdict(set)
    for line in lines:
        name, _, number = line.strip().rpartition(",")
        codes = CODES_OF.get(name, by_name.get(name, "")).split()
        if not codes:
            raise SystemExit(f"{name!r} of {CLASSES_FILE.name} is no English name of CLDR: add it to CODES_OF.")
        for code in codes:
            found[code].add(int(number))
    return {code: max(numbers) for code, numbers in found.items()}


def build(core: Path, names_archive: Path, classes_file: Path, folder: Path) -> dict[str, int]:
    """Write the table, the licence and the manifest into `folder`, and return the counts.

    Args:
        core (`Path`): Archive of `cldr-core`.
        names_archive (`Path`): Archive of `cldr-localenames-full`.
        classes_file (`Path`): Lines `name,class`, beside comments.
        folder (`Path`): Where the files go.
    """
    core_files = members(core)
    scripts, names = read_scripts(core_files), read_names(members(names_archive))
    lines = classes_file.read_text(encoding="utf-8").splitlines()
    classes = read_classes([line for line in lines if not line.startswith("#")], names)
    codes = sorted({*scripts, *names, *classes})
    rows = [(code, names.get(code, ""), scripts.get(code, ""), str(classes.get(code, ""))) for code in codes]
    folder.mkdir(parents=True, exist_ok=True)
    table = "".join("\t".join(row) + "\n" for row in [("code", "name", "script", "class"), *rows])
    (folder / FACTS_FILE).write_text(table, encoding="utf-8", newline="\n")
    (folder / CORE.licence_file).write_bytes(core_files["LICENSE"])
    languages = {code for code in codes if code.islower()}
    summary = {"languages": len(languages), "scripts": len(scripts), "names": len(names), "classes": len(classes)}
    write_manifest(core, names_archive, classes_file, folder, summary)
    return summary


def write_manifest(core: Path, names: Path, classes: Path, folder: Path, summary: Mapping[str, int]) -> None:
    """Write where the facts come from, with checksums."""
    manifest = {
        "packages": [describe(CORE, core), describe(NAMES, names)],
        "classes": {
            "source": "https://microsoft.github.io/linguisticdiversity/assets/lang2tax.txt",
            "paper": "https://aclanthology.org/2020.acl-main.560",
            "read_from": classes.name,
            "sha256": sha256_of(classes),
        },
        "files": {name: sha256_of(folder / name) for name in (FACTS_FILE, CORE.licence_file)},
        "counts": dict(summary),
    }
    write_json(folder / "MANIFEST.json", manifest)


def main() -> None:
    """Fetch the packages where they were not given, build, and compare the counts with what they must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--core", type=Path, help=f"archive of {CORE.name} {CORE.version}")
    parser.add_argument("--names", type=Path, help=f"archive of {NAMES.name} {NAMES.version}")
    parser.add_argument("--out", type=Path, default=DATA_FOLDER, help="default: the package data of xlkd")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        core = arguments.core or fetch(CORE, Path(folder))
        names = arguments.names or fetch(NAMES, Path(folder))
        check(CORE, core)
        check(NAMES, names)
        found = build(core, names, CLASSES_FILE, arguments.out)
    wrong = [f"{found[name]} {name} and not {count}" for name, count in EXPECTED_COUNTS.items() if found[name] != count]
    if wrong:
        raise SystemExit(f"The facts have {', '.join(wrong)}: the packages or the rules have changed.")
    print(json.dumps(found), "->", arguments.out)


if __name__ == "__main__":
    main()
