"""Publishing a round: what will be seen by whom and when, the deed, its undoing, and the text for a messaging group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection, Row, func, select
from werkzeug.wrappers import Response

from admin import audit, scope
from admin.figures.tallies import FEW
from admin.wording import SPOKEN
from gateway.bulk.letters import recipients_of
from gateway.config import FLOOR, Language, Settings
from gateway.menus.phrases import Name, Words
from gateway.menus.wording import render
from gateway.models.installation import pause
from gateway.models.places import communes, places
from gateway.models.rounds import round_communes, rounds
from gateway.models.staff import staff, staff_communes
from gateway.models.store import Store
from gateway.scorecard import publishing, telling
from gateway.scorecard.publishing import AHEAD, Reader, Standing, Unpublishable, Why, opens
from gateway.scorecard.results import results

_ = Words
log = structlog.get_logger()

NAMED = 20
"""So many communes are named, with what of their services is shown."""
WHY: Mapping[Why, Words] = {
    Why.GONE: _("There is no such round."),
    Why.OPEN: _("This round is still open: close it first."),
    Why.PAUSED: _("There is a pause: nothing leaves before its end."),
}


@dataclass(frozen=True)
class Part:
    """A commune of a round, and how many of its services are shown."""

    code: str
    name: Name
    number: int
    shown: int
    services: int


@dataclass(frozen=True)
class State:
    """How far a round is on its way to the public, for its page (`publishing_bits.html`)."""

    closed: bool
    standing: Standing
    today: date
    by: str | None
    """Who published it."""

    @property
    def is_public(self) -> bool:
        """Whether everybody reads it by now."""
        return self.standing.public is not None and self.standing.public <= self.today


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/rounds/<id>/publish`, `…/unpublish`, `…/text`."""

    def today() -> date:
        return settings.day(now())

    def state_of(db: Connection, round_id: int) -> State:
        row, standing = _found(db, round_id), publishing.standing(db, round_id)
        assert standing is not None  # it was found just now
        return State(row.closed is not None, standing, today(), row.by)

    @panel.context_processor
    def every_page() -> dict[str, Any]:
        def publishing_of(round_id: int) -> State:
            with store.read() as db:
                return state_of(db, round_id)

        return {"publishing_of": publishing_of}

    @panel.get("/rounds/<int:round_id>/publish", endpoint="rounds_publish")
    def page(round_id: int) -> str:
        with store.read() as db:
            row, state, days = _found(db, round_id), state_of(db, round_id), pause(db)
            audience = publishing.councils_of(db, round_id)
            paused = days if days and days[0] <= today() <= days[1] else None
            public = opens(today() + AHEAD, days) or today()
            parts = _parts(db, round_id)
            return render_template(
                "admin/round_publish.html", round=row, state=state, parts=parts, paused=paused,
                many=len(audience.councils) - NAMED, public=public, later=public != today() + AHEAD, today=today(),
                councillors=len(recipients_of(db, audience, settings)), logins=_logins(db, audience.councils),
                said=_said(public, parts[0].name), words=SPOKEN,
            )  # fmt: skip

    @panel.post("/rounds/<int:round_id>/publish", endpoint="rounds_published")
    def publish(round_id: int) -> Response:
        try:
            with store.write() as db:
                _found(db, round_id)
                new = publishing.publish(db, settings, round_id, current_user.member.id, now())
        except Unpublishable as refusal:
            flash(WHY[refusal.why].msgid)
            audit.refused()
            return redirect(url_for("admin.rounds_publish", round_id=round_id))
        if new:
            with store.read() as db:
                days = publishing.standing(db, round_id)
            audit.tell(councils=days and days.council, public=days and days.public)
            log.info("panel.round_published", member=current_user.member.id, round=round_id)
        flash(_("The round is published: its councils see it from now on.").msgid)
        return redirect(url_for("admin.rounds_publish", round_id=round_id))

    @panel.post("/rounds/<int:round_id>/unpublish", endpoint="rounds_unpublish")
    def unpublish(round_id: int) -> Response:
        with store.write() as db:
            _found(db, round_id)
            if publishing.unpublish(db, round_id, now()):
                log.info("panel.round_unpublished", member=current_user.member.id, round=round_id)
        flash(_("The round is published no more. Whoever has seen its results has seen them.").msgid)
        return redirect(url_for("admin.rounds_publish", round_id=round_id))

    @panel.get("/rounds/<int:round_id>/text", endpoint="rounds_text")
    def paste(round_id: int) -> str:
        with store.read() as db:
            _found(db, round_id)
            choice = _named(db, round_id)
            state, code = state_of(db, round_id), request.args.get("commune", choice[0].commune)
            chosen = next((one for one in choice if one.commune == code), None) or abort(404)
            public = state.standing.public
            # as everybody will read it: beside the round before where that is public, too
            told = (
                publishing.read(db, chosen.commune, chosen.number, Reader.PUBLIC, max(public, today()))
                if public
                else None
            )
        texts = {
            language: telling.text(
                *told, max(settings.min_raters, FLOOR), language=language, zone=settings.zone,
                address=settings.address, today=today(),
            )
            for language in ("km", "en")
        } if told else {}  # fmt: skip
        return render_template(
            "admin/round_text.html", round_id=round_id, state=state, choice=choice, chosen=chosen, few=FEW,
            texts=texts, words=SPOKEN,
        )  # fmt: skip


def _found(db: Connection, round_id: int) -> Row[Any]:
    mine = select(rounds, staff.c.name.label("by")).outerjoin(staff, staff.c.id == rounds.c.published_by)
    row = db.execute(mine.where(rounds.c.id == round_id)).first() if round_id <= _LAST_ID else None
    return row or abort(404)


def _named(db: Connection, round_id: int) -> list[Any]:
    """The communes of a round: code, own number of it, names."""
    c = round_communes.c
    statement = select(c.commune, c.number, places.c.name_km, places.c.name_en)
    joined = statement.join(places, places.c.code == c.commune).join(communes, communes.c.code == c.commune)
    if (own := scope.mine(db)) is not None:
        joined = joined.where(c.commune.in_(own))
    return list(db.execute(joined.where(c.round_id == round_id).order_by(communes.c.number)))


def _parts(db: Connection, round_id: int) -> list[Part]:
    found = []
    for row in _named(db, round_id)[:NAMED]:
        services = results(db, round_id, [row.commune]).services
        shown = sum(one.figures is not None for one in services)
        name = Name(row.name_km, row.name_en, row.name_en)
        found.append(Part(row.commune, name, row.number, shown, len(services)))
    return found


def _said(public: date, commune: Name) -> Mapping[Language, str]:
    """What a councillor of the commune is sent, in each language."""
    texts = publishing.notice(public)
    return {language: texts[language].replace("{commune}", render(commune, language)) for language in SPOKEN}


def _logins(db: Connection, codes: Sequence[str]) -> int:
    """How many council's logins see it."""
    mine = staff.c.active & (staff.c.role == "council") & staff_communes.c.commune.in_(codes)
    counted = select(func.count(staff.c.id.distinct())).join(staff_communes, staff_communes.c.staff_id == staff.c.id)
    return db.scalar(counted.where(mine)) or 0


_LAST_ID = 2**31 - 1
