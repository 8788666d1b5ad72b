"""Every deed in the panel leaves an entry: who, when, what (`gateway.models.audit`).

The guard writes it before the page's own work begins, in a transaction of its own: what is done and breaks off in the
middle is noted as begun. Its end adds how it went, and what the page told of it. No entry has a number of a phone, a
password, or words of a message.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog
from flask import Response, g, request
from flask_login import current_user
from sqlalchemy import Column, ColumnElement, Connection, select

from admin import rights, scope
from gateway.models.audit import note, note_end
from gateway.models.broadcasts import broadcasts
from gateway.models.concerns import group_issues
from gateway.models.contacts import contacts, groups
from gateway.models.forums import forums
from gateway.models.information import information
from gateway.models.polls import polls
from gateway.models.promises import commitments
from gateway.models.rounds import rounds
from gateway.models.services import indicators, services
from gateway.models.staff import staff
from gateway.models.store import DatabaseDown, Store
from gateway.models.uploads import uploads
from gateway.models.volunteers import volunteers

log = structlog.get_logger()

QUIET = frozenset({
    # they count while somebody types, and change nothing
    "admin.broadcasts_count", "admin.polls_count", "admin.information_count", "admin.forums_count",
    # respondents are counted by volunteer and day; an entry would tell the minute in which each was recorded
    "admin.record_save", "admin.record_undo",
})  # fmt: skip
"""Forms that leave no entry."""
LOOKED_THROUGH = frozenset({
    "admin.forums_made", "admin.forums_edit", "admin.forums_move", "admin.forums_told", "admin.polls_made",
    "admin.commitments_made", "admin.commitments_edited", "admin.information_made", "admin.information_edited",
})  # fmt: skip
"""Forms that show first what they would do, and do it by the button `do=keep`."""

NAMES_OF: Mapping[str, tuple[Column[Any] | tuple[Column[Any], ...], ColumnElement[Any]] | None] = {
    "broadcast": (broadcasts.c.title, broadcasts.c.id),
    "forum_id": (forums.c.title, forums.c.id),
    "poll_id": (polls.c.question, polls.c.id),
    "contact": (contacts.c.name, contacts.c.id),
    "group": (groups.c.name, groups.c.id),
    "volunteer": (volunteers.c.name, volunteers.c.id),
    "round_id": (rounds.c.opened, rounds.c.id),
    "service_id": ((services.c.name_km, services.c.name_en), services.c.id),
    "question": ((indicators.c.text_km, indicators.c.text_en), indicators.c.id),
    "member": (staff.c.name, staff.c.id),
    "upload": (uploads.c.file, uploads.c.id),
    "commitment": (commitments.c.activity, commitments.c.id),
    "issue": (group_issues.c.subject, group_issues.c.id),
    "page_id": (information.c.title, information.c.id),
}
"""What a thing is called, by the name of the address's argument. The last one of an address wins."""
_REFUSED, _CONFLICT = 400, 409
KEPT = frozenset(NAMES_OF) - {"upload"} | {"commune", "deed", "message", "reply", "comment", "entry"}
"""The arguments of an address that are kept: no secret is among them."""


def tell(**details: Any) -> None:
    """Adds to the entry of this request: `name`, and what else is worth telling (`audit_words.DETAILS`)."""
    g.setdefault("told", {}).update(details)


def refused() -> None:
    """What this request asks for was not done, though its answer leads on as if it were: it says so in a flash."""
    g.refused = True


def note_who_is_in() -> None:
    """Before a form that is open to all: whoever is in already does not come in by it."""
    g.was_in = request.method == "POST" and current_user.is_authenticated


def begin(store: Store, now: Callable[[], datetime]) -> None:
    """Of a form that passed the guard: its entry."""
    endpoint = str(request.endpoint)
    looks = endpoint in LOOKED_THROUGH and request.form.get("do") != "keep"
    if request.method != "POST" or endpoint in QUIET or looks:
        return
    of = {name: value for name, value in (request.view_args or {}).items() if name in KEPT}
    with store.write() as db:
        g.named = _named(db)
        entry = note(
            db, endpoint, now(), member=current_user.member.id, of=of, details=g.named, status=None,
            commune=_commune(db),
        )  # fmt: skip
    g.entry = entry


def end(store: Store, now: Callable[[], datetime], response: Response) -> None:
    """How it went."""
    told, status = g.get("told", {}), response.status_code
    if g.get("refused") and status < _REFUSED:
        status = _CONFLICT
    try:
        if "entry" in g:
            with store.write() as db:
                note_end(db, g.entry, status, {**g.named, **told})
        elif request.method == "POST" and request.endpoint in rights.OPEN and (came_in := _came_in(told)) is not None:
            with store.write() as db:
                note(db, request.endpoint, now(), member=came_in[0], details=came_in[1], status=status)
    except DatabaseDown as error:  # what was done is done: its entry stays as begun
        log.warning("panel.audit_unfinished", error=type(error).__name__)


def _came_in(told: Mapping[str, Any]) -> tuple[int | None, Mapping[str, Any]] | None:
    """Who came in, or whose login was refused (`tell(member=…)`, None for a name that is not there); else None."""
    details = {name: value for name, value in told.items() if name != "member"}
    if current_user.is_authenticated and not g.get("was_in"):
        return current_user.member.id, details
    return (told["member"], details) if "member" in told else None


def _named(db: Connection) -> dict[str, Any]:
    """What that is called of which the address speaks."""
    name: Any = None
    for arg, value in (request.view_args or {}).items():
        found = NAMES_OF.get(arg)
        if found is None or (isinstance(value, int) and not 0 < value <= scope.LAST_ID):
            continue
        columns, key = found
        several = columns if isinstance(columns, tuple) else (columns,)
        row = db.execute(select(*several).where(key == value)).first()
        if row is not None:
            name = {"km": row[0], "en": row[1]} if len(row) == 2 else _spoken(row[0])
    return {} if name is None else {"name": name}


def _spoken(value: Any) -> Any:
    """A text that is kept by language, as a mapping."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _commune(db: Connection) -> str:
    """The commune whose thing it is, where it is one's."""
    codes = {code for code in request.form.getlist("commune") if code.isascii() and code.isdigit()}
    for arg, value in (request.view_args or {}).items():
        lookup = scope.COMMUNES_OF.get(arg)
        if lookup and not (isinstance(value, int) and not 0 < value <= scope.LAST_ID):
            codes |= {code for code in lookup(db, value) if code}
    one = next(iter(codes), "")
    return one if len(codes) == 1 and len(one) == 6 else ""
