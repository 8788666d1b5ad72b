"""Commitments: what was promised, plan by plan; one of them with its history, beside what villagers say of it.

DOMAIN.md, table, row 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import Blueprint, Response, abort, render_template, request
from sqlalchemy import Connection

from admin import scope
from admin.figures.tallies import programme
from admin.figures.tally_lines import widths
from admin.meetings import commitment_deeds, commitment_editing
from admin.meetings.commitment_form import called, span
from admin.meetings.commitment_sheet import as_csv
from admin.meetings.commitment_words import COLOURS, STANDINGS, found
from admin.meetings.forum_pages import wording
from admin.paging import page_of
from admin.wording import SPOKEN, Wording
from gateway.bulk.letters import Audience, recipients_of
from gateway.config import FLOOR, Settings
from gateway.forums import facts as forums
from gateway.menus.phrases import Phrase, Words
from gateway.menus.wording import render
from gateway.models.forums import in_each
from gateway.models.promises import Standing
from gateway.models.store import Store
from gateway.privacy import Keys
from gateway.promises import notices, plans
from gateway.promises.checks import DEFINITION, figures
from gateway.promises.commitments import hangs
from gateway.promises.facts import Wanted, asked_until, count, history, listed, rounds_of
from gateway.promises.money import said as amount
from gateway.promises.plans import Totals

_ = Words

PAGE = 30
"""Commitments a page."""
PLANS = 12
"""So many plans have a bar of their own; of others a filter shows theirs."""
OVERDUE = "overdue"
FILTERS: Mapping[str, Words] = {**{str(one): words for one, words in STANDINGS.items()}, OVERDUE: _("Overdue")}
"""States to choose from: that of being late, too."""


@dataclass(frozen=True)
class Asked:
    """What the address asks for."""

    wanted: Wanted
    standing: str

    @classmethod
    def sent(cls, db: Connection, today: date) -> Asked:
        """From the request; what there is not is not found."""
        args = request.args
        commune, round_id, standing = args.get("commune", ""), args.get("round", type=int), args.get("standing", "")
        if standing and standing not in FILTERS:
            abort(404)
        if args.get("round") and round_id not in rounds_of(db):
            abort(404)
        if commune and commune not in {one.code for one in programme(db)}:
            abort(404)
        late = standing == OVERDUE
        wanted = Wanted(
            commune=commune or None,
            round_id=round_id,
            standing=Standing(standing) if standing and not late else None,
            overdue_on=today if late else None,
            among=scope.mine(db),
        )
        return cls(wanted, standing)

    @property
    def query(self) -> dict[str, Any]:
        """For links that ask for the same."""
        found = {"commune": self.wanted.commune, "round": self.wanted.round_id, "standing": self.standing or None}
        return {name: value for name, value in found.items() if value is not None}


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/commitments?commune=…&round=…&standing=…&page=…`, the same as a sheet, `/admin/commitments/<id>`."""

    def today() -> date:
        return settings.day(now())

    @panel.get("/commitments", endpoint="commitments")
    def page() -> str:
        day = today()
        with store.read() as db:
            asked, communes = Asked.sent(db, day), programme(db)
            total = count(db, asked.wanted)
            number, pages = page_of(total, PAGE)
            lines = listed(db, wanted=asked.wanted, first=(number - 1) * PAGE, size=PAGE)
            added = plans.totals(db, asked.wanted)
            each = plans.plans_of(db, asked.wanted, day, PLANS) if number == 1 else []
            everything = count(db, Wanted(among=asked.wanted.among))
            spans = {one: span(wording(settings), *days) for one, days in rounds_of(db).items()}
        return render_template(
            "admin/commitments.html",
            lines=lines, added=added, plans=each, asked=asked, spans=spans, everything=everything, total=total,
            communes={one.code: one.name for one in communes}, filters=FILTERS, today=day, page=number, pages=pages,
            sums=sums(added), states=STANDINGS, colours=COLOURS, parts=parts,
        )  # fmt: skip

    @panel.get("/commitments.csv", endpoint="commitments_csv")
    def sheet() -> Response:
        with store.read() as db:
            lines = listed(db, wanted=Asked.sent(db, today()).wanted)
        name = f"commitments-{today().isoformat()}.csv"
        disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(as_csv(lines, wording(settings)), content_type="text/csv; charset=utf-8", headers=disposition)

    @panel.get("/commitments/<int:commitment>", endpoint="commitments_one")
    def one(commitment: int) -> str:
        return shown(commitment)

    def shown(commitment: int, errors: Mapping[str, Phrase] | None = None, **typed: Any) -> str:
        """The page of one, with what was refused just now."""
        words, day = wording(settings), today()
        with store.read() as db:
            promise = found(db, commitment)
            entries = history(db, commitment)
            forum = forums.find(db, promise.forum) if promise.forum else None
            told = Audience(communes=(promise.commune,), told=(forum.id,) if forum else ())
            return render_template(
                "admin/commitment.html",
                one=promise, entries=entries, told=notices.told_of(db, commitment, entries),
                forum=called(forum, words) if forum else None, hangs=hangs(db, commitment),
                span=span(words, *rounds_of(db)[promise.round_id]) if promise.round_id else None,
                says=figures(db, commitment, settings, inside=True), reached=len(recipients_of(db, told, settings)),
                states=STANDINGS, colours=COLOURS, languages_of=SPOKEN, stand_in=in_each(promise.activity),
                until=asked_until(db, commitment), definition=_definition(settings, words),
                today=day, errors=errors or {}, widths=widths,
                typed=typed or {"standing": str(promise.standing), "day": day.isoformat(), "note": ""},
                amount=amount,
            )  # fmt: skip

    commitment_editing.add_routes(panel, store, settings, now)
    commitment_deeds.add_routes(panel, store, settings, keys, now, shown)


def _definition(settings: Settings, words: Wording) -> str:
    """What villagers' share is, and from how many phones on it is shown."""
    return render(DEFINITION.given(n=str(max(settings.min_raters, FLOOR))), words.language)


def parts(standings: Mapping[Standing, int]) -> list[tuple[str, int]]:
    """A bar of how far they are: the colour and the width of each part."""
    counts = [standings[one] for one in STANDINGS]
    return [(COLOURS[one], width) for one, width in zip(STANDINGS, widths(counts), strict=True) if width]


def sums(added: Totals) -> Mapping[str, Phrase]:
    """Totals as they are said: `16 priority actions in 4 plans, all done`, and who pays what."""
    actions = _("1 priority action") if added.actions == 1 else _("{n} priority actions", n=f"{added.actions:,}")
    in_plans = _("1 plan") if added.plans == 1 else _("{n} plans", n=f"{added.plans:,}")
    head = _("{actions} in {plans}, {done} done", actions=actions, plans=in_plans, done=f"{added.done:,}")
    if added.all_done:
        head = _("{actions} in {plans}, all done", actions=actions, plans=in_plans)
    given = (_("{amount} {source}", amount=amount(one.amount, one.currency), source=one.name) for one in added.paid)
    costs = (amount(cost, currency) for currency, cost in added.costs.items())
    return {"head": head, "costs": _joined(costs), "paid": _joined(given)}


def _joined(phrases: Iterable[Phrase]) -> Phrase:
    """Amounts, one after the other with a plus between."""
    found: Phrase = ""
    for phrase in phrases:
        found = _("{first} + {second}", first=found, second=phrase) if found else phrase
    return found
