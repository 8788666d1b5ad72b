"""Broadcasts: what is planned, what waits for a second person, what is under way, what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection, Row, func, select
from werkzeug.wrappers import Response

from admin import broadcast_form
from admin.complaints import said
from admin.messages import BADLY, KINDS, REASONS, STATES, WELL
from admin.wording import SPOKEN, Wording, spoken
from gateway import broadcasts as bulk
from gateway.complaints import Complaint, NotPossible
from gateway.config import Language, Settings
from gateway.letters import Size
from gateway.menus.phrases import Phrase, Words
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.messages import Kind
from gateway.models.staff import staff
from gateway.models.store import Store
from gateway.previews import preview
from gateway.privacy import Keys
from gateway.progress import done_of, progress
from gateway.trials import send_trial

_ = Words
log = structlog.get_logger()

PAGE = 30
"""Broadcasts a page."""
LAST_ID = 2**31 - 1
STAGES: Mapping[str, Words] = {
    "draft": _("Draft"),
    "waiting": _("Waits for approval"),
    "planned": _("Approved, begins later"),
    "running": _("Being sent"),
    "paused": _("Paused"),
    "done": _("Finished"),
    "cancelled": _("Cancelled"),
}
"""How far a broadcast is; what is approved is planned, running or done."""


def state_of(row: Row[Any], left: int, now: datetime) -> str:
    """How far a broadcast is, with so many messages ahead."""
    if row.stage != Stage.APPROVED:
        return str(row.stage)
    if not left:
        return "done"
    return "planned" if row.start > now else "running"


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/broadcasts?stage=…&page=…`, `/admin/broadcasts/<id>` and what is done with one; the form adds its own."""
    broadcast_form.add_routes(panel, store, settings, now)

    @panel.get("/broadcasts", endpoint="broadcasts")
    def page() -> str:
        stage, number = request.args.get("stage"), request.args.get("page", 1, type=int)
        if stage is not None and stage not in set(Stage):
            abort(404)
        chosen = select(broadcasts) if stage is None else select(broadcasts).where(broadcasts.c.stage == stage)
        with store.read() as db:
            counts: dict[str, int] = {
                row[0]: row[1]
                for row in db.execute(select(broadcasts.c.stage, func.count()).group_by(broadcasts.c.stage))
            }
            total = sum(counts.values()) if stage is None else counts.get(stage, 0)
            pages = max(1, -(-total // PAGE))
            if not 1 <= number <= pages:
                abort(404)
            newest = chosen.order_by(broadcasts.c.id.desc()).offset((number - 1) * PAGE).limit(PAGE)
            rows = db.execute(newest).all()
            done = done_of(db, [row.id for row in rows if row.approved])
        lines = [(row, *done.get(row.id, (0, 0))) for row in rows]
        return render_template(
            "admin/broadcasts.html",
            lines=[(row, state_of(row, of - ready, now()), ready, of) for row, ready, of in lines],
            counts=counts, all=sum(counts.values()), stage=stage, stages=STAGES, kinds=KINDS, page=number, pages=pages,
        )  # fmt: skip

    def shown(broadcast: int, complaints: tuple[Complaint, ...] = (), **typed: Any) -> str:
        """The page of one, with what was refused just now."""
        moment = now()
        wording = Wording(spoken(current_user.member.language, settings.default_language), settings.zone)
        with store.read() as db:
            row = found(db, broadcast)
            plan = bulk.plan_of(row)
            open_ = row.stage in (Stage.DRAFT, Stage.WAITING)
            sent = progress(db, settings, broadcast, moment)
            would = preview(db, settings, plan, moment)[0] if open_ else None
            whole = {
                "audience": broadcast_form.named(db, plan.audience),
                "people": {member.id: member.name for member in db.execute(select(staff.c.id, staff.c.name))},
            }
        errors = {one.about: said(one, wording) for one in complaints if one.about in ("number", "languages")}
        return render_template(
            "admin/broadcast.html",
            row=row, plan=plan, state=state_of(row, sent.left, moment), sent=sent, would=would, errors=errors,
            refused=[said(one, wording) for one in complaints if one.about not in errors],
            missing=[(one.language, said(one, wording)) for one in would.complaints] if would else [],
            may_approve=bulk.may_approve(settings, row, current_user.member.id),
            alone=not settings.second_approval,
            editable=open_ and row.forum is None and row.poll is None,
            copyable=row.kind in bulk.CHOSEN and row.poll is None,
            typed=typed, words=SPOKEN, stages=STAGES, kinds=KINDS, now=moment, **tables(), **whole,
        )  # fmt: skip

    def tables() -> dict[str, Any]:
        return {"states": STATES, "well": WELL, "badly": BADLY, "reasons": REASONS}

    @panel.get("/broadcasts/<int:broadcast>", endpoint="broadcasts_one")
    def one(broadcast: int) -> str:
        return shown(broadcast)

    @panel.get("/broadcasts/<int:broadcast>/progress", endpoint="broadcasts_progress")
    def live(broadcast: int) -> str:
        with store.read() as db:
            row = found(db, broadcast)
            sent = progress(db, settings, broadcast, now())
        state = state_of(row, sent.left, now())
        return render_template("admin/broadcast_progress.html", row=row, sent=sent, state=state, **tables())

    def does(
        broadcast: int, what: Callable[[Connection], object], done: Words, target: Stage | None = None
    ) -> Response | tuple[str, int]:
        """Does something with a broadcast and comes back to its page. Twice at once is as good as once."""
        with store.read() as db:
            found(db, broadcast)
        try:
            with store.write() as db:
                what(db)
        except NotPossible as problem:
            with store.read() as db:
                there = found(db, broadcast).stage == target
            if not there:
                return shown(broadcast, problem.complaints), 422
        else:
            log.info("panel.broadcast", broadcast=broadcast, deed=request.endpoint, member=current_user.member.id)
            flash(done.msgid)
        return redirect(url_for("admin.broadcasts_one", broadcast=broadcast))

    @panel.post("/broadcasts/<int:broadcast>/submit", endpoint="broadcasts_submit")
    def submit(broadcast: int) -> Response | tuple[str, int]:
        done = _("It waits now for somebody else to approve it.")
        seen = broadcast_form.version()
        return does(broadcast, lambda db: bulk.submit(db, settings, broadcast, now(), seen), done, Stage.WAITING)

    @panel.post("/broadcasts/<int:broadcast>/approve", endpoint="broadcasts_approve")
    def approve(broadcast: int) -> Response | tuple[str, int]:
        member: int = current_user.member.id

        def approval(db: Connection) -> None:
            seen = broadcast_form.version()
            if not settings.second_approval and found(db, broadcast).stage == Stage.DRAFT:
                seen = bulk.submit(db, settings, broadcast, now(), seen).changed
            bulk.approve(db, settings, broadcast, member, now(), seen, _size())

        return does(broadcast, approval, _("Approved: its messages are in the outbox."), Stage.APPROVED)

    @panel.post("/broadcasts/<int:broadcast>/pause", endpoint="broadcasts_pause")
    def pause(broadcast: int) -> Response | tuple[str, int]:
        done = _("Paused: what was not sent yet is kept back.")
        return does(broadcast, lambda db: bulk.pause(db, settings, broadcast, now()), done, Stage.PAUSED)

    @panel.post("/broadcasts/<int:broadcast>/resume", endpoint="broadcasts_resume")
    def resume(broadcast: int) -> Response | tuple[str, int]:
        done = _("It goes on.")
        return does(broadcast, lambda db: bulk.resume(db, settings, broadcast, now()), done, Stage.APPROVED)

    @panel.post("/broadcasts/<int:broadcast>/cancel", endpoint="broadcasts_cancel")
    def cancel(broadcast: int) -> Response | tuple[str, int]:
        done = _("Cancelled: what was not sent yet will not be.")
        return does(broadcast, lambda db: bulk.cancel(db, settings, broadcast, now()), done, Stage.CANCELLED)

    @panel.post("/broadcasts/<int:broadcast>/retry", endpoint="broadcasts_retry")
    def retry(broadcast: int) -> Response | tuple[str, int]:
        done = _("What was refused for now is tried again.")
        return does(broadcast, lambda db: bulk.retry(db, settings, broadcast, now()), done)

    @panel.post("/broadcasts/<int:broadcast>/test", endpoint="broadcasts_test")
    def trial(broadcast: int) -> Response | tuple[str, int]:
        number = request.form.get("number", "")
        wish = request.form.getlist("languages")
        try:
            with store.write() as db:
                texts = bulk.plan_of(found(db, broadcast)).texts
                chosen: list[Language] = [one for one in SPOKEN if one in wish]
                start = send_trial(db, keys, settings, texts, chosen, number, now())
        except NotPossible as problem:
            return shown(broadcast, problem.complaints, number=number, languages=wish), 422
        at_once = _("The test is on its way. It should arrive within a minute.")
        flash((at_once if start <= now() else _("The test comes in the morning: nothing is sent at night.")).msgid)
        return redirect(url_for("admin.broadcasts_one", broadcast=broadcast))

    def found(db: Connection, broadcast: int) -> Row[Any]:
        row = bulk.find(db, broadcast) if broadcast <= LAST_ID else None
        return row or abort(404)


def _size() -> Size | None:
    """The size that stood on the page on which it was approved."""
    recipients, parts = request.form.get("recipients", type=int), request.form.get("parts", type=int)
    return None if recipients is None or parts is None else Size(recipients, parts)
