"""The programme's communes: which take part, under which number, what is below and above them.

A number stands on posters: it never changes and is never given again. A commune that is switched off leaves a gap, and
gets the same number when it is switched on again (DOMAIN.md, Services).
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select, update

from gateway.menus.phrases import Name
from gateway.models.editions import publish
from gateway.models.places import communes, join_programme, places
from gateway.models.rounds import round_communes
from gateway.text import fold, western_digits

MOST = 50
"""So many communes are found by a name; who gets more writes more of it."""


class Why(enum.StrEnum):
    """Why a commune is not switched."""

    UNKNOWN = "there is no such commune"
    ROUND = "a round is open there"


class Refused(Exception):
    """A commune stays as it is."""

    def __init__(self, why: Why) -> None:
        self.why = why
        super().__init__(str(why))


@dataclass(frozen=True)
class Commune:
    """A commune, in the programme or not."""

    code: str
    name: Name
    district: Name | None
    province: Name | None
    number: int | None
    """None: it never took part."""
    active: bool
    has_round: bool
    """Whether a round is open there."""
    villages: int


def listed(
    db: Connection, among: Collection[str] | None = None, first: int = 0, size: int | None = None
) -> list[Commune]:
    """The communes that take part or did, by number; `among`: of these alone."""
    mine = _rows().where(communes.c.number.is_not(None)).order_by(communes.c.number)
    if among is not None:
        mine = mine.where(places.c.code.in_(among))
    return _read(db, mine.offset(first).limit(size))


def count(db: Connection, among: Collection[str] | None = None) -> int:
    """How many take part or did."""
    mine = select(func.count()).select_from(communes)
    return db.scalar(mine if among is None else mine.where(communes.c.code.in_(among))) or 0


def find(db: Connection, code: str) -> Commune | None:
    """A commune by its code."""
    return next(iter(_read(db, _rows().where(places.c.code == code))), None)


def search(db: Connection, wanted: str, among: Collection[str] | None = None) -> list[Commune]:
    """Communes by the beginning of their code, or by a part of their name in either script; at most MOST.

    Names match however their marks were typed; of two that match, the one that begins so comes first.
    """
    code, name = western_digits("".join(wanted.split())), fold(wanted)
    if code.isascii() and code.isdigit():
        found = list(db.scalars(_codes().where(places.c.code.startswith(code)).limit(MOST)))
    else:
        rows = db.execute(_codes().add_columns(places.c.name_km, places.c.name_en)).all() if name else []
        of_each = ((row.code, [fold(row.name_km), fold(row.name_en)]) for row in rows)
        hits = [
            (min(one.find(name) for one in names if name in one) > 0, here)
            for here, names in of_each
            if any(name in one for one in names)
        ]
        found = [here for _, here in sorted(hits)]
    if among is not None:
        found = [here for here in found if here in among]
    by_code = {one.code: one for one in _read(db, _rows().where(places.c.code.in_(found[:MOST])))}
    return [by_code[here] for here in found[:MOST]]


def villages(db: Connection, code: str) -> Sequence[tuple[str, Name]]:
    """The villages of a commune, each with its code."""
    below = (places.c.level == "village") & places.c.code.startswith(code, autoescape=True)
    rows = db.execute(select(places).where(below).order_by(places.c.code))
    return [(row.code, _name(row.name_km, row.name_en)) for row in rows]


def join(db: Connection, code: str, now: datetime) -> bool:
    """Lets a commune take part, under the next number. False when it has one already. Raises Refused."""
    if find(db, code) is None:
        raise Refused(Why.UNKNOWN)
    new = bool(join_programme(db, [code]))
    publish(db, now)
    return new


def switch(db: Connection, code: str, now: datetime, *, on: bool) -> None:
    """Switches a commune of the programme on or off; not off while a round is open there. Raises Refused."""
    mine = communes.c.code == code
    if db.execute(select(communes.c.code).where(mine).with_for_update()).first() is None:
        raise Refused(Why.UNKNOWN)
    still_open = select(round_communes.c.round_id).where(round_communes.c.commune == code, round_communes.c.open)
    if not on and db.execute(still_open).first():
        raise Refused(Why.ROUND)
    db.execute(update(communes).where(mine).values(active=on))
    publish(db, now)


def _codes() -> Select[Any]:
    return select(places.c.code).where(places.c.level == "commune").order_by(places.c.code)


def _rows() -> Select[Any]:
    district, province, code = places.alias(), places.alias(), places.c.code
    here = select(round_communes.c.round_id).where(round_communes.c.commune == code, round_communes.c.open)
    return (
        select(
            places, communes.c.number, communes.c.active, here.exists().label("has_round"),
            district.c.name_km.label("district_km"), district.c.name_en.label("district_en"),
            province.c.name_km.label("province_km"), province.c.name_en.label("province_en"),
        )
        .outerjoin(communes, communes.c.code == code)
        .outerjoin(district, district.c.code == func.substr(code, 1, 4))
        .outerjoin(province, province.c.code == func.substr(code, 1, 2))
        .where(places.c.level == "commune")
    )  # fmt: skip


def _read(db: Connection, statement: Select[Any]) -> list[Commune]:
    rows = db.execute(statement).all()
    of = func.substr(places.c.code, 1, 6)
    below = select(of.label("code"), func.count().label("n")).where(
        places.c.level == "village", of.in_([row.code for row in rows])
    )
    villages = {row.code: row.n for row in db.execute(below.group_by(of))} if rows else {}
    return [
        Commune(
            code=row.code,
            name=_name(row.name_km, row.name_en),
            district=_name(row.district_km, row.district_en) if row.district_km else None,
            province=_name(row.province_km, row.province_en) if row.province_km else None,
            number=row.number,
            active=bool(row.active),
            has_round=row.has_round,
            villages=villages.get(row.code, 0),
        )
        for row in rows
    ]


def _name(km: str, en: str) -> Name:
    return Name(km, en, en)
