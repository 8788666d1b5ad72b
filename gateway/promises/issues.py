"""Issues that groups of villagers raise with authorities: how far each is solved, and the share of a year.

Source: DOMAIN.md, table, row 8. How far an issue is solved has a history by days, from which the share of any year is
counted anew; an entry that was wrong is taken out of it.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from gateway.menus.phrases import Name
from gateway.models.concerns import Solved, group_issues, issue_changes
from gateway.models.contacts import groups
from gateway.models.places import communes, places
from gateway.models.staff import staff
from gateway.text import fold, plain

LONGEST: Mapping[str, int] = {"raised_by": 100, "subject": 300, "to_whom": 100, "done": 1000, "note": 300}
"""Characters of each text."""
EARLIEST = date(1990, 1, 1)


class Flaw(enum.StrEnum):
    """What can be wrong with an issue or a change of it."""

    EMPTY = "this is missing"
    TOO_LONG = "longer than {most} characters"
    NO_DAY = "give a day"
    FUTURE = "this day is still to come"
    LONG_AGO = "this day is before 1990; is the year right?"
    BEFORE_RAISED = "this is before the day on which it was raised"
    AFTER_CHANGES = "there is a change of it before this day; take that out first"
    SAME = "it stands so already; note what is new, or change nothing"
    COMMUNE = "choose a commune of the programme"


class Refused(Exception):
    """What is not kept; `flaws` by field."""

    def __init__(self, flaws: Mapping[str, Flaw]) -> None:
        super().__init__(", ".join(f"{name}: {flaw}" for name, flaw in flaws.items()))
        self.flaws = flaws


def values_of(field: str, flaw: Flaw) -> dict[str, str]:
    """What stands in the sentence of a flaw."""
    return {"most": str(LONGEST[field])} if flaw is Flaw.TOO_LONG else {}


@dataclass(frozen=True)
class Issue:
    """An issue. `solved`: as of today, or of the end of the year that was asked for."""

    raised_by: str
    subject: str
    to_whom: str
    since: date | None
    """None: not given, or no day."""
    commune: str | None = None
    """None: of several, or of a district."""
    done: str = ""
    solved: Solved = Solved.OPEN
    solved_on: date | None = None
    """Since when it stands so."""
    id: int = 0
    place: Name | None = None


@dataclass(frozen=True)
class Entry:
    """How far an issue was solved since a day."""

    id: int
    solved: Solved
    day: date
    note: str
    by: str | None
    at: datetime
    is_first: bool
    """When it was raised; it changes with the issue's own day."""


@dataclass(frozen=True)
class Wanted:
    """Which issues: all of them, unless something is said."""

    year: int | None = None
    """Those on the list in that year, as they stood at its end."""
    solved: Solved | None = None
    commune: str | None = None
    raised_by: str = ""
    within: Collection[str] | None = None
    """Of these communes alone."""


@dataclass(frozen=True)
class Share:
    """A year's issues: those raised by its end and not fully solved before it began, as they stood at its end."""

    year: int
    counts: Mapping[Solved, int] = field(default_factory=dict)
    is_over: bool = True
    """Not so: it is counted until today."""

    @property
    def listed(self) -> int:
        """All on the list."""
        return sum(self.counts.values())

    @property
    def percent(self) -> int:
        """Of these, partly or fully solved, in whole percent: 6 fully and 25 partly of 50 is 62."""
        return round(100 * (self.listed - self.counts.get(Solved.OPEN, 0)) / self.listed)


# keeping ------------------------------------------------------------------------------------------


def add(db: Connection, issue: Issue, today: date, by: int | None, now: datetime, note: str = "") -> int:
    """Keeps a new issue with its history, open since the day it was raised; returns its id. Raises Refused.

    One that is there already is not added again: of two clicks one counts.
    """
    kept = checked(db, issue, today)
    g, texts = group_issues.c, ("raised_by", "subject", "to_whom", "since", "commune")
    same = [g[name].is_not_distinct_from(getattr(kept, name)) for name in texts]
    there: int | None = db.scalar(select(g.id).where(*same).limit(1))
    if there is not None:
        return there
    values = _values(db, kept) | {"author": by, "created": now, "changed": now}
    made: int = db.execute(group_issues.insert().values(values).returning(group_issues.c.id)).scalar_one()
    _enter(db, made, Solved.OPEN, kept.since, "", by, now)
    if kept.solved is not Solved.OPEN:
        _enter(db, made, kept.solved, kept.solved_on, note, by, now)
        _settle(db, made, now)
    return made


