"""What left the programme: released blocks, frozen, and the weekly letters to councils that were made of them.

Source: DESIGN.md, Ratings and what leaves the programme.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Date,
    ForeignKey,
    Index,
    Integer,
    Select,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    select,
    update,
)

from gateway.models.answers import OVERALL
from gateway.models.base import Hash, Moment, metadata
from gateway.models.broadcasts import broadcasts
from gateway.models.places import places
from gateway.models.promises import commitments
from gateway.models.rounds import round_communes
from gateway.models.staff import staff

blocks = Table(
    "blocks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("commune", ForeignKey("communes.code"), nullable=False),
    Column("round_id", ForeignKey("rounds.id"), nullable=False),
    Column("service_id", ForeignKey("services.id"), nullable=False),
    Column("indicator", Text, nullable=False, server_default=OVERALL),
    Column("last", Date, nullable=False),  # answers up to this day
    Column("numbers", Integer, nullable=False),  # distinct
    Column("female", Integer, nullable=False),
    Column("young", Integer, nullable=False, server_default="0"),  # 15 to 30
    *(Column(f"n{score}", Integer, nullable=False) for score in (1, 2, 3, 4, 5)),
    UniqueConstraint("commune", "round_id", "service_id", "indicator", "last"),
)
Index("ix_blocks_round_id", blocks.c.round_id)

released_phones = Table(
    "released_phones",
    metadata,
    # the numbers of a round's blocks: none is ever in a second block of the same service
    Column("round_id", ForeignKey("rounds.id"), primary_key=True),
    Column("service_id", ForeignKey("services.id"), primary_key=True),
    Column("indicator", Text, primary_key=True, server_default=OVERALL),
    Column("phone", Hash, primary_key=True),  # under the round's key; gone when the round closes
    sqlite_with_rowid=False,
)

weekly_letters = Table(
    "weekly_letters",
    metadata,
    Column("commune", ForeignKey("communes.code"), primary_key=True),
    Column("week", Date, primary_key=True),  # its Monday
    Column("copy", SmallInteger, primary_key=True),  # 1, and from 2 on what staff sent again
    Column("round_id", ForeignKey("rounds.id"), nullable=False),
    Column("lines", Text, nullable=False),  # JSON: what it says of each service
    Column("broadcast", ForeignKey("broadcasts.id"), nullable=False, index=True),
)
Index("ix_weekly_letters_week", weekly_letters.c.week, weekly_letters.c.commune)

council_replies = Table(
    "council_replies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("commune", ForeignKey("communes.code"), nullable=False),
    # about the letter of this week; or, with a round, about its published results, or about a commitment: then it is
    # the week of the reply
    Column("week", Date, nullable=False),
    Column("round_id", ForeignKey("rounds.id")),
    Column("commitment", ForeignKey("commitments.id")),
    Column("text", Text, nullable=False),
    Column("received", Moment, nullable=False, index=True),
    Column("author", ForeignKey("staff.id")),  # whose login wrote it; none: it came by SMS
    Column("read_by", ForeignKey("staff.id")),
)


def letters() -> Select[Any]:
    """Weekly letters with their communes' names, and what their broadcasts say."""
    told = (broadcasts.c.title, broadcasts.c.texts, broadcasts.c.created, broadcasts.c.recipients)
    return (
        select(weekly_letters, places.c.name_km, places.c.name_en, *told, staff.c.name.label("author"))
        .join(places, places.c.code == weekly_letters.c.commune)
        .join(broadcasts, broadcasts.c.id == weekly_letters.c.broadcast)
        .outerjoin(staff, staff.c.id == broadcasts.c.author)
    )


def replies() -> Select[Any]:
    """What councils wrote: with their communes' names, by whose login, about which round or activity, who read it."""
    author, round_ = staff.alias(), round_communes
    named = (author.c.name.label("author_name"), staff.c.name.label("reader"), round_.c.number.label("round_number"),
             commitments.c.activity)  # fmt: skip
    of_round = (round_.c.round_id == council_replies.c.round_id) & (round_.c.commune == council_replies.c.commune)
    return (
        select(council_replies, places.c.name_km, places.c.name_en, *named)
        .join(places, places.c.code == council_replies.c.commune)
        .outerjoin(staff, staff.c.id == council_replies.c.read_by)
        .outerjoin(author, author.c.id == council_replies.c.author)
        .outerjoin(round_, of_round)
        .outerjoin(commitments, commitments.c.id == council_replies.c.commitment)
    )


def mark_read(db: Connection, reply: int, member: int) -> bool:
    """Notes who read a council's reply first; False when there is no such reply."""
    new = (council_replies.c.id == reply) & council_replies.c.read_by.is_(None)
    db.execute(update(council_replies).where(new).values(read_by=member))
    return db.execute(select(council_replies.c.id).where(council_replies.c.id == reply)).first() is not None
