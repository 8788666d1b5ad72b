"""How the providers do: failures in a row, who is left alone until when, and every change of that with its reason."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Connection, Integer, Table, Text, select

from gateway.models.base import Moment, metadata

provider_health = Table(
    "provider_health",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("failures", Integer, nullable=False),  # in a row
    Column("rests_until", Moment),  # left alone until then; None: in use
    Column("accepted", Moment),  # when it last took a message, to the half minute
)

provider_changes = Table(
    "provider_changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False, index=True),
    Column("provider", Text, nullable=False),
    Column("change", Text, nullable=False),  # rests, back
    Column("reason", Text, nullable=False),
    Column("taken_over_by", Text),
    Column("messages", Integer, nullable=False),  # that were handed to the other
)


def resting(db: Connection, now: datetime) -> set[str]:
    """The providers that are left alone now."""
    statement = select(provider_health.c.provider).where(provider_health.c.rests_until > now)
    return set(db.scalars(statement))
