"""The split of the embedded data set: emoji that are near-twins in English stay on one side.

Without families one test emoji in four has a near-twin in training ("man tipping hand", "person tipping hand"),
and every score flatters by 3 to 12 points. The build script and the tests use this one definition.
"""

import random
import re
from collections.abc import Iterator, Mapping
from itertools import combinations

TEST_SIZE = 400
VALIDATION_SIZE = 100
LABELLED_SIZE = 540
LARGEST_EVALUATED_FAMILY = 20

Family = list[str]


def words_of(text: str) -> frozenset[str]:
    r"""The words by which two emoji are compared: the lower-cased `\w+` tokens of an English text.

    Args:
        text (`str`): Name and keywords of one emoji in English.

    Returns:
        `frozenset[str]`: Its words.

    Example:

    ```python
    >>> sorted(words_of("red heart, love, Red"))
    ['heart', 'love', 'red']
    ```
    """
    return frozenset(re.findall(r"\w+", text.lower()))


def families(english: Mapping[str, str]) -> list[Family]:
    """Group the emoji whose English texts are near-identical.

    Two emoji are linked when they share at least half of the union of their words; a family is a connected component
    of these links.

    Args:
        english (`Mapping[str, str]`): Emoji to English text.

    Returns:
        `list[list[str]]`: The families in code-point order, each in code-point order.

    Example:

    ```python
    >>> families({"a": "red heart", "b": "red heart, love", "c": "dog"})
    [['a', 'b'], ['c']]
    ```
    """
    words = {emoji: words_of(english[emoji]) for emoji in sorted(english)}
    family_of = {emoji: [emoji] for emoji in words}
    for first, second in combinations(words, 2):
        shared = len(words[first] & words[second])
        linked = 2 * shared >= len(words[first] | words[second])
        if linked and family_of[first] is not family_of[second]:
            family_of[first].extend(family_of[second])
            for emoji in family_of[second]:
                family_of[emoji] = family_of[first]
    distinct = {id(family): sorted(family) for family in family_of.values()}
    return sorted(distinct.values())


def split_by_family(english: Mapping[str, str]) -> dict[str, str]:
    """Assign every emoji to `labelled`, `transfer`, `validation` or `test`, whole families at a time.

    Families of at most 20 emoji are shuffled with seed 0 and fill test until it has 400 emoji, then validation until
    100. The rest, sorted again and shuffled with seed 1, fills labelled until 540; what remains is transfer.

    Args:
        english (`Mapping[str, str]`): Emoji to English text.

    Returns:
        `dict[str, str]`: Emoji to split, in code-point order.

    Example:

    ```python
    >>> split_by_family({"a": "red heart"})
    {'a': 'test'}
    ```
    """
    everything = families(english)
    # A very large family would fill most of a small evaluation set with one topic, so it always trains.
    evaluated = [family for family in everything if len(family) <= LARGEST_EVALUATED_FAMILY]
    random.Random(0).shuffle(evaluated)
    queue = iter(evaluated)
    split = _take(queue, TEST_SIZE, "test") | _take(queue, VALIDATION_SIZE, "validation")

    training = [family for family in everything if family[0] not in split]
    random.Random(1).shuffle(training)
    queue = iter(training)
    split |= _take(queue, LABELLED_SIZE, "labelled")
    split |= {emoji: "transfer" for family in queue for emoji in family}
    return {emoji: split[emoji] for emoji in sorted(split)}


def _take(queue: Iterator[Family], at_least: int, name: str) -> dict[str, str]:
    """Take families from the front of `queue` until there are `at_least` emoji, and put them in the split `name`."""
    taken: dict[str, str] = {}
    while len(taken) < at_least and (family := next(queue, None)) is not None:
        taken.update(dict.fromkeys(family, name))
    return taken
