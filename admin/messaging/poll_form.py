"""The form of a poll: a question and its answers in the languages, who is asked, until when."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from admin import audit
from admin.messaging.broadcast_form import Choice, choice, counted
from admin.messaging.complaints import said
from admin.wording import Wording, spoken
from gateway.bulk import hours, polls
from gateway.bulk.letters import Audience, Texts
from gateway.bulk.poll_words import MOST, Asked, Fault, Line, in_order
from gateway.bulk.polls import Poll
from gateway.bulk.previews import MOST_PARTS, Plan, Preview, preview
from gateway.config import LANGUAGES, Settings
from gateway.menus.phrases import Phrase, Words
from gateway.models.messages import Kind
from gateway.models.store import Store
from gateway.privacy import Keys

_ = Words

OPEN_FOR = timedelta(days=7)
LONGEST = timedelta(days=60)
"""So long a poll may be open: the key of its votes lies there as long."""

FAULTS: Mapping[Fault, Words] = {
    Fault.NOTHING: _("Write a question and its answers, in at least one language."),
    Fault.NO_QUESTION: _("There are answers in this language, but no question. Write it, or take them out."),
    Fault.NO_ANSWER: _("This answer stands in another language only. A language has all answers or nothing."),
    Fault.FEW: _("A poll has at least two answers."),
    Fault.EQUAL: _("This answer stands there twice."),
    Fault.BRACE: _("No braces here: a poll asks everybody the same."),
    Fault.LONG: _("Too long: with its answers it has more than {n} parts.", n=str(MOST_PARTS)),
}


@dataclass
class Form:
    """What stands in the form, as it was typed."""

    lines: Mapping[Line, str] = field(default_factory=dict)
    groups: Sequence[str] = ()
    communes: Sequence[str] = ()
    closes: str = ""
    once: str = field(default_factory=lambda: secrets.token_hex(8))
    """However often the form is sent as it is, it makes one poll."""
    errors: dict[str, Phrase] = field(default_factory=dict)

    @classmethod
    def sent(cls) -> Form:
        """From the request."""
        lines = {(one, n): request.form.get(f"{one}-{n}", "") for one in LANGUAGES for n in range(MOST + 1)}
        chosen = (request.form.getlist("groups"), request.form.getlist("communes"))
        once = request.form.get("once") or secrets.token_hex(8)
        return cls(lines, *chosen, request.form.get("closes", ""), once)

    @classmethod
    def like(cls, poll: Poll) -> Form:
        """To ask a poll once more."""
        texts = (poll.asked.question, *poll.asked.options)
        lines = {(one, n): text.get(one, "") for n, text in enumerate(texts) for one in LANGUAGES}
        return cls(lines, [str(group) for group in poll.audience.groups], poll.audience.communes)

    def asked(self) -> Asked:
        """The question; what is wrong with it stands in `errors`."""
        asked, faults = in_order(self.lines)
        self.errors |= {f"{language}-{number}": FAULTS[fault] for (language, number), fault in faults.items()}
        return asked

    def audience(self, choice: Choice) -> Audience:
        """Who is asked. What was in the form and has gone since is passed over."""
        return Audience(
            tuple(int(group) for group in self.groups if group in choice.groups),
            tuple(code for code in self.communes if code in choice.communes),
        )

    def until(self, settings: Settings, now: datetime) -> datetime:
        """When it closes."""
        try:
            closes = hours.written(self.closes, settings.zone)
        except ValueError:
            self.errors["closes"] = _("Give the day and the time of the close.")
            return now
        if closes <= now:
            self.errors["closes"] = _("This time is over. Choose a later one.")
        elif closes > now + LONGEST:
            self.errors["closes"] = _("A poll is open for {n} days at most.", n=str(LONGEST.days))
        return closes


def add_routes(panel: Blueprint, store: Store, settings: Settings, keys: Keys, now: Callable[[], datetime]) -> None:
    """`/admin/polls/new?like=<id>`."""

    @panel.get("/polls/new", endpoint="polls_new")
    def empty() -> str:
        with store.read() as db:
            form = Form.like(found(db, request.args.get("like", 0, type=int))) if "like" in request.args else Form()
            form.closes = f"{(now() + OPEN_FOR).astimezone(settings.zone):%Y-%m-%dT%H:00}"
            return page(db, form)

    @panel.post("/polls/new", endpoint="polls_made")
    def filled() -> Response | tuple[str, int]:
        form, moment = Form.sent(), now()
        with store.read() as db:
            asked, audience = form.asked(), form.audience(choice(db))
            closes = form.until(settings, moment)
            if audience == Audience():
                form.errors["groups"] = _("Choose who is asked: a group or a commune.")
            seen: Preview | None = None
            if not form.errors:
                plan = Plan(Kind.POLL, polls.title(asked), asked.texts, audience, None, closes)
                seen, _people = preview(db, settings, plan, moment)
                form.errors |= too_early(seen)
            if form.errors or request.form.get("do") != "keep":
                return page(db, form, asked.texts, seen), 422 if form.errors else 200
        poll = polls.draft(store, keys, asked, audience, closes, current_user.member.id, moment, form.once)
        audit.tell(name=polls.title(asked))
        flash(_("The poll is a draft. Look through its broadcast, then ask for approval.").msgid)
        return redirect(url_for("admin.polls_one", poll_id=poll))

    @panel.post("/polls/count", endpoint="polls_count")
    def count() -> str:
        form = Form.sent()
        with store.read() as db:
            return render_template("admin/broadcast_count.html", **counts(db, form))

    def page(db: Connection, form: Form, texts: Texts | None = None, seen: Preview | None = None) -> str:
        chosen = choice(db)
        return render_template(
            "admin/poll_form.html", form=form, seen=seen, texts=texts or {}, answers=MOST,
            default=settings.default_language, groups=chosen.groups.items(), communes=chosen.communes.items(),
            **counts(db, form),
        )  # fmt: skip

    def counts(db: Connection, form: Form) -> dict[str, Any]:
        return counted(db, settings, in_order(form.lines)[0].texts, form.audience(choice(db)))

    def too_early(seen: Preview) -> dict[str, Phrase]:
        """What is wrong with the close, if not all could be asked before it."""
        wording = Wording(spoken(current_user.member.language, settings.default_language), settings.zone)
        late = next((one for one in seen.complaints if one.about == "expires"), None)
        return {"closes": said(late, wording)} if late else {}


def found(db: Connection, poll_id: int) -> Poll:
    """The poll of an address; else the page that says that nothing is there."""
    poll = polls.find(db, poll_id) if 0 < poll_id <= _LAST_ID else None
    return poll or abort(404)


_LAST_ID = 2**31 - 1
