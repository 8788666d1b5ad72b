"""Editions: what menus may know of the programme, frozen.

A conversation keeps the edition it began with, so a commune renamed, a service switched off or a round
opened while somebody is dialling never turns a digit into a false rating. An edition never changes:
a process may keep it in memory for ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Integer, Row, Table, Text, delete, func, select

from gateway.config import LANGUAGES
from gateway.models.base import Moment, metadata
from gateway.models.conversations import conversations
from gateway.models.forums import forums, in_each
from gateway.models.information import information, words_of
from gateway.models.installation import pause
from gateway.models.places import communes, places
from gateway.models.promises import promises_in_menu
from gateway.models.rounds import round_communes, round_indicators, round_services
from gateway.models.services import indicators, services
from gateway.text import fold

PROMISES_STAY = timedelta(days=366)
"""So long after its day a promise is in editions: as long as menus show it (menus/promised.py), in any time zone."""

editions = Table(
    "editions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("body", Text, nullable=False),
    Column("made", Moment, nullable=False),
)


_NEWEST = select(func.max(editions.c.id))


def publish(db: Connection, now: datetime) -> int:
    """Makes a new edition when the programme differs from the newest one; returns the newest one's id.

    Call it in the transaction of every change of places, communes, services, rounds, forums or information pages.
    """
    body = json.dumps(_body(db, now), ensure_ascii=False, separators=(",", ":"))
    newest = db.execute(select(editions.c.id, editions.c.body).order_by(editions.c.id.desc()).limit(1)).first()
    if newest is not None and newest.body == body:
        return int(newest.id)
    made = db.execute(editions.insert().values(body=body, made=now)).inserted_primary_key
    assert made is not None
    return int(made[0])


def newest(db: Connection) -> int:
    """The id of the newest edition; 0 before the programme has one."""
    return db.scalar(_NEWEST) or 0


def beginning(db: Connection) -> datetime | None:
    """When the programme got its first edition: since then this installation exists."""
    return db.scalar(select(editions.c.made).order_by(editions.c.id).limit(1))


def unused(db: Connection, before: datetime) -> list[int]:
    """The editions that were followed by another one before a moment, and that no conversation names any more.

    Never the first, whose date is the beginning.
    """
    e = editions.c
    followed = select(func.max(e.id)).where(e.made < before).scalar_subquery()
    first = select(func.min(e.id)).scalar_subquery()
    old = set(db.scalars(select(e.id).where(e.id > first, e.id < followed)))
    if old:
        old -= {json.loads(facts)["edition"] for facts in db.scalars(select(conversations.c.facts))}
    return sorted(old)


def remove(db: Connection, ids: Iterable[int]) -> int:
    """Removes editions; returns how many were there."""
    return db.execute(delete(editions).where(editions.c.id.in_(ids))).rowcount


def read_edition(db: Connection, edition: int) -> dict[str, Any]:
    """The body of an edition."""
    body: dict[str, Any] = json.loads(db.scalars(select(editions.c.body).where(editions.c.id == edition)).one())
    return body


def _body(db: Connection, now: datetime) -> dict[str, Any]:
    columns = (communes.c.code, communes.c.number, places.c.name_km, places.c.name_en)
    active = select(*columns).join(places, places.c.code == communes.c.code).where(communes.c.active)
    members = db.execute(active.order_by(communes.c.number)).all()
    above = {code[:size] for code, *_ in members for size in (2, 4)}
    names = select(places.c.code, places.c.name_km, places.c.name_en).where(
        places.c.level.in_(["province", "district"])
    )
    open_rounds = select(round_communes.c.commune, round_communes.c.round_id).where(round_communes.c.open)
    round_by_commune = {row.commune: row.round_id for row in db.execute(open_rounds)}
    rated = (
        select(round_services)
        .join(services, services.c.id == round_services.c.service_id)
        .where(services.c.active, round_services.c.round_id.in_(set(round_by_commune.values())))
    )
    of_round: dict[int, list[str]] = {}
    for row in db.execute(rated.order_by(round_services.c.service_id)):
        of_round.setdefault(row.round_id, []).append(row.service_id)
    asked = (
        select(round_indicators.c.round_id, indicators)
        .join(indicators, indicators.c.id == round_indicators.c.indicator_id)
        .where(indicators.c.active, round_indicators.c.round_id.in_(set(round_by_commune.values())))
        .order_by(indicators.c.service_id, indicators.c.place, indicators.c.id)
    )
    questions: dict[int, list[list[str]]] = {}
    for row in db.execute(asked):
        one = [row.id, row.service_id, row.text_km, row.text_latn, row.text_en]
        questions.setdefault(row.round_id, []).append(one)
    pages = _not_over(db, now.date() - timedelta(days=1))  # somewhere it may still be yesterday
    catalogue = db.execute(select(services).order_by(services.c.number)).all()
    return {
        "communes": [[*row, round_by_commune.get(row.code)] for row in members],
        "above": {row.code: [row.name_km, row.name_en] for row in db.execute(names) if row.code in above},
        "services": [[s.id, s.number, s.name_km, s.name_latn, s.name_en] for s in catalogue],
        "rounds": {str(round_id): ids for round_id, ids in of_round.items()},
        "indicators": {str(round_id): ones for round_id, ones in questions.items()},
        "forums": _forums(db, now),
        "promises": promises_in_menu(db, now.date() - PROMISES_STAY),
        "pause": [day.isoformat() for day in pause(db) or ()],
        "comments": [s.id for s in catalogue if s.comments and s.active],
        "information": {code: json.dumps(of_commune, ensure_ascii=False) for code, of_commune in _pages(pages).items()},
        "words": sorted(set(map(fold, {word for row in pages for ones in words_of(row).values() for word in ones}))),
    }


def _forums(db: Connection, now: datetime) -> list[dict[str, Any]]:
    """The forums that people may come to; texts in the order of `config.LANGUAGES`."""
    ahead = (forums.c.starts > now) & forums.c.approved & ~forums.c.cancelled
    rows = db.execute(select(forums).where(ahead).order_by(forums.c.starts, forums.c.id))
    return [
        {name: row[name] for name in ("id", "revision", "commune", "callback")}
        | {"starts": row.starts.isoformat()}
        | {text: list(in_each(json.loads(row[text])).values()) for text in ("title", "venue", "note")}
        for row in rows.mappings()
    ]


def _not_over(db: Connection, day: date) -> list[Row[Any]]:
    """The information pages that people may read on a day or later."""
    i = information.c
    ahead = i.valid_until.is_(None) | (i.valid_until >= day)
    return list(db.execute(select(information).where(~i.archived, ahead).order_by(i.commune, i.id)))


def _pages(rows: Iterable[Row[Any]]) -> dict[str, list[Any]]:
    """Information pages by commune, those for all under the empty one, as `gateway.menus.shelf` reads them."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        texts = [list(in_each(json.loads(text)).values()) for text in (row.title, row.body, row.source)]
        days = (row.valid_from.isoformat(), row.valid_until and row.valid_until.isoformat())
        asked = words_of(row)
        words = [asked.get(language, []) for language in LANGUAGES]
        found.setdefault(row.commune or "", []).append([row.id, row.service_id, row.about, texts, words, *days])
    return found
