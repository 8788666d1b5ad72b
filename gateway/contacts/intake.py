"""Taking in a list of contacts: what it would change, and changing it; whole or not at all.

A line adds to what is known and corrects it, and never takes anything away: an empty cell says nothing. Whoever has
asked for no more messages is left out, whatever a file says. So the same file twice changes nothing.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, bindparam, select, text, update

from gateway import phones
from gateway.contacts import groups
from gateway.contacts.contacts import Details, Flaw, lacking
from gateway.contacts.lists import Entry, ListFlaw, Reading
from gateway.contacts.sheets import BadFile, Problem
from gateway.models.contacts import Role, contacts, group_members
from gateway.models.contacts import groups as groups_table
from gateway.models.messages import opt_outs
from gateway.models.store import insert_many
from gateway.privacy import Keys
from gateway.text import fold

_CHUNK = 1000
_COLUMNS = ("phone", "number", "number_key", "operator", "role", "name", "address", "language", "commune", "consent",
            "source", "since")  # fmt: skip
_T = TypeVar("_T")


class Fate(enum.StrEnum):
    """What becomes of a contact in a list."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "unchanged"
    STOPPED = "stopped"
    """Asked for no more messages: not taken in."""


_TAKEN = (Fate.NEW, Fate.CHANGED)


@dataclass(frozen=True, slots=True)
class Step:
    """What taking in does about one contact."""

    entry: Entry
    fate: Fate
    details: Details
    """As they are afterwards."""
    contact: int | None
    """The id of one that is known."""


@dataclass(frozen=True)
class Plan:
    """What taking in a list does."""

    reading: Reading
    steps: Sequence[Step]
    groups: Set[str]
    """Whose members are among those taken in."""
    new_groups: Sequence[str]

    def count(self, fate: Fate) -> int:
        """How many contacts fare so."""
        return self._fates[fate]

    @property
    def _fates(self) -> Counter[Fate]:
        return Counter(step.fate for step in self.steps)


def plan(db: Connection, reading: Reading) -> Plan:
    """What taking in would change, by what is known now. Raises BadFile with all that is wrong, by line."""
    known_groups = groups.named(db)
    names = sorted({name for one in reading.entries for name in one.groups})
    ids = {name: known_groups.get(fold(name)) for name in names}
    members = _members(db, ids.values())
    steps: list[Step] = []
    for some in _chunks(reading.entries):
        phones_of = [entry.phone for entry in some]
        known = {row.phone: row for row in db.execute(select(*_KNOWN).where(contacts.c.phone.in_(phones_of)))}
        stopped = set(db.scalars(select(opt_outs.c.phone).where(opt_outs.c.phone.in_(phones_of))))
        for entry in some:
            row = known.get(entry.phone)
            details = _details(row, entry)
            if entry.phone in stopped:
                fate = Fate.STOPPED
            elif row is None:
                fate = Fate.NEW
            elif details == _details(row) and all((row.id, ids[name]) in members for name in entry.groups):
                fate = Fate.SAME
            else:
                fate = Fate.CHANGED
            steps.append(Step(entry, fate, details, row.id if row else None))
    problems = [*reading.problems, *_lacking(reading, steps)]
    if problems:
        raise BadFile(*sorted(problems, key=lambda problem: problem.line))
    taken = {name for step in steps if step.fate is not Fate.STOPPED for name in step.entry.groups}
    new_groups: dict[str, str] = {}
    for name in names:
        if name in taken and ids[name] is None:
            new_groups.setdefault(fold(name), name)
    return Plan(reading, steps, taken, tuple(new_groups.values()))


def take_in(db: Connection, keys: Keys, reading: Reading, today: date, now: datetime) -> Plan:
    """Takes a list in; returns what changed. Raises BadFile, and then nothing has."""
    if db.dialect.name == "postgresql":  # nobody comes in between by START; on SQLite there is one writer at a time
        db.execute(text("LOCK TABLE contacts, groups IN SHARE ROW EXCLUSIVE MODE"))
    done = plan(db, reading)
    if done.new_groups:
        db.execute(groups_table.insert(), [{"name": name, "made": now} for name in done.new_groups])
    made = groups.named(db)
    ids = {name: made[fold(name)] for name in done.groups}
    members = _members(db, ids.values())
    for some in _chunks([step for step in done.steps if step.fate in _TAKEN]):
        insert_many(db, contacts, (_row(keys, step, today) for step in some if step.fate is Fate.NEW), _COLUMNS)
        changed = [vars(step.details) | {"contact": step.contact} for step in some if step.fate is Fate.CHANGED]
        if changed:
            db.execute(_CHANGE, changed)
        joining = {(contact, ids[name]) for step, contact in _with_ids(db, some) for name in step.entry.groups}
        rows = ({"contact_id": contact, "group_id": group} for contact, group in sorted(joining - members))
        insert_many(db, group_members, rows, ("group_id", "contact_id"))
    return done


