"""What a report says beside the figures: what was promised and how far it is, what people wrote, raised and read.

What villagers say of a promise leaves the programme here: only the counts of checks that are closed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from gateway.comments import comments
from gateway.comments.comments import Approved
from gateway.information import made, pages, reads
from gateway.menus.phrases import Name, Phrase, Words
from gateway.models.concerns import Solved
from gateway.models.promises import Standing
from gateway.promises import checks, issues, plans
from gateway.promises.checks import CheckFigures
from gateway.promises.facts import Commitment, Wanted, listed
from gateway.promises.money import said
from gateway.promises.plans import Totals

_ = Words

LABELS = {
    "promises": _("What was promised"),
    "activity": _("What"),
    "responsible": _("Who does it"),
    "due": _("Until"),
    "cost": _("Cost"),
    "standing": _("Council and villagers"),
    "issues": _("Issues raised by groups"),
    "comments": _("What people wrote"),
    "comments_note": _("Read, cleaned of names and numbers and let through by staff. Nobody knows who wrote them."),
    "read": _("What people looked up"),
}
MOST_READ = 5


@dataclass(frozen=True)
class Promised:
    """A commitment, and what villagers say of it where that may be told."""

    commitment: Commitment
    villagers: CheckFigures | None

    @property
    def standing(self) -> Words:
        """`Council: done; villagers: 61% yes of 34`."""
        return checks.standing_words(self.commitment.standing, self.villagers)


@dataclass(frozen=True)
class After:
    """All of it, for the communes of a report."""

    totals: Totals
    promises: tuple[Promised, ...]
    issues: Words | None
    """How many issues that groups raised were solved in the year in which the round closed."""
    comments: tuple[Approved, ...]
    readings: tuple[tuple[Name, int], ...]
    """The information pages of these communes that were read most since the round began, and how often."""

    def definition(self, minimum: int) -> Words:
        """What a villagers' share is, and from how many phones on it is told."""
        return checks.DEFINITION.given(n=str(minimum))

    @property
    def sentences(self) -> list[Words]:
        """The promises added up (DOMAIN.md, table, row 7)."""
        return [*_actions(self.totals), *_money(self.totals), *_people(self.totals)]


def after(db: Connection, round_id: int, communes: Collection[str], first: date, last: date, today: date) -> After:
    """What answers a round in some communes, as it stands on a day. `first` and `last` are the round's."""
    wanted = Wanted(round_id=round_id, among=communes)
    return After(
        plans.totals(db, wanted),
        tuple(Promised(one, checks.public_figures(db, one.id, today)) for one in listed(db, wanted=wanted)),
        _solved(db, communes, last.year, today),
        tuple(comments.approved(db, first, last, communes)),
        _readings(db, communes, first),
    )


def _readings(db: Connection, communes: Collection[str], since: date) -> tuple[tuple[Name, int], ...]:
    read = reads.most_read(db, since, MOST_READ, pages.of(frozenset(communes)))
    found = pages.by_id(db, [page for page, _times in read])
    titles = {page: made.everywhere(found[page].title) for page, _times in read}
    return tuple((Name(titles[page]["km"], titles[page]["km-Latn"], titles[page]["en"]), times) for page, times in read)


def _solved(db: Connection, communes: Collection[str], year: int, today: date) -> Words | None:
    """DOMAIN.md, table, row 8: `6 fully and 25 partly solved of 50 issues: 62%`."""
    of_year = issues.shares_of(db, issues.Wanted(within=communes), today)
    found = next((one for one in of_year if one.year == year), None)
    if found is None:
        return None
    return _(
        "In {year}: {fully} fully and {partly} partly solved of {all} issues that groups raised: {percent}%.",
        year=str(year), fully=str(found.counts.get(Solved.FULLY, 0)), partly=str(found.counts.get(Solved.PARTLY, 0)),
        all=str(found.listed), percent=str(found.percent),
    )  # fmt: skip


def _actions(totals: Totals) -> list[Words]:
    if not totals.actions:
        return []
    many, plan = str(totals.actions), str(totals.plans)
    actions = (
        _("{actions} priority actions in {plans} plans", actions=many, plans=plan)
        if totals.plans > 1
        else _("Priority actions: {actions}", actions=many)
    )
    if totals.all_done:
        return [_("{actions}, all done.", actions=actions)]
    standings = {one.name.lower(): str(totals.standings[one]) for one in Standing}
    told = _(
        "{actions}: {done} done, {under_way} under way, {planned} planned, {dropped} dropped.",
        actions=actions,
        **standings,
    )
    return [told]


def _money(totals: Totals) -> list[Words]:
    cost = _together([said(amount, currency) for currency, amount in totals.costs.items()])
    paid = _together([_("{amount} {source}", amount=said(p.amount, p.currency), source=p.name) for p in totals.paid])
    found = [_("Cost: {cost}.", cost=cost)] if cost else []
    return [*found, _("Paid by: {paid}.", paid=paid)] if paid else found


def _people(totals: Totals) -> list[Words]:
    if not totals.beneficiaries:
        return []
    return [
        _("For {n} people, {female} of them female.", n=str(totals.beneficiaries), female=str(totals.female))
        if totals.female
        else _("For {n} people.", n=str(totals.beneficiaries))
    ]


def _together(parts: list[Name] | list[Words]) -> Phrase | None:
    whole: Phrase | None = None
    for part in parts:
        whole = part if whole is None else _("{first} + {second}", first=whole, second=part)
    return whole
