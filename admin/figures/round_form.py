"""The form that opens a round: in which communes, which services and questions, until when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import structlog
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection, select
from werkzeug.wrappers import Response

from admin import audit
from gateway.config import Settings
from gateway.menus.phrases import Name, Phrase, Words
from gateway.models.places import communes, places
from gateway.models.rounds import round_communes
from gateway.models.services import indicators, services
from gateway.models.store import Store
from gateway.privacy import Keys
from gateway.scorecard import rounds
from gateway.text import western_digits

_ = Words
log = structlog.get_logger()

FEW = 8
"""So many communes stand in one list; more are folded by province and district."""
NAMED = 5
"""So many communes are named where they are in the way; of more it says how many."""


@dataclass(frozen=True)
class Place:
    """A commune that can be chosen, or cannot because a round is open there."""

    code: str
    name: Name
    busy: bool


@dataclass(frozen=True)
class Service:
    """A service that can be rated, with the questions that can be asked about it."""

    id: str
    number: int
    name: Name
    questions: Sequence[tuple[str, Name]]


@dataclass(frozen=True)
class Choice:
    """What there is to choose from."""

    communes: Mapping[str, Place]
    above: Mapping[str, Name]
    """Provinces and districts by code."""
    services: Sequence[Service]

    @classmethod
    def known(cls, db: Connection) -> Choice:
        """What there is now."""
        named = (places.c.code, places.c.name_km, places.c.name_en)
        member = select(*named).join(communes, communes.c.code == places.c.code).where(communes.c.active)
        rows = db.execute(member.order_by(communes.c.number)).all()
        busy = set(db.scalars(select(round_communes.c.commune).where(round_communes.c.open)))
        codes = {row.code[:size] for row in rows for size in (2, 4)}
        higher = db.execute(select(*named).where(places.c.level.in_(["province", "district"])).order_by(places.c.code))
        asked: dict[str, list[tuple[str, Name]]] = {}
        active = select(indicators).where(indicators.c.active)
        for row in db.execute(active.order_by(indicators.c.place, indicators.c.id)):
            asked.setdefault(row.service_id, []).append((row.id, Name(row.text_km, row.text_latn, row.text_en)))
        rated = db.execute(select(services).where(services.c.active).order_by(services.c.number))
        return cls(
            {row.code: Place(row.code, _place(row), row.code in busy) for row in rows},
            {row.code: _place(row) for row in higher if row.code in codes},
            [Service(s.id, s.number, Name(s.name_km, s.name_latn, s.name_en), asked.get(s.id, ())) for s in rated],
        )

    @property
    def few(self) -> bool:
        """Whether all communes stand in one list."""
        return len(self.communes) <= FEW

    @property
    def free(self) -> list[str]:
        """The communes without an open round."""
        return [code for code, place in self.communes.items() if not place.busy]

    @property
    def folded(self) -> dict[str, dict[str, list[Place]]]:
        """The communes by province and district."""
        found: dict[str, dict[str, list[Place]]] = {code: {} for code in self.above if len(code) == 2}
        for code in sorted(self.communes):
            found[code[:2]].setdefault(code[:4], []).append(self.communes[code])
        return found


@dataclass
class Form:
    """What stands in the form. A commune is chosen by its code, or with all of a district or province by theirs."""

    places: Sequence[str] = ()
    services: Sequence[str] = ()
    questions: Sequence[str] = ()
    until: str = ""
    errors: dict[str, Phrase] = field(default_factory=dict)

    @classmethod
    def new(cls, choice: Choice) -> Form:
        """Everything is rated and asked; the communes are chosen where they are few."""
        questions = [question for service in choice.services for question, _text in service.questions]
        return cls(choice.free if choice.few else (), [service.id for service in choice.services], questions)

    @classmethod
    def sent(cls) -> Form:
        """From the request."""
        places, services, questions = (request.form.getlist(name) for name in ("places", "services", "questions"))
        return cls(places, services, questions, request.form.get("until", ""))

    def codes(self, choice: Choice) -> list[str]:
        """The communes. Of a whole district those without an open round; one chosen by itself must be without."""
        single = [code for code in self.places if code in choice.communes]
        wide = tuple(code for code in self.places if code in choice.above)
        if busy := [choice.communes[code] for code in single if choice.communes[code].busy]:
            names = _joined([place.name for place in busy[:NAMED]])
            self.errors["places"] = (
                _("A round is open in {communes}. Close it first.", communes=names)
                if len(busy) <= NAMED
                else _("A round is open in {n} of them. Close it first.", n=str(len(busy)))
            )
        found = [
            code
            for code, place in choice.communes.items()
            if code in single or (wide and code.startswith(wide) and not place.busy)
        ]
        if not found and "places" not in self.errors:
            self.errors["places"] = _("Choose a commune without an open round.")
        return found

    def rated(self, choice: Choice) -> list[str]:
        """The services."""
        found = [service.id for service in choice.services if service.id in self.services]
        if not found:
            self.errors["services"] = _("Choose a service: a round without one has nothing to rate.")
        return found

    def asked(self, choice: Choice) -> list[str]:
        """The questions about the services that are rated."""
        mine = [service for service in choice.services if service.id in self.services]
        return [one for service in mine for one, _text in service.questions if one in self.questions]

    def last_day(self, today: date) -> date | None:
        """The last day as planned."""
        day, wrong = planned(self.until, today)
        if wrong is not None:
            self.errors["until"] = wrong
        return day


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/rounds/new`."""

    def today() -> date:
        return settings.day(now())

    @panel.get("/rounds/new", endpoint="rounds_new")
    def empty() -> str:
        with store.read() as db:
            choice = Choice.known(db)
        return render_template("admin/round_form.html", choice=choice, form=Form.new(choice), today=today())

    @panel.post("/rounds/new", endpoint="rounds_made")
    def filled() -> Response | tuple[str, int]:
        form = Form.sent()
        with store.read() as db:
            choice = Choice.known(db)
        codes, rated, asked, until = form.codes(choice), form.rated(choice), form.asked(choice), form.last_day(today())
        if not form.errors:
            try:
                made = rounds.open_round(
                    store, keys, codes, today(), now(), services=rated, indicators=asked, until=until
                )  # fmt: skip
            except rounds.RoundProblem:  # somebody changed the programme in between
                form.errors["places"] = _("Something changed just now. Look through the form once more.")
            else:
                audit.tell(communes=codes if len(codes) <= NAMED else str(len(codes)), name=today())
                log.info("panel.round_opened", member=current_user.member.id, round=made, communes=len(codes))
                flash(_("The round is open: people can rate from now on.").msgid)
                return redirect(url_for("admin.rounds_one", round_id=made))
        return render_template("admin/round_form.html", choice=choice, form=form, today=today()), 422


def planned(typed: str, today: date) -> tuple[date | None, Phrase | None]:
    """A last day as typed, and what is wrong with it; nothing typed is none."""
    if not typed.strip():
        return None, None
    try:
        day = date.fromisoformat(western_digits(typed.strip()))
    except ValueError:
        return None, _("Give a day, such as 2026-12-31.")
    return (day, None) if day >= today else (None, _("This day is over already."))


def _place(row: object) -> Name:
    km, en = str(getattr(row, "name_km", "")), str(getattr(row, "name_en", ""))
    return Name(km, en, en)


def _joined(names: Sequence[Name]) -> Name:
    return Name(*(", ".join(getattr(name, one) for name in names) for one in ("km", "latn", "en")))
