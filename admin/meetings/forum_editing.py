"""The pages on which a forum is planned: a new one, and a change before it is approved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from flask import Blueprint, flash, render_template, request
from sqlalchemy import select
from werkzeug.wrappers import Response

from admin import audit, scope
from admin.editing import Choices, digest, meanwhile
from admin.meetings.forum_form import SKIPPED, TIMES, Choice, Form, sentences
from admin.meetings.forum_pages import found, me, refuse, to_one, wording
from admin.messaging.complaints import said as complained
from admin.wording import SPOKEN
from gateway.bulk import hours
from gateway.bulk.complaints import Wrong
from gateway.bulk.previews import Plan, preview
from gateway.config import Settings
from gateway.forums import plans as forum_plans
from gateway.forums import words as forum_words
from gateway.forums.facts import Forum, at_the_time, find, listed
from gateway.forums.plans import NotNow, title_of
from gateway.forums.times import plan
from gateway.menus.phrases import Words
from gateway.models.installation import pause
from gateway.models.messages import Kind
from gateway.models.places import communes
from gateway.models.store import Store

_ = Words


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/forums/new?like=<id>`, `/admin/forums/<id>/edit`, `/admin/forums/count`."""

    @panel.get("/forums/new", endpoint="forums_new")
    def empty() -> str:
        with store.read() as db:
            choice = Choice.known(db)
            like = found(db, request.args.get("like", 0, type=int)) if "like" in request.args else None
            own = scope.mine(db)
            last = [*listed(db, now(), past=True, size=1, within=own), *listed(db, now(), past=False, within=own)]
        if like is None:
            return form_page(Form.new(choice.communes, last[-1].inviter if last else ""), choice)
        form = Form.of(like, settings)
        return form_page(replace(form, typed={**form.typed, "starts": ""}), choice)

    @panel.post("/forums/new", endpoint="forums_made")
    def filled() -> Response | tuple[str, int]:
        form, moment = Form.sent(), now()
        with store.read() as db:
            choice = Choice.known(db)
        forum = form.forum(choice, settings, moment)
        if form.errors or request.form.get("do") != "keep":
            return form_page(form, choice, None if form.errors else forum), 422 if form.errors else 200
        with store.write() as db:
            # of two at once for the same place the second waits here, and finds the first
            db.execute(select(communes.c.code).where(communes.c.code == forum.code).with_for_update())
            there = at_the_time(db, forum.code, forum.starts)
            if there is None:
                made = forum_plans.plan_forum(db, settings, forum, me(), moment)
        if there is not None:
            flash(_("This commune has a forum at this time already: this one. Nothing was added.").msgid)
            return to_one(there)
        audit.tell(name=forum.title)
        flash(_("The forum is a draft. Look through what is said, then ask for approval.").msgid)
        return to_one(made)

    @panel.post("/forums/count", endpoint="forums_count")
    def count() -> str:
        form = Form.sent()
        with store.read() as db:
            forum = form.forum(Choice.known(db), settings, now())
        told = [] if form.errors else sentences(forum, settings)
        return render_template("admin/forum_count.html", sentences=told, words=SPOKEN)

    def form_page(
        form: Form, choice: Choice, forum: Forum | None = None, editing: Forum | None = None, version: str | None = None
    ) -> str:
        seen, planned = None, []
        if forum is not None:
            with store.read() as db:
                texts = forum_words.invitation(forum, settings.zone)
                said = Plan(Kind.INVITATION, title_of(forum, settings), texts, forum.audience, expires=forum.starts)
                seen = preview(db, settings, said, now())[0]
                planned = plan(forum, settings.zone, hours.next_possible(now(), settings.zone, pause(db)))
        return render_template(
            "admin/forum_form.html",
            version=version or (digest(Form.of(editing, settings).fields) if editing else ""),
            form=form, editing=editing, communes=choice.communes.items(), groups=choice.groups.items(),
            reminders=TIMES.items(), words=SPOKEN, forum=forum, seen=seen, planned=planned, names=TIMES,
            skipped=SKIPPED,
            sentences=sentences(forum, settings) if forum else [],
            against=[complained(one, wording(settings)) for one in seen.complaints if one.wrong is not Wrong.NOBODY]
            if seen else [],
        )  # fmt: skip

    _add_change(panel, store, settings, now, form_page)


def _add_change(
    panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime], form_page: Callable[..., str]
) -> None:
    """`/admin/forums/<id>/edit`."""

    @panel.route("/forums/<int:forum_id>/edit", methods=["GET", "POST"], endpoint="forums_edit")
    def edit(forum_id: int) -> Response | str | tuple[str, int]:
        with store.read() as db:
            choice, old = Choice.known(db), found(db, forum_id)
        if request.method == "GET":
            if old.approved or old.cancelled:
                return to_one(forum_id)
            return form_page(Form.of(old, settings), choice, editing=old)
        form = Form.sent()
        forum = replace(form.forum(choice, settings, now()), id=old.id)
        if form.errors or request.form.get("do") != "keep":
            shown = None if form.errors else forum
            # what is looked through is still a change of what was there when the form was first shown
            version = request.form.get("version")
            return form_page(form, choice, shown, editing=old, version=version), 422 if form.errors else 200
        try:
            with store.write() as db:
                there = find(db, forum_id, to_change=True) or old
                choices: Choices = {"commune": choice.communes, "groups": choice.groups}
                form.errors |= meanwhile(Form.of(there, settings).fields, form.fields, choices)
                if form.errors:
                    return form_page(form, choice, editing=there), 422
                forum_plans.change(db, settings, forum, me(), now())
            flash(_("Kept. The invitation says the same, and needs approval again.").msgid)
        except NotNow as problem:
            refuse(problem.why)
        return to_one(forum_id)
