"""What leaves the programme: released blocks, frozen (DESIGN.md, Ratings and what leaves the programme).

A block is the current answers to one question of one commune's round, from enough numbers that stand in no earlier
block of that round and question. Whoever keeps every block and every sum of blocks finds no two figures whose
difference stands on fewer numbers: a number is in one block at most, wherever it moved between two answers, and what
it answers or withdraws later changes nothing that was told. What is not enough, or unanimous, waits for more.
Every exit, and what an attacker makes of all of them together: docs/releases.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, delete, select

from gateway.models.answers import OVERALL, answers
from gateway.models.releases import blocks, released_phones
from gateway.models.rollups import SCORES, WOMEN, YOUNG
from gateway.models.rounds import rounds
from gateway.models.store import insert, insert_many
from gateway.privacy import Cell, may_show
from gateway.scorecard.tallies import Figures


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
    scored: dict[str, set[bytes]] = {}
    new: list[tuple[Block, set[bytes]]] = []
    of_commune = {"in_round": round_id, "in_commune": commune, "up_to": last}
    for service, indicator, found in _by_question(db.execute(_UNRELEASED, of_commune).all()):
        rows = [row for row in found if indicator == OVERALL or _follows(row, scored)]
        figures = _figures(rows, minimum)
        if figures is None or (service, indicator) in frozen:
            continue
        phones = {row.phone for row in rows}
        if indicator == OVERALL:
            scored[service] = phones
        new.append((Block(commune, round_id, service, last, figures, indicator), phones))
    if new:
        _freeze(db, new)
    return there + [block for block, _ in new]


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


def hold_back(db: Connection, round_id: int, commune: str) -> None:
    """Counts all answers of a commune in a round as told: they stay inside from now on."""
    key = [released_phones.c[name] for name in ("round_id", "service_id", "indicator", "phone")]
    mine = select(*(answers.c[column.name] for column in key)).where(
        answers.c.round_id == round_id, answers.c.commune == commune
    )
    statement = insert(released_phones, db.dialect.name).from_select([column.name for column in key], mine.distinct())
    db.execute(statement.on_conflict_do_nothing())


def forget_released(db: Connection, round_id: int) -> None:
    """Forgets which numbers are in blocks of a round: called when it closes. What was left out stays inside."""
    db.execute(delete(released_phones).where(released_phones.c.round_id == round_id))


def _unreleased() -> Select[Any]:
    """The answers of `in_round` from `in_commune` `up_to` a day that are in no block.

    Question by question, a service's score first; by their number, so that no order tells. `scored`: that number's
    score of the service is in a block.
    """
    same = ("round_id", "service_id", "phone")
    told = select(released_phones.c.phone).where(*(released_phones.c[name] == answers.c[name] for name in same))
    asked = told.where(released_phones.c.indicator == answers.c.indicator)
    extra = answers.c.indicator != OVERALL
    return (
        select(
            answers.c.service_id, answers.c.indicator, answers.c.phone, answers.c.who, answers.c.score,
            and_(extra, told.where(released_phones.c.indicator == OVERALL).exists()).label("scored"),
        )
        .where(
            answers.c.commune == bindparam("in_commune"),
            answers.c.round_id == bindparam("in_round"),
            answers.c.day <= bindparam("up_to"),
            ~asked.exists(),
        )
        .order_by(answers.c.service_id, extra, answers.c.indicator, answers.c.phone)
    )  # fmt: skip


_UNRELEASED = _unreleased()
"""Once: it costs as much to build as to run."""


def _by_question(unreleased: Sequence[Row[Any]]) -> Iterator[tuple[str, str, list[Row[Any]]]]:
    """Service, indicator and answers: the one breakdown that there is, beside that by commune."""
    for (service, indicator), rows in groupby(unreleased, lambda row: (row.service_id, row.indicator)):
        yield service, indicator, list(rows)


def _follows(row: Row[Any], scored: Mapping[str, Collection[bytes]]) -> bool:
    """Whether the number of an answer to an extra question has its score of the service in a block.

    Else the block of an extra question would tell how many had scored, and so that a score is kept back only because
    all of them gave the same.
    """
    return row.scored or row.phone in scored.get(row.service_id, ())


def _figures(rows: Sequence[Row[Any]], minimum: int) -> Figures | None:
    """The figures of answers; None where they may not be shown."""
    scores = [row.score for row in rows]
    counts = tuple(scores.count(score) for score in SCORES)
    numbers = len({row.phone for row in rows})
    if not may_show(Cell(counts, numbers), minimum):
        return None
    female, young = (sum(row.who in ones for row in rows) for ones in (WOMEN, YOUNG))
    return Figures(len(rows), numbers, female, counts, young)


def _freeze(db: Connection, new: Sequence[tuple[Block, Collection[bytes]]]) -> None:
    rows: list[dict[str, Any]] = []
    for block, _ in new:
        figures = block.figures
        values: dict[str, Any] = {
            "commune": block.commune, "round_id": block.round_id, "service_id": block.service, "last": block.last,
            "indicator": block.indicator, "numbers": figures.numbers, "female": figures.female, "young": figures.young,
        }  # fmt: skip
        counts = {f"n{score}": count for score, count in zip(SCORES, figures.counts, strict=True)}
        rows.append(values | counts)
    db.execute(blocks.insert(), rows)
    _mark(db, new)


def _mark(db: Connection, new: Iterable[tuple[Block, Collection[bytes]]]) -> None:
    """Notes which numbers are in blocks: they are in no other of the question."""
    marked = (
        {"round_id": one.round_id, "service_id": one.service, "indicator": one.indicator, "phone": phone}
        for one, phones in new
        for phone in sorted(phones)  # not in the order in which they came
    )
    insert_many(db, released_phones, marked, ("round_id", "service_id", "indicator", "phone"))


def _block(row: Row[Any]) -> Block:
    counts = tuple(getattr(row, f"n{score}") for score in SCORES)
    figures = Figures(n=sum(counts), numbers=row.numbers, female=row.female, counts=counts, young=row.young)
    return Block(row.commune, row.round_id, row.service_id, row.last, figures, row.indicator)
