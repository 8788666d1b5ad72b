"""What is done with a forum by a button: put before others, approved unsaid, told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from flask import Blueprint, flash
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from admin.meetings.forum_pages import found, me, refuse, to_one, wording
from admin.messaging.complaints import said
from gateway.bulk.complaints import NotPossible
from gateway.config import Settings
from gateway.forums import changes as forum_changes
from gateway.forums import plans as forum_plans
from gateway.forums.plans import NotNow
from gateway.menus.phrases import Words
from gateway.models.store import Store

_ = Words

DEEDS: Mapping[str, tuple[Callable[[Connection, Settings, int, int, datetime], None], Words]] = {
    "ask": (forum_plans.ask, _("It waits now for somebody else to approve it.")),
    "unsaid": (forum_plans.approve_unsaid, _("Approved. Menus show it; who joins later is told.")),
    "again": (forum_changes.tell_again, _("The notice is written anew.")),
    "hurry": (forum_changes.hurry, _("It goes out now.")),
}


def add_routes(
    panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime], shown: Callable[..., str]
) -> None:
    """`POST /admin/forums/<id>/<deed>`; `shown` is the page of one, with what was refused."""

    @panel.post(f"/forums/<int:forum_id>/<any({','.join(DEEDS)}):deed>", endpoint="forums_do")
    def do(forum_id: int, deed: str) -> Response | tuple[str, int]:
        doing, done = DEEDS[deed]
        with store.read() as db:
            found(db, forum_id)
        try:
            with store.write() as db:
                doing(db, settings, forum_id, me(), now())
            flash(done.msgid)
        except NotNow as problem:
            refuse(problem.why)
        except NotPossible as problem:
            words = wording(settings)
            return shown(forum_id, {"ask": [said(one, words) for one in problem.complaints]}), 422
        return to_one(forum_id)
