"""Publishing a round: its councils read the results first, everybody a week later (DOMAIN.md, Rules learned, 8).

Only what was released is ever read (`results`), and only of a round that has closed. In a pause (DOMAIN.md, Privacy)
nothing opens: what would, opens on the day after it. What was open before its first day stays: people have read and
copied it, and to take it away would itself be news in the very days in which the programme keeps silent.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select, update

from gateway.bulk.letters import Audience, Letter, Texts, recipients_of, write_letter
from gateway.config import LANGUAGES, Settings
from gateway.errors import Told
from gateway.menus.phrases import Name, Words
from gateway.menus.wording import render
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.installation import pause
from gateway.models.messages import Kind, Move, messages, move_idle
from gateway.models.places import communes, places
from gateway.models.rounds import round_communes, rounds
from gateway.scorecard.results import Results, results
from gateway.text import fold

_ = Words

AHEAD = timedelta(days=7)
"""So long councils know before everybody does."""
Pause = tuple[date, date]
"""Its first and its last day."""


class Reader(enum.Enum):
    """Who reads results."""

    COUNCIL = "council"
    """Somebody with a council's login, of its own communes."""
    PUBLIC = "public"
    """Anybody, without a login."""


class Why(enum.Enum):
    """Why a round cannot be published."""

    GONE = "there is no such round"
    OPEN = "its round is open; close it first"
    PAUSED = "there is a pause: no result leaves before its end"


class Unpublishable(Told):
    """A round cannot be published; `why` says why."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True)
class Standing:
    """From which days on a round's results may be read: by councils, by everybody. None: not published."""

    council: date | None
    public: date | None


@dataclass(frozen=True)
class Published:
    """A commune's round that somebody may read."""

    round_id: int
    commune: str
    name: Name
    district: Name | None
    """In which it lies; communes of one name lie in several."""
    number: int
    """The commune's own count."""
    first: date
    last: date
    standing: Standing


def publish(db: Connection, settings: Settings, round_id: int, member: int | None, now: datetime) -> bool:
    """Opens a closed round to its councils today, to everybody a week later, and tells councillors by SMS.

    False when that was done before: its days stay. Raises Unpublishable.
    """
    today = settings.day(now)
    row = db.execute(select(rounds).where(rounds.c.id == round_id).with_for_update()).first()
    if row is None:
        raise Unpublishable(Why.GONE)
    if row.council_on is not None:
        return False
    if row.closed is None:
        raise Unpublishable(Why.OPEN)
    days = pause(db)
    if _falls_in(today, days):
        raise Unpublishable(Why.PAUSED)
    values = {"council_on": today, "public_on": today + AHEAD, "published_by": member}
    db.execute(update(rounds).where(rounds.c.id == round_id).values(values))
    _tell_councils(db, settings, round_id, opens(today + AHEAD, days) or today, member, now)
    return True


def unpublish(db: Connection, round_id: int, now: datetime) -> bool:
    """Takes a round's results from every page, also when they are public: whoever has seen them has seen them.

    What councillors were to be told and was not sent yet is not sent. False when it was not published.
    """
    row = db.execute(select(rounds).where(rounds.c.id == round_id).with_for_update()).first()
    if row is None or row.council_on is None:
        return False
    none = {"council_on": None, "public_on": None, "published_by": None}
    db.execute(update(rounds).where(rounds.c.id == round_id).values(none))
    notice = db.scalar(select(broadcasts.c.id).where(broadcasts.c.key == _key(round_id)))
    if notice is not None:
        ended: dict[str, Any] = {"key": None}  # its name is for the next one
        if move_idle(db, Move.CANCEL, now, messages.c.broadcast == notice, lease=None, worker=None):
            ended |= {"stage": Stage.CANCELLED, "changed": now}
        db.execute(update(broadcasts).where(broadcasts.c.id == notice).values(ended))
    return True


# who may read what, on which day ------------------------------------------------------------------


def open_to(reader: Reader, today: date, days: Pause | None) -> ColumnElement[bool]:
    """Which rounds somebody may read on a day of the programme's time zone; `days` are those of the pause."""
    since = rounds.c.council_on if reader is Reader.COUNCIL else rounds.c.public_on
    begun = and_(rounds.c.closed.is_not(None), since.is_not(None), since <= today)
    if days and today <= days[1]:
        return and_(begun, ~since.between(*days))
    return begun


def opens(day: date | None, days: Pause | None) -> date | None:
    """From when on something is open that was to open on a day: the same day, or the one after the pause."""
    return days[1] + timedelta(days=1) if day and days and _falls_in(day, days) else day


def standing(db: Connection, round_id: int) -> Standing | None:
    """From which days on a round's results may be read. None when there is no such round."""
    row = db.execute(select(rounds.c.council_on, rounds.c.public_on).where(rounds.c.id == round_id)).first()
    days = pause(db)
    return Standing(opens(row.council_on, days), opens(row.public_on, days)) if row else None


