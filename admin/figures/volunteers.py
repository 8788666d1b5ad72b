"""Volunteers: who records respondents, on which phone, with which login, and how many on each day of the open round.

A password is shown once, on the page that answers the form: a redirect would have to carry it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection, Row
from werkzeug.wrappers import Response

from admin import audit, editing, scope
from admin.figures.tallies import programme
from admin.messaging.flaws import said
from gateway.config import Settings
from gateway.contacts import contacts
from gateway.contacts.contacts import Refused
from gateway.menus.phrases import Name, Phrase, Words
from gateway.models.store import Store
from gateway.models.volunteers import volunteers as table
from gateway.phones import masked
from gateway.privacy import KeyProblem, Keys, Sealed
from gateway.scorecard import volunteers
from gateway.scorecard.volunteers import Details, Flaw

_ = Words
log = structlog.get_logger()

FIELDS: Mapping[Flaw, tuple[str, Words]] = {
    Flaw.NO_NAME: ("name", _("This is missing.")),
    Flaw.NO_COMMUNE: ("commune", _("Choose the commune in which they record.")),
    Flaw.NO_WAY: ("number", _("A volunteer needs a number, or a login for the panel.")),
    Flaw.TAKEN: ("number", _("Another volunteer has this number.")),
    Flaw.LOGIN_TAKEN: ("login", _("There is a login of this name already. Choose another name.")),
    Flaw.NO_LOGIN: ("login", _("A login needs a name, of at most 60 characters.")),
}
"""The field that is wrong, and what is said of it. What is wrong with a number is said as of a contact's."""
_OF_WORDS = (contacts.Flaw.FORMULA, contacts.Flaw.TOO_LONG)
DAYS = 7
"""So many days stand on the list; the others are in the sum."""
LAST_ID = 2**31 - 1


