"""Broadcasts: what is planned, what waits for a second person, what is under way, what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, render_template, request
from flask_login import current_user
from sqlalchemy import ColumnElement, Connection, Row, func, select
from sqlalchemy.sql.expression import true

from admin import scope
from admin.messaging import broadcast_deeds, broadcast_form
from admin.messaging.broadcast_form import found, named
from admin.messaging.complaints import said
from admin.messaging.messages import BADLY, KINDS, REASONS, STATES, WELL
from admin.paging import page_of
from admin.wording import SPOKEN, Wording, spoken
from gateway.bulk import broadcasts as bulk
from gateway.bulk.complaints import Complaint
from gateway.bulk.previews import preview
from gateway.bulk.progress import done_of, progress
from gateway.config import Settings
from gateway.menus.phrases import Phrase, Words
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.staff import staff
from gateway.models.store import Store
from gateway.phones import scrub
from gateway.privacy import Keys

_ = Words

PAGE = 30
"""Broadcasts a page."""
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
FILTERS: Mapping[str, Words] = {
    "draft": _("Drafts"),
    "waiting": _("Waits for approval"),
    "approved": _("Approved"),
    "paused": _("Paused"),
    "cancelled": _("Cancelled"),
}


def why(reason: str) -> Phrase:
    """A reason in words; a provider's own are shown without numbers."""
    known = {str(one): words for one, words in REASONS.items()}
    return known.get(reason) or scrub(reason)


TABLES: Mapping[str, Any] = {"states": STATES, "well": WELL, "badly": BADLY, "why": why, "stages": STAGES}


def state_of(row: Row[Any], left: int, now: datetime) -> str:
    """How far a broadcast is, with so many messages ahead."""
    if row.stage != Stage.APPROVED:
        return str(row.stage)
    if not left:
        return "done"
    return "planned" if row.start > now else "running"


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/broadcasts?stage=…&page=…`, `/admin/broadcasts/<id>`; its form and its deeds add their own."""

    @panel.get("/broadcasts", endpoint="broadcasts")
    def page() -> str:
        stage = request.args.get("stage")
        if stage is not None and stage not in FILTERS:
            abort(404)
        with store.read() as db:
            counts = _counts(db)
            total = sum(counts.values()) if stage is None else counts.get(stage, 0)
            number, pages = page_of(total, PAGE)
            rows = _listed(db, stage, number)
            done = done_of(db, [row.id for row in rows if row.approved])
        lines = [(row, *done.get(row.id, (0, 0))) for row in rows]
        return render_template(
            "admin/broadcasts.html",
            lines=[(row, state_of(row, of - ready, now()), ready, of) for row, ready, of in lines],
            counts=counts, all=sum(counts.values()), stage=stage, filters=FILTERS, stages=STAGES, kinds=KINDS,
            page=number, pages=pages,
        )  # fmt: skip

    @panel.get("/broadcasts/<int:broadcast>", endpoint="broadcasts_one")
    def one(broadcast: int) -> str:
        return shown(broadcast)

    @panel.get("/broadcasts/<int:broadcast>/progress", endpoint="broadcasts_progress")
    def live(broadcast: int) -> str:
        with store.read() as db:
            row = found(db, broadcast)
            sent = progress(db, settings, broadcast, now())
        return render_template(
            "admin/broadcast_progress.html", row=row, sent=sent, state=state_of(row, sent.left, now()), **TABLES
        )

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
            audience = named(db, plan.audience)
            members = {member.id: member.name for member in db.execute(select(staff.c.id, staff.c.name))}
        errors = {one.about: said(one, wording) for one in complaints if one.about in ("number", "languages")}
        return render_template(
            "admin/broadcast.html",
            row=row, plan=plan, state=state_of(row, sent.left, moment), sent=sent, would=would, errors=errors,
            refused=[said(one, wording) for one in complaints if one.about not in errors],
            missing=[(one.language, said(one, wording)) for one in would.complaints] if would else [],
            audience=audience, people=members, typed=typed, words=SPOKEN, kinds=KINDS,
            may_approve=bulk.may_approve(settings, row, current_user.member.id),
            alone=not settings.second_approval, own=broadcast_form.is_own(row), **TABLES,
        )  # fmt: skip

    broadcast_form.add_routes(panel, store, settings, now)
    broadcast_deeds.add_routes(panel, store, settings, keys, now, shown)


def _seen(db: Connection) -> ColumnElement[bool]:
    seen = scope.broadcasts_seen(db)
    return true() if seen is None else broadcasts.c.id.in_(seen)


def _counts(db: Connection) -> dict[str, int]:
    statement = select(broadcasts.c.stage, func.count()).where(_seen(db)).group_by(broadcasts.c.stage)
    return {row[0]: row[1] for row in db.execute(statement)}


def _listed(db: Connection, stage: str | None, page: int) -> list[Row[Any]]:
    newest = select(broadcasts).where(_seen(db)).order_by(broadcasts.c.id.desc())
    newest = newest.offset((page - 1) * PAGE).limit(PAGE)
    return list(db.execute(newest if stage is None else newest.where(broadcasts.c.stage == stage)))
