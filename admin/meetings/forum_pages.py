"""What the pages about a forum share: the forum of an address, why something is refused, who looks at it."""

from __future__ import annotations

from collections.abc import Mapping

from flask import abort, flash, redirect, url_for
from flask_login import current_user
from sqlalchemy import Connection, select
from werkzeug.wrappers import Response

from admin import audit
from admin.wording import Wording, spoken
from gateway.config import Settings
from gateway.forums.facts import Forum, find
from gateway.forums.plans import Why
from gateway.menus.phrases import Words
from gateway.models.contacts import groups

_ = Words

WHY: Mapping[Why, Words] = {
    Why.GONE: _("There is no such forum."),
    Why.SETTLED: _("It was approved or cancelled meanwhile, or its time came."),
    Why.NOTHING: _("There is nothing to approve any more."),
    Why.OWN: _("You planned it, or changed it last. Somebody else must approve it."),
    Why.SOMEBODY: _("There is somebody to invite by now: approve the invitation."),
    Why.OVER: _("It is over, cancelled, or not approved yet."),
    Why.SAME: _("It is at this time and place already."),
    Why.NOT_URGENT: _("There is nothing to hurry: it went out, or is not urgent."),
    Why.NOT_BEGUN: _("This can be done once it has begun."),
    Why.TOLD: _("What came of it was told already."),
}
"""Why something cannot be done with a forum, as the panel says it."""
LAST_ID = 2**31 - 1


def found(db: Connection, forum_id: int) -> Forum:
    """The forum of an address; else the page that says that nothing is there."""
    forum = find(db, forum_id) if 0 < forum_id <= LAST_ID else None
    return forum or abort(404)


def group_names(db: Connection, forum: Forum) -> list[str]:
    """The groups that are invited beside the commune."""
    return list(db.scalars(select(groups.c.name).where(groups.c.id.in_(forum.groups)).order_by(groups.c.name)))


def refuse(why: Why) -> None:
    """Says why something was not done, on the next page and in the audit log."""
    flash(WHY[why].msgid)
    audit.refused()


def to_one(forum_id: int) -> Response:
    """To the page of a forum."""
    return redirect(url_for("admin.forums_one", forum_id=forum_id))


def me() -> int:
    """Who looks at the page."""
    member: int = current_user.member.id
    return member


def wording(settings: Settings) -> Wording:
    """The words of who looks at the page."""
    return Wording(spoken(current_user.member.language, settings.default_language), settings.zone)
