"""The pages of a council's login: what was released of its communes, a week before it is public, and its replies.

Every address names a commune, and every page looks first whether it is one of the login's own: of others nothing is
told, not even that they are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from admin.figures import council_promises
from admin.figures.council_replies import replies_of
from admin.figures.tallies import SCALE, Commune, programme, widths
from gateway.config import FLOOR, Settings
from gateway.menus.phrases import Words
from gateway.models.staff import communes_of
from gateway.models.store import Store
from gateway.promises.facts import Wanted
from gateway.promises.plans import totals
from gateway.scorecard import councils, publishing
from gateway.scorecard.councils import Flaw, Promise
from gateway.scorecard.publishing import Reader
from gateway.scorecard.weekly import LONGEST_REPLY

_ = Words
log = structlog.get_logger()

LETTERS = 13
"""Weekly letters a page: a quarter of a year."""
FLAWS: Mapping[Flaw, tuple[str, Words]] = {
    Flaw.ABOUT: ("about", _("Choose what your reply is about.")),
    Flaw.EMPTY: ("text", _("Write your reply first.")),
    Flaw.LONG: ("text", _("At most {n} characters, please.", n=str(LONGEST_REPLY))),
}
"""The field that is wrong, and what is said of it."""


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/council?commune=CODE`, `/admin/council/<commune>/<round>`."""

    def today() -> date:
        return settings.day(now())

    def page(commune: str | None, status: int = 200, **values: Any) -> tuple[str, int]:
        values = {"typed": {}, "errors": {}} | values
        number = request.args.get("page", 1, type=int)
        if not 1 <= number <= 1000:
            abort(404)
        with store.read() as db:
            own = _own(db)
            here = _here(own, commune) if own or commune else None
            codes = [here.code] if here else []
            letters = (
                councils.told(db, settings, here.code, today(), LETTERS + 1, (number - 1) * LETTERS) if here else []
            )
            rounds = publishing.published(db, Reader.COUNCIL, today(), codes=codes)
            written = replies_of(db, here.code, most=20) if here else []
            promised = totals(db, Wanted(here.code, shown=True)) if here else None
        body = render_template(
            "admin/council.html", own=own, here=here, rounds=rounds, letters=letters[:LETTERS], page=number,
            more=len(letters) > LETTERS, written=written, promised=promised, today=today(), longest=LONGEST_REPLY,
            minimum=max(settings.min_raters, FLOOR), **values,
        )  # fmt: skip
        return body, status

    @panel.get("/council", endpoint="council")
    def first() -> tuple[str, int]:
        return page(request.args.get("commune"))

    @panel.get("/council/<commune>/<int:number>", endpoint="council_round")
    def single(commune: str, number: int) -> str:
        with store.read() as db:
            here = _here(_own(db), commune)
            told = publishing.read(db, here.code, number, Reader.COUNCIL, today()) if number <= _LAST else None
        if told is None:
            abort(404)
        return render_template(
            "admin/council_round.html", here=here, round=told[0], results=told[1], scale=SCALE, widths=widths,
            today=today(), minimum=max(settings.min_raters, FLOOR), longest=LONGEST_REPLY,
        )  # fmt: skip

    @panel.post("/council/<commune>/reply", endpoint="council_reply")
    def reply(commune: str) -> Response | tuple[str, int]:
        about = _about(request.form.get("about", ""))
        with store.write() as db:
            here = _here(_own(db), commune)
            flaw: Flaw | None = Flaw.ABOUT
            if about is not None:
                text, author = request.form.get("text", ""), current_user.member.id
                flaw = councils.reply(db, settings, here.code, about, text, author, now())
        if flaw is not None:
            field, words = FLAWS[flaw]
            return page(here.code, 422, typed=request.form, errors={field: words})
        log.info("panel.council_replied", member=current_user.member.id, commune=here.code)
        flash(_("Thank you! Your reply is with the staff.").msgid)
        if isinstance(about, Promise):
            return redirect(url_for("admin.council_promises", commune=here.code))
        return redirect(url_for("admin.council", commune=here.code))

    council_promises.add_routes(panel, store, settings, now, own=lambda db, commune: _here(_own(db), commune))


_LAST = 2**31 - 1


def _own(db: Connection) -> list[Commune]:
    """The communes of who is logged in."""
    codes = set(communes_of(db, current_user.member.id))
    return [one for one in programme(db) if one.code in codes]


def _here(own: list[Commune], wanted: str | None) -> Commune:
    """The commune that is asked for, if it is one of the login's own; without a wish the first."""
    found = next((one for one in own if wanted in (None, one.code)), None)
    return found or abort(404)


def _about(wish: str) -> date | int | Promise | None:
    """What a reply is about: `week 2026-11-23`, `round 2`, or `promise 7`."""
    what, _sign, which = wish.partition(" ")
    try:
        if what == "week":
            return date.fromisoformat(which)
        if what == "promise":
            return Promise(min(int(which), _LAST))
        return min(int(which), _LAST) if what == "round" else None
    except ValueError:
        return None
