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
from gateway.scorecard.tallies import WOMEN, YOUNG, Figures


@dataclass(frozen=True)
class Block:
    """Figures that may be told, as they were on the day of their release."""

    commune: str
    round_id: int
    service: str
    last: date
    """Answers up to this day."""
    figures: Figures
    indicator: str = OVERALL


def release(db: Connection, round_id: int, commune: str, last: date, minimum: int) -> list[Block]:
    """Freezes what may be told by now of a commune's services, of answers up to a day; returns the blocks of that day.

    A service, and each of its indicators, gets one block of a day, however often this is asked for. A round that is
    closed gets none: which of its numbers are in a block is forgotten by then. `minimum` is of distinct numbers.
    """
    locked = select(rounds.c.closed).where(rounds.c.id == round_id).with_for_update(key_share=True)
    closed = db.execute(locked).scalar_one()  # two that release at once take turns; whoever rates does not wait
    there = blocks_of(db, round_id, [commune], last, last, indicator=None)
    if closed is not None:
        return there
    frozen = {(block.service, block.indicator) for block in there}
    unreleased = db.execute(_unreleased(round_id, commune, last)).all()
    for (service, indicator), found in groupby(unreleased, lambda row: (row.service_id, row.indicator)):
        rows = list(found)
        figures = _figures(rows, minimum)
        if figures is not None and (service, indicator) not in frozen:
            there.append(Block(commune, round_id, service, last, figures, indicator))
            _freeze(db, there[-1], sorted({row.phone for row in rows}))
    return there


def blocks_of(
    db: Connection,
    round_id: int,
    communes: Collection[str],
    first: date = date.min,
    last: date = date.max,
    *,
    indicator: str | None = OVERALL,
) -> list[Block]:
    """The blocks of communes in a round, released with answers up to one of these days; the oldest first.

    Those of the services' own scores; `indicator=None`: also those of the extra questions.
    """
    found = (
        select(blocks)
        .where(blocks.c.round_id == round_id, blocks.c.commune.in_(communes), blocks.c.last.between(first, last))
        .order_by(blocks.c.last, blocks.c.commune, blocks.c.service_id, blocks.c.indicator)
    )
    if indicator is not None:
        found = found.where(blocks.c.indicator == indicator)
    return [_block(row) for row in db.execute(found)]


def total(parts: Iterable[Block]) -> Figures | None:
    """The sum of blocks of one question and round, of one commune or of several; None where there is no block.

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
        young=sum(one.young for one in summed),
    )


def forget_released(db: Connection, round_id: int) -> None:
    """Forgets which numbers are in blocks of a round: called when it closes. What was left out stays inside."""
    db.execute(delete(released_phones).where(released_phones.c.round_id == round_id))


def _unreleased(round_id: int, commune: str, last: date) -> Select[Any]:
    """The answers that are in no block, question by question; by their number, so that no order tells."""
    told = (
        select(released_phones.c.phone)
        .where(
            released_phones.c.round_id == answers.c.round_id,
            released_phones.c.service_id == answers.c.service_id,
            released_phones.c.indicator == answers.c.indicator,
            released_phones.c.phone == answers.c.phone,
        )
        .exists()
    )
    return (
        select(answers.c.service_id, answers.c.indicator, answers.c.phone, answers.c.who, answers.c.score)
        .where(
            answers.c.commune == commune,
            answers.c.round_id == round_id,
            answers.c.day <= last,
            ~told,
        )
        .order_by(answers.c.service_id, answers.c.indicator, answers.c.phone)
    )


def _figures(rows: Sequence[Row[Any]], minimum: int) -> Figures | None:
    """The figures of answers; None where they may not be shown."""
    scores = [row.score for row in rows]
    counts = tuple(scores.count(score) for score in SCORES)
    numbers = len({row.phone for row in rows})
    if not may_show(Cell(counts, numbers), minimum):
        return None
    female, young = (sum(row.who in ones for row in rows) for ones in (WOMEN, YOUNG))
    return Figures(len(rows), numbers, female, counts, young)


def _freeze(db: Connection, block: Block, phones: Sequence[bytes]) -> None:
    figures = block.figures
    values: dict[str, Any] = {
        "commune": block.commune, "round_id": block.round_id, "service_id": block.service, "last": block.last,
        "indicator": block.indicator, "numbers": figures.numbers, "female": figures.female, "young": figures.young,
    }  # fmt: skip
    counts = {f"n{score}": count for score, count in zip(SCORES, figures.counts, strict=True)}
    db.execute(blocks.insert().values(values | counts))
    mine = {"round_id": block.round_id, "service_id": block.service, "indicator": block.indicator}
    db.execute(released_phones.insert(), [mine | {"phone": phone} for phone in phones])


def _block(row: Row[Any]) -> Block:
    counts = tuple(getattr(row, f"n{score}") for score in SCORES)
    figures = Figures(n=sum(counts), numbers=row.numbers, female=row.female, counts=counts, young=row.young)
    return Block(row.commune, row.round_id, row.service_id, row.last, figures, row.indicator)
