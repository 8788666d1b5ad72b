"""The tallies: one commune's round, service by service, as staff see it (DOMAIN.md, Privacy, two circles)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, abort, render_template, request
from sqlalchemy import Connection, select

from gateway.config import FLOOR, Settings
from gateway.menus.phrases import Name, Words
from gateway.models.places import communes, places
from gateway.models.rounds import Round, rounds_of
from gateway.models.store import Store
from gateway.scorecard import tallies
from gateway.scorecard.tallies import Change, ServiceTally, Tally

_ = Words

SCALE = {
    1: _("Very dissatisfied"),
    2: _("Dissatisfied"),
    3: _("Acceptable"),
    4: _("Satisfied"),
    5: _("Very satisfied"),
}
"""The words of the I-SAF scorecard (DOMAIN.md, Services)."""
FEW = 8
"""So many communes are links; more are a list to choose from."""


@dataclass(frozen=True)
class Commune:
    """A commune that takes part."""

    code: str
    name: Name


@dataclass(frozen=True)
class Line:
    """A service on the page: its figures, the widths of its bar, and what became of it since the round before."""

    service: ServiceTally
    widths: tuple[int, ...]
    change: Change | None


def widths(counts: Sequence[int]) -> tuple[int, ...]:
    """The parts of a bar, in about hundredths; what is not nothing can be seen."""
    n = sum(counts)
    return tuple(max(1, round(100 * count / n)) if count else 0 for count in counts)


def lines(now: Tally, before: Tally | None) -> list[Line]:
    """The services of a round, each with its change where both rounds show it."""
    earlier = {one.service: one.figures for one in before.services} if before else {}
    found = []
    for service in now.services:
        figures, then = service.figures, earlier.get(service.service)
        change = tallies.change(figures, then) if figures and then else None
        found.append(Line(service, widths(figures.counts) if figures else (), change))
    return found


def programme(db: Connection) -> list[Commune]:
    """The communes that take part, in the order of their numbers."""
    statement = select(places.c.code, places.c.name_km, places.c.name_en).join(
        communes, communes.c.code == places.c.code
    )
    rows = db.execute(statement.where(communes.c.active).order_by(communes.c.number))
    return [Commune(row.code, Name(row.name_km, row.name_en, row.name_en)) for row in rows]


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/tallies?commune=CODE&round=N`."""

    def figures_of(db: Connection, commune: Commune, round_: Round) -> Tally:
        today = now().astimezone(settings.zone).date()
        return tallies.tally(db, commune.code, round_, settings.min_raters, today)

    @panel.get("/tallies", endpoint="tallies")
    def page() -> str:
        number = request.args.get("round", type=int)
        if number is None and "round" in request.args:
            abort(404)
        with store.read() as db:
            choice = programme(db)
            code = request.args.get("commune", choice[0].code if choice else None)
            commune = next((one for one in choice if one.code == code), None)
            rounds = rounds_of(db, commune.code) if commune else []
            chosen = [i for i, one in enumerate(rounds) if number in (None, one.number)]
            if (code and not commune) or (number is not None and not chosen):
                abort(404)
            tally = before = None
            if commune and chosen:
                tally = figures_of(db, commune, rounds[chosen[0]])
                earlier = rounds[chosen[0] + 1 : chosen[0] + 2]
                before = figures_of(db, commune, earlier[0]) if earlier else None
        return render_template(
            "admin/tallies.html",
            communes=choice,
            few=len(choice) <= FEW,
            commune=commune,
            rounds=rounds,
            tally=tally,
            lines=lines(tally, before) if tally else [],
            before=before,
            scale=SCALE,
            minimum=max(settings.min_raters, FLOOR),
            settings=settings,
        )
