"""A commune's round cut into cells, and which of them staff may see (DOMAIN.md, Privacy, the inner circle).

A cell is shown from a minimum of distinct numbers on, when it is not unanimous, and when what is shown beside it does
not give away a cell that is hidden. Staff may look at one breakdown after the other. Of those that part the same
answers (by channel, by who, by week) each is therefore cut so that it holds together with the ones before it in that
order: see `privacy.shown_beside`. Which cells of a breakdown are shown does not depend on what was looked at.

This is decided commune by commune. Every figure of more than one commune is the sum of what is shown of each, so
nobody learns from it what the communes' own figures do not tell.
"""

from __future__ import annotations

import operator
from collections.abc import Hashable, Iterator, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from gateway.models.answers import OVERALL
from gateway.models.rollups import PEOPLE, SCORES, UNSAID, counts, totals
from gateway.privacy import Cell, may_show, shown_beside

NO_WHO = "unsaid"
"""Who did not want to say, or hung up before it was asked: one part of a breakdown."""

PARTING = ("channel", "who", "week")
"""Breakdowns that part the answers to one question. Each gives way to those before it."""

Counts = tuple[int, ...]
"""n1 to n5, numbers that lead, female, young: as `rollups` counts them."""


def shown_cells(
    db: Connection, rounds: Mapping[str, int], by: str | None, minimum: int
) -> Iterator[tuple[str, str, Any, Counts]]:
    """What may be seen of communes' rounds (ids by code): commune, service, part, counts.

    `by` is one of PARTING, whose parts are of the services' own scores; or `indicator`, whose parts are questions of
    their own, the service's score among them; or None: each service is one part, None.
    """
    dimensions = PARTING[: PARTING.index(by) + 1] if by in PARTING else ("indicator",) if by else ()
    only = {} if by == "indicator" else {"indicator": OVERALL}
    keys = ("commune", "round_id", "service_id", *dimensions)
    where: dict[str, Any] = {"round_id": set(rounds.values()), "communes": rounds.keys(), **only}
    found = counts(db, keys, people=PEOPLE, **where) if by in PARTING else totals(db, keys, **where)
    mine = (row for row in found if rounds[row.commune] == row.round_id)
    for (commune, service), rows in groupby(mine, lambda row: (row.commune, row.service_id)):
        cells: dict[tuple[Hashable, ...], Counts] = {}
        for row in rows:  # the keys, then what is counted
            at = tuple(NO_WHO if value == UNSAID else value for value in row[3 : len(keys)])
            its = tuple(row[len(keys) :])
            cells[at] = add(cells[at], its) if at in cells else its
        if by in PARTING:
            parts = _summed(cells, len(dimensions) - 1)
            visible = visible_parts(cells, len(dimensions), minimum)
        else:
            parts = {at[0] if at else None: cell for at, cell in cells.items()}
            visible = {part for part, cell in parts.items() if may_show(_cell(cell), minimum)}
            if by and OVERALL not in visible:  # whoever answers more gave a score: else it would be known as unanimous
                visible = set()
        for part, cell in parts.items():
            if part in visible:
                yield commune, service, part, cell


def add(one: Counts, other: Counts) -> Counts:
    """Counts of different answers, together."""
    return tuple(map(operator.add, one, other))


def visible_parts(cells: Mapping[tuple[Hashable, ...], Counts], dimensions: int, minimum: int) -> set[Hashable]:
    """The parts of the last of so many breakdowns that are shown, each breakdown beside all before it."""
    classes: list[dict[Hashable, int]] = []
    visible: set[Hashable] = set()
    for place in range(dimensions):
        parts: dict[Hashable, dict[tuple[int, ...], Counts]] = {}
        for where, cell in cells.items():
            beside = tuple(its.get(part, -1) for its, part in zip(classes, where, strict=False))
            part = parts.setdefault(where[place], {})
            part[beside] = add(part[beside], cell) if beside in part else cell
        told = [{beside: _cell(cell) for beside, cell in part.items()} for part in parts.values()]
        shown = shown_beside(told, minimum)
        visible = {part for part, one in zip(parts, shown, strict=True) if one}
        classes.append({part: i for i, part in enumerate(visible)})  # the rest, hidden, is -1
    return visible


def _summed(cells: Mapping[tuple[Hashable, ...], Counts], place: int) -> dict[Any, Counts]:
    """Cells added up by one of their dimensions."""
    parts: dict[Any, Counts] = {}
    for where, cell in cells.items():
        at = where[place]
        parts[at] = add(parts[at], cell) if at in parts else cell
    return parts


def _cell(cell: Counts) -> Cell:
    return Cell(cell[: len(SCORES)], cell[len(SCORES)])
