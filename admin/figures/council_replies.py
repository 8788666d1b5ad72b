"""What councils wrote back, by SMS or with their logins: for staff, who may pass it on to villagers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, abort, redirect, render_template, url_for
from flask_login import current_user
from sqlalchemy import ColumnElement, Connection, Row, func, select
from sqlalchemy.sql.expression import true
from werkzeug.wrappers import Response

from admin import scope
from admin.paging import page_of
from gateway.config import Settings
from gateway.forums.facts import named
from gateway.menus.phrases import Name
from gateway.models.releases import council_replies, mark_read, replies
from gateway.models.store import Store
from gateway.phones import scrub
from gateway.promises import notices

LAST_ID = 2**31 - 1
PAGE = 30
"""Replies a page."""


@dataclass(frozen=True)
class Reply:
    """What a council wrote."""

    id: int
    name: Name
    week: date
    text: str
    received: datetime
    reader: str | None
    round: int | None = None
    """About the published results of this round, not about a letter."""
    author: str | None = None
    """Whose login wrote it; None: it came by SMS."""
    commitment: int | None = None
    """About this commitment, not about a letter."""
    promise: Name | None = None
    """What was promised by it."""

    @property
    def last(self) -> date:
        """The Sunday of the week of the letter."""
        return self.week + timedelta(days=6)


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/weekly/replies?page=…`, `POST /admin/weekly/replies/<one of them>/read`, `…/pass`."""

    @panel.get("/weekly/replies", endpoint="weekly_replies")
    def answered() -> str:
        with store.read() as db:
            here = is_mine(db, council_replies.c.commune)
            count = db.scalar(select(func.count()).select_from(council_replies).where(here)) or 0
            number, pages = page_of(count, PAGE)
            order = (council_replies.c.read_by.is_not(None), council_replies.c.received.desc(), council_replies.c.id)
            rows = db.execute(replies().where(here).order_by(*order).offset((number - 1) * PAGE).limit(PAGE)).all()
            unread, passed = count_unread(db), notices.passed_on(db, [row.id for row in rows])
        return render_template(
            "admin/weekly_replies.html",
            replies=read_replies(rows),
            unread=unread,
            passed=passed,
            page=number,
            pages=pages,
        )  # fmt: skip

    @panel.post("/weekly/replies/<int:reply>/read", endpoint="weekly_read")
    def read(reply: int) -> Response:
        with store.write() as db:
            if reply > LAST_ID or not mark_read(db, reply, current_user.member.id):
                abort(404)
        return redirect(url_for("admin.weekly_replies"))

    @panel.post("/weekly/replies/<int:reply>/pass", endpoint="weekly_pass")
    def pass_on(reply: int) -> Response:
        if reply > LAST_ID:
            abort(404)
        with store.write() as db:
            there = notices.passed_on(db, [reply]).get(reply)
            made = there.id if there else notices.pass_on(db, settings, reply, current_user.member.id, now())
            if made is None or not mark_read(db, reply, current_user.member.id):
                abort(404)
        page = "admin.broadcasts_one" if there else "admin.broadcasts_edit"
        return redirect(url_for(page, broadcast=made))


def read_replies(rows: Sequence[Row[Any]]) -> list[Reply]:
    """Replies from their rows (`releases.replies`), with phone numbers blotted out."""
    return [
        Reply(
            row.id,
            Name(row.name_km, row.name_en, row.name_en),
            row.week,
            scrub(row.text),
            row.received,
            row.reader,
            row.round_number,
            row.author_name,
            row.commitment,
            named(json.loads(row.activity)) if row.commitment else None,
        )
        for row in rows
    ]


def replies_of(db: Connection, commune: str, most: int) -> list[Reply]:
    """What a commune's council wrote, the newest first."""
    mine = replies().where(council_replies.c.commune == commune)
    return read_replies(db.execute(mine.order_by(council_replies.c.id.desc()).limit(most)).all())


def count_unread(db: Connection) -> int:
    """How many replies nobody has read yet, of who looks."""
    new = council_replies.c.read_by.is_(None) & is_mine(db, council_replies.c.commune)
    return db.scalar(select(func.count()).where(new)) or 0


def is_mine(db: Connection, commune: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a row is of a commune of who looks."""
    own = scope.mine(db)
    return true() if own is None else commune.in_(own)
