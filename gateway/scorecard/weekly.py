"""The weekly letter: each Monday at 08:00 every council is told of the week before, by SMS.

It is built from released blocks (`releases`), and written in one transaction a commune: the blocks, the letter and
its messages are there together or not at all, and two clocks that do it at once make one. What is told is frozen.
A council without a number gets none, and then nothing is released for it. In a pause (DOMAIN.md, Privacy) no letter is
written; the first one after it takes in what waited.
"""

from __future__ import annotations

import enum
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any

import structlog
from sqlalchemy import Connection, Row, func, select

from gateway.bulk.letters import Audience, Letter, Recipient, Texts, recipients_of, write_letter
from gateway.config import LANGUAGES, Language, Settings
from gateway.errors import Told
from gateway.menus.phrases import Name, Words
from gateway.menus.wording import render
from gateway.models.contacts import Role, contacts
from gateway.models.editions import beginning
from gateway.models.installation import is_paused, pause
from gateway.models.messages import Kind, opt_outs
from gateway.models.places import communes, places
from gateway.models.releases import council_replies, letters, weekly_letters
from gateway.models.rounds import Round, round_communes, round_of, rounds
from gateway.models.store import Store
from gateway.scorecard import releases, tallies, weekly_words
from gateway.scorecard.releases import Block, blocks_of, release, total
from gateway.scorecard.tallies import services_of
from gateway.scorecard.weekly_words import Line

_ = Words
log = structlog.get_logger()

HOUR = timedelta(hours=8)
"""After Monday's midnight."""
LASTS = timedelta(days=6)
"""A letter that could not be sent by then is too late: the next one is near."""
LONGEST_REPLY = 1000
"""Characters of a council's reply that are kept."""
_WEEK = timedelta(days=7)


class Unwritten(Told):
    """Some letters could not be written; the clock tries them again."""


class Outcome(enum.Enum):
    """What became of a letter that was to be written."""

    WRITTEN = "written"
    THERE = "there already"
    NOBODY = "no number"
    STOPPED = "all stopped"
    """Its councillors have asked for no more messages."""
    PAUSED = "paused"
    NOT_DUE = "not due"
    """Its commune had no round open in that week."""


@dataclass(frozen=True)
class Due:
    """A commune that is to be told of a week, and its rounds that were open in it, the oldest first."""

    commune: str
    name: Name
    rounds: tuple[Round, ...]


@dataclass(frozen=True)
class Missing:
    """A commune whose letter is not written, and why; None: nothing is in its way."""

    council: Due
    why: Outcome | None


def due_week(now: datetime, settings: Settings) -> date:
    """The Monday of the week of which councils are to be told by now: that before the last Monday 08:00."""
    day = (now.astimezone(settings.zone).replace(tzinfo=None) - HOUR).date()
    return day - timedelta(days=day.weekday()) - _WEEK


def next_due(now: datetime, settings: Settings) -> datetime:
    """When the next letters are written."""
    return _due_at(due_week(now, settings) + _WEEK, settings)


def due(db: Connection, week: date, commune: str | None = None) -> list[Due]:
    """Who is to be told of a week: every commune, or the one, that had a round open in it.

    Where a pause kept back the letters before, also those whose round closed in the meantime.
    """
    first, days = week, pause(db)
    while days and days[0] <= first <= days[1]:
        first -= _WEEK
    statement = (
        select(
            places.c.code, places.c.name_km, places.c.name_en, rounds.c.id, rounds.c.key, round_communes.c.number,
            rounds.c.opened, rounds.c.closed,
        )
        .join(communes, communes.c.code == places.c.code)
        .join(round_communes, round_communes.c.commune == communes.c.code)
        .join(rounds, rounds.c.id == round_communes.c.round_id)
        .where(communes.c.active, rounds.c.opened < week + _WEEK)
        .where(rounds.c.closed.is_(None) | (rounds.c.closed >= first))
        .order_by(communes.c.number, round_communes.c.number)
    )  # fmt: skip
    if commune is not None:
        statement = statement.where(communes.c.code == commune)
    return [
        Due(code, Name(km, en, en), tuple(Round(*row[3:]) for row in rows))
        for (code, km, en), rows in groupby(db.execute(statement), lambda row: tuple(row[:3]))
    ]


