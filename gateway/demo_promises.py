"""The demonstration's action plans: what was promised after the first round is done, after the second it has begun.

Those of the first round add up as in DOMAIN.md's table, row 7: 16 priority actions in 4 plans, all done; 4,257.33 USD
local and 8,000 USD from UNDEF. What villagers said of them is invented, as everything here is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from gateway.config import Settings
from gateway.models.promises import Standing, checks
from gateway.promises import commitments
from gateway.promises.checks import CheckFigures, as_counts
from gateway.promises.commitments import Commitment, Source
from gateway.promises.money import Currency

COUNCIL = "Commune council (invented)"
UNDEF, LOCAL = "UNDEF", "local"


@dataclass(frozen=True)
class _Action:
    """Something promised in every commune after a round."""

    activity: tuple[str, str, str]
    """In Khmer, in Khmer with Latin letters, in English."""
    quantity: str
    people: tuple[int, int] | None
    """Beneficiaries, and women among them."""
    paid: tuple[tuple[str, int], ...] = ()
    """Who pays, in cents."""
    said: tuple[int, int, int, int] | None = None
    """What villagers answered: yes, partly, no, do not know."""


FIRST = (
    _Action(("បើកមណ្ឌលសុខភាពដល់ម៉ោង 5 ល្ងាច", "Boek mondol sokhapheap dol maong 5 lngeach",
             "Health centre open until 5pm"), "5 days a week", (900, 480), said=(21, 6, 7, 3)),
    _Action(("ជួសជុលបង្គន់សាលាបឋម", "Chuos chul bangkon sala bathom", "Primary school toilets repaired"),
            "4 toilets", (320, 165), ((LOCAL, 350_00), (UNDEF, 2000_00)), (18, 9, 2, 5)),
    _Action(("បិទតារាងតម្លៃនៅសាលាឃុំ", "Bet tareang thlai nov sala khum", "Fees posted at the commune office"),
            "1 board", None, ((LOCAL, 31_00),)),
    _Action(("ជីកអណ្តូងទឹកស្អាត", "Chik andaung tuk saat", "A well for clean water dug"),
            "1 well", (410, 230), ((LOCAL, 683_25),)),
)  # fmt: skip
SECOND = (
    _Action(("ជួសជុលផ្លូវលំ 300 ម៉ែត្រ", "Chuos chul phlov lom 300 m", "300 m of village road repaired"),
            "300 m", (640, 330), ((LOCAL, 900_00), ("District", 1500_00))),
    _Action(("បើកច្រកតែមួយព្រឹកថ្ងៃសៅរ៍", "Boek chrok te muoy prek thngai sav",
             "One-window office open on Saturday mornings"), "4 hours", None),
)  # fmt: skip
LATER: Sequence[tuple[Standing, int, str]] = (
    (Standing.UNDER_WAY, 45, "Stones are on the spot (invented)."),
    (Standing.PLANNED, 60, ""),
    (Standing.PLANNED, -3, ""),
    (Standing.UNDER_WAY, 20, ""),
    (Standing.DONE, 14, "Open since last Saturday (invented)."),
    (Standing.PLANNED, 90, ""),
    (Standing.DROPPED, 30, "No room in this year's budget (invented)."),
    (Standing.PLANNED, 75, ""),
)
"""How far what was promised after the second round is, in how many days it is due, and a note; action by action."""


def seed(
    db: Connection, settings: Settings, communes: Sequence[str], rounds: Sequence[int], today: date, now: datetime
) -> None:
    """Action plans in every commune after each of two rounds."""
    morning = now + timedelta(hours=9)
    for place, code in enumerate(communes):
        for number, action in enumerate(FIRST):
            due = today - timedelta(days=20 - number)
            one = _commitment(code, rounds[0], action, due)
            if not place and action.quantity == "1 board":  # the cents of the total
                one = replace(one, cost=31_33, sources=(Source(LOCAL, 31_33, Currency.USD),))
            made = commitments.add(db, settings, one, None, morning - timedelta(days=33))
            for standing, days in ((Standing.UNDER_WAY, 28), (Standing.DONE, 22)):
                then = morning - timedelta(days=days - number)
                commitments.set_standing(db, made, standing, settings.day(then), "", None, then)
            _check(db, made, action, today)
    stands = iter(LATER)
    for code in communes:
        for action in SECOND:
            standing, days, note = next(stands)
            made = commitments.add(
                db, settings, _commitment(code, rounds[1], action, today + timedelta(days)), None, now
            )
            if standing != Standing.PLANNED:
                commitments.set_standing(db, made, standing, today, note, None, now)


def _commitment(code: str, round_id: int, action: _Action, due: date) -> Commitment:
    km, latn, en = action.activity
    total, female = action.people or (None, None)
    return Commitment(
        id=0, commune=code, activity={"km": km, "km-Latn": latn, "en": en}, responsible=COUNCIL, due=due,
        round_id=round_id, proposed_by="Villagers at the forum (invented)", quantity=action.quantity,
        beneficiaries=total, female=female, currency=Currency.USD if action.paid else None,
        cost=sum(amount for _name, amount in action.paid) if action.paid else None,
        sources=tuple(Source(name, amount, Currency.USD) for name, amount in action.paid),
    )  # fmt: skip


def _check(db: Connection, commitment: int, action: _Action, today: date) -> None:
    """What villagers said, closed eight days ago: so everybody may know it."""
    counts = CheckFigures(*action.said, female=sum(action.said[:3]) // 2) if action.said else None
    closed = today - timedelta(days=8)
    values = {"opened": closed - timedelta(days=7), "until": closed, "closed": closed, "counts": as_counts(counts)}
    db.execute(checks.insert().values(commitment=commitment, **values))
