"""One's own login: the way to its password and second factor, and where one is logged in."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin.people.access import Door
from gateway import second_factor
from gateway.menus.phrases import Words
from gateway.models import staff_sessions

_ = Words


def add_routes(panel: Blueprint, door: Door) -> None:
    """`/admin/self`."""

    @panel.get("/self", endpoint="self")
    def page() -> str:
        account = current_user
        with door.store.read() as db:
            app = second_factor.has_app(db, account.member.id)
            codes = second_factor.codes_left(db, account.member.id)
            places = staff_sessions.places(db, account.member.id, door.now(), account.sitting)
        return render_template("admin/self.html", app=app, codes=codes, places=places)

    @panel.post("/self/places/<sitting>/end", endpoint="self_end")
    def end(sitting: str) -> Response:
        with door.store.write() as db:
            ended = staff_sessions.end_place(db, current_user.member.id, sitting)
        if ended:  # else a second click: it had ended already
            flash(_("You are logged out there.").msgid)
        return redirect(url_for("admin.self"))

    @panel.post("/self/places/end", endpoint="self_end_others")
    def end_others() -> Response:
        with door.store.write() as db:
            staff_sessions.end_others(db, current_user.sitting)
        flash(_("You are logged out everywhere else.").msgid)
        return redirect(url_for("admin.self"))
