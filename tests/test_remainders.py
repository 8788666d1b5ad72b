"""What comes out of sums and differences of breakdowns, against a count of all there are."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.remainders import Where, remainders

Groups = Sequence[Mapping[Where, tuple[int, ...]]]


def tables(others: int) -> st.SearchStrategy[list[dict[Where, tuple[int, ...]]]]:
    """Up to five groups; each cell is a power of two, so that a sum says which cells are in it."""
    at = st.tuples(*[st.integers(-1, 2)] * others)
    groups = st.lists(st.sets(at, max_size=8), min_size=1, max_size=5)
    return groups.map(
        lambda found: [
            {where: (1 << 8 * number + place, 1) for place, where in enumerate(sorted(group))}
            for number, group in enumerate(found)
        ]
    )


def all_there_are(groups: Groups) -> set[int]:
    """Every choice of classes, tried one by one."""
    wheres = sorted({where for group in groups for where in group})
    others = len(wheres[0]) if wheres else 0
    classes = [sorted({where[other] for where in wheres}) for other in range(others)]
    chosen = (itertools.chain(*(itertools.combinations(of, size) for size in range(len(of) + 1))) for of in classes)
    found = set()
    for choice in itertools.product(*map(list, chosen)):
        times = {where: sum(where[other] in of for other, of in enumerate(choice)) for where in wheres}
        least = [min((times[where] for where in group), default=0) for group in groups]
        if all(times[where] - low <= 1 for group, low in zip(groups, least, strict=True) for where in group):
            found.add(
                sum(
                    cell[0] * (times[where] - low)
                    for group, low in zip(groups, least, strict=True)
                    for where, cell in group.items()
                )
            )
    return found - {0}


@settings(deadline=None, max_examples=300, database=None)
@given(st.integers(0, 2).flatmap(tables))
def test_nothing_is_left_out_and_nothing_made_up(groups: Groups) -> None:
    assert {sums[0] for sums, _ in remainders(groups, 2)} == all_there_are(groups)


@settings(deadline=None, max_examples=100, database=None)
@given(st.integers(1, 2).flatmap(tables))
def test_the_groups_that_it_is_made_of_are_named(groups: Groups) -> None:
    for sums, concerned in remainders(groups, 2):
        left = {at for at, group in enumerate(groups) for cell in group.values() if sums[0] & cell[0]}
        assert left <= set(concerned)


def test_counts_do_not_run_into_each_other() -> None:
    groups: Groups = [{(0,): (10**9, 3), (1,): (7, 10**9)}, {(1,): (5, 2)}]
    assert {sums for sums, _ in remainders(groups, 2)} == {(10**9, 3), (7, 10**9)}
