"""The form of a poll: a question and its answers in the languages, who is asked, until when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import Connection, select
from werkzeug.wrappers import Response

from admin.complaints import said
from admin.tallies import programme
from admin.wording import SPOKEN, Wording, spoken
from gateway import hours, polls
from gateway.config import LANGUAGES, Settings
from gateway.letters import Audience
from gateway.menus.phrases import Phrase, Words
from gateway.models.contacts import groups
from gateway.models.messages import Kind
from gateway.models.store import Store
from gateway.poll_words import MOST, Asked, Fault, Line, in_order
from gateway.polls import Poll
from gateway.previews import MOST_PARTS, Plan, Preview, preview
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


@dataclass(frozen=True)
class Known:
    """Who can be asked: the groups and the communes there are, by what stands for them in the form."""

    groups: Mapping[str, Phrase]
    communes: Mapping[str, Phrase]


@dataclass
class Form:
    """What stands in the form, as it was typed."""

    lines: Mapping[Line, str] = field(default_factory=dict)
    groups: Sequence[str] = ()
    communes: Sequence[str] = ()
    closes: str = ""
    errors: dict[str, Phrase] = field(default_factory=dict)

    @classmethod
    def sent(cls) -> Form:
        """From the request."""
        lines = {(one, n): request.form.get(f"{one}-{n}", "") for one in LANGUAGES for n in range(MOST + 1)}
        chosen = (request.form.getlist("groups"), request.form.getlist("communes"))
        return cls(lines, *chosen, request.form.get("closes", ""))

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

    def audience(self, known: Known) -> Audience:
        """Who is asked. What was in the form and has gone since is passed over."""
        chosen = Audience(
            tuple(int(group) for group in self.groups if group in known.groups),
            tuple(code for code in self.communes if code in known.communes),
        )
        if chosen == Audience():
            self.errors["groups"] = _("Choose who is asked: a group or a commune.")
        return chosen

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
            poll = found(db, request.args.get("like", 0, type=int)) if "like" in request.args else None
            form = Form.like(poll) if poll else Form()
            form.closes = f"{(now() + OPEN_FOR).astimezone(settings.zone):%Y-%m-%dT%H:00}"
            return page(form, _known(db))

    @panel.post("/polls/new", endpoint="polls_made")
    def filled() -> Response | tuple[str, int]:
        form, moment = Form.sent(), now()
        with store.read() as db:
            known = _known(db)
            asked, audience, closes = form.asked(), form.audience(known), form.until(settings, moment)
            seen: Preview | None = None
            if not form.errors:
                plan = Plan(Kind.POLL, polls.title(asked), asked.texts, audience, None, closes)
                seen, _people = preview(db, settings, plan, moment)
                form.errors |= too_early(seen)
        if form.errors or request.form.get("do") != "keep":
            return page(form, known, asked, seen), 422 if form.errors else 200
        poll = polls.draft(store, keys, asked, audience, closes, current_user.member.id, moment)
        flash(_("The poll is a draft. Look through its broadcast, then ask for approval.").msgid)
        return redirect(url_for("admin.polls_one", poll_id=poll))

    def page(form: Form, known: Known, asked: Asked | None = None, seen: Preview | None = None) -> str:
        return render_template(
            "admin/poll_form.html",
            form=form,
            seen=seen,
            texts=asked.texts if asked else {},
            words=SPOKEN,
            most=MOST,
            groups=known.groups.items(),
            communes=known.communes.items(),
        )

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


def _known(db: Connection) -> Known:
    rows = db.execute(select(groups.c.id, groups.c.name).order_by(groups.c.name))
    return Known({str(row.id): row.name for row in rows}, {place.code: place.name for place in programme(db)})