def report(done: Plan, dry_run: bool) -> str:
    """What was done, or would be, in lines."""
    lines = [", ".join(f"{done.count(fate):,} {fate}" for fate in (Fate.NEW, Fate.CHANGED, Fate.SAME))]
    if stopped := done.count(Fate.STOPPED):
        lines.append(f"left out, for they have asked for no more messages: {stopped:,}")
    if done.reading.merged:
        lines.append(f"lines joined with one above that has the same number: {done.reading.merged:,}")
    if done.new_groups:
        lines.append(f"new groups: {', '.join(done.new_groups)}")
    if done.reading.sheet.ignored:
        lines.append(f"columns not used: {', '.join(done.reading.sheet.ignored)}")
    if dry_run:
        lines.append("dry run: nothing was changed")
    return "\n".join(lines)


def _details(row: Row[Any] | None, entry: Entry | None = None) -> Details:
    """What is known of a contact, with what a list adds."""
    role = Role(row.role) if row else None
    if entry and entry.role and not (entry.role is Role.PERSON and role):
        # "person" says that they asked for reminders, which a councillor may have done, too
        role = entry.role

    def either(name: str) -> Any:
        return (getattr(entry, name) if entry else None) or (getattr(row, name) if row else None)

    return Details(
        role=role or Role.PERSON,
        name=either("name") or "",
        address=either("address") or "",
        language=either("language"),
        commune=either("commune"),
        consent=either("consent") or "",
    )


def _lacking(reading: Reading, steps: Sequence[Step]) -> Iterator[Problem]:
    headings = reading.sheet.headings
    unsaid = 0
    for step in steps:
        if step.fate not in _TAKEN:
            continue
        for column, flaw in lacking(step.details, agreed=step.contact is not None).items():
            if flaw is Flaw.NO_CONSENT and "consent" not in headings:
                unsaid += 1
            else:
                yield Problem(flaw, step.entry.line, step.entry.row, headings.get(column, column))
    if unsaid:
        yield Problem(ListFlaw.NO_CONSENTS, values={"n": str(unsaid)})


def _row(keys: Keys, step: Step, today: date) -> dict[str, Any]:
    number = step.entry.number
    sealed = keys.seal_number(number)
    return vars(step.details) | {
        "phone": step.entry.phone, "number": sealed.data, "number_key": sealed.key, "role": str(step.details.role),
        "operator": phones.operator(number), "source": "import", "since": today,
    }  # fmt: skip


def _members(db: Connection, wanted: Iterable[int | None]) -> set[tuple[int, int]]:
    """Contact and group of everybody in some groups; None is a group that is yet to be made."""
    statement = select(group_members.c.contact_id, group_members.c.group_id)
    known = group_members.c.group_id.in_({group for group in wanted if group is not None})
    return {(contact, group) for contact, group in db.execute(statement.where(known))}


def _with_ids(db: Connection, steps: Sequence[Step]) -> Iterator[tuple[Step, int]]:
    """The contacts of a chunk that are to be in groups, now that all of them have ids."""
    grouped = [step for step in steps if step.entry.groups]
    statement = select(contacts.c.phone, contacts.c.id)
    wanted = contacts.c.phone.in_([step.entry.phone for step in grouped])
    ids = {row.phone: row.id for row in db.execute(statement.where(wanted))}
    return ((step, ids[step.entry.phone]) for step in grouped)


def _chunks(things: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (things[start : start + _CHUNK] for start in range(0, len(things), _CHUNK))


_KNOWN = [contacts.c[name] for name in ("id", "phone", "role", "name", "address", "language", "commune", "consent")]
_DETAILS = ("role", "name", "address", "language", "commune", "consent")
_CHANGE = (
    update(contacts).where(contacts.c.id == bindparam("contact")).values({name: bindparam(name) for name in _DETAILS})
)
