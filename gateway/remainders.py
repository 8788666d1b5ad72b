"""What comes out when figures of the same answers, broken down in different ways, are added and subtracted.

Pure, and quick: staff wait for it on every page by week.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

Where = tuple[int, ...]
"""In which class of each other breakdown a cell lies; of two at most."""
Sums = tuple[int, ...]
"""What is counted of a cell."""
_WIDTH = 40
"""Bits of a count when several are kept as one number: nobody has a million million answers."""


def remainders(groups: Sequence[Mapping[Where, Sums]], size: int) -> Iterator[tuple[Sums, list[int]]]:
    """What is left, `size` sums each, with the groups of which it is made, by their place.

    Some classes of one other breakdown and some of the second are added up, so each cell is counted never, once or
    twice; then each group is taken away as often as its cell that is counted least. Single cells are left where no
    group has a cell counted twice beside one never counted: where a class of the second that has cells in the chosen
    classes of the first is chosen, so are all that have cells of the same group elsewhere. Only such choices
    (`_closed`) are tried: of the thousands for the weeks of a round mostly a few dozen.
    """
    wheres = sorted({where for group in groups for where in group})
    firsts, seconds = ({one: at for at, one in enumerate(sorted(those))} for those in _classes(wheres))
    sums_of_first, sums_of_second = [0] * len(firsts), [0] * len(seconds)
    there: list[tuple[list[int], int]] = []
    for group in groups:
        beside, together = [0] * len(firsts), 0  # the second's classes in each of the first's, as bits; all answers
        for where, sums in group.items():
            first, second = _pair(where)
            packed = _packed(sums)
            beside[firsts[first]] |= 1 << seconds[second]
            sums_of_first[firsts[first]] += packed
            sums_of_second[seconds[second]] += packed
            together += packed
        there.append((beside, together))
    added_second = _choices(sums_of_second)
    for chosen, added_first in enumerate(_choices(sums_of_first)[:-1]):  # all of them say what none of them says
        split = [(_either(beside, chosen), _either(beside, ~chosen), whole) for beside, whole in there]
        for second in _closed({(inside, outside) for inside, outside, _ in split}, len(seconds)):
            left = added_first + added_second[second]
            for inside, outside, whole in split:
                if not outside & ~second:
                    left -= whole if outside or inside & ~second else 2 * whole
            if left:
                yield _unpacked(left, size), [i for i, (a, b, _) in enumerate(split) if a or b & second]


def _classes(wheres: Iterable[Where]) -> tuple[set[int], set[int]]:
    pairs = [_pair(where) for where in wheres]
    return {first for first, _ in pairs}, {second for _, second in pairs}


def _pair(where: Where) -> tuple[int, int]:
    """Where a cell lies in two other breakdowns; one that is not there has a single class."""
    first, second = (0, 0, *where)[-2:] if len(where) < 2 else where
    return first, second


def _choices(sums: Sequence[int]) -> list[int]:
    """What every choice of classes comes to; a choice is its place in the list, as bits."""
    found = [0]
    for one in sums:
        found += [before + one for before in found]
    return found


def _either(beside: Sequence[int], chosen: int) -> int:
    """The bits of all that are chosen."""
    found = 0
    for at, bits in enumerate(beside):
        if chosen >> at & 1:
            found |= bits
    return found


def _closed(sides: Iterable[tuple[int, int]], size: int) -> list[int]:
    """The choices of classes that have, with any class of the one side, all of the other, for each pair of sides."""
    reached = [1 << at for at in range(size)]
    for inside, outside in sides:
        for at in range(size):
            if inside >> at & 1:
                reached[at] |= outside
    for over in range(size):
        for at in range(size):
            if reached[at] >> over & 1:
                reached[at] |= reached[over]
    found = {0}
    for one in set(reached):
        found |= {before | one for before in found}
    return sorted(found)


def _packed(sums: Sums) -> int:
    """Sums as one number: so they are added and taken away at once."""
    found = 0
    for one in reversed(sums):
        found = found << _WIDTH | one
    return found


def _unpacked(packed: int, size: int) -> Sums:
    return tuple(packed >> _WIDTH * at & (1 << _WIDTH) - 1 for at in range(size))