def edit(db: Connection, issue: Issue, today: date, now: datetime) -> None:
    """Changes all of an issue but how far it is solved, which has a history. Raises Refused."""
    entries = history(db, issue.id)
    kept = checked(db, issue, today, [entry.day for entry in entries if not entry.is_first])
    db.execute(update(group_issues).where(group_issues.c.id == issue.id).values(_values(db, kept) | {"changed": now}))
    first = issue_changes.c.id.in_([entry.id for entry in entries if entry.is_first])
    db.execute(update(issue_changes).where(first).values(day=kept.since))
    _settle(db, issue.id, now)


def change(
    db: Connection, issue: int, solved: Solved, day: date | None, note: str, today: date, by: int | None, now: datetime
) -> None:
    """From a day on an issue is solved so far. Raises Refused."""
    entries, note = history(db, issue), _line(note)
    raised = next(entry.day for entry in entries if entry.is_first)
    flaws = _flaws_of_day(day, today, "day")
    if day is not None and "day" not in flaws:
        if day < raised:
            flaws["day"] = Flaw.BEFORE_RAISED
        elif not note and _at([(entry.day, entry.solved) for entry in reversed(entries)], day) is solved:
            flaws["solved"] = Flaw.SAME
    if len(note) > LONGEST["note"]:
        flaws["note"] = Flaw.TOO_LONG
    if flaws:
        raise Refused(flaws)
    _enter(db, issue, solved, day, note, by, now)
    _settle(db, issue, now)


def take_out(db: Connection, issue: int, entry: int, now: datetime) -> bool:
    """Takes a wrong entry out of a history; the first one stays. False when it is gone."""
    if entry not in {one.id for one in history(db, issue) if not one.is_first}:
        return False
    db.execute(delete(issue_changes).where(issue_changes.c.id == entry))
    _settle(db, issue, now)
    return True


def remove(db: Connection, issue: int) -> None:
    """Removes an issue and its history: it was none."""
    db.execute(delete(group_issues).where(group_issues.c.id == issue))


def checked(db: Connection, issue: Issue, today: date, changes: Sequence[date] = ()) -> Issue:
    """An issue as it is kept. Raises Refused. `changes`: the days of the changes it has."""
    texts = {name: _line(getattr(issue, name)) for name in ("raised_by", "subject", "to_whom")}
    texts["done"] = plain(issue.done.replace("\r\n", "\n")).strip()
    flaws: dict[str, Flaw] = {name: Flaw.EMPTY for name, said in texts.items() if name != "done" and not fold(said)}
    flaws |= {name: Flaw.TOO_LONG for name, said in texts.items() if len(said) > LONGEST[name]}
    flaws |= _flaws_of_day(issue.since, today, "since")
    if issue.since and "since" not in flaws and any(day < issue.since for day in changes):
        flaws["since"] = Flaw.AFTER_CHANGES
    if issue.solved is not Solved.OPEN and not changes:
        flaws |= _flaws_of_day(issue.solved_on, today, "solved_on")
        if issue.since and issue.solved_on and issue.solved_on < issue.since:
            flaws["solved_on"] = Flaw.BEFORE_RAISED
    if issue.commune is not None and db.scalar(select(communes.c.code).where(communes.c.code == issue.commune)) is None:
        flaws["commune"] = Flaw.COMMUNE
    if flaws:
        raise Refused(flaws)
    return Issue(
        texts["raised_by"], texts["subject"], texts["to_whom"], issue.since, issue.commune, texts["done"],
        issue.solved, issue.solved_on, issue.id,
    )  # fmt: skip


# reading ------------------------------------------------------------------------------------------


def find(db: Connection, issue: int, today: date) -> Issue | None:
    """One issue, as it stands today."""
    row = db.execute(_issues().where(group_issues.c.id == issue)).first()
    return _issue(row, _days(db, [issue])[issue], today) if row else None


def listed(db: Connection, wanted: Wanted, today: date) -> list[Issue]:
    """The issues, the one raised last first."""
    g = group_issues.c
    statement = _issues().order_by(g.since.desc(), g.id.desc())
    if wanted.commune:
        statement = statement.where(g.commune == wanted.commune)
    if wanted.raised_by:
        statement = statement.where(g.raised_by == wanted.raised_by)
    if wanted.within is not None:
        statement = statement.where(g.commune.in_(wanted.within))
    rows, days = db.execute(statement).all(), _days(db)
    found = []
    for row in rows:
        if wanted.year is None or _is_listed(days[row.id], wanted.year):
            one = _issue(row, days[row.id], _end(wanted.year, today) if wanted.year else today)
            if wanted.solved in (None, one.solved):
                found.append(one)
    return found


def history(db: Connection, issue: int) -> list[Entry]:
    """How an issue came to stand where it is, the newest first."""
    c = issue_changes.c
    rows = db.execute(
        select(issue_changes, staff.c.name)
        .outerjoin(staff, staff.c.id == c.by)
        .where(c.issue == issue)
        .order_by(c.day.desc(), c.id.desc())
    ).all()
    first = min((row.id for row in rows), default=0)
    return [Entry(row.id, Solved(row.solved), row.day, row.note, row.name, row.at, row.id == first) for row in rows]


