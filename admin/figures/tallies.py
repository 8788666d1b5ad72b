"""The tallies: figures as staff see them, one breakdown at a time (DOMAIN.md, Privacy, two circles)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, abort, render_template, request
from flask_login import current_user
from markupsafe import Markup, escape
from sqlalchemy import Connection, func, select

from admin.figures.tally_lines import NAMES, Line, line, widths
from admin.figures.tally_sheet import KINDS, Shown
from admin.scope import mine
from admin.wording import Wording, spoken
from gateway.config import FLOOR, Settings
from gateway.menus.phrases import Name, Phrase, Words
from gateway.models.places import communes, places
from gateway.models.rounds import Round, round_communes, rounds_of
from gateway.models.store import Store
from gateway.scorecard.breakdowns import MOST, Breakdown, By, breakdown, written
from gateway.scorecard.scopes import WHOLE, Scope, scope_of
from gateway.scorecard.tallies import NothingToTell, monday

__all__ = ["FEW", "SCALE", "Commune", "Line", "add_routes", "programme", "widths"]

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
MANY = 150
"""So many communes stand under each other on one page; a province has no more."""
ONE_AFTER_ANOTHER = (By.WEEK, By.ROUND)
"""Breakdowns by time: nothing earlier stands beside them, but themselves."""
ALL = "all"
"""The whole programme, in an address."""


@dataclass(frozen=True)
class Commune:
    """A commune that takes part."""

    code: str
    name: Name


@dataclass(frozen=True)
class Asked:
    """What the page is to show."""

    code: str
    """Of a place; WHOLE for the programme."""
    round: int | None
    by: By | None
    week: date | None
    group: int | None
    """The id of a round: all its communes."""
    against: int | None = None
    """The number of an earlier round that stands beside it."""

    @property
    def parted(self) -> By | None:
        """What is asked of the figures: a week is one part of them; extra questions stand under their service."""
        return By.WEEK if self.week else self.by

    def address(self, **changes: Any) -> dict[str, Any]:
        """The same page but for some changes, for `url_for`."""
        wanted = replace(self, **changes)
        place = "commune" if len(wanted.code) == 6 else "place"
        where = {"group": wanted.group} if wanted.group else {place: wanted.code or ALL}
        week = written(wanted.week) if wanted.week else None
        return {**where, "round": wanted.round, "by": wanted.by, "week": week, "against": wanted.against}


def programme(db: Connection) -> list[Commune]:
    """The communes that take part, in the order of their numbers; of these, those of who is logged in (`scope`)."""
    statement = select(places.c.code, places.c.name_km, places.c.name_en).join(
        communes, communes.c.code == places.c.code
    )
    statement = statement.where(communes.c.active)
    if (own := mine(db)) is not None:
        statement = statement.where(communes.c.code.in_(own))
    rows = db.execute(statement.order_by(communes.c.number))
    return [Commune(row.code, Name(row.name_km, row.name_en, row.name_en)) for row in rows]


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/tallies?commune=CODE&round=N&by=WHAT`, `?place=CODE|all`, `?group=ROUND`, `&week=2026-W47`, `&against=N`.

    The same as a sheet: `/admin/tallies.csv`, `/admin/tallies.xlsx`.
    """

    def find(db: Connection, asked: Asked) -> tuple[Scope | None, Breakdown | None]:
        try:
            scope = scope_of(db, asked.code, asked.round, group=asked.group, against=asked.against)
        except NothingToTell:
            if asked.round is not None or asked.group is not None:
                abort(404)
            return None, None
        if asked.by not in offered(scope) or (asked.week and len(scope.rounds) > MOST):
            abort(404)
        if asked.against and not scope.before:
            abort(404)
        by = asked.parted or (By.INDICATOR if len(scope.rounds) <= MOST else None)
        today = settings.day(now())
        told = breakdown(db, scope, by, settings.min_raters, today)
        return scope, of_week(told, asked.week) if asked.week else told

    @panel.get("/tallies", endpoint="tallies")
    def page() -> str:
        with store.read() as db:
            choice = programme(db)
            asked = wanted(choice)
            scope, told = find(db, asked) if choice else (None, None)
            commune = next((one for one in choice if one.code == asked.code), None)
            rounds = rounds_of(db, commune.code) if commune else []
            alone = mine(db) is not None  # figures of several communes are for those who may see each
            beside = communes_beside(db, scope) if commune and scope and not alone else 0
            wider = [] if alone else wider_places(db, choice)
        return render_template(
            "admin/tallies.html",
            communes=choice,
            wider=wider,
            few=len(choice) <= FEW,
            options=options,
            asked=asked,
            all=ALL,
            commune=commune,
            scope=scope,
            told=told,
            number=next(iter(scope.rounds.values())).number if commune and scope else asked.round,
            rounds=rounds,
            others=others(scope, asked) if scope else [],
            pair=pair(scope, asked) if scope and asked.against else None,
            beside=beside,
            alone=alone,
            offered=offered(scope) if scope else {},
            lines=[line(one, asked.by) for one in told.services] if told else [],
            scale=SCALE,
            minimum=max(settings.min_raters, FLOOR),
            settings=settings,
        )

    @panel.get("/tallies.<any(csv, xlsx):kind>", endpoint="tallies_file")
    def sheet(kind: str) -> Response:
        with store.read() as db:
            asked = wanted(choice := programme(db))
            _scope, told = find(db, asked) if choice else (None, None)
        if told is None:
            abort(404)
        words = Wording(spoken(current_user.member.language, settings.default_language), settings.zone)
        what = written(asked.week) if asked.week else asked.by or "services"
        beside = f"-beside-{asked.against}" if asked.against else ""
        media, made = KINDS[kind]
        shown = Shown(told, asked.by, asked.against, settings.day(now()))
        answer = Response(made(shown, words), content_type=media)
        answer.headers["Content-Disposition"] = (
            f'attachment; filename="tallies-{asked.code or ALL}-{what}{beside}.{kind}"'
        )
        return answer


