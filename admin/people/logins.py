"""The logins of the panel: an admin adds them, by a link that is handed over, and looks through them.

A link or a password is shown once, on the page that answers the form: a redirect would have to carry it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection, func, select
from werkzeug.wrappers import Response

from admin import audit
from admin.figures.tallies import Commune, programme
from admin.people import login_page
from admin.people.login_words import CALLED, FLAWS, ROLES, Given
from admin.scope import LAST_ID
from gateway import invitations
from gateway.config import Settings
from gateway.logins import OF_COMMUNES, Refused
from gateway.menus.phrases import Words
from gateway.models.staff import staff, staff_codes, staff_communes
from gateway.models.store import Store
from gateway.privacy import Keys

_ = Words
log = structlog.get_logger()


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/logins` and below: for admins alone (`rights`)."""

    def page(status: int = 200, **values: Any) -> tuple[str, int]:
        with store.read() as db:
            known = programme(db)
            rows = db.execute(select(staff).order_by(staff.c.active.desc(), staff.c.name)).all()
            of, waiting, sheets = communes_of(db, known), invitations.waiting(db), _printed(db)
        values = {"given": None, "typed": {}, "errors": {}} | values
        body = render_template(
            "admin/logins.html", rows=rows, of=of, communes=known, roles=ROLES, called=CALLED, waiting=waiting,
            sheets=sheets, of_communes=OF_COMMUNES, today=now(), once=secrets.token_hex(8),
            here=url_for("admin.logins"), **values,
        )  # fmt: skip
        return body, status

    def link(token: str) -> str:
        return settings.address + url_for("admin.join", token=token)

    @panel.get("/logins", endpoint="logins")
    def listed() -> tuple[str, int]:
        return page()

    @panel.post("/logins", endpoint="logins_add")
    def add() -> tuple[str, int]:
        name, role = request.form.get("name", ""), request.form.get("role", "")
        chosen = [code for code in request.form.getlist("commune") if code]
        once, by = request.form.get("once", ""), current_user.member.id
        try:
            with store.write() as db:
                token = invitations.invite(db, keys, name, role, chosen, by, once or secrets.token_hex(8), now())
        except Refused as refusal:
            field, words = FLAWS[refusal.flaw]
            return page(422, typed={"name": name, "role": role, "commune": chosen}, errors={field: words})
        log.info("panel.login_added", member=by, role=role)
        audit.tell(name=" ".join(name.split()), role=role, communes=chosen)
        return page(given=Given(" ".join(name.split()), link=link(token)))

    @panel.post("/logins/<int:member>/invite", endpoint="logins_invite")
    def invite(member: int) -> tuple[str, int]:
        with store.write() as db:
            made = invitations.renew(db, keys, member, current_user.member.id, now()) if member <= LAST_ID else None
        if made is None:
            abort(404)
        name, token = made
        log.info("panel.login_invited", member=current_user.member.id, of=member)
        return page(given=Given(name, link=link(token)))

    @panel.post("/logins/<int:member>/withdraw", endpoint="logins_withdraw")
    def withdraw(member: int) -> Response:
        with store.write() as db:
            gone = member <= LAST_ID and invitations.withdraw(db, member)
        if gone:  # else a second click, or they have come in the meantime: the list shows it
            log.info("panel.login_withdrawn", member=current_user.member.id, of=member)
            flash(_("The invitation was withdrawn. The name can be given again.").msgid)
        return redirect(url_for("admin.logins"))

    login_page.add_routes(panel, store, page, now)


def communes_of(db: Connection, known: list[Commune]) -> Mapping[int, list[Commune]]:
    """The communes of each login."""
    by_code = {one.code: one for one in known}
    found: dict[int, list[Commune]] = {}
    for row in db.execute(select(staff_communes).order_by(staff_communes.c.commune)):
        if row.commune in by_code:
            found.setdefault(row.staff_id, []).append(by_code[row.commune])
    return found


def _printed(db: Connection) -> Mapping[int, int]:
    """How many printed codes each login has left."""
    counted = select(staff_codes.c.staff_id, func.count()).group_by(staff_codes.c.staff_id)
    return {row[0]: row[1] for row in db.execute(counted)}