def write_all(store: Store, settings: Settings, now: datetime) -> Mapping[str, int]:
    """Writes the letters that are due by now; those that are there stay. Returns how many came to which outcome.

    Raises Unwritten when some could not be written; the others are.
    """
    week = due_week(now, settings)
    with store.read() as db:
        councils = due(db, week)
        there = written(db, week)
    outcomes: Counter[str] = Counter()
    failed = 0
    for council in councils:
        if council.commune in there:
            continue
        try:
            outcomes[write(store, settings, council, week, now).value] += 1
        except Exception as error:
            failed += 1
            log.error("weekly.failed", commune=council.commune, exc_info=error)
    if failed:
        raise Unwritten(f"{failed} of {len(councils)} weekly letters could not be written")
    return dict(outcomes)


def write(
    store: Store, settings: Settings, council: Due, week: date, now: datetime, author: int | None = None
) -> Outcome:
    """Writes a commune's letter about a week, and releases what it tells."""
    with store.write() as db:
        if is_paused(db, _today(now, settings)):
            return Outcome.PAUSED
        if written(db, week, council.commune):
            return Outcome.THERE
        recipients = recipients_of(db, Audience(councils=(council.commune,)), settings)
        if not recipients:
            return Outcome.NOBODY
        round_id, lines = _told(db, council, week, settings.min_raters)
        texts: Texts = {spoken: weekly_words.letter(council.name, week, lines, spoken) for spoken in LANGUAGES}
        values = {"commune": council.commune, "week": week, "copy": 1, "round_id": round_id}
        title = f"{render(council.name, settings.default_language)} {weekly_words.days(week)}"
        values["lines"] = weekly_words.to_json(lines)
        return _put(db, settings, values, title, texts, recipients, now, author)


def write_again(
    store: Store, settings: Settings, commune: str, week: date, copy: int, now: datetime, author: int
) -> Outcome:
    """Sends a letter once more, as it was, to the numbers that the council has by now: staff's own deed.

    `copy` is which it will be, from 2 on: who asks twice for the same one gets it once.
    """
    with store.write() as db:
        if is_paused(db, _today(now, settings)):
            return Outcome.PAUSED
        mine = (weekly_letters.c.commune == commune) & (weekly_letters.c.week == week)
        found = db.execute(letters().where(mine, weekly_letters.c.copy == copy - 1)).first()
        if found is None:
            return Outcome.NOT_DUE
        recipients = recipients_of(db, Audience(councils=(commune,)), settings)
        if not recipients:
            return Outcome.NOBODY
        values = {name: getattr(found, name) for name in ("commune", "week", "round_id", "lines")} | {"copy": copy}
        return _put(db, settings, values, found.title, json.loads(found.texts), recipients, now, author)


def written(db: Connection, week: date, commune: str | None = None) -> set[str]:
    """The communes whose letter about a week is written; of all, or of the one."""
    found = select(weekly_letters.c.commune).where(weekly_letters.c.week == week)
    return set(db.scalars(found if commune is None else found.where(weekly_letters.c.commune == commune)))


def missing(db: Connection, settings: Settings, now: datetime) -> list[Missing]:
    """Who should have a letter by now and has none; nobody is owed one from before the installation was there."""
    week, begun = due_week(now, settings), beginning(db)
    if begun is None or _due_at(week, settings) < begun:
        return []
    there, paused = written(db, week), is_paused(db, _today(now, settings))
    stopped = contacts.c.phone.in_(select(opt_outs.c.phone))
    known = select(contacts.c.commune).where(contacts.c.role == Role.COUNCILLOR, contacts.c.commune.is_not(None))
    any_number, reachable = set(db.scalars(known)), set(db.scalars(known.where(~stopped)))

    def why(commune: str) -> Outcome | None:
        if commune not in any_number:
            return Outcome.NOBODY
        if commune not in reachable:
            return Outcome.STOPPED
        return Outcome.PAUSED if paused else None

    return [Missing(one, why(one.commune)) for one in due(db, week) if one.commune not in there]


def hold_back(db: Connection, settings: Settings, now: datetime) -> None:
    """After a restore: letters that are not there may have gone out since the backup, and nobody knows what they told.

    Told once more beside a single new answer, their figures would give that one away. So whatever waited for them
    stays inside; what is answered from now on is told.
    """
    for one in missing(db, settings, now):
        if one.why not in (Outcome.NOBODY, Outcome.STOPPED):  # these got none
            for round_ in one.council.rounds:
                if round_.closed is None:
                    releases.hold_back(db, round_.id, one.council.commune)


