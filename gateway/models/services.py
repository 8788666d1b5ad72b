"""What is rated. A service's number is on posters: it never changes and is never given again."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    select,
    text,
)
from sqlalchemy.sql.expression import false, true

from gateway.models.base import metadata

services = Table(
    "services",
    metadata,
    Column("id", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("name_km", Text, nullable=False),
    Column("name_latn", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    # as the weekly letter calls it; empty: by its name
    Column("short_km", Text, nullable=False, server_default=text("''")),
    Column("short_latn", Text, nullable=False, server_default=text("''")),
    Column("short_en", Text, nullable=False, server_default=text("''")),
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("sensitive", Boolean, nullable=False, server_default=false()),
    Column("comments", Boolean, nullable=False, server_default=false()),  # taken on it; a sensitive one's by an admin
    UniqueConstraint("number"),
    # 8 opens the menu, 9 is "more", 0 is "back"; from 10 on a number is typed as it stands
    CheckConstraint("number BETWEEN 1 AND 7 OR number BETWEEN 10 AND 99", name="number"),
)

indicators = Table(
    "indicators",
    metadata,
    # the extra questions about a service, answered with the same five scores; a session draws two of them
    Column("id", Text, primary_key=True),
    Column("service_id", ForeignKey("services.id"), nullable=False),
    Column("place", Integer, nullable=False),  # in lists; up to ten that are active
    Column("text_km", Text, nullable=False),
    Column("text_latn", Text, nullable=False),
    Column("text_en", Text, nullable=False),
    Column("active", Boolean, nullable=False, server_default=true()),
)
Index("ix_indicators_service", indicators.c.service_id, indicators.c.place)

STANDARD = (
    ("office", 1, "រដ្ឋបាលឃុំ", "Rothbal khum", "Commune office", "ឃុំ", "Khum", "", True, False),
    ("health", 2, "មណ្ឌលសុខភាព", "Mondol sokhapheap", "Health centre", "សុខភាព", "Sokhapheap", "Health", True, False),
    ("school", 3, "សាលាបឋម", "Sala bathom", "Primary school", "សាលា", "Sala", "School", True, False),
    ("window", 4, "ច្រកតែមួយ", "Chrok te muoy", "One-window office", "ច្រកមួយ", "Chrok muoy", "One-window", True, False),
    ("police", 5, "ប៉ុស្តិ៍នគរបាល", "Post nokorbal", "Police post", "ប៉ុស្តិ៍", "Post", "Police", False, True),
)
"""The services of DOMAIN.md, in the wording of its menus; the police post is off until a programme switches it on."""


def add_standard(connection: Connection) -> None:
    """Adds the standard services to a programme that has none."""
    if connection.execute(select(services.c.id).limit(1)).first() is None:
        names = ("id", "number", "name_km", "name_latn", "name_en", "short_km", "short_latn", "short_en", "active",
                 "sensitive")  # fmt: skip
        connection.execute(services.insert(), [dict(zip(names, row, strict=True)) for row in STANDARD])
