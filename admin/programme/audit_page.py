"""The audit log as an admin reads it: a sentence a deed, the newest first; by person, kind and day."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import Blueprint, abort, render_template, request
from sqlalchemy import ColumnElement, Connection, Row, func, or_, select

from admin.meetings.commitment_words import STANDINGS
from admin.meetings.issue_words import STATES
from admin.messaging.contact_form import ROLES as CONTACT_ROLES
from admin.messaging.contact_lines import wording_for
from admin.messaging.messages import DECISIONS
from admin.paging import page_of
from admin.people.login_words import CALLED
from admin.programme.audit_words import ACCESS, DETAILS, KINDS, REFUSED, SENTENCES, STRANGER
from admin.wording import SPOKEN, Wording
from gateway.config import Settings
from gateway.forums.facts import named
from gateway.menus.phrases import Name, Phrase, Words
from gateway.models.audit import audit_log
from gateway.models.places import places
from gateway.models.staff import staff
from gateway.models.store import Store

_ = Words

PAGE = 50
"""Entries a page."""
OPERATOR = "operator"
"""In the address: deeds by command."""
_SAID: Mapping[str, Words] = {
    **CALLED,
    **{str(one): words for one, words in STANDINGS.items()},
    **{str(one): words for one, words in STATES.items()},
}
VALUES: Mapping[str, Mapping[str, Words]] = {
    "before": _SAID,
    "after": _SAID,
    "role": {**CALLED, **{str(role): words for role, words in CONTACT_ROLES.items()}},
    "decision": {name: decision.button for name, decision in DECISIONS.items()},
    "languages": {str(one): words for one, words in SPOKEN.items()},
}
"""What the values of details are called."""


@dataclass(frozen=True)
class Entry:
    """An entry on the page."""

    at: datetime
    sentence: Words
    commune: Phrase | None
    change: tuple[Phrase | date, Phrase | date] | None
    """What it was before and after."""
    details: Sequence[tuple[Words | str, Sequence[Phrase | date]]]
    failed: bool
    begun: bool
    """Nobody knows whether it came to its end."""


def add_routes(panel: Blueprint, store: Store, settings: Settings) -> None:
    """`/admin/audit?who=ID|operator&kind=…&day=2026-12-01&page=…`: for admins alone (`rights`)."""

    @panel.get("/audit", endpoint="audit")
    def page() -> str:
        given = request.args
        who, kind, day = given.get("who", ""), given.get("kind", ""), _day(given.get("day", ""))
        if (kind and kind not in KINDS) or (who and who != OPERATOR and not who.isascii()):
            abort(404)
        wanted = list(_wanted(settings, who, kind, day))
        with store.read() as db:
            total = db.scalar(select(func.count()).select_from(audit_log).where(*wanted)) or 0
            number, pages = page_of(total, PAGE)
            people = [(str(row.id), row.name) for row in db.execute(select(staff).order_by(staff.c.name))]
            entries = _entries(db, wanted, number, wording_for(settings))
        return render_template(
            "admin/audit.html", entries=entries, total=total, page=number, pages=pages, kinds=KINDS, people=people,
            chosen={"who": who, "kind": kind, "day": day.isoformat() if day else ""}, operator=OPERATOR,
        )  # fmt: skip


def sentence_of(row: Row[Any], details: Mapping[str, Any], wording: Wording) -> Words:
    """What somebody did."""
    of: Mapping[str, Any] = json.loads(row.of)
    failed = row.status is not None and row.status >= 400
    if failed and row.deed in ("admin.login", "admin.login_code") and row.member is None:
        return STRANGER
    deed = f"{row.deed} {of['deed']}" if "deed" in of else row.deed
    words = (REFUSED.get(deed) if failed else None) or SENTENCES.get(deed) or SENTENCES.get(row.deed) or Words(row.deed)
    name = value_of("name", details["name"]) if details.get("name") else _("(unnamed)")
    if isinstance(name, date):  # a round is told by its first day
        name = wording.date(name)
    elif details.get("name"):
        name = _("“{name}”", name=name)
    who: Phrase = row.who or (_("The operator") if row.deed.startswith("mati") else _("Somebody"))
    return words.given(who=who, name=name)


def value_of(key: str, value: Any) -> Phrase | date:
    """A detail, as it is said."""
    match value:
        case bool():
            return _("yes") if value else _("no")
        case dict():
            return named(value)
        case str():
            return VALUES.get(key, {}).get(value) or _day(value) or value
        case None:
            return "–"
        case _:
            return str(value)


def _wanted(settings: Settings, who: str, kind: str, day: date | None) -> Iterator[ColumnElement[bool]]:
    c = audit_log.c
    if who == OPERATOR:
        yield c.deed.startswith("mati ")
    elif who:
        yield c.member == (int(who) if who.isdigit() and len(who) < 10 else 0)
    if kind == "access":
        yield or_(*(c.deed == deed for deed in ACCESS))
    elif kind == "mati":
        yield c.deed.startswith("mati ")
    elif kind:
        yield or_(c.deed == f"admin.{kind}", c.deed.startswith(f"admin.{kind}_", autoescape=True))
    if day:
        begins = datetime.combine(day, time(), settings.zone)
        yield c.at >= begins
        yield c.at < begins + timedelta(days=1)


def _entries(db: Connection, wanted: Sequence[ColumnElement[bool]], number: int, wording: Wording) -> list[Entry]:
    c = audit_log.c
    newest = select(audit_log, staff.c.name.label("who")).outerjoin(staff, staff.c.id == c.member).where(*wanted)
    rows = db.execute(newest.order_by(c.id.desc()).offset((number - 1) * PAGE).limit(PAGE)).all()
    told = [json.loads(row.details) for row in rows]
    codes = {row.commune for row in rows} | {code for one in told for code in _codes(one)}
    mine = select(places.c.code, places.c.name_km, places.c.name_en).where(places.c.code.in_(codes))
    names = {row.code: Name(row.name_km, row.name_en, row.name_en) for row in db.execute(mine)}
    return [_entry(row, details, names, wording) for row, details in zip(rows, told, strict=True)]


def _codes(details: Mapping[str, Any]) -> list[str]:
    codes = details.get("communes", ())
    return codes if isinstance(codes, list) else []


def _entry(row: Row[Any], details: Mapping[str, Any], names: Mapping[str, Name], wording: Wording) -> Entry:
    lines = []
    for key, label in DETAILS.items():
        if details.get(key) in (None, [], ""):
            continue
        value = details[key]
        each = value if isinstance(value, list) else [value]
        lines.append((label, [names.get(one) or value_of(key, one) for one in each]))
    change = None
    if "after" in details:
        change = value_of("before", details.get("before")), value_of("after", details["after"])
    failed = row.status is not None and row.status >= 400
    commune = names.get(row.commune, row.commune) if row.commune else None
    return Entry(row.at, sentence_of(row, details, wording), commune, change, lines, failed, row.status is None)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None
