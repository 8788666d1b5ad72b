"""What is done with a broadcast by a button: put before others, approved, held back, ended, tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog
from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from admin import audit
from admin.messaging.broadcast_form import found, version
from admin.wording import SPOKEN
from gateway.bulk import broadcasts as bulk
from gateway.bulk.complaints import NotPossible
from gateway.bulk.letters import Size
from gateway.bulk.trials import send_trial
from gateway.config import Settings
from gateway.menus.phrases import Words
from gateway.models.broadcasts import Stage
from gateway.models.store import Store
from gateway.privacy import Keys

_ = Words
log = structlog.get_logger()

DEEDS: Mapping[str, tuple[Stage | None, Words]] = {
    "submit": (Stage.WAITING, _("It waits now for somebody else to approve it.")),
    "approve": (Stage.APPROVED, _("Approved: its messages are in the outbox.")),
    "pause": (Stage.PAUSED, _("Paused: what was not sent yet is kept back.")),
    "resume": (Stage.APPROVED, _("It goes on.")),
    "cancel": (Stage.CANCELLED, _("Cancelled: what was not sent yet will not be.")),
    "retry": (None, _("What was refused for now is tried again.")),
}
"""What may be done, what it comes to, and what is said then."""


def add_routes(
    panel: Blueprint,
    store: Store,
    settings: Settings,
    keys: Keys,
    now: Callable[[], datetime],
    shown: Callable[..., str],
) -> None:
    """`POST /admin/broadcasts/<id>/<deed>`; `shown` is the page of one, with what was refused."""

    @panel.post("/broadcasts/<int:broadcast>/<deed>", endpoint="broadcasts_do")
    def do(broadcast: int, deed: str) -> Response | tuple[str, int]:
        target, done = DEEDS.get(deed) or abort(404)
        with store.read() as db:
            found(db, broadcast)
        if deed == "approve" and (size := _size()):
            audit.tell(people=size.recipients, parts=size.parts)
        try:
            with store.write() as db:
                _do(db, settings, deed, broadcast, now())
        except NotPossible as problem:
            with store.read() as db:
                if found(db, broadcast).stage != target:
                    return shown(broadcast, problem.complaints), 422
            flash(_("This was done already. Nothing is done twice.").msgid)  # a second click, or the way back
            audit.refused()
        else:
            log.info("panel.broadcast", broadcast=broadcast, deed=deed, member=current_user.member.id)
            flash(done.msgid)
        return redirect(url_for("admin.broadcasts_one", broadcast=broadcast))

    @panel.post("/broadcasts/<int:broadcast>/test", endpoint="broadcasts_test")
    def trial(broadcast: int) -> Response | tuple[str, int]:
        typed: dict[str, Any] = {
            "number": request.form.get("number", ""), "languages": request.form.getlist("languages"),
        }  # fmt: skip
        chosen = [one for one in SPOKEN if one in typed["languages"]]
        try:
            with store.write() as db:
                texts = bulk.plan_of(found(db, broadcast)).texts
                start = send_trial(db, keys, settings, texts, chosen, typed["number"], now())
        except NotPossible as problem:
            return shown(broadcast, problem.complaints, **typed), 422
        at_once = _("The test is on its way. It should arrive within a minute.")
        audit.tell(languages=chosen)
        flash((at_once if start <= now() else _("The test comes in the morning: nothing is sent at night.")).msgid)
        return redirect(url_for("admin.broadcasts_one", broadcast=broadcast))


def _do(db: Connection, settings: Settings, deed: str, broadcast: int, now: datetime) -> None:
    seen, member = version(), current_user.member.id
    match deed:
        case "submit":
            bulk.submit(db, settings, broadcast, now, seen)
        case "approve":
            if not settings.second_approval and found(db, broadcast).stage == Stage.DRAFT:
                seen = bulk.submit(db, settings, broadcast, now, seen).changed
            bulk.approve(db, settings, broadcast, member, now, seen, _size())
        case "pause":
            bulk.pause(db, settings, broadcast, now)
        case "resume":
            bulk.resume(db, settings, broadcast, now)
        case "cancel":
            bulk.cancel(db, settings, broadcast, now)
        case "retry":
            bulk.retry(db, settings, broadcast, now)


def _size() -> Size | None:
    """The size that stood on the page on which it was approved."""
    recipients, parts = request.form.get("recipients", type=int), request.form.get("parts", type=int)
    return None if recipients is None or parts is None else Size(recipients, parts)
