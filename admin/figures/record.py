"""A respondent, recorded on the panel: for volunteers in their own communes, for staff in all of the programme's.

A form carries a name of its own for its respondent, so that one sent twice is recorded once. The last respondent
recorded in a session can be taken back while the round is open.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, session, url_for
from flask_login import current_user
from sqlalchemy import Connection, select
from werkzeug.wrappers import Response

from admin import rights
from admin.figures.tallies import FEW, SCALE, Commune, programme
from admin.wording import Wording, spoken
from gateway.config import Settings
from gateway.menus.effects import Respondent
from gateway.menus.phrases import Name, Phrase, Words
from gateway.menus.rating import WHO
from gateway.models.answers import RoundClosed
from gateway.models.services import services
from gateway.models.store import Store
from gateway.models.volunteers import recorded_on
from gateway.privacy import Keys
from gateway.scorecard import recording, volunteers
from gateway.scorecard.recording import UNDER_15, Open

_ = Words
log = structlog.get_logger()

WHOS: Mapping[str, Words] = {
    "woman-15-30": _("Woman 15-30"),
    "woman-31": _("Woman over 30"),
    "man-15-30": _("Man 15-30"),
    "man-31": _("Man over 30"),
    "under-15": _("Under 15"),
    "other": _("Other"),
    "unsaid": _("No answer"),
}
assert list(WHOS) == [one.value for one in WHO]
_LAST = "recorded"
_TOKEN = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class Service:
    """A service on the form."""

    id: str
    number: int
    name: Name


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/record?commune=CODE`, `/admin/record/undo`."""

    def today() -> date:
        return settings.day(now())

    @panel.get("/record", endpoint="record")
    def page() -> str:
        return form_page({}, {})

    @panel.post("/record", endpoint="record_save")
    def save() -> Response | tuple[str, int]:
        typed = request.form.to_dict()
        with store.read() as db:
            chosen = _chosen(_communes(db), typed.get("commune"))
            there = recording.open_in(db, chosen.code) if chosen else None
        if chosen is None or there is None:
            return form_page(typed, {"commune": _("The round is closed. Nothing was recorded.")}), 422
        scores = {
            id_: int(score) for id_ in there.services.values() if (score := typed.get(f"score-{id_}", "")) in _SCORES
        }
        who, token = typed.get("who", ""), typed.get("token", "")
        errors: dict[str, Phrase] = {}
        if not scores:
            errors["scores"] = _("Choose a score for at least one service.")
        if who not in WHOS:
            errors["who"] = _("Choose who they are. “No answer” is one of the answers.")
        if errors or not _TOKEN.fullmatch(token):
            return form_page(typed, errors), 422
        if who == UNDER_15:
            return told(_("Under 15: thank them. Nothing was kept."), chosen)
        return told(record(token, chosen, there, scores, who), chosen)

    def record(token: str, chosen: Commune, there: Open, scores: Mapping[str, int], who: str) -> Words:
        member = current_user.member
        try:
            with store.write() as db:
                volunteer = volunteers.recorder(db, member.id, member.name, chosen.code, today())
                one = Respondent(_name(token), volunteer, there.round_id, chosen.code)
                is_new = recording.record(db, keys, one, scores, who, today())
                n = recorded_on(db, there.round_id, volunteer, today())
        except RoundClosed:
            return _("The round is closed. Nothing was recorded.")
        session[_LAST] = (token, volunteer, there.round_id, chosen.code)
        if not is_new:
            return _("This one was recorded already. {n} today.", n=str(n))
        return _("Recorded. {n} today.", n=str(n))

    def told(words: Words, chosen: Commune | None, code: str = "") -> Response:
        reader = Wording(spoken(current_user.member.language, settings.default_language), settings.zone)
        flash(reader(words))
        return redirect(url_for("admin.record", commune=chosen.code if chosen else code or None))

    def form_page(typed: Mapping[str, str], errors: Mapping[str, Phrase]) -> str:
        with store.read() as db:
            communes = _communes(db)
            wanted = typed.get("commune") or request.args.get("commune")
            chosen = _chosen(communes, wanted)
            if wanted and chosen is None and not errors:
                abort(404)
            there = recording.open_in(db, chosen.code) if chosen else None
            asked = _services(db, there) if there else []
        token = typed.get("token", "")
        return render_template(
            "admin/record.html",
            communes=communes, few=len(communes) <= FEW, commune=chosen, services=asked, scale=SCALE, whos=WHOS,
            typed=typed, errors=errors, token=token if _TOKEN.fullmatch(token) else secrets.token_hex(16),
            last=session.get(_LAST), staff=current_user.member.role in rights.STAFF,
        )  # fmt: skip

    _add_undo(panel, store, keys, today, told)


def _add_undo(
    panel: Blueprint, store: Store, keys: Keys, today: Callable[[], date], told: Callable[..., Response]
) -> None:
    @panel.post("/record/undo", endpoint="record_undo")
    def undo() -> Response:
        token, volunteer, round_id, code = session.pop(_LAST, (None, 0, 0, ""))
        words, n = _("There is nothing to take back."), 0
        if token is not None:
            one = Respondent(_name(token), volunteer, round_id, code)
            try:
                with store.write() as db:
                    gone = recording.take_back(db, keys, one)
                    n = recorded_on(db, round_id, volunteer, today())
                words = _("The last one was taken back. {n} today.", n=str(n)) if gone else words
            except RoundClosed:
                words = _("The round is closed. What was recorded stays.")
        return told(words, None, code)


_SCORES = tuple(map(str, SCALE))


def _name(token: str) -> str:
    return f"panel {token}"


def _communes(db: Connection) -> list[Commune]:
    """Where who is logged in may record now: `programme` has no more than their communes."""
    going_on = volunteers.open_communes(db)
    return [one for one in programme(db) if one.code in going_on]


def _chosen(communes: list[Commune], code: str | None) -> Commune | None:
    if not code:
        return communes[0] if len(communes) == 1 else None
    return next((one for one in communes if one.code == code), None)


def _services(db: Connection, there: Open) -> list[Service]:
    asked: Any = select(services).where(services.c.id.in_(list(there.services.values()))).order_by(services.c.number)
    return [Service(s.id, s.number, Name(s.name_km, s.name_latn, s.name_en)) for s in db.execute(asked)]
