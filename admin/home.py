"""The first page of staff: what needs them today, a line a thing, each with the way to where it is done.

One function a kind of thing; each asks the database one or two small questions, so that the page is quick with a
country's data. Staff with communes of their own read of these alone (`scope`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from flask_login import current_user
from sqlalchemy import ColumnElement, Connection, func, select, tuple_
from werkzeug.wrappers import Response

from admin import rights, scope
from admin.messaging import providers
from admin.messaging.messages import KINDS
from admin.wording import Value
from gateway.bulk.broadcasts import may_approve
from gateway.config import FLOOR, Settings
from gateway.forums.facts import named
from gateway.menus.phrases import Name, Words
from gateway.models.answers import OVERALL, answers
from gateway.models.broadcasts import WAITING, Stage, broadcasts
from gateway.models.comments import Verdict, comments
from gateway.models.contacts import Role, contacts
from gateway.models.forums import forum_replies, forums
from gateway.models.installation import pause
from gateway.models.messages import UNCONFIRMED, messages
from gateway.models.places import communes, places
from gateway.models.polls import polls
from gateway.models.promises import Standing, checks, commitments
from gateway.models.releases import council_replies
from gateway.models.rounds import round_communes, rounds
from gateway.models.store import Store
from gateway.scorecard.bursts import bursts
from gateway.scorecard.round_list import SOON

_ = Words

NEAR = timedelta(days=3)
"""So long before it a forum, and the end of a check, are told."""
UNINVITED = timedelta(days=14)
"""So long before it a forum is told to which nobody is invited yet."""
AHEAD = timedelta(days=7)
"""So long before it a pause is told."""
ENOUGH = 2000
"""Among so many ratings there are enough phones, if at all."""
MOST = 5
"""So many things of a kind stand by themselves; of more it says how many they are."""


@dataclass(frozen=True)
class Asked:
    """Of whom and when the page is."""

    settings: Settings
    member: int
    own: frozenset[str] | None
    """The communes of who asks; None: all."""
    now: datetime

    @property
    def today(self) -> date:
        """The programme's day."""
        return self.settings.day(self.now)

    def begin(self, day: date) -> datetime:
        """When a day of the programme begins."""
        return datetime.combine(day, time(), self.settings.zone)

    def among(self, commune: ColumnElement[Any]) -> list[ColumnElement[bool]]:
        """The condition that a commune is one's own."""
        return [] if self.own is None else [commune.in_(self.own)]


@dataclass(frozen=True)
class Line:
    """Something to be done or known, and the page on which it is done."""

    words: Words
    values: Mapping[str, Value]
    endpoint: str
    at: Mapping[str, Any] = field(default_factory=dict)
    pressing: bool = False


