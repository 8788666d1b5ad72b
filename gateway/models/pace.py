"""What is kept of time: the clock's finished periods, and how much each provider may be given when Redis is away."""

from __future__ import annotations

from sqlalchemy import Column, Float, Table, Text

from gateway.models.base import Moment, metadata

periods = Table(
    "periods",
    metadata,
    Column("task", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("done", Moment, nullable=False),
)

paces = Table(
    "paces",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("segments", Float, nullable=False),  # that may go now
    Column("at", Moment, nullable=False),
)
