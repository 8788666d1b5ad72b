"""One message: its origin, what it waits for, what became of it, who decided about it; its number on request."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, render_template, url_for
from sqlalchemy import Connection, Row, or_, select

from admin.messaging.contact_lines import numbered, wording_for
from admin.messaging.messages import BADLY, DECISIONS, STATES, WELL, line
from admin.programme.audit_page import sentence_of
from admin.wording import SPOKEN
from gateway.config import Settings
from gateway.menus.phrases import Words
from gateway.models.audit import audit_log
from gateway.models.broadcasts import broadcasts
from gateway.models.health import resting
from gateway.models.installation import is_paused, pause
from gateway.models.messages import PAUSED, Kind, State, messages
from gateway.models.staff import staff
from gateway.models.store import Store
from gateway.privacy import Keys
from gateway.workers.policy import kinds_now

_ = Words

DEEDS = ("admin.messages_decide", "admin.messages_number")
"""What staff do about a message."""
SETTLED = (State.UNDELIVERED, State.REFUSED, State.EXPIRED, State.CANCELLED, State.DELIVERED)


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/messages/<id>`, and its `/number`."""

    def found(db: Connection, message: str) -> Row[Any]:
        return db.execute(select(messages).where(messages.c.id == message)).first() or abort(404)

    @panel.get("/messages/<message>", endpoint="messages_one")
    def one(message: str) -> str:
        moment, words = now(), wording_for(settings)
        with store.read() as db:
            row = found(db, message)
            waits = waits_for(db, settings, row, moment)
            told = _decisions(db, message)
            bulk = _broadcast(db, row)
        return render_template(
            "admin/message.html",
            line=line(keys, row, moment), row=row, bulk=bulk, waits=waits, states=STATES, well=WELL, badly=BADLY,
            settled=row.state in SETTLED, decisions=DECISIONS, words=SPOKEN, has_number=row.number is not None,
            told=[(entry.at, sentence_of(entry, details, words), details.get("decision")) for entry, details in told],
        )  # fmt: skip

    @panel.post("/messages/<message>/number", endpoint="messages_number")
    def number(message: str) -> str:  # an answer to the form itself: it stands in no address, and in no history
        with store.read() as db:
            row = found(db, message)
        return numbered(keys, row, "", url_for("admin.messages_one", message=message))


def waits_for(db: Connection, settings: Settings, row: Row[Any], now: datetime) -> tuple[Words, datetime | None] | None:
    """What a message waits for that has not left yet, and until when; None for all others."""
    if row.state == State.HELD:
        return _("Its broadcast is paused."), None
    if row.state != State.QUEUED:
        return None
    days = pause(db)
    if row.kind in PAUSED and days and is_paused(db, settings.day(now)):
        return _("There is a pause: nothing leaves before its end."), None
    if row.not_before > now:
        tried = _("It is tried again after a while: {n} tries so far.", n=str(row.attempts))
        return (tried if row.attempts else _("It is to leave later.")), row.not_before
    if Kind(row.kind) not in kinds_now(now, settings.zone, paused=False):
        return _("It waits for the morning: nothing is sent at night."), None
    if row.provider in resting(db, now):
        return _("Its provider is left alone for a while: it failed too often."), None
    return _("It is next: it leaves as soon as those before it have left."), None


def _broadcast(db: Connection, row: Row[Any]) -> Any:
    """What it was written for: the broadcast, with who wrote and who approved it."""
    if row.broadcast is None:
        return None
    author, approver = staff.alias(), staff.alias()
    b = broadcasts.c
    columns = (b.id, b.title, b.stage, b.approved, author.c.name.label("author"), approver.c.name.label("approver"))
    named = select(*columns).outerjoin(author, author.c.id == b.author)
    named = named.outerjoin(approver, approver.c.id == b.approver)
    return db.execute(named.where(b.id == row.broadcast)).first()


def _decisions(db: Connection, message: str) -> Sequence[tuple[Row[Any], dict[str, Any]]]:
    """What staff did about it, from the audit log."""
    c = audit_log.c
    about = or_(c.details.contains(message, autoescape=True), c.of.contains(message, autoescape=True))
    mine = select(audit_log, staff.c.name.label("who")).outerjoin(staff, staff.c.id == c.member)
    rows = db.execute(mine.where(c.deed.in_(DEEDS), about).order_by(c.id))
    return [(row, json.loads(row.details)) for row in rows]
