"""Rounds: what is open and what was; opening one, its last day as planned, closing it (DOMAIN.md, Privacy)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection, update
from werkzeug.wrappers import Response

from admin import audit, editing, scope
from admin.figures import round_form
from admin.figures.round_form import planned
from admin.paging import page_of
from gateway.config import FLOOR, Settings
from gateway.menus.phrases import Phrase, Words
from gateway.models.rounds import rounds as table
from gateway.models.store import Store
from gateway.privacy import Keys
from gateway.scorecard import bursts, round_list, rounds
from gateway.scorecard.round_list import Listed

_ = Words
log = structlog.get_logger()

PAGE = 20
"""Rounds a page."""
STATES: Mapping[str, Words] = {
    "open": _("Open"),
    "soon": _("Open, its last day is near"),
    "late": _("Open beyond its last day: close it"),
    "closed": _("Closed"),
    "councils": _("Shown to councils"),
    "public": _("Public"),
}


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/rounds?page=…`, `/admin/rounds/new`, `/admin/rounds/<id>` and its deeds."""
    minimum = max(settings.min_raters, FLOOR)

    def today() -> date:
        return settings.day(now())

    @panel.get("/rounds", endpoint="rounds")
    def page() -> str:
        with store.read() as db:
            own = scope.mine(db)
            number, pages = page_of(round_list.count(db, own), PAGE)
            found = round_list.listed(db, settings.min_raters, (number - 1) * PAGE, PAGE, own)
        lines = [(one, one.state(today())) for one in found]
        return render_template("admin/rounds.html", lines=lines, states=STATES, page=number, pages=pages)

    @panel.get("/rounds/<int:round_id>", endpoint="rounds_one")
    def one(round_id: int) -> str:
        return shown(round_id)

    @panel.post("/rounds/<int:round_id>/until", endpoint="rounds_until")
    def until(round_id: int) -> Response | tuple[str, int]:
        typed = request.form.get("until", "")
        day, wrong = planned(typed, today())
        if wrong is not None:
            return shown(round_id, {"until": wrong}, typed), 422
        with store.write() as db:
            editing.hold(db, table, min(round_id, _LAST_ID))
            before = found(db, round_id).until
            errors = editing.meanwhile({"until": _said(before)}, {"until": typed})
            if not errors:
                still_open = (table.c.id == round_id) & table.c.closed.is_(None)
                db.execute(update(table).where(still_open).values(until=day))
        if errors:
            return shown(round_id, errors, typed), 422
        audit.tell(before=before or "–", after=day or "–")
        flash(_("The last day is noted. The round stays open until somebody closes it.").msgid)
        return redirect(url_for("admin.rounds_one", round_id=round_id))

    @panel.get("/rounds/<int:round_id>/close", endpoint="rounds_close")
    def look(round_id: int) -> str | Response:
        return closing(round_id) or redirect(url_for("admin.rounds_one", round_id=round_id))

    @panel.post("/rounds/<int:round_id>/close", endpoint="rounds_closed")
    def close(round_id: int) -> Response | tuple[str, int]:
        if request.form.get("sure") != "yes":
            errors = {"sure": _("Tick that you have read what closing destroys.")}
            if page := closing(round_id, errors):
                return page, 422
        else:
            with store.read() as db:
                found(db, round_id)
            rounds.close_round(store, keys, round_id, today(), now(), settings.min_raters)
            log.info("panel.round_closed", member=current_user.member.id, round=round_id)
            flash(_("The round is closed, and its key is destroyed.").msgid)
        return redirect(url_for("admin.rounds_one", round_id=round_id))

    round_form.add_routes(panel, store, settings, keys, now)

    def shown(round_id: int, errors: Mapping[str, Phrase] | None = None, typed: str | None = None) -> str:
        with store.read() as db:
            round_, own = found(db, round_id), scope.mine(db)
            return render_template(
                "admin/round.html",
                round=round_, state=round_.state(today()), states=STATES,
                communes=round_list.members(db, round_id, own), version=editing.digest({"until": _said(round_.until)}),
                services=round_list.asked(db, round_id), left=round_list.still_forgetting(db, round_id),
                minimum=minimum, errors=errors or {},
                bursts=bursts.bursts(db, round_id, minimum) if own is None else (),
                until=typed if typed is not None else _said(round_.until), today=today(),
            )  # fmt: skip

    def closing(round_id: int, errors: Mapping[str, Phrase] | None = None) -> str | None:
        """The page that says what closing destroys; None where nothing is left to close."""
        with store.read() as db:
            round_ = found(db, round_id)
            if round_.closed is not None:
                return None
            return render_template(
                "admin/round_close.html",
                round=round_, errors=errors or {}, minimum=minimum, communes=round_list.members(db, round_id),
                gone=round_list.what_closing_destroys(db, round_id),
            )  # fmt: skip

    def found(db: Connection, round_id: int) -> Listed:
        if not 0 < round_id <= _LAST_ID:
            abort(404)
        return round_list.found(db, round_id, settings.min_raters, scope.mine(db)) or abort(404)


def _said(day: date | None) -> str:
    return day.isoformat() if day else ""


_LAST_ID = 2**31 - 1
