"""Parts of messages."""

import pytest

from xlkd.errors import in_one_line


@pytest.mark.parametrize(("most", "expected"), [(None, "one two three"), (7, "one two")])
def test_exception_is_on_one_line_and_no_longer_than_asked_for(most: int | None, expected: str) -> None:
    assert in_one_line(ValueError(" one\n  two\tthree\n"), most) == expected
