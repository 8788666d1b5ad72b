"""One issue: its history, and what is done to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from admin import audit, editing
from admin.meetings.forum_pages import me
from admin.meetings.issue_words import COLOURS, STATES, found, said
from gateway.config import Settings
from gateway.menus.phrases import Phrase, Words
from gateway.models.concerns import Solved, group_issues
from gateway.models.store import Store
from gateway.promises import issues
from gateway.promises.issue_lists import day_in
from gateway.promises.issues import Flaw, Issue, Refused

_ = Words


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/issues/<id>/change`, `/remove`, and `/admin/issues/<id>/history/<entry>/out`."""

    @panel.post("/issues/<int:issue>/change", endpoint="issues_change")
    def change(issue: int) -> Response | tuple[str, int]:
        given, moment = request.form, now()
        today = settings.day(moment)
        try:
            with store.write() as db:
                row = _held(db, issue, today)
                if given.get("solved") not in set(Solved):
                    raise Refused({"solved": Flaw.EMPTY})
                solved = Solved(given["solved"])
                day = day_in(given.get("day", ""))
                issues.change(db, issue, solved, day, given.get("note", ""), today, me(), moment)
        except Refused as refused:
            return shown(store, settings, now, row, given, said(refused.flaws)), 422
        audit.tell(before=str(row.solved), after=str(solved))
        flash(_("The state is kept.").msgid)
        return redirect(url_for("admin.issues_one", issue=issue))

    @panel.post("/issues/<int:issue>/history/<int:entry>/out", endpoint="issues_take_out")
    def take_out(issue: int, entry: int) -> Response:
        with store.write() as db:
            _held(db, issue, settings.day(now()))
            done = issues.take_out(db, issue, entry, now())
        flash((_("The entry is taken out.") if done else _("This entry is gone already.")).msgid)
        return redirect(url_for("admin.issues_one", issue=issue))

    @panel.post("/issues/<int:issue>/remove", endpoint="issues_removed")
    def removed(issue: int) -> Response:
        with store.write() as db:
            _held(db, issue, settings.day(now()))
            issues.remove(db, issue)
        flash(_("The issue and its history are removed.").msgid)
        return redirect(url_for("admin.issues"))


def shown(
    store: Store,
    settings: Settings,
    now: Callable[[], datetime],
    row: Issue,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, Phrase] | None = None,
) -> str:
    """The page of an issue; what was typed stays where it is refused."""
    with store.read() as db:
        entries = issues.history(db, row.id)
    fresh = {"solved": str(row.solved), "day": settings.day(now()).isoformat(), "note": ""}
    return render_template(
        "admin/issue.html",
        issue=row, entries=entries, typed=typed or fresh, errors=errors or {}, states=STATES, colours=COLOURS,
    )  # fmt: skip


def _held(db: Connection, issue: int, today: date) -> Issue:
    """The issue of an address; nobody else changes it meanwhile."""
    editing.hold(db, group_issues, issue)
    return found(db, issue, today)