def published(
    db: Connection,
    reader: Reader,
    today: date,
    *,
    codes: Collection[str] | None = None,
    skip: int = 0,
    most: int = 1000,
) -> Sequence[Published]:
    """The rounds that somebody may read, commune by commune, each with its newest first: of all communes or of some."""
    days = pause(db)
    found = _readable(reader, today, days)
    if codes is not None:
        found = found.where(round_communes.c.commune.in_(codes))
    found = found.order_by(communes.c.number, round_communes.c.number.desc()).offset(skip).limit(most)
    return [_published(row, days) for row in db.execute(found)]


def named(db: Connection, reader: Reader, today: date, wanted: str) -> set[str]:
    """The communes with a round that somebody may read whose name, district or code is looked for."""
    looked_for = fold(wanted)
    if not looked_for:
        return set()
    district, c = _DISTRICT.c, places.c
    names = (round_communes.c.commune, c.name_km, c.name_en, district.name_km, district.name_en)
    rows = db.execute(_readable(reader, today, pause(db)).with_only_columns(*names).distinct())
    return {
        code for code, *called in rows if code == looked_for or any(looked_for in fold(name or "") for name in called)
    }


def read(db: Connection, commune: str, number: int, reader: Reader, today: date) -> tuple[Published, Results] | None:
    """The results of a commune's round as somebody may read them on a day; None when there is nothing for them.

    The round before stands beside it only where they may read that, too.
    """
    days = pause(db)
    mine = _readable(reader, today, days).where(round_communes.c.commune == commune)
    row = db.execute(mine.where(round_communes.c.number == number)).first()
    if row is None:
        return None
    found = results(db, row.id, [commune])
    if db.execute(mine.where(round_communes.c.number == number - 1)).first() is None:
        found = replace(found, services=tuple(replace(service, before=None) for service in found.services))
    return _published(row, days), found


_DISTRICT = places.alias()


def _readable(reader: Reader, today: date, days: Pause | None) -> Select[Any]:
    district = _DISTRICT
    return (
        select(
            rounds.c.id, rounds.c.opened, rounds.c.closed, rounds.c.council_on, rounds.c.public_on,
            round_communes.c.commune, round_communes.c.number, places.c.name_km, places.c.name_en,
            district.c.name_km.label("district_km"), district.c.name_en.label("district_en"),
        )
        .join(round_communes, round_communes.c.round_id == rounds.c.id)
        .join(communes, communes.c.code == round_communes.c.commune)
        .join(places, places.c.code == round_communes.c.commune)
        .outerjoin(district, district.c.code == func.substr(round_communes.c.commune, 1, 4))
        .where(open_to(reader, today, days))
    )  # fmt: skip


def _published(row: Any, days: Pause | None) -> Published:
    return Published(
        round_id=row.id,
        commune=row.commune,
        name=Name(row.name_km, row.name_en, row.name_en),
        district=Name(row.district_km, row.district_en, row.district_en) if row.district_en else None,
        number=row.number,
        first=row.opened,
        last=row.closed,
        standing=Standing(opens(row.council_on, days), opens(row.public_on, days)),
    )


def _falls_in(day: date, days: Pause | None) -> bool:
    return days is not None and days[0] <= day <= days[1]


# what councillors are told ------------------------------------------------------------------------


def councils_of(db: Connection, round_id: int) -> Audience:
    """The councillors who are told that a round was published."""
    mine = select(round_communes.c.commune).where(round_communes.c.round_id == round_id)
    return Audience(councils=tuple(db.scalars(mine.order_by(round_communes.c.commune))))


def notice(public: date) -> Texts:
    """What councillors are told: that there are results, not what they are. `public` is when everybody may read."""
    said = _(
        "{commune}: the results of the round are ready for the council. Everybody sees them from {day} on."
        " To read them and reply, log in or ask the staff.",
        commune="{commune}",  # filled in for each
        day=f"{public.day}/{public.month}",
    )
    return {language: render(said, language) for language in LANGUAGES}


def _tell_councils(
    db: Connection, settings: Settings, round_id: int, public: date, member: int | None, now: datetime
) -> None:
    audience = councils_of(db, round_id)
    recipients = recipients_of(db, audience, settings)
    if not recipients:
        return
    texts, end = notice(public), datetime.combine(public, time(), settings.zone)
    title = render(_("To councils: results are ready"), settings.default_language)
    letter = Letter(Kind.RESULT, title, texts, now, end, _key(round_id), author=member, audience=audience)
    write_letter(db, settings, letter, recipients, now)


def _key(round_id: int) -> str:
    return f"results {round_id}"