def details(db: Connection, broadcast_id: int, language: Language, settings: Settings, now: datetime) -> str:
    """The answer to `1`: the counts behind a letter, as they were when it was written. In a pause it says so."""
    days = pause(db)
    if days and days[0] <= _today(now, settings) <= days[1]:
        return render(_("No figures are sent until {day}.", day=f"{days[1].day}/{days[1].month}"), language)
    letter = db.execute(letters().where(weekly_letters.c.broadcast == broadcast_id)).one()
    name = Name(letter.name_km, letter.name_en, letter.name_en)
    return weekly_words.details(name, letter.week, weekly_words.from_json(letter.lines), language)


def file_reply(db: Connection, broadcast_id: int, text: str, now: datetime) -> Words:
    """Keeps what a council wrote about a letter, for staff to read; returns what it is answered."""
    kept = text.strip()[:LONGEST_REPLY].rstrip()
    if not kept:
        return _("Nothing came after 2. Send 2 and your words, such as: 2 Open until 5pm from April")
    letter = db.execute(letters().where(weekly_letters.c.broadcast == broadcast_id)).one()
    values = {"commune": letter.commune, "week": letter.week, "text": kept, "received": now}
    db.execute(council_replies.insert().values(values))
    if len(text.strip()) > LONGEST_REPLY:
        return _("Thank you! The first {n} characters of your reply are with the staff.", n=str(LONGEST_REPLY))
    return _("Thank you! Your reply is with the staff.")


def _told(db: Connection, council: Due, week: date, minimum: int) -> tuple[int, list[Line]]:
    """The round of a letter, and what it says: what was released since the letter before.

    A round that closed is told of first; what is rated in a new one meanwhile waits, and is not lost.
    """
    code, sunday = council.commune, week + _WEEK - timedelta(days=1)
    told = db.scalar(select(func.max(weekly_letters.c.week)).where(weekly_letters.c.commune == code))
    first = told + _WEEK if told else date.min
    new: dict[str, list[Block]] = {}
    before: dict[str, list[Block]] = {}
    for round_ in council.rounds:
        if round_.closed is None:
            release(db, round_.id, code, sunday, minimum)
        there = blocks_of(db, round_.id, [code], last=sunday)
        new = _by_service(block for block in there if block.last >= first)
        before = _by_service(block for block in there if block.last < first)
        if new:
            break
    last_round: dict[str, list[Block]] = {}
    if new.keys() - before.keys() and (earlier := round_of(db, code, round_.number - 1)):
        last_round = _by_service(blocks_of(db, earlier.id, [code]))
    lines: list[Line] = []
    for row in db.execute(services_of(round_)):
        figures = total(new.get(row.id, ()))
        # against what was told of it last: in this round, or the whole of the round before
        against = total(before.get(row.id, ())[-1:] or last_round.get(row.id, ()))
        change = tallies.change(figures, against).points if figures and against else None
        lines.append(Line(row.id, _called(row), figures, change))
    return round_.id, lines


def _by_service(parts: Iterable[Block]) -> dict[str, list[Block]]:
    found: dict[str, list[Block]] = defaultdict(list)
    for block in parts:
        found[block.service].append(block)
    return found


def _called(service: Row[Any]) -> Name:
    """A service as letters call it: by its short name where it has one."""
    return Name(
        service.short_km or service.name_km,
        service.short_latn or service.name_latn,
        service.short_en or service.name_en,
    )


def _put(
    db: Connection,
    settings: Settings,
    values: Mapping[str, Any],
    title: str,
    texts: Texts,
    recipients: Sequence[Recipient],
    now: datetime,
    author: int | None,
) -> Outcome:
    """A letter into the outbox, under a key that exists once."""
    commune, copy = values["commune"], values["copy"]
    key = f"tally {commune} {values['week']:%G-W%V}" + (f" copy {copy}" if copy > 1 else "")
    letter = Letter(
        Kind.TALLY, title, texts, now, now + LASTS, key, author=author, audience=Audience(councils=(commune,))
    )
    made = write_letter(db, settings, letter, recipients, now)
    if made is None:
        return Outcome.THERE
    db.execute(weekly_letters.insert().values(**values, broadcast=made))
    return Outcome.WRITTEN


def _due_at(week: date, settings: Settings) -> datetime:
    """When the letters about a week are due."""
    return datetime.combine(week + _WEEK, time(), settings.zone) + HOUR


def _today(now: datetime, settings: Settings) -> date:
    return settings.day(now)
