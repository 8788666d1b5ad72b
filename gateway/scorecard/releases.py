"""What leaves the programme: released blocks, frozen (DESIGN.md, Ratings and what leaves the programme).

A block is the current answers for one service of one commune's round, from enough numbers that stand in no earlier
block of that round and service. Whoever keeps every block and every sum of blocks finds no two figures whose
difference stands on fewer numbers: a number is in one block at most, wherever it moved between two answers, and what
it answers or withdraws later changes nothing that was told. What is not enough, or unanimous, waits for more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, select

from gateway.models.answers import OVERALL, answers
from gateway.models.releases import blocks, released_phones
from gateway.models.rollups import SCORES
from gateway.models.rounds import rounds
from gateway.privacy import Cell, may_show
from gateway.scorecard.tallies import WOMEN, Figures


@dataclass(frozen=True)
class Block:
    """Figures that may be told, as they were on the day of their release."""

    commune: str
    round_id: int
    service: str
    last: date
    """Answers up to this day."""
    figures: Figures


def release(db: Connection, round_id: int, commune: str, last: date, minimum: int) -> list[Block]:
    """Freezes what may be told by now of a commune's services, of answers up to a day; returns the blocks of that day.

    A service gets one block of a day, however often this is asked for. A round that is closed gets none: which of its
    numbers are in a block is forgotten by then. `minimum` is of distinct numbers.
    """
    locked = select(rounds.c.closed).where(rounds.c.id == round_id).with_for_update(key_share=True)
    closed = db.execute(locked).scalar_one()  # two that release at once take turns; whoever rates does not wait
    there = blocks_of(db, round_id, [commune], last, last)
    if closed is not None:
        return there
    frozen = {block.service for block in there}
    for service, found in groupby(db.execute(_unreleased(round_id, commune, last)).all(), lambda row: row.service_id):
        rows = list(found)
        figures = _figures(rows, minimum)
        if figures is not None and service not in frozen:
            there.append(Block(commune, round_id, service, last, figures))
            _freeze(db, there[-1], sorted({row.phone for row in rows}))
    return there


def blocks_of(
    db: Connection, round_id: int, communes: Collection[str], first: date = date.min, last: date = date.max
) -> list[Block]:
    """The blocks of communes in a round, released with answers up to one of these days; the oldest first."""
    found = (
        select(blocks)
        .where(blocks.c.round_id == round_id, blocks.c.commune.in_(communes), blocks.c.last.between(first, last))
        .order_by(blocks.c.last, blocks.c.commune, blocks.c.service_id)
    )
    return [_block(row) for row in db.execute(found)]


def total(parts: Iterable[Block]) -> Figures | None:
    """The sum of blocks of one service and round, of one commune or of several; None where there is no block.

    It is a figure that may be told: no number is in two of them.
    """
    summed = [block.figures for block in parts]
    if not summed:
        return None
    return Figures(
        n=sum(one.n for one in summed),
        numbers=sum(one.numbers for one in summed),
        female=sum(one.female for one in summed),
        counts=tuple(sum(column) for column in zip(*(one.counts for one in summed), strict=True)),
    )


def forget_released(db: Connection, round_id: int) -> None:
    """Forgets which numbers are in blocks of a round: called when it closes. What was left out stays inside."""
    db.execute(delete(released_phones).where(released_phones.c.round_id == round_id))


def _unreleased(round_id: int, commune: str, last: date) -> Select[Any]:
    """The answers that are in no block, service by service; by their number, so that an order tells nothing."""
    told = (
        select(released_phones.c.phone)
        .where(
            released_phones.c.round_id == answers.c.round_id,
            released_phones.c.service_id == answers.c.service_id,
            released_phones.c.phone == answers.c.phone,
        )
        .exists()
    )
    return (
        select(answers.c.service_id, answers.c.phone, answers.c.who, answers.c.score)
        .where(
            answers.c.commune == commune,
            answers.c.round_id == round_id,
            answers.c.indicator == OVERALL,
            answers.c.day <= last,
            ~told,
        )
        .order_by(answers.c.service_id, answers.c.phone)
    )


def _figures(rows: Sequence[Row[Any]], minimum: int) -> Figures | None:
    """The figures of answers; None where they may not be shown."""
    scores = [row.score for row in rows]
    counts = tuple(scores.count(score) for score in SCORES)
    numbers = len({row.phone for row in rows})
    if not may_show(Cell(counts, numbers), minimum):
        return None
    return Figures(len(rows), numbers, sum(row.who in WOMEN for row in rows), counts)


def _freeze(db: Connection, block: Block, phones: Sequence[bytes]) -> None:
    figures = block.figures
    values: dict[str, Any] = {
        "commune": block.commune, "round_id": block.round_id, "service_id": block.service, "last": block.last,
        "numbers": figures.numbers, "female": figures.female,
    }  # fmt: skip
    counts = {f"n{score}": count for score, count in zip(SCORES, figures.counts, strict=True)}
    db.execute(blocks.insert().values(values | counts))
    mine = {"round_id": block.round_id, "service_id": block.service}
    db.execute(released_phones.insert(), [mine | {"phone": phone} for phone in phones])


def _block(row: Row[Any]) -> Block:
    counts = tuple(getattr(row, f"n{score}") for score in SCORES)
    figures = Figures(n=sum(counts), numbers=row.numbers, female=row.female, counts=counts)
    return Block(row.commune, row.round_id, row.service_id, row.last, figures)
