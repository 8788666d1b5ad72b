"""One thing said to many: who gets it, and the rows of the outbox that say it.

Everything that is sent in bulk goes through `write_letter` (by the clock, under a key that exists once) or, with a
person's approval, through `broadcasts`; both put the messages there by `put_out`.
"""

from __future__ import annotations

import functools
import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select, update

from gateway.bulk import placeholders
from gateway.config import Language, Settings
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.contacts import Role, contacts, group_members
from gateway.models.forums import told_of
from gateway.models.messages import PRIORITY, Kind, State, messages, opt_outs
from gateway.models.places import places
from gateway.models.store import insert, insert_many
from gateway.privacy import Sealed
from gateway.routing import chooser
from gateway.text import Segments, plain, segments

Texts = Mapping[Language, str]


class Recipient(NamedTuple):
    """Somebody who gets it. The number stays sealed."""

    phone: bytes
    sealed: Sealed
    operator: str | None
    language: Language
    name: str = ""
    address: str = ""
    commune: tuple[str, str] = ("", "")
    """Its name in Khmer, and in Latin letters."""

    def values(self, language: Language) -> dict[str, str]:
        """For the placeholders (`placeholders.KNOWN`) of a text in a language."""
        khmer, latin = self.commune
        return {"name": self.name, "address": self.address, "commune": khmer if language == "km" else latin}


Said = tuple[str, Segments]
"""A text as it is sent, and what it costs."""
Addressed = tuple[Recipient, Said]


@dataclass(frozen=True)
class Audience:
    """Whom it is for: members of groups, and the people of communes who asked for reminders."""

    groups: tuple[int, ...] = ()
    communes: tuple[str, ...] = ()
    councils: tuple[str, ...] = ()
    """Communes whose councillors get it."""
    told: tuple[int, ...] = ()
    """Forums: whoever was told of one of them, or replied."""

    def to_json(self) -> str:
        """As kept with the broadcast."""
        return json.dumps(vars(self))

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
    rows = db.execute(_contacts(audience).where(~_stopped()))
    found = [_recipient(settings.default_language, *row) for row in rows]
    if audience.told:
        known = {one.phone for one in found} | _opt_outs(db)
        for row in told_of(db, audience.told):
            if row.phone not in known:
                known.add(row.phone)
                language = row.language or settings.default_language
                found.append(Recipient(row.phone, Sealed(row.number_key, row.number), row.operator, language))
    return found


def count_stopped(db: Connection, audience: Audience) -> int:
    """How many of an audience have asked for no more messages."""
    stopped = set(db.scalars(_contacts(audience).with_only_columns(contacts.c.phone).where(_stopped())))
    if audience.told:
        stopped |= {row.phone for row in told_of(db, audience.told)} & _opt_outs(db)
    return len(stopped)


def count_by_language(db: Connection, audience: Audience, settings: Settings) -> Mapping[Language, int]:
    """How many of an audience would get it, by their language: the quick count while one writes."""
    who = _contacts(audience).where(~_stopped()).with_only_columns(contacts.c.language, func.count()).order_by(None)
    counts: Counter[Language] = Counter()
    for language, count in db.execute(who.group_by(contacts.c.language)):
        counts[language or settings.default_language] += count
    return counts


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
        said = composer(letter.texts, settings)
        put_out(db, settings, made, letter, ((one, said(one)) for one in recipients), now)
    return made


def put_out(
    db: Connection, settings: Settings, broadcast: int, letter: Letter, addressed: Iterable[Addressed], now: datetime
) -> Size:
    """The messages of an approved broadcast, into the outbox; its row gets their number and parts."""
    count = parts = 0
    head = secrets.token_hex(8)  # ids that follow each other go into one place of the index
    provider = functools.cache(chooser(db, settings, now))
    always = {
        "kind": str(letter.kind), "priority": PRIORITY[letter.kind], "state": str(State.QUEUED),
        "broadcast": broadcast, "attempts": 0, "not_before": letter.start, "expires": letter.expires,
        "created": now, "changed": now,
    }  # fmt: skip

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal count, parts
        # one text after the other: a provider that takes many recipients of one text then gets a request for each batch
        for one, (body, size) in sorted(addressed, key=lambda one: one[1][0]):
            count, parts = count + 1, parts + size.parts
            yield {
                **always, "id": f"{head}{count:016x}", "phone": one.phone, "number": one.sealed.data,
                "number_key": one.sealed.key, "text": body, "parts": size.parts, "language": one.language,
                "provider": provider(one.operator, None),
            }  # fmt: skip

    insert_many(db, messages, rows(), _COLUMNS)
    size = Size(count, parts)
    db.execute(update(broadcasts).where(broadcasts.c.id == broadcast).values(recipients=count, parts=parts))
    return size


def composer(texts: Texts, settings: Settings) -> Callable[[Recipient], Said]:
    """What says to each person the text for them, as it is sent, and what it costs."""

    @functools.cache
    def chosen(language: Language) -> tuple[str, Language, Said | None]:
        worded = worded_in(texts, language, settings)
        text = texts.get(worded, "")
        return text, worded, None if placeholders.is_personal(text) else _measured(text)

    def compose(one: Recipient) -> Said:
        text, language, ready = chosen(one.language)
        return ready or _measured(placeholders.fill(text, one.values(language)))

    return compose


def worded_in(texts: Texts, language: Language, settings: Settings) -> Language:
    """The language whose text somebody gets: their own, else the programme's, else any in which there is one."""
    return next((one for one in (language, settings.default_language, *texts) if texts.get(one)), language)


_COLUMNS = ("id", "kind", "priority", "state", "phone", "number", "number_key", "text", "parts", "language",
            "broadcast", "provider", "attempts", "not_before", "expires", "created", "changed")  # fmt: skip


def _measured(text: str) -> Said:
    body = plain(text)
    return body, segments(body)


def _stopped() -> Any:
    return contacts.c.phone.in_(select(opt_outs.c.phone))


def _opt_outs(db: Connection) -> set[bytes]:
    return set(db.scalars(select(opt_outs.c.phone)))


def _contacts(audience: Audience) -> Select[Any]:
    members = select(group_members.c.contact_id).where(group_members.c.group_id.in_(audience.groups))
    people = contacts.c.commune.in_(audience.communes) & (contacts.c.role == Role.PERSON)
    council = contacts.c.commune.in_(audience.councils) & (contacts.c.role == Role.COUNCILLOR)
    c = contacts.c
    return (
        select(c.phone, c.number, c.number_key, c.operator, c.language, c.name, c.address, places.c.name_km,
               places.c.name_en)
        .outerjoin(places, places.c.code == c.commune)
        .where(c.id.in_(members) | people | council)
        .order_by(c.id)
    )  # fmt: skip


def _recipient(
    default: Language, phone: bytes, number: bytes, key: int, operator: str | None, language: Language | None,
    name: str, address: str, commune_km: str | None, commune_en: str | None,
) -> Recipient:  # fmt: skip
    commune = (commune_km or "", commune_en or "")
    return Recipient(phone, Sealed(key, number), operator, language or default, name, address, commune)