def groups_of(db: Connection, within: Collection[str] | None = None) -> list[str]:
    """The groups that raised any, by name."""
    g = group_issues.c
    named = select(g.raised_by).distinct().order_by(g.raised_by)
    return list(db.scalars(named if within is None else named.where(g.commune.in_(within))))


def shares(histories: Iterable[Sequence[tuple[date, Solved]]], today: date) -> list[Share]:
    """The share of each year since the first issue was raised, the newest first; years without any are left out.

    `histories`: of each issue, how far it was solved since which day, in their order.
    """
    every = list(histories)
    first = min((days[0][0].year for days in every), default=today.year)
    found = []
    for year in range(today.year, first - 1, -1):
        end = _end(year, today)
        stood = [_at(days, end) for days in every if _is_listed(days, year)]
        if stood:
            counts = {one: stood.count(one) for one in Solved}
            found.append(Share(year, counts, year < today.year))
    return found


def shares_of(db: Connection, wanted: Wanted, today: date) -> list[Share]:
    """The shares of the issues of a commune or a group, whatever year and state is wanted."""
    days = _days(db)
    every = listed(db, Wanted(commune=wanted.commune, raised_by=wanted.raised_by, within=wanted.within), today)
    return shares([days[one.id] for one in every], today)


# inside -------------------------------------------------------------------------------------------


def _end(year: int, today: date) -> date:
    """The last day of a year; of this one, today."""
    return min(date(year, 12, 31), today)


def _at(days: Iterable[tuple[date, Solved]], day: date) -> Solved | None:
    """How far it was solved at the end of a day; None before it was raised."""
    last: tuple[date, Solved] | None = None
    for one in days:
        if one[0] <= day and (last is None or one[0] >= last[0]):
            last = one
    return last[1] if last else None


def _is_listed(days: Sequence[tuple[date, Solved]], year: int) -> bool:
    """Whether it was raised by the end of a year, and not fully solved before it began."""
    raised = min(day for day, _solved in days)
    return raised.year <= year and _at(days, date(year - 1, 12, 31)) is not Solved.FULLY


def _days(db: Connection, of: Collection[int] | None = None) -> dict[int, list[tuple[date, Solved]]]:
    """The histories of issues, in the order in which they count."""
    c = issue_changes.c
    statement = select(c.issue, c.day, c.solved).order_by(c.issue, c.day, c.id)
    found: dict[int, list[tuple[date, Solved]]] = defaultdict(list)
    for issue, day, solved in db.execute(statement if of is None else statement.where(c.issue.in_(of))):
        found[issue].append((day, Solved(solved)))
    return found


def _issues() -> Any:
    place = (places.c.name_km, places.c.name_en)
    return select(group_issues, *place).outerjoin(places, places.c.code == group_issues.c.commune)


def _issue(row: Row[Any], days: Sequence[tuple[date, Solved]], day: date) -> Issue:
    solved, on = days[0][1], days[0][0]
    for since, state in days:
        if since <= day:
            solved, on = state, on if state is solved else since
    place = Name(row.name_km, row.name_en, row.name_en) if row.commune else None
    return Issue(row.raised_by, row.subject, row.to_whom, row.since, row.commune, row.done, solved, on, row.id, place)


def _values(db: Connection, kept: Issue) -> dict[str, Any]:
    group = db.scalar(select(groups.c.id).where(func.lower(groups.c.name) == kept.raised_by.lower()))
    return {
        "raised_by": kept.raised_by, "subject": kept.subject, "to_whom": kept.to_whom, "since": kept.since,
        "commune": kept.commune, "done": kept.done, "group_id": group,
    }  # fmt: skip


def _enter(
    db: Connection, issue: int, solved: Solved, day: date | None, note: str, by: int | None, now: datetime
) -> None:
    entry = {"issue": issue, "solved": str(solved), "day": day, "note": note, "by": by, "at": now}
    db.execute(issue_changes.insert().values(entry))


def _settle(db: Connection, issue: int, now: datetime) -> None:
    """The last entry of its history says how far an issue is solved."""
    last = _days(db, [issue])[issue][-1][1]
    db.execute(update(group_issues).where(group_issues.c.id == issue).values(solved=str(last), changed=now))


def _flaws_of_day(day: date | None, today: date, name: str) -> dict[str, Flaw]:
    if day is None:
        return {name: Flaw.NO_DAY}
    if day > today:
        return {name: Flaw.FUTURE}
    return {name: Flaw.LONG_AGO} if day < EARLIEST else {}


def _line(text: str) -> str:
    return plain(" ".join(text.split()))
