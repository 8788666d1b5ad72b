"""One thing said to many: who gets it, and the rows of the outbox that say it.

Everything that is sent in bulk goes through `write_letter` (by the clock, under a key that exists once) or, with a
person's approval, through `broadcasts`; both put the messages there by `put_out`.
"""

from __future__ import annotations

import functools
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select, update

from gateway import placeholders
from gateway.config import Language, Settings
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.contacts import Role, contacts, group_members
from gateway.models.messages import PRIORITY, Kind, State, messages, opt_outs
from gateway.models.places import places
from gateway.models.store import insert, insert_many
from gateway.privacy import Sealed
from gateway.routing import chooser
from gateway.text import Segments, plain, segments

Texts = Mapping[Language, str]


@dataclass(frozen=True)
class Recipient:
    """Somebody who gets it. The number stays sealed."""

    phone: bytes
    sealed: Sealed
    operator: str | None
    language: Language
    values: Mapping[str, str] = field(default_factory=dict)
    """For placeholders (`placeholders.KNOWN`)."""


@dataclass(frozen=True)
class Audience:
    """Whom it is for: members of groups, and the people of communes who asked for reminders."""

    groups: tuple[int, ...] = ()
    communes: tuple[str, ...] = ()
    councils: tuple[str, ...] = ()
    """Communes whose councillors get it."""

    def to_json(self) -> str:
        """As kept with the broadcast."""
        return json.dumps({"groups": self.groups, "communes": self.communes, "councils": self.councils})

    @classmethod
    def from_json(cls, text: str) -> Audience:
        """Back from the row."""
        return cls(**{name: tuple(values) for name, values in json.loads(text).items()})


@dataclass(frozen=True)
class Letter:
    """What is said, to be written by the clock or on a person's single word."""

    kind: Kind
    title: str
    """For staff."""
    texts: Texts
    start: datetime
    expires: datetime
    key: str | None = None
    """What it is for, where it must not be written twice."""
    forum: int | None = None
    poll: int | None = None
    author: int | None = None
    audience: Audience = Audience()


@dataclass(frozen=True)
class Size:
    """How much went out: messages, and their parts."""

    recipients: int
    parts: int


def recipients_of(db: Connection, audience: Audience, settings: Settings) -> list[Recipient]:
    """Everybody in an audience, each number once. Who has stopped is left out."""
    return [_recipient(row, settings) for row in db.execute(_contacts(audience).where(~_stopped()))]


def count_stopped(db: Connection, audience: Audience) -> int:
    """How many of an audience have asked for no more messages."""
    return len(db.execute(_contacts(audience).where(_stopped())).all())


def write_letter(
    db: Connection, settings: Settings, letter: Letter, recipients: Sequence[Recipient], now: datetime
) -> int | None:
    """A broadcast that needs no approval, with its messages. Returns its id; None when its key was there already.

    Everything is in the caller's transaction: after a crash there is all of it or nothing, and two who do it at once
    make one.
    """
    values = {
        "key": letter.key, "kind": str(letter.kind), "title": letter.title,
        "texts": json.dumps(letter.texts, ensure_ascii=False),
        "audience": letter.audience.to_json(), "forum": letter.forum, "poll": letter.poll, "stage": str(Stage.APPROVED),
        "author": letter.author, "created": now, "changed": now, "start": letter.start, "expires": letter.expires,
        "approved": now, "price": settings.price_per_segment,
    }  # fmt: skip
    statement = insert(broadcasts, db.dialect.name).values(values).on_conflict_do_nothing(index_elements=["key"])
    made: int | None = db.scalar(statement.returning(broadcasts.c.id))
    if made is not None:
        put_out(db, settings, made, letter, recipients, now)
    return made


def put_out(
    db: Connection, settings: Settings, broadcast: int, letter: Letter, recipients: Sequence[Recipient], now: datetime
) -> Size:
    """The messages of an approved broadcast, into the outbox; its row gets their number and parts."""
    count = parts = 0
    provider = functools.cache(chooser(db, settings, now))

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal count, parts
        for one in recipients:
            body, size = compose(letter.texts, one, settings)
            count, parts = count + 1, parts + size.parts
            yield {
                "id": secrets.token_hex(16), "kind": str(letter.kind), "priority": PRIORITY[letter.kind],
                "state": str(State.QUEUED), "phone": one.phone, "number": one.sealed.data, "number_key": one.sealed.key,
                "text": body, "parts": size.parts, "language": one.language, "broadcast": broadcast,
                "provider": provider(one.operator, None), "attempts": 0, "not_before": letter.start,
                "expires": letter.expires, "created": now, "changed": now,
            }  # fmt: skip

    insert_many(db, messages, rows(), _COLUMNS)
    size = Size(count, parts)
    db.execute(update(broadcasts).where(broadcasts.c.id == broadcast).values(recipients=count, parts=parts))
    return size


def compose(texts: Texts, recipient: Recipient, settings: Settings) -> tuple[str, Segments]:
    """The text for one person, and what it costs. One whose language has no text gets the programme's, or any."""
    text = in_language(texts, recipient.language, settings)
    if placeholders.is_personal(text):
        text = placeholders.fill(text, recipient.values)
    return _measured(text)


def in_language(texts: Texts, language: Language, settings: Settings) -> str:
    """The text in a language, else in the programme's, else in any there is."""
    for one in (language, settings.default_language, *texts):
        if texts.get(one):
            return texts[one]
    return ""


_COLUMNS = ("id", "kind", "priority", "state", "phone", "number", "number_key", "text", "parts", "language",
            "broadcast", "provider", "attempts", "not_before", "expires", "created", "changed")  # fmt: skip


@functools.lru_cache(maxsize=1024)
def _measured(text: str) -> tuple[str, Segments]:
    body = plain(text)
    return body, segments(body)


def _stopped() -> Any:
    return contacts.c.phone.in_(select(opt_outs.c.phone))


def _contacts(audience: Audience) -> Select[Any]:
    members = select(group_members.c.contact_id).where(group_members.c.group_id.in_(audience.groups))
    people = contacts.c.commune.in_(audience.communes) & (contacts.c.role == Role.PERSON)
    council = contacts.c.commune.in_(audience.councils) & (contacts.c.role == Role.COUNCILLOR)
    return (
        select(contacts, places.c.name_km, places.c.name_en)
        .outerjoin(places, places.c.code == contacts.c.commune)
        .where(contacts.c.id.in_(members) | people | council)
        .order_by(contacts.c.id)
    )


def _recipient(row: Any, settings: Settings) -> Recipient:
    language = row.language or settings.default_language
    commune = (row.name_km if language == "km" else row.name_en) or ""
    return Recipient(
        phone=row.phone,
        sealed=Sealed(row.number_key, row.number),
        operator=row.operator,
        language=language,
        values={"name": row.name, "commune": commune, "address": row.address},
    )
