"""The messages: what went out, what waits, what failed and why. No text of an answer, no whole number."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection, Row
from werkzeug.wrappers import Response

from admin import audit, scope
from admin.paging import page_of
from gateway.config import Settings
from gateway.menus.phrases import Phrase, Words
from gateway.models import decisions
from gateway.models.messages import Kind, State, listed, number_of, states
from gateway.models.store import Store
from gateway.phones import masked, scrub
from gateway.privacy import KeyProblem, Keys
from gateway.providers.base import Reason

log = structlog.get_logger()
_ = Words

PAGE = 50
"""Messages a page."""
_ID = re.compile("[0-9a-f]{32}")

STATES: Mapping[State, Words] = {
    State.QUEUED: _("Waiting"),
    State.HELD: _("Held back"),
    State.CLAIMED: _("About to be sent"),
    State.SENDING: _("Being sent"),
    State.ACCEPTED: _("Sent, no receipt yet"),
    State.DELIVERED: _("Delivered"),
    State.UNDELIVERED: _("Not delivered"),
    State.REFUSED: _("Refused"),
    State.EXPIRED: _("Too late to send"),
    State.CANCELLED: _("Cancelled"),
    State.UNCONFIRMED: _("Uncertain"),
}
WELL = (State.ACCEPTED, State.DELIVERED)
BADLY = (State.UNDELIVERED, State.REFUSED, State.EXPIRED)

KINDS: Mapping[Kind, Words] = {
    Kind.ANSWER: _("Answer to a person"),
    Kind.TEST: _("Test"),
    Kind.URGENT: _("Urgent notice"),
    Kind.NOTICE: _("Notice"),
    Kind.INVITATION: _("Invitation"),
    Kind.REMINDER: _("Reminder"),
    Kind.TALLY: _("Weekly tally"),
    Kind.POLL: _("Poll"),
    Kind.CHECK: _("Check of a promise"),
    Kind.RESULT: _("Result"),
    Kind.ANNOUNCEMENT: _("Announcement"),
}

REASONS: Mapping[Reason, Words] = {
    Reason.BAD_NUMBER: _("The number is not valid."),
    Reason.NOT_MOBILE: _("The number is not a mobile phone's."),
    Reason.OPTED_OUT: _("The person asked for no more messages."),
    Reason.NOT_PERMITTED: _("The provider does not let us send there."),
    Reason.TOO_LONG: _("The text is too long."),
    Reason.SETUP: _("Our account or settings at the provider are wrong; the operator can run: mati check"),
    Reason.NO_BALANCE: _("Our account at the provider is empty."),
    Reason.THROTTLED: _("Too many at once for the provider; it is tried again."),
    Reason.GATEWAY_DOWN: _("The provider is down; it is tried again."),
    Reason.NO_ROUTE: _("The provider has no way to this phone company."),
    Reason.UNREACHABLE: _("The phone was off or out of reach."),
    Reason.FILTERED: _("The phone company blocked it."),
    Reason.EXPIRED: _("The phone company gave up trying."),
    Reason.NO_ANSWER: _("The provider did not answer in time, so nobody knows whether it went out."),
    Reason.CUT_OFF: _("The connection broke while sending, so nobody knows whether it went out."),
    Reason.UNCLEAR: _("The provider's answer was unclear, so nobody knows whether it went out."),
    Reason.WORKER_LOST: _("Our program stopped while sending, so nobody knows whether it went out."),
}


@dataclass(frozen=True)
class Decision:
    """What staff may decide about messages in a state."""

    state: State
    button: Words
    for_all: Words
    done: Words
    do: Callable[[Connection, Sequence[str], datetime], int]
    sends: bool = True
    """Whether it sends them: then it must not be too late for that."""


DECISIONS: Mapping[str, Decision] = {
    "went-out": Decision(
        State.UNCONFIRMED, _("It went out"), _("All of these went out"), _("Noted: counted as sent."),
        decisions.went_out, sends=False,
    ),
    "send-again": Decision(
        State.UNCONFIRMED, _("Send again"), _("Send all of these again"), _("Noted: it goes out again."),
        decisions.send_again,
    ),
    "try-again": Decision(
        State.REFUSED, _("Try again"), _("Try all of these again"), _("Noted: it is tried again."),
        decisions.try_again,
    ),
}  # fmt: skip
"""By their names in the form."""


@dataclass(frozen=True)
class Line:
    """A message on the page."""

    id: str
    created: datetime
    kind: Phrase
    number: str | None
    """Masked; empty once it was removed, None where it cannot be opened."""
    text: str | None
    """None for answers: they tell what a person asked. And once it was removed with the number."""
    state: State
    reason: Phrase | None
    provider: str
    parts: int
    attempts: int
    decisions: tuple[str, ...]
    """What may be decided about it."""


def line(keys: Keys, row: Row[Any], now: datetime) -> Line:
    """A row of the outbox as staff may see it."""
    try:
        number = masked(number_of(keys, row)) if row.number is not None else ""
    except KeyProblem:
        number = None
    return Line(
        id=row.id,
        created=row.created,
        kind=KINDS.get(row.kind, row.kind),
        number=number,
        text=None if row.kind == Kind.ANSWER or number == "" else scrub(row.text),
        state=State(row.state),
        reason=REASONS.get(row.reason, scrub(row.reason)) if row.reason else None,
        provider=row.provider,
        parts=row.parts,
        attempts=row.attempts,
        decisions=tuple(name for name, one in DECISIONS.items() if _is_open(one, row, now)),
    )


def _is_open(decision: Decision, row: Row[Any], now: datetime) -> bool:
    in_time = row.expires > now or not decision.sends
    return row.state == decision.state and in_time and (row.state != State.REFUSED or row.for_now)


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/messages?state=…&page=…`, and what staff decide there."""

    @panel.get("/messages", endpoint="messages")
    def page() -> str:
        wish = request.args.get("state")
        if wish is not None and wish not in STATES:
            abort(404)
        state = State(wish) if wish else None
        with store.read() as db:
            seen = scope.broadcasts_seen(db)
            counts = states(db, seen)
            total = sum(counts.values()) if state is None else counts.get(state, 0)
            number, pages = page_of(total, PAGE)
            rows = listed(db, state, (number - 1) * PAGE, PAGE, seen)
        lines = [line(keys, row, now()) for row in rows]
        open_for = {name: [one.id for one in lines if name in one.decisions] for name in DECISIONS}
        return render_template(
            "admin/messages.html",
            lines=lines,
            decisions=DECISIONS,
            open_for={name: ids for name, ids in open_for.items() if ids and state},
            counts=counts,
            state=state,
            states=STATES,
            well=WELL,
            badly=BADLY,
            page=number,
            pages=pages,
            all=sum(counts.values()),
            sms_number=settings.sms_number,
        )

    @panel.post("/messages/decide", endpoint="messages_decide")
    def decide() -> Response:
        name, ids = request.form.get("decision", ""), request.form.getlist("message")[:PAGE]
        if name not in DECISIONS:
            abort(404)
        decision = DECISIONS[name]
        with store.write() as db:
            count = decision.do(db, ids, now())
        audit.tell(decision=name, count=count, messages=[one for one in ids if _ID.fullmatch(one)])
        log.info("panel.messages", decision=name, count=count, member=current_user.member.id)
        nothing = _("Nothing was changed: this was settled meanwhile, or it is too late to send it.")
        flash((decision.done if count else nothing).msgid)
        if not count:
            audit.refused()
        if request.form.get("back") == "one" and len(ids) == 1:
            return redirect(url_for("admin.messages_one", message=ids[0]))
        return redirect(url_for("admin.messages", state=decision.state.value))
