"""What is rated: services, their names on screens and in the weekly letter, the extra questions about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection, func, select
from werkzeug.wrappers import Response

from admin import audit, editing
from admin.programme import service_comments, service_questions
from admin.programme.service_pages import found, kept, name_of, said, wording
from admin.wording import SPOKEN
from gateway.config import LANGUAGES, Language
from gateway.menus.phrases import Name, Phrase, Words
from gateway.models.services import indicators, services
from gateway.models.store import Store
from gateway.scorecard import rated
from gateway.scorecard.rated import Refused
from gateway.scorecard.tallies import Figures
from gateway.scorecard.weekly_words import Line, letter
from gateway.text import Segments, segments

_ = Words
log = structlog.get_logger()

SAMPLE = (Name("តានកាំ", "Tean Kam", "Tean Kam"), date(2026, 3, 2), Figures(31, 31, 17, (3, 4, 6, 10, 8)), -4)
"""A commune, a week and figures of the usual length, to see how many parts the weekly letter takes."""


def add_routes(panel: Blueprint, store: Store, now: Callable[[], datetime]) -> None:
    """`/admin/services`, `/admin/services/new`, `/admin/services/<id>`, and the questions below that."""

    @panel.get("/services", endpoint="rounds_services")
    def page() -> str:
        with store.read() as db:
            rows = db.execute(select(services).order_by(services.c.number)).all()
            active = select(indicators.c.service_id, func.count().label("n")).where(indicators.c.active)
            asked = {row.service_id: row.n for row in db.execute(active.group_by(indicators.c.service_id))}
            lines = [(row, name_of(row), asked.get(row.id, 0), rated.rated_in(db, row.id)) for row in rows]
        parts = letters_with([row for row in rows if row.active])
        return render_template("admin/services.html", lines=lines, parts=parts, words=SPOKEN)

    @panel.get("/services/new", endpoint="rounds_service_new")
    def empty() -> str:
        return form({}, {})

    @panel.post("/services/new", endpoint="rounds_service_made")
    def filled() -> Response | tuple[str, int]:
        number, sensitive = request.form.get("number", 0, type=int), request.form.get("sensitive") == "yes"
        try:
            with store.write() as db:
                made = rated.add_service(db, number, wording(), now(), sensitive=sensitive)
        except Refused as refused:
            return form(request.form, said(refused)), 422
        audit.tell(name=wording().names)
        log.info("panel.service_added", member=current_user.member.id, service=made)
        flash(_("The service is added. Rounds that are opened from now on can rate it.").msgid)
        return redirect(url_for("admin.rounds_service", service_id=made))

    @panel.get("/services/<service_id>", endpoint="rounds_service")
    def one(service_id: str) -> str:
        return shown(service_id)

    @panel.post("/services/<service_id>", endpoint="rounds_service_named")
    def named(service_id: str) -> Response | tuple[str, int]:
        done = _("The names are changed, in menus from the next call on.")
        return change(service_id, lambda db: _rename(db, service_id, now()), done)

    @panel.post("/services/<service_id>/switch", endpoint="rounds_service_switched")
    def switched(service_id: str) -> Response | tuple[str, int]:
        on, sure = request.form.get("on") == "yes", request.form.get("sure") == "yes"
        with store.read() as db:
            if on and found(db, service_id).sensitive and current_user.member.role != "admin":
                abort(403)
        answer = change(
            service_id,
            lambda db: rated.switch(db, service_id, now(), on=on, sure=sure),
            _("The service is switched on.") if on else _("The service is switched off."),
        )
        audit.tell(on=on)
        log.info("panel.service_switched", member=current_user.member.id, service=service_id, on=on)
        return answer

    def change(service_id: str, deed: service_questions.Deed, done: Words) -> Response | tuple[str, int]:
        """Does something to a service and shows its page; what was typed stays where it is refused."""
        try:
            with store.write() as db:
                found(db, service_id)
                errors = deed(db)
        except Refused as refused:
            errors = said(refused)
        if errors:
            return shown(service_id, request.form.to_dict(), errors), 422
        flash(done.msgid)
        return redirect(url_for("admin.rounds_service", service_id=service_id))

    def shown(
        service_id: str, typed: Mapping[str, str] | None = None, errors: Mapping[str, Phrase] | None = None
    ) -> str:
        with store.read() as db:
            row = found(db, service_id)
            values = _names(row)
            return render_template(
                "admin/service.html", version=editing.digest(values),
                service=row, name=name_of(row), typed={**values, **(typed or {})}, errors=errors or {}, words=SPOKEN,
                questions=rated.questions_of(db, service_id), asked=rated.being_asked(db, service_id),
                texts=lambda one: Name(*kept(one, "text").values()), rated_in=rated.rated_in(db, service_id),
                most=rated.MOST,
            )  # fmt: skip

    def form(typed: Mapping[str, str], errors: Mapping[str, Phrase]) -> str:
        with store.read() as db:
            numbers = [(number, str(number)) for number in rated.free_numbers(db)]
        return render_template("admin/service_form.html", typed=typed, errors=errors, words=SPOKEN, numbers=numbers)

    service_questions.add_routes(panel, store, now, change)
    service_comments.add_routes(panel, store, now, change)


def _rename(db: Connection, service_id: str, now: datetime) -> dict[str, Phrase]:
    editing.hold(db, services, service_id)
    before = _names(found(db, service_id))
    errors = editing.meanwhile(before, request.form)
    if not errors:
        rated.rename(db, service_id, wording(), now)
        audit.tell(before=before["name-en"], after=wording().names["en"])
    return errors


def _names(row: Any) -> dict[str, str]:
    """The names of a service, by the fields of the form."""
    return {f"{what}-{one}": text for what in ("name", "short") for one, text in kept(row, what).items()}


def letters_with(active: list[Any]) -> dict[Language, Segments]:
    """What a weekly letter takes that tells of all services."""
    commune, week, figures, points = SAMPLE
    lines = []
    for row in active:
        short = {one: text or kept(row, "name")[one] for one, text in kept(row, "short").items()}
        lines.append(Line(row.id, Name(*short.values()), figures, points))
    return {one: segments(letter(commune, week, lines, one)) for one in LANGUAGES} if active else {}
