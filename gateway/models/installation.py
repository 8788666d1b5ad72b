"""What this installation knows of itself: whether its data are invented."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Table, Text, select

from gateway.models.base import metadata

installation = Table(
    "installation",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)


def is_demo(db: Connection) -> bool:
    """Whether the data are invented."""
    return db.scalar(select(installation.c.value).where(installation.c.name == "demo")) is not None


def mark_demo(db: Connection) -> None:
    """Says of the data, for good, that they are invented."""
    db.execute(installation.insert().values(name="demo", value="yes"))
