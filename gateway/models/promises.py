"""What was promised: action plans and commitments, how they stand, whether villagers saw it done.

An action plan is what was promised in one commune after one round (DOMAIN.md, table, row 7). The check of a commitment
is counted as a rating is: an answer lies under a key of its own, which is destroyed when the check closes; then the
answers become counts, as far as they may be shown. The table of answers has no row numbers that tell an order.
"""

from __future__ import annotations

import enum
import json
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Date,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    func,
    select,
    text,
)
from sqlalchemy.sql.expression import true

from gateway.models.base import Hash, Moment, metadata
from gateway.models.forums import in_each


class Standing(enum.StrEnum):
    """How far a commitment is, as staff or the council say it."""

    PLANNED = "planned"
    UNDER_WAY = "under way"
    DONE = "done"
    DROPPED = "dropped"


commitments = Table(
    "commitments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("commune", ForeignKey("communes.code"), nullable=False),
    Column("round_id", ForeignKey("rounds.id")),  # the round whose report it answers
    Column("forum", ForeignKey("forums.id")),  # at which it was promised; None: by staff
    Column("activity", Text, nullable=False),  # JSON, by language: what villagers read
    Column("responsible", Text, nullable=False),
    Column("proposed_by", Text, nullable=False, server_default=text("''")),
    Column("place", Text, nullable=False, server_default=text("''")),
    Column("quantity", Text, nullable=False, server_default=text("''")),  # "2 wells", "300 m"
    Column("starts", Date),
    Column("due", Date, nullable=False),
    Column("beneficiaries", Integer),
    Column("beneficiaries_female", Integer),
    Column("currency", Text),  # of the cost and of all that pays for it
    Column("cost", BigInteger),  # in hundredths; None: not known
    Column("standing", Text, nullable=False, server_default=Standing.PLANNED),
    Column("shown", Boolean, nullable=False, server_default=true()),  # to villagers, in the menu
    Column("author", ForeignKey("staff.id")),
    Column("created", Moment, nullable=False),
    Column("changed", Moment, nullable=False),
    CheckConstraint(f"standing IN ({', '.join(repr(str(one)) for one in Standing)})", name="standing"),
    CheckConstraint("currency IN ('USD', 'KHR')", name="currency"),
)
Index("ix_commitments_commune", commitments.c.commune, commitments.c.due)

commitment_sources = Table(
    "commitment_sources",
    metadata,
    # who pays, and how much of the cost
    Column("commitment", ForeignKey("commitments.id", ondelete="CASCADE"), primary_key=True),
    Column("place", SmallInteger, primary_key=True),
    Column("name", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),  # in hundredths of the commitment's currency
)

commitment_changes = Table(
    "commitment_changes",
    metadata,
    # how its standing changed, the first one included
    Column("id", Integer, primary_key=True),
    Column("commitment", ForeignKey("commitments.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("standing", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("note", Text, nullable=False, server_default=text("''")),
    Column("by", ForeignKey("staff.id")),
    Column("at", Moment, nullable=False),
)

checks = Table(
    "checks",
    metadata,
    # "was it done?": asked in the menu while it is open, and once by SMS
    Column("id", Integer, primary_key=True),
    Column("commitment", ForeignKey("commitments.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("key", Text),  # the name of the key's file, as a round's; None once it is destroyed
    Column("opened", Date, nullable=False),
    Column("until", Date, nullable=False),  # its last day
    Column("closed", Date),
    Column("counts", Text),  # JSON: what the answers became, `said` and `female`; None where they may not be shown
)
Index("uq_checks_open", checks.c.commitment, unique=True, sqlite_where=checks.c.closed.is_(None),
      postgresql_where=checks.c.closed.is_(None))  # fmt: skip

check_answers = Table(
    "check_answers",
    metadata,
    Column("check_id", ForeignKey("checks.id"), primary_key=True),
    Column("rater", Hash, primary_key=True),  # a number and a who, under the check's key
    Column("phone", Hash, nullable=False),
    Column("who", Text),
    Column("choice", SmallInteger, nullable=False),  # 1 yes, 2 partly, 3 no, 4 does not know
    CheckConstraint("choice BETWEEN 1 AND 4", name="choice"),
    sqlite_with_rowid=False,
)
Index("ix_check_answers_phone", check_answers.c.check_id, check_answers.c.phone)

COUNCIL_FIRST = timedelta(days=7)
"""So long after a check closed councils know what villagers said before everybody does (DOMAIN.md, Rules, 8)."""


def promises_in_menu(db: Connection, oldest: date) -> list[dict[str, Any]]:
    """What villagers may read of promises, as `gateway.menus.promised` takes it: what was due since a day or is asked.

    Of the checks the one that is open, and the figures of the last one that closed, if they may be shown.
    """
    c, asked, last = commitments.c, checks.alias(), checks.alias()
    closed_last = select(func.max(checks.c.id)).where(checks.c.commitment == c.id, checks.c.closed.is_not(None))
    rows = db.execute(
        select(commitments, asked.c.id.label("asked"), last.c.closed, last.c.counts)
        .outerjoin(asked, (asked.c.commitment == c.id) & asked.c.closed.is_(None))
        .outerjoin(last, last.c.id == closed_last.scalar_subquery())
        .where(c.shown, (c.due >= oldest) | asked.c.id.is_not(None))
        .order_by(c.due, c.id)
    )
    return [
        {
            "id": row.id, "commune": row.commune, "due": row.due.isoformat(), "standing": row.standing,
            "activity": list(in_each(json.loads(row.activity)).values()), "check": row.asked,
            "counts": json.loads(row.counts)["said"][:3] if row.counts else None,
            "told": (row.closed + COUNCIL_FIRST).isoformat() if row.counts else None,
        }
        for row in rows
    ]  # fmt: skip