def options(listed: Sequence[Commune], digits: int, chosen: str, words: Wording) -> Markup:
    """The places with a code of so many digits, to choose from. Of 1,652 a template would make them in 12 ms."""
    said = (
        f'<option value="{one.code}"{" selected" if one.code == chosen else ""}>{escape(words(one.name))} {one.code}'
        "</option>"
        for one in listed
        if len(one.code) == digits
    )
    return Markup("\n".join(said))  # noqa: S704  # names are escaped, codes are digits


def wanted(choice: Sequence[Commune]) -> Asked:
    """What the address asks for; 404 where there is no such thing."""
    given = request.args
    code = given.get("commune", given.get("place", choice[0].code if choice else WHOLE))
    group = given.get("group", type=int)
    if group is not None or code == ALL:
        code = WHOLE
    elif choice and code not in {
        one.code[:digits] for one in choice for digits in ((6,) if "commune" in given else (2, 4, 6))
    }:
        abort(404)
    try:
        number = int(given["round"]) if given.get("round") else None
        against = int(given["against"]) if given.get("against") else None
        by = By(given["by"]) if given.get("by") else None
        week = monday(given["week"]) if given.get("week") else None
    except ValueError:
        abort(404)
    if (number is not None and number < 1) or (by and week) or (group is None and "group" in given):
        abort(404)
    if against is not None and (against < 1 or against == number or week or by in ONE_AFTER_ANOTHER):
        abort(404)
    if against and number and against > number:  # the later one is compared with the earlier one
        number, against = against, number
    return Asked(code, number, by, week, group if group is None or group < 2**31 else 0, against)


def offered(scope: Scope) -> Mapping[By | None, Words]:
    """The breakdowns that make sense for a scope, and fit on a page."""
    many = len(scope.rounds)
    fits: dict[By | None, bool] = {
        None: True,
        **dict.fromkeys((By.WHO, By.WEEK, By.CHANNEL), many <= MOST),
        By.COMMUNE: 1 < many <= MANY,
        By.DISTRICT: len({code[:4] for code in scope.rounds}) > 1,
        By.PROVINCE: len({code[:2] for code in scope.rounds}) > 1,
        By.ROUND: scope.latest > 1,
    }
    return {by: NAMES[by] for by, fit in fits.items() if fit}


def of_week(told: Breakdown, week: date) -> Breakdown:
    """One week of it, as if it were all."""
    key = written(week)
    services = []
    for service in told.services:
        part = next((one for one in service.parts if one.key == key), None)
        services.append(replace(service, figures=part.figures if part else None, before=None, parts=()))
    return replace(told, by=None, first=week, last=week + timedelta(days=6), services=tuple(services))


def others(scope: Scope, asked: Asked) -> list[int]:
    """The numbers of the rounds that may stand beside the one that is looked at."""
    if asked.group or asked.week or asked.by in ONE_AFTER_ANOTHER:
        return []
    shown = {one.number for one in scope.rounds.values()}
    mine = shown.pop() if len(shown) == 1 else asked.round
    return [number for number in range(scope.latest, 0, -1) if number != mine]


def pair(scope: Scope, asked: Asked) -> tuple[Phrase, Phrase]:
    """What the two rounds that stand beside each other are called."""
    shown = {one.number for one in scope.rounds.values()}
    now = _("Round {n}", n=str(shown.pop())) if len(shown) == 1 else _("Latest rounds")
    return _("Round {n}", n=str(asked.against)), now


def communes_beside(db: Connection, scope: Scope) -> int:
    """How many communes have part in the round of this one; 0 where it is alone in it."""
    round_: Round = next(iter(scope.rounds.values()))
    mine = (round_communes.c.round_id == round_.id) & communes.c.active
    statement = (
        select(func.count()).select_from(round_communes).join(communes, communes.c.code == round_communes.c.commune)
    )
    found = db.scalar(statement.where(mine)) or 0
    return int(found) if found > 1 else 0


def wider_places(db: Connection, choice: Sequence[Commune]) -> list[Commune]:
    """The provinces and districts with more than one commune of the programme, by their codes."""
    codes = [one.code[:digits] for one in choice for digits in (2, 4)]
    several = {code for code in codes if codes.count(code) > 1} if len(choice) <= FEW else set(codes)
    rows = db.execute(
        select(places.c.code, places.c.name_km, places.c.name_en)
        .where(places.c.code.in_(several))
        .order_by(places.c.code)
    )
    return [Commune(row.code, Name(row.name_km, row.name_en, row.name_en)) for row in rows]
