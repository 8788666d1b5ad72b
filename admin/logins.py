"""The logins of the panel: an admin adds them, ends them, gives new passwords, each shown once and kept nowhere.

The page that shows a password is the answer to the form itself: a redirect would have to carry it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection, select
from werkzeug.wrappers import Response

from admin.tallies import Commune, programme
from gateway import logins
from gateway.logins import OF_COMMUNES, Flaw, Refused
from gateway.menus.phrases import Words
from gateway.models.staff import end_login, let_in, new_password, staff, staff_communes
from gateway.models.store import Store

_ = Words
log = structlog.get_logger()

ROLES: Mapping[str, Words] = {
    "admin": _("Admin: everything, and who may log in"),
    "staff": _("Staff: figures, messages, rounds"),
    "council": _("Council: what was released of its communes"),
    "volunteer": _("Volunteer: records what people say"),
}
CALLED: Mapping[str, Words] = {
    "admin": _("admin"),
    "staff": _("staff"),
    "council": _("council"),
    "volunteer": _("volunteer"),
}
FLAWS: Mapping[Flaw, tuple[str, Words]] = {
    Flaw.NAME: ("name", _("Give a name, of at most 60 characters.")),
    Flaw.ROLE: ("role", _("Choose a role.")),
    Flaw.TAKEN: ("name", _("This name has a login already. A new password for it is in the list below.")),
    Flaw.NO_COMMUNE: ("commune", _("A council's and a volunteer's login needs a commune.")),
    Flaw.NO_NEED: ("commune", _("Staff see all communes: choose none.")),
    Flaw.UNKNOWN: ("commune", _("This commune takes no part in the programme.")),
}
"""The field that is wrong, and what is said of it."""


@dataclass(frozen=True)
class Given:
    """A password that was just made; it is on this one page."""

    name: str
    password: str


def add_routes(panel: Blueprint, store: Store) -> None:
    """`/admin/logins`: for admins alone (`rights`)."""

    def page(status: int = 200, **values: Any) -> tuple[str, int]:
        with store.read() as db:
            known = programme(db)
            rows = db.execute(select(staff).order_by(staff.c.active.desc(), staff.c.name)).all()
            of = _communes(db, known)
        values = {"given": None, "typed": {}, "errors": {}} | values
        body = render_template(
            "admin/logins.html", rows=rows, of=of, communes=known, roles=ROLES, called=CALLED,
            of_communes=OF_COMMUNES, **values,
        )  # fmt: skip
        return body, status

    @panel.get("/logins", endpoint="logins")
    def listed() -> tuple[str, int]:
        return page()

    @panel.post("/logins", endpoint="logins_add")
    def add() -> tuple[str, int]:
        name, role = request.form.get("name", ""), request.form.get("role", "")
        codes = [code for code in request.form.getlist("commune") if code] if role in OF_COMMUNES else []
        try:
            with store.write() as db:
                password = logins.add(db, name, role, codes)
        except Refused as refusal:
            field, words = FLAWS[refusal.flaw]
            typed = {"name": name, "role": role, "commune": request.form.getlist("commune")}
            return page(422, typed=typed, errors={field: words})
        log.info("panel.login_added", member=current_user.member.id, role=role)
        return page(given=Given(" ".join(name.split()), password))

    @panel.post("/logins/<int:member>/reset", endpoint="logins_reset")
    def reset(member: int) -> tuple[str, int]:
        password = new_password()
        if member == current_user.member.id:  # one's own is changed at the top of every page
            abort(404)
        with store.write() as db:
            name = let_in(db, member, password)
        if name is None:
            abort(404)
        log.info("panel.login_reset", member=current_user.member.id, of=member)
        return page(given=Given(name, password))

    @panel.post("/logins/<int:member>/end", endpoint="logins_end")
    def end(member: int) -> Response:
        if member == current_user.member.id:  # so there is always an admin left
            abort(404)
        with store.write() as db:
            if not end_login(db, member):
                abort(404)
        log.info("panel.login_ended", member=current_user.member.id, of=member)
        flash(_("The login has ended.").msgid)
        return redirect(url_for("admin.logins"))


def _communes(db: Connection, known: list[Commune]) -> Mapping[int, list[Commune]]:
    """The communes of each login."""
    by_code = {one.code: one for one in known}
    found: dict[int, list[Commune]] = {}
    for row in db.execute(select(staff_communes).order_by(staff_communes.c.commune)):
        if row.commune in by_code:
            found.setdefault(row.staff_id, []).append(by_code[row.commune])
    return found
