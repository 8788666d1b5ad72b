"""Weekly letters: what went out to councils, what did not and why, and once more."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection, Row, func, select
from werkzeug.wrappers import Response

from admin import audit, scope
from admin.figures import council_replies
from admin.figures.council_replies import count_unread, is_mine, read_replies
from admin.figures.tallies import SCALE, widths
from admin.messaging.messages import BADLY, STATES, WELL
from admin.paging import page_of
from admin.wording import SPOKEN
from gateway.bulk.letters import Audience, recipients_of
from gateway.config import FLOOR, Settings
from gateway.menus.phrases import Name, Words
from gateway.models.messages import State, messages
from gateway.models.releases import council_replies as written_back
from gateway.models.releases import letters, replies, weekly_letters
from gateway.models.store import Store
from gateway.promises import notices
from gateway.scorecard import weekly, weekly_words
from gateway.scorecard.weekly import Outcome
from gateway.scorecard.weekly_words import Line

_ = Words

PAGE = 30
"""Letters a page."""
MANY = 20
"""So many communes without a letter are named."""
SAID: Mapping[Outcome, Words] = {
    Outcome.WRITTEN: _("The letter is in the outbox."),
    Outcome.THERE: _("It was written already; nothing goes out twice."),
    Outcome.NOBODY: _("Nobody can get it: no councillor's number, or all have asked for no more messages."),
    Outcome.PAUSED: _("There is a pause: nothing leaves before its end."),
}
WHY: Mapping[Outcome | None, Words] = {
    Outcome.NOBODY: _("no councillor's number"),
    Outcome.STOPPED: _("all councillors have asked for no more messages"),
    Outcome.PAUSED: _("held back by the pause"),
    None: _("not written yet"),
}


@dataclass(frozen=True)
class Sent:
    """A letter as it is on the page."""

    broadcast: int
    name: Name
    week: date
    copy: int
    lines: tuple[Line, ...]
    states: tuple[tuple[State, int], ...]
    row: Row[Any]

    @property
    def last(self) -> date:
        """The Sunday of its week."""
        return self.week + timedelta(days=6)

    @property
    def shown(self) -> int:
        """Services with figures."""
        return sum(line.figures is not None for line in self.lines)


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/weekly`, `/admin/weekly/<its broadcast>`; councils' replies add their own."""

    @panel.get("/weekly", endpoint="weekly")
    def page() -> str:
        week = weekly.due_week(now(), settings)
        with store.read() as db:
            here = is_mine(db, weekly_letters.c.commune)
            number, pages = page_of(db.scalar(select(func.count()).select_from(weekly_letters).where(here)) or 0, PAGE)
            order = (weekly_letters.c.week.desc(), weekly_letters.c.commune, weekly_letters.c.copy.desc())
            rows = db.execute(letters().where(here).order_by(*order).offset((number - 1) * PAGE).limit(PAGE)).all()
            own, sent, unread = scope.mine(db), _sent(db, rows), count_unread(db)
            missing = [one for one in weekly.missing(db, settings, now()) if own is None or one.council.commune in own]
        return render_template(
            "admin/weekly.html",
            sent=sent,
            missing=missing,
            many=MANY,
            why=WHY,
            nobody=Outcome.NOBODY,
            week=week,
            sunday=week + timedelta(days=6),
            following=weekly.next_due(now(), settings),
            minimum=max(settings.min_raters, FLOOR),
            unread=unread,
            page=number,
            pages=pages,
            **_STATES,
        )

    @panel.get("/weekly/<int:broadcast>", endpoint="weekly_one")
    def single(broadcast: int) -> str:
        with store.read() as db:
            row = _found(db, broadcast)
            mine = (weekly_letters.c.commune == row.commune) & (weekly_letters.c.week == row.week)
            told = (written_back.c.commune == row.commune) & (written_back.c.week == row.week)
            told &= written_back.c.round_id.is_(None) & written_back.c.commitment.is_(None)
            copies = _sent(db, db.execute(letters().where(mine).order_by(weekly_letters.c.copy)).all())
            written = read_replies(db.execute(replies().where(told).order_by(written_back.c.id)).all())
            passed = notices.passed_on(db, [one.id for one in written])
            reachable = len(recipients_of(db, Audience(councils=(row.commune,)), settings))
        return render_template(
            "admin/weekly_one.html",
            letter=next(one for one in copies if one.broadcast == broadcast),
            copies=copies,
            texts=json.loads(row.texts),
            words=SPOKEN,
            scale=SCALE,
            widths=widths,
            reachable=reachable,
            replies=written,
            passed=passed,
            **_STATES,
        )

    @panel.post("/weekly/<int:broadcast>/again", endpoint="weekly_again")
    def again(broadcast: int) -> Response:
        copy = request.form.get("copy", type=int)
        with store.read() as db:
            row = _found(db, broadcast)
        if copy is None or copy < 2:
            abort(404)
        return said(weekly.write_again(store, settings, row.commune, row.week, copy, now(), current_user.member.id))

    @panel.post("/weekly/write", endpoint="weekly_write")
    def write() -> Response:
        week = weekly.due_week(now(), settings)
        with store.read() as db:
            council = next(iter(weekly.due(db, week, request.form.get("commune", ""))), None)
        if council is None or request.form.get("week") != week.isoformat():
            abort(404)
        return said(weekly.write(store, settings, council, week, now(), current_user.member.id))

    def said(outcome: Outcome) -> Response:
        if outcome not in SAID:
            abort(404)
        flash(SAID[outcome].msgid)
        if outcome is not Outcome.WRITTEN:
            audit.refused()
        return redirect(url_for("admin.weekly"))

    council_replies.add_routes(panel, store, settings, now)


_STATES: Mapping[str, Any] = {"states": STATES, "well": WELL, "badly": BADLY}


def _found(db: Connection, broadcast: int) -> Row[Any]:
    row = db.execute(letters().where(weekly_letters.c.broadcast == broadcast)).first()
    if row is None:
        abort(404)
    return row


def _sent(db: Connection, rows: Sequence[Row[Any]]) -> list[Sent]:
    """Letters with the states of their messages."""
    mine = messages.c.broadcast.in_([row.broadcast for row in rows])
    counted = select(messages.c.broadcast, messages.c.state, func.count()).where(mine)
    states: dict[int, dict[State, int]] = {}
    for broadcast, state, count in db.execute(counted.group_by(messages.c.broadcast, messages.c.state)):
        states.setdefault(broadcast, {})[State(state)] = count
    return [
        Sent(
            broadcast=row.broadcast,
            name=Name(row.name_km, row.name_en, row.name_en),
            week=row.week,
            copy=row.copy,
            lines=tuple(weekly_words.from_json(row.lines)),
            states=tuple((one, states[row.broadcast][one]) for one in State if one in states.get(row.broadcast, {})),
            row=row,
        )
        for row in rows
    ]
