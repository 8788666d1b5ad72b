"""Volunteers who record respondents on their own phone or on the panel: each respondent counts as one number."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, ForeignKey, Integer, LargeBinary, Table, Text, UniqueConstraint
from sqlalchemy.sql.expression import true

from gateway.models.base import Hash, metadata

ASSISTED = "assisted"
"""The channel of answers that a volunteer recorded, whichever way they came."""

volunteers = Table(
    "volunteers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("commune", ForeignKey("communes.code"), nullable=False),
    # the number, keyed for looking up and sealed; none where they record on the panel alone
    Column("phone", Hash),
    Column("number", LargeBinary),
    Column("number_key", Integer),
    Column("staff_id", ForeignKey("staff.id")),  # their login, if they have one
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("since", Date, nullable=False),
    UniqueConstraint("phone"),
    UniqueConstraint("staff_id"),
)

recorded = Table(
    "recorded",
    metadata,
    # how many respondents each volunteer recorded on a day: never which
    Column("round_id", ForeignKey("rounds.id"), primary_key=True),
    Column("volunteer_id", ForeignKey("volunteers.id"), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("respondents", Integer, nullable=False),
)
