"""Polls: how far each is, and what was answered (DOMAIN.md, table, row 13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin import audit, scope
from admin.messaging import poll_form
from admin.messaging.poll_form import found
from admin.paging import page_of
from admin.wording import SPOKEN
from gateway.bulk import polls
from gateway.bulk.poll_words import Result, sentence
from gateway.bulk.polls import Poll
from gateway.bulk.progress import progress
from gateway.config import FLOOR, Language, Settings
from gateway.menus.phrases import Words
from gateway.menus.wording import render
from gateway.models.broadcasts import Stage
from gateway.models.store import Store
from gateway.privacy import Keys

_ = Words

PAGE = 20
"""Polls a page."""
STATES: Mapping[str, Words] = {
    "draft": _("Draft"),
    "waiting": _("Waits for approval"),
    "open": _("Open"),
    "dropped": _("Not sent"),
    "closed": _("Closed"),
}


def state_of(poll: Poll, now: datetime) -> str:
    """How far a poll is."""
    if poll.approved is not None:
        return "open" if poll.is_open(now) else "closed"
    if poll.closed is not None or poll.stage == Stage.CANCELLED or poll.closes <= now:
        return "dropped"
    return "waiting" if poll.stage == Stage.WAITING else "draft"


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/polls`, `/admin/polls/<id>`, and what the form adds."""
    poll_form.add_routes(panel, store, settings, keys, now)

    @panel.get("/polls", endpoint="polls")
    def page() -> str:
        with store.read() as db:
            seen = scope.broadcasts_seen(db)
            count = polls.count(db, seen)
            number, pages = page_of(count, PAGE)
            shown = polls.listed(db, (number - 1) * PAGE, PAGE, seen)
            lines = [(poll, state_of(poll, now()), polls.result(db, settings, poll)) for poll in shown]
        return render_template("admin/polls.html", lines=lines, states=STATES, page=number, pages=pages)

    @panel.get("/polls/<int:poll_id>", endpoint="polls_one")
    def single(poll_id: int) -> str:
        with store.read() as db:
            poll = found(db, poll_id)
            figures = polls.result(db, settings, poll)
            return render_template(
                "admin/poll.html",
                poll=poll,
                state=state_of(poll, now()),
                states=STATES,
                figures=figures,
                answered=polls.has_answers(db, poll),
                minimum=max(settings.min_raters, FLOOR),
                sentences=_sentences(poll, figures),
                words=SPOKEN,
                sent=progress(db, settings, poll.broadcast, now()),
                notices=polls.notices(db, poll),
            )

    @panel.post("/polls/<int:poll_id>/close", endpoint="polls_close")
    def close(poll_id: int) -> Response:
        with store.read() as db:
            found(db, poll_id)
        if polls.close(store, keys, settings, poll_id, now()):
            flash(_("The poll is closed. Nobody can tell any more who voted what.").msgid)
        else:
            audit.refused()
        return redirect(url_for("admin.polls_one", poll_id=poll_id))

    @panel.post("/polls/<int:poll_id>/result", endpoint="polls_result")
    def result(poll_id: int) -> Response:
        with store.write() as db:
            poll = found(db, poll_id)
            figures = polls.result(db, settings, poll)
            if poll.closed is None or figures is None:
                abort(404)
            notice = polls.draft_result(db, poll, figures, current_user.member.id, now())
        return redirect(url_for("admin.broadcasts_one", broadcast=notice))


def _sentences(poll: Poll, figures: Result | None) -> dict[Language, str]:
    """The result to paste, in each language of the poll; only of a closed one, so that it is told once."""
    if figures is None or poll.closed is None:
        return {}
    said = sentence(poll.asked, figures)
    return {language: render(said, language) for language in poll.asked.languages}
