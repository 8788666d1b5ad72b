"""The pages on which a forum is moved or cancelled, each with what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from flask import Blueprint, flash, render_template, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from admin.meetings.forum_form import Form, measured
from admin.meetings.forum_pages import WHY, found, me, refuse, to_one
from admin.wording import SPOKEN
from gateway.bulk.complaints import NotPossible
from gateway.bulk.previews import preview
from gateway.config import Settings
from gateway.forums import changes as forum_changes
from gateway.forums import plans as forum_plans
from gateway.forums.facts import Forum, named
from gateway.forums.plans import NotNow, Why
from gateway.menus.phrases import Words
from gateway.models.store import Store

_ = Words


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/forums/<id>/move`, `…/cancel`."""

    @panel.route("/forums/<int:forum_id>/move", methods=["GET", "POST"], endpoint="forums_move")
    def move(forum_id: int) -> Response | str | tuple[str, int]:
        with store.read() as db:
            old = found(db, forum_id)
            if not old.is_ahead(now()):
                refuse(Why.OVER)
                return to_one(forum_id)
            if request.method == "GET":
                return change_page(db, old, Form.of(old, settings), None)
            form = Form.sent()
            starts, venue = form.starts(settings, now()), form.texts("venue")
            new = None
            if not form.errors:
                try:
                    new = forum_changes.if_moved(db, settings, old, starts, venue, now())
                except NotNow as problem:
                    form.errors["starts"] = WHY[problem.why]
            if form.errors or request.form.get("do") != "keep":
                return change_page(db, old, form, new), 422 if form.errors else 200
        return done(forum_id, lambda db: forum_changes.move(db, settings, forum_id, starts, venue, me(), now()))

    @panel.route("/forums/<int:forum_id>/cancel", methods=["GET", "POST"], endpoint="forums_cancel")
    def cancel(forum_id: int) -> Response | str:
        with store.read() as db:
            old = found(db, forum_id)
            if old.cancelled or old.starts <= now():
                refuse(Why.OVER)
                return to_one(forum_id)
            if request.method == "GET":
                return change_page(db, old, None, replace(old, cancelled=True))
        return done(forum_id, lambda db: forum_changes.cancel(db, settings, forum_id, me(), now()))

    def change_page(db: Connection, old: Forum, form: Form | None, new: Forum | None) -> str:
        """A move, or without a form a cancellation; `new`: the forum as it would be."""
        said = seen = None
        if new is not None and (new.approved or new.cancelled):
            said = forum_changes.notice(db, settings, new, now())
            seen = preview(db, settings, said.plan, now())[0]
        return render_template(
            "admin/forum_change.html",
            forum=old, title=named(old.title), venue=named(old.venue), form=form, new=new, said=said, seen=seen,
            words=SPOKEN, texts=measured(said.plan.texts) if said else {},
        )  # fmt: skip

    def done(forum_id: int, change: Callable[[Connection], None]) -> Response:
        """After a change: its notice went out, or is put before a second person."""
        try:
            with store.write() as db:
                change(db)
        except NotNow as problem:
            refuse(problem.why)
            return to_one(forum_id)
        try:
            with store.write() as db:
                forum_plans.ask(db, settings, forum_id, me(), now())
            flash(_("It waits now for somebody else to approve it.").msgid)
        except NotNow:
            flash(_("Done.").msgid)
        except NotPossible:
            flash(_("Done. What is said of it is a draft still: look through it.").msgid)
        return to_one(forum_id)
