"""Whether comments on a service are taken: off until switched on, for a sensitive service by an admin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from flask import Blueprint, abort, request
from flask_login import current_user
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from admin import audit
from admin.programme.service_pages import found
from admin.programme.service_questions import Change
from gateway.comments import comments
from gateway.menus.phrases import Phrase, Words
from gateway.models.store import Store

_ = Words
log = structlog.get_logger()


def add_routes(panel: Blueprint, store: Store, now: Callable[[], datetime], change: Change) -> None:
    """`/admin/services/<id>/comments`."""

    @panel.post("/services/<service_id>/comments", endpoint="rounds_service_comments")
    def switched(service_id: str) -> Response | tuple[str, int]:
        on = request.form.get("on") == "yes"
        with store.read() as db:
            sensitive = found(db, service_id).sensitive
        if on and sensitive and current_user.member.role != "admin":
            abort(403)

        def switch(db: Connection) -> dict[str, Phrase]:
            if on and sensitive and request.form.get("agreed") != "yes":
                return {"agreed": _("Tick that you are sure.")}
            comments.switch(db, service_id, now(), on=on)
            audit.tell(on=on)
            log.info("panel.service_comments", member=current_user.member.id, service=service_id, on=on)
            return {}

        return change(
            service_id,
            switch,
            _("Comments on this service are taken from now on.") if on
            else _("Comments on this service are taken no more. Those that wait are still to be read."),
        )  # fmt: skip
