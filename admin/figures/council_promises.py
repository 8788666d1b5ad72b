"""What a council's login sees of what was promised: how it stands, and what villagers say of it.

Of a check only what was frozen when it closed, never a figure that still moves; in a pause before elections none.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Blueprint, render_template
from sqlalchemy import Connection

from admin.figures.tallies import Commune
from admin.figures.tally_lines import widths
from admin.meetings.commitment_words import COLOURS, STANDINGS
from admin.paging import page_of
from gateway.config import Settings
from gateway.models.installation import is_paused
from gateway.models.store import Store
from gateway.promises.checks import figures
from gateway.promises.facts import Wanted, count, history, listed
from gateway.scorecard.weekly import LONGEST_REPLY

PAGE = 20
"""Commitments a page."""


def add_routes(
    panel: Blueprint,
    store: Store,
    settings: Settings,
    now: Callable[[], datetime],
    own: Callable[[Connection, str], Commune],
) -> None:
    """`/admin/council/<commune>/promises?page=…`; `own` finds the commune, if it is the login's."""

    @panel.get("/council/<commune>/promises", endpoint="council_promises")
    def page(commune: str) -> str:
        today = settings.day(now())
        with store.read() as db:
            here = own(db, commune)
            mine = Wanted(here.code, shown=True)
            number, pages = page_of(count(db, mine), PAGE)
            quiet = is_paused(db, today)
            lines = [
                (one, history(db, one.id)[0], None if quiet else figures(db, one.id, settings, inside=False))
                for one in listed(db, wanted=mine, first=(number - 1) * PAGE, size=PAGE)
            ]
        return render_template(
            "admin/council_promises.html",
            here=here, lines=lines, page=number, pages=pages, today=today, states=STANDINGS, colours=COLOURS,
            widths=widths, longest=LONGEST_REPLY,
        )  # fmt: skip
