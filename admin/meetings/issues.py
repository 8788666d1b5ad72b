"""Issues of groups: which there are, how far each is solved, the share of each year (DOMAIN.md, table, row 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from flask import Blueprint, Response, abort, render_template, request
from sqlalchemy import Connection

from admin import scope
from admin.figures.tallies import programme
from admin.figures.tally_lines import widths
from admin.meetings import issue_deeds, issue_editing, issue_files
from admin.meetings.forum_pages import wording
from admin.meetings.issue_words import COLOURS, STATES, found
from admin.paging import page_of
from admin.wording import Wording
from gateway import spreadsheets
from gateway.config import Settings
from gateway.menus.phrases import Name, Words
from gateway.models.concerns import Solved
from gateway.models.store import Store
from gateway.privacy import Keys
from gateway.promises import issues
from gateway.promises.issues import Issue, Share, Wanted

_ = Words

PAGE = 40
"""Issues a page."""
YEARS = 12
"""So many years have a bar."""
HEAD = (
    _("Group"), _("Commune code"), _("Place"), _("Issue"), _("To whom"), _("Raised on"), _("State"),
    _("State since"), _("What was done"),
)  # fmt: skip
STATES_IN_A_FILE = {Solved.OPEN: "open", Solved.PARTLY: "partly", Solved.FULLY: "fully"}
"""As a list that is brought has them, in whatever language."""


@dataclass(frozen=True)
class Asked:
    """What the address asks for."""

    wanted: Wanted
    query: dict[str, str]
    """The same, for other addresses."""

    @classmethod
    def sent(cls, db: Connection) -> Asked:
        """From the request; a state, a commune or a year that there is not is not found."""
        query = {name: request.args[name] for name in ("year", "solved", "commune", "group") if request.args.get(name)}
        year, solved, commune = query.get("year", ""), query.get("solved", ""), query.get("commune", "")
        if year and not (year.isascii() and year.isdigit() and 1990 <= int(year) <= 2100):
            abort(404)
        if solved and solved not in set(Solved):
            abort(404)
        if commune and commune not in communes_of(db):
            abort(404)
        return cls(
            Wanted(int(year) if year else None, Solved(solved) if solved else None, commune or None,
                   query.get("group", ""), scope.mine(db)),
            query,
        )  # fmt: skip


def communes_of(db: Connection) -> dict[str, Name]:
    """The communes of who is logged in."""
    mine = scope.mine(db)
    return {one.code: one.name for one in programme(db) if mine is None or one.code in mine}


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/issues?year=…&solved=…&commune=…&group=…`, `/admin/issues/issues.csv`, `/admin/issues/<id>`."""
    issue_editing.add_routes(panel, store, settings, now)
    issue_deeds.add_routes(panel, store, settings, now)
    issue_files.add_routes(panel, store, settings, keys, now)

    def today() -> date:
        return settings.day(now())

    @panel.get("/issues", endpoint="issues")
    def page() -> str:
        with store.read() as db:
            asked = Asked.sent(db)
            every = issues.listed(db, Wanted(within=asked.wanted.within), today())
            shown = issues.listed(db, asked.wanted, today())
            shares = issues.shares_of(db, asked.wanted, today())
            groups, communes = issues.groups_of(db, asked.wanted.within), communes_of(db)
        number, pages = page_of(len(shown), PAGE)
        return render_template(
            "admin/issues.html",
            lines=shown[(number - 1) * PAGE : number * PAGE], total=len(shown), everything=len(every),
            shares=[(share, _bar(share)) for share in shares[:YEARS]], asked=asked, states=STATES, colours=COLOURS,
            years={str(share.year): str(share.year) for share in shares}, groups=groups, communes=communes,
            page=number, pages=pages,
        )  # fmt: skip

    @panel.get("/issues/<int:issue>", endpoint="issues_one")
    def one(issue: int) -> str:
        with store.read() as db:
            row = found(db, issue, today())
        return issue_deeds.shown(store, settings, now, row)

    @panel.get("/issues/issues.csv", endpoint="issues_csv")
    def sheet() -> Response:
        with store.read() as db:
            asked = Asked.sent(db)
            shown = issues.listed(db, asked.wanted, today())
        name = f"issues-{asked.query.get('year', today().isoformat())}.csv"
        return Response(
            as_csv(shown, wording(settings)),
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
            content_type="text/csv; charset=utf-8",
        )


def as_csv(shown: Iterable[Issue], words: Wording) -> bytes:
    """A line an issue, as a list that is brought."""
    rows = (
        (
            one.raised_by, one.commune or "", words(one.place) if one.place else "", one.subject, one.to_whom,
            one.since.isoformat() if one.since else "", STATES_IN_A_FILE[one.solved],
            one.solved_on.isoformat() if one.solved_on else "", one.done,
        )
        for one in shown
    )  # fmt: skip
    return spreadsheets.as_csv([words(one) for one in HEAD], rows)


def _bar(share: Share) -> list[tuple[str, int]]:
    """The colours and widths of a year's bar."""
    parts = widths([share.counts.get(state, 0) for state in STATES])
    return [(COLOURS[state], width) for state, width in zip(STATES, parts, strict=True) if width]
