"""One login: its role and communes, where it is logged in, its end, a new password for who lost theirs or the phone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Row
from werkzeug.wrappers import Response

from admin import audit, editing
from admin.figures.tallies import programme
from admin.people.login_words import CALLED, FLAWS, ROLES, Given
from admin.scope import LAST_ID
from gateway import invitations, logins, second_factor
from gateway.logins import Refused
from gateway.menus.phrases import Phrase, Words
from gateway.models import staff_sessions
from gateway.models.staff import communes_of, let_in, new_password, staff
from gateway.models.store import Store

_ = Words
log = structlog.get_logger()


def add_routes(
    panel: Blueprint, store: Store, whole: Callable[..., tuple[str, int]], now: Callable[[], datetime]
) -> None:
    """`/admin/logins/<id>` and its deeds. `whole` is the page of all of them, which shows what was made."""

    def found(member: int, *, other: bool = True) -> Row[Any]:
        """A login's row; `other`: not one's own, so that nobody locks themselves out."""
        with store.read() as db:
            row = logins.find(db, member) if member <= LAST_ID else None
        if row is None or (other and member == current_user.member.id):
            abort(404)
        return row

    def page(row: Row[Any], typed: Any = None, errors: dict[str, Phrase] | None = None) -> str:
        with store.read() as db:
            known, mine = programme(db), communes_of(db, row.id)
            values = {
                "app": second_factor.has_app(db, row.id),
                "codes": second_factor.codes_left(db, row.id),
                "places": staff_sessions.places(db, row.id, now()),
                "until": invitations.waiting(db).get(row.id),
            }
        there = {"role": row.role, "commune": mine}
        return render_template(
            "admin/login_page.html", row=row, typed=typed or there, seen=editing.digest(there), errors=errors or {},
            communes=known, roles=ROLES, called=CALLED, today=now(), **values,
            here=url_for("admin.logins_one", member=row.id),
        )  # fmt: skip

    @panel.get("/logins/<int:member>", endpoint="logins_one")
    def one(member: int) -> str:
        return page(found(member, other=False))

    @panel.post("/logins/<int:member>", endpoint="logins_change")
    def change(member: int) -> Response | tuple[str, int]:
        row = found(member)
        typed = {"role": request.form.get("role", ""), "commune": sorted(filter(None, request.form.getlist("commune")))}
        try:
            with store.write() as db:
                editing.hold(db, staff, member)
                kept = logins.find(db, member)
                if kept is None:
                    abort(404)
                row, before = kept, communes_of(db, member)
                names = {one.code: one.name for one in programme(db)}
                errors = editing.meanwhile(
                    {"role": row.role, "commune": before}, typed, {"role": CALLED, "commune": names}
                )
                if not errors:
                    logins.change(db, member, str(typed["role"]), typed["commune"])
        except Refused as refusal:
            field, words = FLAWS[refusal.flaw]
            errors = {field: words}
        if errors:
            return page(row, typed, errors), 422
        log.info("panel.login_changed", member=current_user.member.id, of=member, role=typed["role"])
        audit.tell(communes=typed["commune"])
        if typed["role"] != row.role:
            audit.tell(before=row.role, after=typed["role"])
        flash(_("The login was changed. It holds from the next page that they open.").msgid)
        return redirect(url_for("admin.logins"))

    _add_deeds(panel, store, whole, found, page)


def _add_deeds(
    panel: Blueprint,
    store: Store,
    whole: Callable[..., tuple[str, int]],
    found: Callable[[int], Row[Any]],
    page: Callable[..., str],
) -> None:
    """`/admin/logins/<id>/reset`, `/end` and `/places/<one>/end`."""

    @panel.post("/logins/<int:member>/reset", endpoint="logins_reset")
    def reset(member: int) -> tuple[str, int]:
        found(member)
        password = new_password()
        with store.write() as db:
            name = let_in(db, member, password)
        if name is None:
            abort(404)
        log.info("panel.login_reset", member=current_user.member.id, of=member)
        return whole(given=Given(name, password=password))

    @panel.post("/logins/<int:member>/end", endpoint="logins_end")
    def end(member: int) -> Response | tuple[str, int]:
        row = found(member)
        try:
            with store.write() as db:
                logins.end(db, member)
        except Refused as refusal:
            return page(row, None, {"role": FLAWS[refusal.flaw][1]}), 422
        log.info("panel.login_ended", member=current_user.member.id, of=member)
        flash(_("The login has ended.").msgid)
        return redirect(url_for("admin.logins"))

    @panel.post("/logins/<int:member>/places/<sitting>/end", endpoint="logins_out")
    def out(member: int, sitting: str) -> Response:
        row = found(member)
        with store.write() as db:
            ended = staff_sessions.end_place(db, row.id, sitting)
        if ended:
            log.info("panel.login_put_out", member=current_user.member.id, of=member)
            flash(_("They are logged out there.").msgid)
        return redirect(url_for("admin.logins_one", member=member))

    @panel.get("/logins/<int:member>/<any(reset, invite):_deed>", endpoint="logins_deed_seen")
    def seen(member: int, **_deed: str) -> Response:  # who changes the language on the page that shows what was made
        return redirect(url_for("admin.logins_one", member=member))
