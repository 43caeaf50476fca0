"""Every loss on every family, and the table of it that is checked in."""

from families import FAMILIES
from families_table import TABLE, table

from xlkd.losses import LOSSES


def test_table_of_families_is_what_is_found_when_each_is_tried() -> None:
    found, kept = table().splitlines(), TABLE.read_text(encoding="utf-8").splitlines()
    assert len(found) == 7 + len(LOSSES) and all(line.count("|") == len(FAMILIES) + 2 for line in found[5:])
    assert found == kept, "run `PYTHONPATH=.:tests python tests/losses/families_table.py`"
