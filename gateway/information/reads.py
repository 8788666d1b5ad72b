"""How often information pages are read: by month and channel, and nothing of who.

A page counts as read when it is shown, once for each input that asks for it: a repeat of a request counts nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, Connection, func, select

from gateway.models.information import information, information_reads
from gateway.models.store import insert


@dataclass(frozen=True)
class Month:
    """How often a page was read in a month."""

    first: date
    ussd: int
    sms: int

    @property
    def times(self) -> int:
        """By both."""
        return self.ussd + self.sms


def count(db: Connection, page: int, channel: str, today: date) -> None:
    """Counts one reading."""
    statement = insert(information_reads, db.dialect.name)
    more = {"times": information_reads.c.times + 1}
    once = statement.values(page=page, month=today.replace(day=1), channel=channel, times=1)
    db.execute(once.on_conflict_do_update(index_elements=list(information_reads.primary_key), set_=more))


def most_read(db: Connection, since: date, most: int, mine: ColumnElement[bool] | None = None) -> list[tuple[int, int]]:
    """The pages that were read most since the month of a day, each with how often; `mine`: which may be told of."""
    r = information_reads.c
    times = func.sum(r.times)
    read = select(r.page, times).join(information, information.c.id == r.page).where(r.month >= since.replace(day=1))
    read = read if mine is None else read.where(mine)
    rows = db.execute(read.group_by(r.page).order_by(times.desc(), r.page).limit(most))
    return [(page, int(count)) for page, count in rows]


def times(db: Connection, pages: Collection[int]) -> dict[int, int]:
    """How often each of some pages was read in all."""
    r = information_reads.c
    rows = db.execute(select(r.page, func.sum(r.times)).where(r.page.in_(pages)).group_by(r.page))
    return {page: int(count) for page, count in rows}


def by_month(db: Connection, page: int) -> list[Month]:
    """How often a page was read, month by month, the newest first."""
    r = information_reads.c
    found: dict[date, dict[str, int]] = {}
    for row in db.execute(select(r.month, r.channel, r.times).where(r.page == page).order_by(r.month.desc())):
        found.setdefault(row.month, {})[row.channel] = row.times
    return [Month(month, channels.get("ussd", 0), channels.get("sms", 0)) for month, channels in found.items()]