def add_routes(panel: Blueprint, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
    """`/admin/`; councils and volunteers are led on to their own first page."""

    @panel.get("/", endpoint="home")
    def page() -> str | Response:
        first = rights.first_page(current_user.member.role)
        if first != "admin.home":
            return redirect(url_for(first))
        with store.read() as db:
            asked = Asked(settings, current_user.member.id, scope.mine(db), now())
            lines = [line for kind in KINDS_OF_LINES for line in kind(db, asked)]
            figures = [one(db, asked) for one in FIGURES]
        return render_template(
            "admin/home.html",
            lines=sorted(lines, key=lambda line: not line.pressing),
            figures=[one for one in figures if one],
            today=asked.today,
        )


# what needs somebody ------------------------------------------------------------------------------


def forums_ahead(db: Connection, asked: Asked) -> Iterator[Line]:
    """Forums of the next days, with how many come; and those to which nobody is invited yet."""
    heads = select(func.coalesce(func.sum(forum_replies.c.heads), 0)).where(forum_replies.c.forum_id == forums.c.id)
    asks = select(broadcasts.c.id).where(broadcasts.c.forum == forums.c.id, WAITING).exists()
    ahead = (
        select(forums.c.id, forums.c.starts, forums.c.approved, places.c.name_km, places.c.name_en)
        .add_columns(heads.scalar_subquery().label("heads"), asks.label("asks"))
        .join(places, places.c.code == forums.c.commune)
        .where(forums.c.starts > asked.now, forums.c.starts < asked.now + UNINVITED, ~forums.c.cancelled)
        .where(*asked.among(forums.c.commune))
    )
    for row in db.execute(ahead.order_by(forums.c.starts).limit(4 * MOST)):
        near = row.starts < asked.begin(asked.today + NEAR)
        values = {"commune": _name(row), "when": row.starts}
        if not row.approved and (near or not row.asks):  # else those who may approve it are told
            words = _("Forum in {commune}, {when}: nobody is invited yet, its invitation is not approved.")
            yield Line(words, values, "admin.forums_one", {"forum_id": row.id}, pressing=True)
        elif row.approved and near:
            words = _("Forum in {commune}, {when}. People who say they come: {heads}.")
            tomorrow = row.starts < asked.begin(asked.today + timedelta(days=2))
            values |= {"heads": int(row.heads)}
            yield Line(words, values, "admin.forums_one", {"forum_id": row.id}, pressing=tomorrow)


def approvals(db: Connection, asked: Asked) -> Iterator[Line]:
    """What waits for the approval of who asks: nobody approves what is their own."""
    rows = db.execute(select(broadcasts).where(WAITING).order_by(broadcasts.c.created)).all()
    lookup = scope.COMMUNES_OF["broadcast"]
    mine = [row for row in rows if may_approve(asked.settings, row, asked.member)]
    if asked.own is not None and lookup:
        mine = [row for row in mine if scope.is_within(db, asked.own, lookup, row.id)]
    for row in mine[:MOST]:
        values = {"title": row.title or _("without a title"), "kind": KINDS.get(row.kind, row.kind)}
        words = _("Waits for your approval: “{title}” ({kind}).")
        yield Line(words, values, "admin.broadcasts_one", {"broadcast": row.id}, pressing=True)
    if len(mine) > MOST:
        words = _("More that waits for approval: {n}.")
        yield Line(words, {"n": len(mine) - MOST}, "admin.broadcasts", {"stage": Stage.WAITING.value}, pressing=True)


def replies(db: Connection, asked: Asked) -> Iterator[Line]:
    """What councils wrote, and nobody has read."""
    unread = council_replies.c.read_by.is_(None)
    if n := _count(db, unread, *asked.among(council_replies.c.commune)):
        yield Line(_("Replies of councils to read: {n}."), {"n": n}, "admin.weekly_replies")


def waiting_comments(db: Connection, asked: Asked) -> Iterator[Line]:
    """What people wrote in their own words, and nobody has read."""
    if n := _count(db, comments.c.verdict == Verdict.WAITING, *asked.among(comments.c.commune)):
        yield Line(_("Comments to read: {n}."), {"n": n}, "admin.comments")


def uncertain(db: Connection, asked: Asked) -> Iterator[Line]:
    """Messages of which only people can say whether they went out."""
    seen = scope.broadcasts_seen(db) if asked.own is not None else None
    if n := _count(db, UNCONFIRMED, *([] if seen is None else [messages.c.broadcast.in_(seen)])):
        words = _("Messages of which nobody knows whether they went out: {n}. Decide about them.")
        yield Line(words, {"n": n}, "admin.messages", {"state": "unconfirmed"})


def open_rounds(db: Connection, asked: Asked) -> Iterator[Line]:
    """Rounds that are about to end or should have ended; that none is open; improbable answers."""
    r, of = rounds.c, round_communes.c
    listed = (
        select(r.id, r.until, func.count().label("communes"), func.min(of.commune).label("first"))
        .join(round_communes, of.round_id == r.id)
        .where(r.closed.is_(None), *asked.among(of.commune))
        .group_by(r.id, r.until)
    )
    found = db.execute(listed.order_by(r.until, r.id)).all()
    if not found and asked.own is None and _count(db, communes.c.active):
        yield Line(_("No round is open: nobody can rate."), {}, "admin.rounds_new")
    names = _names(db, [row.first for row in found])
    minimum = asked.settings.min_raters
    for row in found[:MOST]:
        where = names[row.first] if row.communes == 1 else _("{n} communes", n=str(row.communes))
        values: dict[str, Value] = {"where": where} | ({"until": row.until} if row.until else {})
        at = {"round_id": row.id}
        if row.until and row.until < asked.today:
            words = _("The round in {where} should have ended on {until}. Close it.")
            yield Line(words, values, "admin.rounds_one", at, pressing=True)
        elif row.until and row.until - SOON <= asked.today:
            words = _("The round in {where} ends on {until}. Close it then.")
            yield Line(words, values, "admin.rounds_one", at)
        if asked.own is None and (flags := bursts(db, row.id, minimum)):
            words = _("Improbable answers in the round in {where}: {n}. Look at them.")
            yield Line(words, {"where": where, "n": len(flags)}, "admin.rounds_one", at)


def providers_in_trouble(db: Connection, asked: Asked) -> Iterator[Line]:
    """Providers that rest, fail again and again, or take nothing while messages wait."""
    for one in providers.all_health(db, asked.settings, asked.now):
        if trouble := one.trouble(asked.now):
            yield Line(trouble.words, trouble.values, "admin.providers", pressing=True)


def ending_checks(db: Connection, asked: Asked) -> Iterator[Line]:
    """Questions whether a promise was kept that close soon."""
    soon = (
        select(checks.c.until, commitments.c.id, commitments.c.activity, places.c.name_km, places.c.name_en)
        .join(commitments, commitments.c.id == checks.c.commitment)
        .join(places, places.c.code == commitments.c.commune)
        .where(checks.c.closed.is_(None), checks.c.until < asked.today + NEAR, *asked.among(commitments.c.commune))
    )
    for row in db.execute(soon.order_by(checks.c.until, checks.c.id).limit(MOST)):
        words = _("Villagers of {commune} are asked until {until}: “{what}”.")
        values = {"commune": _name(row), "until": row.until, "what": named(json.loads(row.activity))}
        yield Line(words, values, "admin.commitments_one", {"commitment": row.id})


def overdue(db: Connection, asked: Asked) -> Iterator[Line]:
    """What was promised, and should be done by now."""
    late = (commitments.c.due < asked.today, commitments.c.standing.in_((Standing.PLANNED, Standing.UNDER_WAY)))
    if n := _count(db, *late, *asked.among(commitments.c.commune)):
        words = _("Promises that should be kept by now: {n}. Ask how they stand.")
        yield Line(words, {"n": n}, "admin.commitments", {"standing": "overdue"})


def closing_polls(db: Connection, asked: Asked) -> Iterator[Line]:
    """Polls that close today."""
    evening = asked.begin(asked.today + timedelta(days=1))
    sent = select(broadcasts.c.id).where(broadcasts.c.poll == polls.c.id, broadcasts.c.approved.is_not(None)).exists()
    today = (polls.c.closed.is_(None), polls.c.closes > asked.now, polls.c.closes < evening, sent)
    lookup = scope.COMMUNES_OF["poll_id"]
    for row in db.execute(select(polls.c.id, polls.c.question, polls.c.closes).where(*today).limit(MOST)):
        if asked.own is None or (lookup and scope.is_within(db, asked.own, lookup, row.id)):
            words = _("A poll closes today, {when}: “{question}”.")
            values = {"when": row.closes, "question": named(json.loads(row.question))}
            yield Line(words, values, "admin.polls_one", {"poll_id": row.id})


def pauses(db: Connection, asked: Asked) -> Iterator[Line]:
    """A pause that runs, or comes."""
    days = pause(db)
    if days is None or not asked.today - timedelta(days=1) < days[1] or days[0] > asked.today + AHEAD:
        return
    words = _("A pause runs until {last}: no tally, poll, invitation or result leaves.")
    if days[0] > asked.today:
        words = _("A pause begins on {first} and ends on {last}: send before it what must not wait.")
    yield Line(words, {"first": days[0], "last": days[1]}, "admin.pause")


def nothing_yet(db: Connection, asked: Asked) -> Iterator[Line]:
    """A programme without communes."""
    if asked.own is None and not _count(db, communes.c.active):
        yield Line(_("No commune takes part yet. Choose the first ones."), {}, "admin.places", pressing=True)


KINDS_OF_LINES: Sequence[Callable[[Connection, Asked], Iterator[Line]]] = (
    nothing_yet, providers_in_trouble, forums_ahead, approvals, replies, waiting_comments, uncertain, open_rounds,
    closing_polls, ending_checks, overdue, pauses,
)  # fmt: skip
"""In the order of the page; what is pressing goes before the rest."""


# figures that matter ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """A number on the page, and where more of it is told."""

    words: Words
    number: int | None
    """None: not shown."""
    endpoint: str


def ratings(db: Connection, asked: Asked) -> Figure | None:
    """Ratings in the open rounds since Monday, where at least as many phones gave them as may be told of."""
    monday = asked.today - timedelta(days=asked.today.weekday())
    of = round_communes.c
    still_open = select(of.commune, of.round_id).where(of.open, *asked.among(of.commune))
    # by commune and round, as the index has them: a day is found without looking at all that was ever answered
    here = tuple_(answers.c.commune, answers.c.round_id).in_(still_open)
    since = (here, answers.c.day >= monday, answers.c.indicator == OVERALL)
    some = set(db.scalars(select(answers.c.phone).where(*since).limit(ENOUGH)))
    enough = len(some) >= max(asked.settings.min_raters, FLOOR)
    return Figure(_("Ratings since Monday (n)"), _count(db, *since) if enough else None, "admin.tallies")


def written(db: Connection, asked: Asked) -> Figure | None:
    """Messages since Monday."""
    if asked.own is not None:
        return None
    monday = asked.begin(asked.today - timedelta(days=asked.today.weekday()))
    n = _count(db, messages.c.created >= monday)
    return Figure(_("Messages since Monday"), n, "admin.messages")


def readers(db: Connection, asked: Asked) -> Figure | None:
    """People who asked for news by SMS."""
    n = _count(db, contacts.c.role == Role.PERSON, *asked.among(contacts.c.commune))
    return Figure(_("People who asked for news by SMS"), n, "admin.contacts")


FIGURES: Sequence[Callable[[Connection, Asked], Figure | None]] = (ratings, written, readers)


def _count(db: Connection, *which: ColumnElement[bool]) -> int:
    return db.scalar(select(func.count()).where(*which)) or 0


def _name(row: Any) -> Name:
    return Name(row.name_km, row.name_en, row.name_en)


def _names(db: Connection, codes: Sequence[str]) -> dict[str, Name]:
    rows = db.execute(select(places).where(places.c.code.in_(codes)))
    return {row.code: _name(row) for row in rows}