@dataclass(frozen=True)
class Line:
    """A volunteer on the page."""

    id: int
    name: str
    commune: Phrase
    number: str | None
    """Masked; None where there is none, or it cannot be opened."""
    login: str | None
    active: bool
    is_open: bool
    """Whether a round is open in their commune."""
    days: Sequence[tuple[date, int]]
    total: int


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/volunteers`, `/admin/volunteers/new`, `/admin/volunteers/<id>` and its deeds."""

    def today() -> date:
        return settings.day(now())

    def form_page(
        typed: Mapping[str, str], errors: Mapping[str, Phrase], row: Row[Any] | None = None,
        given: tuple[str, str] | None = None,
    ) -> str:  # fmt: skip
        with store.read() as db:
            communes: dict[str, Phrase] = {one.code: one.name for one in programme(db)}
            login = volunteers.login_of(db, row.id) if row else None
            going_on = volunteers.open_communes(db)
        return render_template(
            "admin/volunteer.html",
            version=editing.digest(_kept(row)) if row else "",
            typed=typed, errors=errors, row=row, communes=communes, login=login, given=given, role=volunteers.ROLE,
            once=secrets.token_hex(8),
            number=number_of(keys, row) if row else None, is_open=not row or row.commune in going_on,
        )  # fmt: skip

    @panel.get("/volunteers", endpoint="volunteers")
    def page() -> str:
        with store.read() as db:
            lines = _lines(db, keys)
        return render_template("admin/volunteers.html", lines=lines, shown=DAYS, today=today())

    @panel.get("/volunteers/new", endpoint="volunteers_new")
    def new() -> str:
        return form_page({}, {})

    @panel.post("/volunteers/new", endpoint="volunteers_add")
    def add() -> str | Response | tuple[str, int]:
        typed, given, by = request.form, None, current_user.member.id
        once = typed.get("once") or secrets.token_hex(8)
        try:
            with store.write() as db:
                if login := typed.get("login", "").strip():
                    made, given = volunteers.register_with_login(
                        db, keys, settings, _details(), login, today(), by, once
                    )
                else:
                    made = volunteers.register(db, keys, settings, _details(), today())
        except Refused as refusal:
            return form_page(typed, _wrong(refusal)), 422
        audit.tell(name=_details().name)
        log.info("panel.volunteer_added", member=by, volunteer=made)
        if given:
            return one_page(made, given)
        flash(_("The volunteer was added.").msgid)
        return redirect(url_for("admin.volunteers"))

    @panel.get("/volunteers/<int:volunteer>", endpoint="volunteers_one")
    def one(volunteer: int) -> str:
        return one_page(volunteer)

    @panel.post("/volunteers/<int:volunteer>", endpoint="volunteers_change")
    def change(volunteer: int) -> Response | tuple[str, int]:
        row = found(volunteer)
        try:
            with store.write() as db:
                editing.hold(db, table, volunteer)
                row = volunteers.find(db, volunteer) or abort(404)
                choices: editing.Choices = {"commune": {one.code: one.name for one in programme(db)}}
                errors = editing.meanwhile(_kept(row), request.form, choices)
                if not errors:
                    volunteers.change(db, keys, settings, volunteer, _details())
        except Refused as refusal:
            errors = _wrong(refusal)
        if errors:
            return form_page(request.form, errors, row), 422
        audit.tell(before=row.name, after=_details().name)
        flash(_("The volunteer was changed.").msgid)
        return redirect(url_for("admin.volunteers"))

    def one_page(volunteer: int, given: tuple[str, str] | None = None) -> str:
        row = found(volunteer)
        return form_page(_kept(row), {}, row, given)

    def found(volunteer: int) -> Row[Any]:
        with store.read() as db:
            row = volunteers.find(db, volunteer) if volunteer <= LAST_ID else None
        return row or abort(404)

    _add_deeds(panel, store, found, form_page, one_page)


def _add_deeds(
    panel: Blueprint,
    store: Store,
    found: Callable[[int], Row[Any]],
    form_page: Callable[..., str],
    one_page: Callable[..., str],
) -> None:
    """`/admin/volunteers/<id>/switch` and `/login`."""

    @panel.post("/volunteers/<int:volunteer>/switch", endpoint="volunteers_switch")
    def switch(volunteer: int) -> Response:
        found(volunteer)
        on = request.form.get("to") == "on"
        with store.write() as db:
            volunteers.switch(db, volunteer, on=on)
        audit.tell(on=on)
        log.info("panel.volunteer_switched", member=current_user.member.id, volunteer=volunteer, on=on)
        flash((_("They may record again.") if on else _("They record no more. What they recorded stays.")).msgid)
        return redirect(url_for("admin.volunteers"))

    @panel.get("/volunteers/<int:volunteer>/login", endpoint="volunteers_login_seen")
    def seen(volunteer: int) -> Response:  # who changes the language on the page with the password
        return redirect(url_for("admin.volunteers_one", volunteer=volunteer))

    @panel.post("/volunteers/<int:volunteer>/login", endpoint="volunteers_login")
    def login(volunteer: int) -> str | tuple[str, int]:
        row = found(volunteer)
        try:
            with store.write() as db:
                theirs = volunteers.login_of(db, volunteer)
                if not row.active or (theirs and theirs.role != volunteers.ROLE):  # staff's passwords are an admin's
                    abort(404)
                given = volunteers.give_login(db, volunteer, request.form.get("login", ""))
        except Refused as refusal:
            return form_page(_kept(row) | request.form.to_dict(), _wrong(refusal), row), 422
        log.info("panel.volunteer_login", member=current_user.member.id, volunteer=volunteer)
        return one_page(volunteer, given)


def number_of(keys: Keys, row: Row[Any]) -> str | None:
    """A volunteer's number as staff see it."""
    if row.number is None:
        return None
    try:
        return masked(keys.open_number(Sealed(row.number_key, row.number)))
    except KeyProblem:
        return None


def _details() -> Details:
    given = request.form
    return Details(given.get("name", ""), given.get("commune", ""), given.get("number", ""))


def _kept(row: Row[Any]) -> dict[str, str]:
    """What the form shows of a volunteer as they are; never the number."""
    return {"name": row.name, "commune": row.commune}


def _wrong(refusal: Refused) -> dict[str, Phrase]:
    if isinstance(refusal.flaw, Flaw):
        field, words = FIELDS[refusal.flaw]
        return {field: words}
    return {"name" if refusal.flaw in _OF_WORDS else "number": said(refusal)}


def _lines(db: Connection, keys: Keys) -> list[Line]:
    names: dict[str, Name] = {one.code: one.name for one in programme(db)}
    going_on, recorded = volunteers.open_communes(db), volunteers.recorded_by_day(db)
    lines = []
    own = scope.mine(db)
    for row in volunteers.everybody(db):
        if own is not None and row.commune not in own:
            continue
        days = recorded.get(row.id, [])
        lines.append(
            Line(row.id, row.name, names.get(row.commune, row.commune), number_of(keys, row), row.login, row.active,
                 row.commune in going_on, days[:DAYS], sum(n for _day, n in days))
        )  # fmt: skip
    return lines
