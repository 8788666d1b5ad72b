"""Places: the programme's communes with their numbers; letting one take part, switching one on or off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from admin import audit, scope
from admin.paging import page_of
from admin.programme import place_files
from gateway import communes
from gateway.communes import Refused, Why
from gateway.config import Settings
from gateway.menus.phrases import Words
from gateway.models.places import places
from gateway.models.store import Store
from gateway.privacy import Keys

_ = Words
log = structlog.get_logger()

PAGE = 50
"""Communes a page."""
WHY: Mapping[Why, Words] = {
    Why.UNKNOWN: _("There is no such commune."),
    Why.ROUND: _("A round is open there. Close it first; then the commune can be switched off."),
}


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/places?find=…`, `/admin/places/<code>` and its deeds; a file of places (`place_files`)."""

    @panel.get("/places", endpoint="places")
    def page() -> str:
        wanted = request.args.get("find", "").strip()
        with store.read() as db:
            own = scope.mine(db)
            number, pages = page_of(communes.count(db, own), PAGE)
            found = communes.search(db, wanted, own) if wanted else []
            members = [] if wanted else communes.listed(db, own, (number - 1) * PAGE, PAGE)
            known = db.scalar(select(func.count()).where(places.c.level == "commune")) or 0
        return render_template(
            "admin/places.html",
            found=found, members=members, wanted=wanted, most=communes.MOST, known=known, page=number, pages=pages,
        )  # fmt: skip

    @panel.get("/places/<commune>", endpoint="places_one")
    def one(commune: str) -> str:
        with store.read() as db:
            there = communes.find(db, commune) or abort(404)
            villages = communes.villages(db, commune)
        return render_template("admin/place.html", one=there, villages=villages)

    @panel.post("/places/<commune>/join", endpoint="places_join")
    def join(commune: str) -> Response:
        return deed(commune, _("The commune takes part from now on, under a number of its own."), join=True)

    @panel.post("/places/<commune>/switch", endpoint="places_switch")
    def switch(commune: str) -> Response:
        if request.form.get("on") == "yes":
            return deed(commune, _("The commune is switched on again, under the number that it had."), on=True)
        return deed(commune, _("The commune is switched off. Its number stays its own."), on=False)

    def deed(commune: str, done: Words, *, join: bool = False, on: bool = True) -> Response:
        try:
            with store.write() as db:
                name = (communes.find(db, commune) or abort(404)).name
                audit.tell(name={"km": name.km, "en": name.en})
                if join:
                    communes.join(db, commune, now())
                else:
                    communes.switch(db, commune, now(), on=on)
        except Refused as refused:
            done = WHY[refused.why]
        else:
            log.info("panel.commune", member=current_user.member.id, commune=commune, joined=join, on=on)
        flash(done.msgid)
        return redirect(url_for("admin.places_one", commune=commune))

    place_files.add_routes(panel, store, settings, keys, now)
