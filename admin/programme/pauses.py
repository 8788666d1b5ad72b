"""The pause: two days, such as around elections, between which no tally, poll, invitation or result leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin import audit
from gateway.config import Settings
from gateway.menus.phrases import Words
from gateway.models.editions import publish
from gateway.models.installation import pause, set_pause
from gateway.models.store import Store

_ = Words
log = structlog.get_logger()

LONGEST = timedelta(days=366)
"""A longer pause is a year mistyped."""


def days_of(form: Mapping[str, str], today: date) -> tuple[date, date] | dict[str, Words]:
    """The two days of a form, or what is wrong with it, by field."""
    wrong, days = {}, []
    for field in ("first", "last"):
        try:
            days.append(date.fromisoformat(form.get(field, "").strip()))
        except ValueError:
            wrong[field] = _("Give a day, such as 2026-12-31.")
    if wrong:
        return wrong
    first, last = days
    if last < first:
        return {"last": _("The last day is before the first.")}
    if last < today:
        return {"last": _("This day is over already.")}
    if last - first > LONGEST:
        return {"last": _("That is more than a year; is the year right?")}
    return first, last


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/pause`: everybody sees it, an admin sets it."""

    def today() -> date:
        return settings.day(now())

    def must_be_admin() -> None:
        if current_user.member.role != "admin":
            abort(403)

    @panel.get("/pause", endpoint="pause")
    def page() -> str:
        with store.read() as db:
            days = pause(db)
        typed = {"first": days[0].isoformat(), "last": days[1].isoformat()} if days else {}
        return render_template("admin/pause.html", days=days, typed=typed, errors={}, today=today())

    @panel.post("/pause", endpoint="pause_set")
    def begin() -> Response | tuple[str, int]:
        must_be_admin()
        days = days_of(request.form, today())
        if isinstance(days, dict):
            with store.read() as db:
                there = pause(db)
            page = render_template("admin/pause.html", days=there, typed=request.form, errors=days, today=today())
            return page, 422
        with store.write() as db:
            set_pause(db, days)
            publish(db, now())  # the menu tells no figure in it
        audit.tell(first=days[0], last=days[1])
        log.info("panel.pause", member=current_user.member.id, first=days[0].isoformat(), last=days[1].isoformat())
        flash(_("The pause is set.").msgid)
        return redirect(url_for("admin.pause"))

    @panel.post("/pause/end", endpoint="pause_end")
    def end() -> Response:
        must_be_admin()
        with store.write() as db:
            set_pause(db, None)
            publish(db, now())
        log.info("panel.pause_ended", member=current_user.member.id)
        flash(_("There is no pause any more.").msgid)
        return redirect(url_for("admin.pause"))
