"""The form of a commitment: a new one, and a change to one that is there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin import audit, editing
from admin.meetings.commitment_form import CURRENCIES, NO_ROUND, Choice, Form
from admin.meetings.commitment_words import found
from admin.meetings.forum_pages import me, wording
from admin.wording import SPOKEN
from gateway.config import Settings
from gateway.menus.phrases import Words
from gateway.models.promises import commitments as table
from gateway.models.store import Store
from gateway.promises import commitments
from gateway.promises.facts import Commitment
from gateway.promises.rules import ACTIVITY

_ = Words


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/commitments/new?forum=<id>&commune=<code>`, `/admin/commitments/<id>/edit`."""

    def today() -> date:
        return settings.day(now())

    @panel.get("/commitments/new", endpoint="commitments_new")
    def empty() -> str:
        forum = request.args.get("forum", type=int)
        with store.read() as db:
            choice = Choice.known(db, wording(settings), now(), forum)
        return page(Form.new(choice, str(forum), request.args.get("commune", "")), choice)

    @panel.post("/commitments/new", endpoint="commitments_made")
    def filled() -> Response | tuple[str, int]:
        form, moment = Form.sent(), now()
        with store.write() as db:
            choice = Choice.known(db, wording(settings), moment, request.form.get("forum", type=int))
            if request.form.get("do") != "keep":
                return page(form, choice), 200
            one = form.commitment(db, settings, choice, today())
            if one is None:
                return page(form, choice), 422
            made = commitments.add(db, settings, one, me(), moment)
        audit.tell(name=dict(one.activity))
        flash(_("The commitment is kept.").msgid)
        return redirect(url_for("admin.commitments_one", commitment=made))

    @panel.get("/commitments/<int:commitment>/edit", endpoint="commitments_edit")
    def edit(commitment: int) -> str:
        with store.read() as db:
            old = found(db, commitment)
            choice = Choice.known(db, wording(settings), now(), old.forum)
        return page(Form.of(old), choice, old)

    @panel.post("/commitments/<int:commitment>/edit", endpoint="commitments_edited")
    def edited(commitment: int) -> Response | tuple[str, int]:
        form, moment = Form.sent(), now()
        with store.write() as db:
            found(db, commitment)
            editing.hold(db, table, commitment)
            old = found(db, commitment)
            choice = Choice.known(db, wording(settings), moment, old.forum)
            if request.form.get("do") != "keep":
                return page(form, choice, old, request.form.get(editing.FIELD)), 200
            one = form.commitment(db, settings, choice, today(), old)
            names = {"commune": choice.communes, "round": choice.rounds, "forum": choice.forums}
            form.errors |= editing.meanwhile(Form.of(old).typed, form.typed, names)
            if one is None or form.errors:
                return page(form, choice, old), 422
            commitments.edit(db, settings, one, moment)
        if one.activity != old.activity:
            audit.tell(before=dict(old.activity), after=dict(one.activity))
        flash(_("Kept.").msgid)
        return redirect(url_for("admin.commitments_one", commitment=commitment))

    def page(form: Form, choice: Choice, old: Commitment | None = None, seen: str | None = None) -> str:
        rounds = {"": _("the last one before it was promised"), NO_ROUND: _("none"), **choice.rounds}
        forums = {"": _("at none: written down by staff"), **choice.forums}
        return render_template(
            "admin/commitment_form.html",
            form=form, old=old, communes=choice.communes.items(), rounds=rounds.items(), forums=forums.items(),
            currencies=CURRENCIES, fits=ACTIVITY, languages_of=SPOKEN, default=settings.default_language,
version=seen or (editing.digest(Form.of(old).typed) if old else ""),
        )  # fmt: skip
