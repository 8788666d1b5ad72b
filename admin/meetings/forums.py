"""Forums: what is planned and what was; one forum from its draft to what came of it (DOMAIN.md, table, row 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint, render_template
from sqlalchemy import Connection, Row

from admin import scope
from admin.meetings import forum_changing, forum_deeds, forum_editing, forum_results
from admin.meetings.forum_form import SKIPPED, sentences
from admin.meetings.forum_pages import found, group_names, me
from admin.paging import page_of
from admin.wording import SPOKEN
from gateway.bulk import broadcasts as bulk
from gateway.bulk.letters import recipients_of
from gateway.config import Settings
from gateway.forums import forums
from gateway.forums.changes import may_hurry, was_dropped
from gateway.forums.facts import Forum, count_past, listed, named
from gateway.forums.plans import OPEN, announcement
from gateway.forums.results import outcome_of
from gateway.forums.story import Point, story
from gateway.menus.phrases import Words
from gateway.models.broadcasts import Stage
from gateway.models.messages import Kind
from gateway.models.store import Store
from gateway.promises.facts import Wanted
from gateway.promises.facts import listed as promises

_ = Words

PAGE = 20
"""Past forums a page."""
STATES: Mapping[str, Words] = {
    "draft": _("Draft"),
    "waiting": _("Waits for approval"),
    "planned": _("Planned"),
    "moved": _("Moved, but people were not told yet"),
    "ended": _("Cancelled, but people were not told yet"),
    "cancelled": _("Cancelled"),
    "over": _("Over"),
    "lapsed": _("Never approved"),
}
CHAPTERS: Mapping[str, Words] = {
    "invitation": _("Invitation"),
    "invitation anew": _("Invitation to who was not told before the move"),
    "week": _("Reminder seven days before"),
    "eve": _("Reminder on the eve"),
    "morning": _("Reminder in the morning"),
    "week first": _("Invitation to who joined later"),
    "eve first": _("Invitation to who joined later"),
    "morning first": _("Invitation to who joined later"),
    "moved": _("Notice of the move"),
    "moved at once": _("Notice of the move"),
    "cancelled": _("Notice of the cancellation"),
    "cancelled at once": _("Notice of the cancellation"),
    "outcome": _("What came of it"),
}
"""What is said to many, by its name in `forum_story`."""
POINTS: Mapping[Point, Words] = {
    Point.DRAFT: _("Draft"),
    Point.WAITING: _("Waits for approval"),
    Point.PLANNED: _("Planned"),
    Point.GOING: _("Being sent"),
    Point.SAID: _("Sent"),
    Point.PAUSED: _("Paused"),
    Point.ENDED: _("Ended before all was sent"),
    Point.MISSED: _("Missed"),
    Point.LEFT_OUT: _("Left out"),
}


def state_of(db: Connection, forum: Forum, now: datetime) -> str:
    """How far a forum is."""
    if forum.starts <= now:
        return "cancelled" if forum.cancelled else "over" if forum.approved else "lapsed"
    said = announcement(db, forum)
    if said is not None and said.kind == Kind.NOTICE and (said.stage in OPEN or was_dropped(forum, said, now)):
        return "ended" if forum.cancelled else "moved"
    if forum.cancelled:
        return "cancelled"
    if forum.approved:
        return "planned"
    return "waiting" if said is not None and said.stage == Stage.WAITING else "draft"


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/forums?page=…`, `/admin/forums/<id>`; its forms and its deeds add their own."""

    @panel.get("/forums", endpoint="forums")
    def page() -> str:
        moment = now()
        with store.read() as db:
            own = scope.mine(db)
            number, pages = page_of(count_past(db, moment, own), PAGE)
            ahead = listed(db, moment, past=False, within=own) if number == 1 else []
            past = listed(db, moment, past=True, first=(number - 1) * PAGE, size=PAGE, within=own)
            lines = [
                [(one, named(one.title), named(one.venue), state_of(db, one, moment), forums.replies(db, one.id))
                 for one in some]
                for some in (ahead, past)
            ]  # fmt: skip
        return render_template(
            "admin/forums.html", ahead=lines[0], past=lines[1], states=STATES, page=number, pages=pages
        )

    @panel.get("/forums/<int:forum_id>", endpoint="forums_one")
    def one(forum_id: int) -> str:
        return shown(forum_id)

    def shown(forum_id: int, errors: Mapping[str, Words] | None = None, **typed: Any) -> str:
        """The page of one, with what was refused just now."""
        moment = now()
        with store.read() as db:
            forum = found(db, forum_id)
            said, outcome = announcement(db, forum), outcome_of(db, forum)
            return render_template(
                "admin/forum.html",
                forum=forum, title=named(forum.title), venue=named(forum.venue), note=named(forum.note),
                state=state_of(db, forum, moment), states=STATES, groups=group_names(db, forum),
                may=_may(db, settings, forum, said, moment), said=said, outcome=outcome,
                outcome_text=named(forum.outcome), promised=promises(db, wanted=Wanted(forum=forum.id)),
                chapters=story(db, settings, forum, moment), names=CHAPTERS, points=POINTS, skipped=SKIPPED, now=moment,
                replies=forums.replies(db, forum_id), sentences=sentences(forum, settings), words=SPOKEN,
                errors=errors or {}, typed=typed or forum_results.counted(forum),
            )  # fmt: skip

    forum_editing.add_routes(panel, store, settings, now)
    forum_changing.add_routes(panel, store, settings, now)
    forum_deeds.add_routes(panel, store, settings, now, shown)
    forum_results.add_routes(panel, store, settings, now, shown)


def _may(db: Connection, settings: Settings, forum: Forum, said: Row[Any] | None, now: datetime) -> dict[str, bool]:
    """What can be done with it now, and by whom who looks at it."""
    ahead = forum.starts > now and not forum.cancelled
    planning = ahead and not forum.approved
    notice = said is not None and (forum.approved or forum.cancelled) and now < forum.starts
    stage = None if said is None else said.stage
    ended = stage in (None, Stage.CANCELLED)
    nobody = planning and not recipients_of(db, forum.audience, settings)
    return {
        "edit": planning,
        "ask": (planning and (ended or stage == Stage.DRAFT) and not nobody) or (notice and stage == Stage.DRAFT),
        "look": stage == Stage.WAITING and not nobody,
        "unsaid": nobody and said is not None and not ended,
        "unsaid by you": nobody and said is not None and bulk.may_approve(settings, said, me()),
        "move": ahead and forum.approved,
        "cancel": ahead,
        "again": was_dropped(forum, said, now),
        "hurry": may_hurry(forum, said, now),
        "count": forum.starts <= now and not forum.cancelled and forum.approved,
    }
