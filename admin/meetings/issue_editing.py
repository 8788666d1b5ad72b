"""The form of an issue: a new one, and a change to one that is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from admin import audit, editing, scope
from admin.figures.tallies import programme
from admin.meetings.forum_pages import me
from admin.meetings.issue_words import STATES, found, said
from gateway.config import Settings
from gateway.contacts import groups
from gateway.menus.phrases import Phrase, Words
from gateway.models.concerns import Solved, group_issues
from gateway.models.store import Store
from gateway.promises import issues
from gateway.promises.issue_lists import day_in
from gateway.promises.issues import Flaw, Issue, Refused

_ = Words

TEXTS = ("raised_by", "subject", "to_whom", "done")
SEVERAL = _("several, or a whole district")


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/issues/new`, `/admin/issues/<id>/edit`."""

    @panel.get("/issues/new", endpoint="issues_new")
    def empty() -> str:
        return page({"commune": request.args.get("commune", ""), "solved": str(Solved.OPEN)}, {})

    @panel.post("/issues/new", endpoint="issues_made")
    def filled() -> Response | tuple[str, int]:
        moment = now()
        try:
            with store.write() as db:
                one = _sent(db)
                solved, on = request.form.get("solved"), request.form.get("solved_on", "")
                one = replace(
                    one, solved=Solved(solved) if solved in set(Solved) else Solved.OPEN, solved_on=day_in(on)
                )
                made = issues.add(db, one, settings.day(moment), me(), moment)
        except Refused as refused:
            return page(request.form, said(refused.flaws)), 422
        audit.tell(name=one.subject)
        flash(_("The issue is kept.").msgid)
        return redirect(url_for("admin.issues_one", issue=made))

    @panel.get("/issues/<int:issue>/edit", endpoint="issues_edit")
    def edit(issue: int) -> str:
        with store.read() as db:
            old = found(db, issue, settings.day(now()))
        return page(_kept(old), {}, old)

    @panel.post("/issues/<int:issue>/edit", endpoint="issues_edited")
    def edited(issue: int) -> Response | tuple[str, int]:
        moment = now()
        try:
            with store.write() as db:
                editing.hold(db, group_issues, issue)
                old = found(db, issue, settings.day(moment))
                errors = editing.meanwhile(_kept(old), request.form)
                if not errors:
                    issues.edit(db, replace(_sent(db), id=issue), settings.day(moment), moment)
        except Refused as refused:
            errors = dict(said(refused.flaws))
        if errors:
            return page(request.form, errors, old), 422
        audit.tell(before=old.subject, after=request.form.get("subject", "")[: issues.LONGEST["subject"]])
        flash(_("Kept.").msgid)
        return redirect(url_for("admin.issues_one", issue=issue))

    def page(typed: Mapping[str, str], errors: Mapping[str, Phrase], old: Issue | None = None) -> str:
        with store.read() as db:
            mine = scope.mine(db)
            communes: list[tuple[str, Phrase]] = [(one.code, one.name) for one in programme(db)
                                                  if mine is None or one.code in mine]  # fmt: skip
            known = sorted({*issues.groups_of(db, mine), *(group.name for group in groups.listed(db) if mine is None)})
        return render_template(
            "admin/issue_form.html",
            typed=typed, errors=errors, old=old, states=STATES, groups=known,
            communes=[("", SEVERAL), *communes] if mine is None else communes,
            version=editing.digest(_kept(old)) if old else "",
        )  # fmt: skip


def _sent(db: Connection) -> Issue:
    """The issue of the form. Raises Refused."""
    given = request.form
    commune, mine = given.get("commune") or None, scope.mine(db)
    if mine is not None and commune not in mine:  # else they would not see it any more
        raise Refused({"commune": Flaw.COMMUNE})
    raised_by, subject, to_whom, done = (given.get(name, "") for name in TEXTS)
    return Issue(raised_by, subject, to_whom, day_in(given.get("since", "")), commune, done)


def _kept(issue: Issue) -> dict[str, str]:
    """What the form shows of an issue as it is."""
    texts = {name: str(getattr(issue, name)) for name in TEXTS}
    return texts | {"since": issue.since.isoformat() if issue.since else "", "commune": issue.commune or ""}
