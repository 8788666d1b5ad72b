"""A forum as it stands, read from its row."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select
from sqlalchemy.sql.expression import true

from gateway.bulk.letters import Audience
from gateway.menus.phrases import Name
from gateway.models.forums import forums, in_each
from gateway.models.places import places
from gateway.text import in_gsm7


@dataclass(frozen=True)
class Forum:
    """A public forum. Texts are by language, as staff left them: some may be missing."""

    id: int
    code: str
    """Of its commune."""
    commune: Name
    title: Mapping[str, str]
    inviter: str
    starts: datetime
    venue: Mapping[str, str]
    note: Mapping[str, str]
    """On travel and cost."""
    callback: str
    groups: tuple[int, ...] = ()
    reminders: tuple[str, ...] = ()
    revision: int = 1
    moved_from: datetime | None = None
    approved: bool = False
    cancelled: bool = False
    author: int | None = None
    attended: int | None = None
    women: int | None = None
    men: int | None = None
    outcome: Mapping[str, str] = field(default_factory=dict)

    def is_ahead(self, now: datetime) -> bool:
        """Whether people may reply to it: approved, not cancelled, not begun."""
        return self.approved and not self.cancelled and now < self.starts

    @property
    def audience(self) -> Audience:
        """Who is invited: the people of its commune who asked for it, and groups."""
        return Audience(groups=self.groups, communes=(self.code,))

    @property
    def told(self) -> Audience:
        """Who knows of it: those to whom anything about it was handed over, and those who replied."""
        return Audience(told=(self.id,))


def find(db: Connection, forum_id: int, *, to_change: bool = False) -> Forum | None:
    """A forum by its id; `to_change`: nobody else changes it before this transaction ends."""
    found = _forums().where(forums.c.id == forum_id)
    row = db.execute(found.with_for_update(of=forums) if to_change else found).first()
    return _forum(row) if row else None


def upcoming(db: Connection, commune: str | None, now: datetime) -> list[Forum]:
    """The forums of a commune (None: of all) that are approved, not cancelled and not begun; the next one first."""
    ahead = _forums().where(forums.c.approved, ~forums.c.cancelled, forums.c.starts > now)
    if commune is not None:
        ahead = ahead.where(forums.c.commune == commune)
    return [_forum(row) for row in db.execute(ahead.order_by(forums.c.starts, forums.c.id))]


def listed(
    db: Connection,
    now: datetime,
    *,
    past: bool,
    first: int = 0,
    size: int | None = None,
    within: Collection[str] | None = None,
) -> list[Forum]:
    """All forums, planned or cancelled: those ahead, the next one first; or those begun, the last one first.

    `within`: of these communes.
    """
    here = _forums().where(_is_of(within))
    if past:
        found = here.where(forums.c.starts <= now).order_by(forums.c.starts.desc(), forums.c.id.desc())
    else:
        found = here.where(forums.c.starts > now).order_by(forums.c.starts, forums.c.id)
    return [_forum(row) for row in db.execute(found.offset(first).limit(size))]


def count_past(db: Connection, now: datetime, within: Collection[str] | None = None) -> int:
    """How many forums have begun."""
    return db.scalar(select(func.count()).select_from(forums).where(forums.c.starts <= now, _is_of(within))) or 0


def at_the_time(db: Connection, code: str, starts: datetime) -> int | None:
    """The forum that a commune has at a moment already, if it is not cancelled."""
    found: int | None = db.scalar(
        select(forums.c.id).where(forums.c.commune == code, forums.c.starts == starts, ~forums.c.cancelled)
    )
    return found


def named(texts: Mapping[str, str]) -> Name:
    """A text as a name in the three languages; one left empty has another stand in."""
    each = in_each(texts)
    return Name(each["km"], in_gsm7(each["km-Latn"]), in_gsm7(each["en"]))


def _is_of(within: Collection[str] | None) -> ColumnElement[bool]:
    return true() if within is None else forums.c.commune.in_(within)


def _forums() -> Select[Any]:
    return select(forums, places.c.name_km, places.c.name_en).join(places, places.c.code == forums.c.commune)


def _forum(row: Row[Any]) -> Forum:
    latin = in_gsm7(row.name_en)
    return Forum(
        id=row.id, code=row.commune, commune=Name(row.name_km, latin, latin), title=json.loads(row.title),
        inviter=row.inviter, starts=row.starts, venue=json.loads(row.venue), note=json.loads(row.note),
        callback=row.callback, groups=tuple(json.loads(row.groups)), reminders=tuple(json.loads(row.reminders)),
        revision=row.revision, moved_from=row.moved_from, approved=row.approved, cancelled=row.cancelled,
        author=row.author, attended=row.attended, women=row.attended_female, men=row.attended_male,
        outcome=json.loads(row.outcome),
    )  # fmt: skip
