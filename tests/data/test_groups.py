"""Rows by role and language, and the shares of a mixture."""

import pytest
from datasets import Dataset

from xlkd import MixtureArguments, UserError
from xlkd.data.groups import RowGroups

SIZES = {("labelled", "en"): 20, ("parallel", "sw"): 16, ("parallel", "yo"): 4, ("unlabelled", "sw"): 9}


def dataset(sizes: dict[tuple[str, str], int] = SIZES) -> Dataset:
    """Rows of these groups, dealt out in turn."""
    rows = sorted((row, group) for group, size in sizes.items() for row in range(size))
    return Dataset.from_list([{"role": role, "language": language} for _, (role, language) in rows])


def reference(mixture: MixtureArguments) -> dict[tuple[str, str], float]:
    """First the role, then the language, written out."""
    shares = {}
    for role in {role for role, _ in SIZES}:
        own = {group: size for group, size in SIZES.items() if group[0] == role}
        ratios = mixture.roles or {name: sum(n for (r, _), n in SIZES.items() if r == name) for name, _ in SIZES}
        for group, size in own.items():
            of_language = size**mixture.exponent / sum(other**mixture.exponent for other in own.values())
            shares[group] = ratios[role] / sum(ratios.values()) * of_language
    return shares


def test_every_row_has_the_group_of_its_role_and_language() -> None:
    rows = dataset()
    groups = RowGroups.of(rows)
    assert groups.names == sorted(SIZES)
    assert [groups.names[code] for code in groups.codes] == list(zip(rows["role"], rows["language"], strict=True))
    assert groups.sizes.tolist() == [SIZES[name] for name in groups.names]


def test_groups_are_those_of_the_chosen_rows_when_some_were_selected() -> None:
    groups = RowGroups.of(dataset().filter(lambda row: row["language"] == "sw").select([0, 3, 1]))
    assert set(groups.names) == {("parallel", "sw"), ("unlabelled", "sw")} and len(groups.codes) == 3


@pytest.mark.parametrize("exponent", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("roles", [None, {"labelled": 1, "unlabelled": 0.5, "parallel": 2}])
def test_shares_are_role_by_ratio_times_language_by_power_of_size(
    exponent: float, roles: dict[str, float] | None
) -> None:
    mixture = MixtureArguments(exponent, roles)
    groups = RowGroups.of(dataset())
    assert dict(zip(groups.names, groups.shares(mixture), strict=True)) == pytest.approx(reference(mixture))


def test_shares_are_those_of_the_rows_when_nothing_is_said() -> None:
    groups = RowGroups.of(dataset())
    assert groups.shares(MixtureArguments()) == pytest.approx(groups.sizes / len(groups.codes))


def test_share_is_zero_when_the_role_is_left_out() -> None:
    groups = RowGroups.of(dataset())
    shares = groups.shares(MixtureArguments(roles={"labelled": 0, "unlabelled": 1, "parallel": 1}))
    assert shares[groups.names.index(("labelled", "en"))] == 0 and shares.sum() == pytest.approx(1)


@pytest.mark.parametrize("name", ["role", "language"])
def test_rows_are_refused_when_they_lack_the_column(name: str) -> None:
    with pytest.raises(UserError, match=f"training data have no column `{name}`"):
        RowGroups.of(dataset().remove_columns(name))


def test_rows_are_refused_when_some_do_not_say_their_language() -> None:
    rows = [{"role": "labelled", "language": "en"}, {"role": "labelled", "language": None}]
    with pytest.raises(UserError, match="1 rows of the training data have no language"):
        RowGroups.of(Dataset.from_list(rows))
