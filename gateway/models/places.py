"""Provinces, districts, communes, villages; and which communes take part in the programme."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKey, Integer, Table, Text, UniqueConstraint, select
from sqlalchemy.sql.expression import true
from sqlalchemy.types import Boolean

from gateway.models.base import metadata

LEVELS = {2: "province", 4: "district", 6: "commune", 8: "village"}
"""Digits of a code and its level; each code is a prefix of those below it (DOMAIN.md, Places)."""

places = Table(
    "places",
    metadata,
    Column("code", Text, primary_key=True),
    Column("level", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("name_km", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    CheckConstraint("level IN ('province', 'district', 'commune', 'village')", name="level"),
)

communes = Table(
    "communes",
    metadata,
    Column("code", Text, ForeignKey("places.code"), primary_key=True),
    # what a poster may print: it never changes and is never given again, switching off leaves a gap
    Column("number", Integer, nullable=False),
    Column("active", Boolean, nullable=False, server_default=true()),
    UniqueConstraint("number"),
)


def join_programme(connection: Connection, codes: list[str]) -> int:
    """Communes that take part from now on, numbered on from the last in the given order; those in stay as they are.

    Returns how many are new.
    """
    taken = {row.code: row.number for row in connection.execute(select(communes.c.code, communes.c.number))}
    number = max(taken.values(), default=0)
    new = [code for code in codes if code not in taken]
    if new:
        rows = [{"code": code, "number": number + i, "active": True} for i, code in enumerate(new, 1)]
        connection.execute(communes.insert(), rows)
    return len(new)
