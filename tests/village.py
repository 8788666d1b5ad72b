"""A village of phones, and two members of staff: what tests of forums share."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from gateway.bulk import broadcasts
from gateway.config import Language
from gateway.contacts import contacts
from gateway.forums import changes as forum_changes
from gateway.forums import forums
from gateway.forums import plans as forum_plans
from gateway.forums import times as forum_times
from gateway.forums.facts import Forum
from gateway.menus.phrases import Name
from gateway.menus.wording import render
from gateway.models import broadcasts as table
from gateway.models import staff
from gateway.models.messages import State, messages, opt_out
from gateway.providers.base import Accepted, InboundSms, Outcome, Outgoing, Sender, UssdStep
from gateway.sms import SmsDesk
from gateway.workers.outbox import Outbox
from tests.conftest import Installation

TA_PHOU = "010806"


class Phones(Sender):
    """The phones of the village: each keeps the SMS that it got."""

    name = "simulator"

    def __init__(self) -> None:
        self.inboxes: dict[str, list[str]] = defaultdict(list)
        self.says: Callable[[Outgoing], Outcome] = lambda message: Accepted(f"p-{message.id}")

    def send(self, batch: Sequence[Outgoing], seconds: float) -> list[Outcome]:
        outcomes = [self.says(message) for message in batch]
        for message, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Accepted):
                self.inboxes[message.number].append(message.text)
        return outcomes


@dataclass
class Village:
    """An installation with phones around it."""

    at: Installation
    phones: Phones = field(default_factory=Phones)

    def __post_init__(self) -> None:
        with self.at.store.write() as db:
            for name in ("sokha", "dara"):
                staff.add_member(db, name, "staff", "three words together", one_time=False)
            ids = {row.name: row.id for row in db.execute(select(staff.staff.c.id, staff.staff.c.name))}
        self.author, self.approver = ids["sokha"], ids["dara"]

    @property
    def now(self) -> datetime:
        return self.at.clock.now.astimezone(self.at.settings.zone)

    def at_time(self, day: datetime | timedelta, hour: int = 12, minute: int = 0) -> None:
        """Moves the clock: to a day, or so far on, at a local time."""
        if isinstance(day, timedelta):
            day = self.now + day
        self.at.clock.now = day.astimezone(self.at.settings.zone).replace(
            hour=hour, minute=minute, second=0, microsecond=0
        )

    def joins(self, number: str, language: Language = "km", commune: str = TA_PHOU) -> None:
        """Somebody asks for reminders."""
        with self.at.store.write() as db:
            contacts.subscribe(
                db, self.at.keys, number, language=language, commune=commune, source="SMS", today=self.now.date()
            )

    def stops(self, number: str) -> None:
        """Somebody wants no more messages."""
        with self.at.store.write() as db:
            opt_out(db, self.at.keys.lookup(number), self.now.date(), "SMS")

    def new_forum(self, **changes: Any) -> Forum:
        """A forum in 16 days, at 8:30 in the commune hall of Ta Phou; not kept."""
        return replace(
            Forum(
                id=0,
                code=TA_PHOU,
                commune=Name("តាផូ", "Ta Phou", "Ta Phou"),
                title={"km": "វេទិកា", "km-Latn": "vetika", "en": "forum on services"},
                inviter="RCEDO",
                starts=(self.now + timedelta(days=16)).replace(hour=8, minute=30, second=0, microsecond=0),
                venue={"km": "សាលាឃុំ", "km-Latn": "sala khum", "en": "commune hall"},
                note={"en": "Free to attend, travel not paid"},
                callback="",
                reminders=("week", "eve", "morning"),
            ),
            **changes,
        )

    def plan(self, **changes: Any) -> int:
        """A forum and the draft of its invitation."""
        with self.at.store.write() as db:
            return forum_plans.plan_forum(
                db, self.at.settings, self.new_forum(**changes), self.author, self.at.clock.now
            )

    def approve(self, forum_id: int) -> None:
        """The second person approves what is to be said of a forum."""
        now = self.at.clock.now
        with self.at.store.write() as db:
            said = forum_plans.announcement(db, self.forum(forum_id))
            assert said is not None
            if said.stage == table.Stage.DRAFT:
                forum_plans.ask(db, self.at.settings, forum_id, self.author, now)
        with self.at.store.write() as db:
            broadcasts.approve(db, self.at.settings, said.id, self.approver, now)

    def approved(self, **changes: Any) -> int:
        """A forum whose invitation is approved."""
        forum_id = self.plan(**changes)
        self.approve(forum_id)
        return forum_id

    def invited(self, **changes: Any) -> int:
        """A forum whose invitation everybody got."""
        forum_id = self.approved(**changes)
        self.post()
        return forum_id

    def forum(self, forum_id: int) -> Forum:
        """As it stands."""
        with self.at.store.read() as db:
            found = forums.find(db, forum_id)
        assert found is not None
        return found

    def post(self) -> int:
        """A worker sends what is due; returns how many messages."""
        at = self.at
        return Outbox(at.store, at.keys, at.settings, self.phones, now=at.clock).drain()

    def tick(self) -> dict[str, int]:
        """The clock writes what is due, and a worker sends it."""
        written = dict(forum_times.due(self.at.store, self.at.settings, self.at.clock.now))
        self.post()
        return written

    def replies(self, forum_id: int, number: str, heads: int, language: Language = "en") -> str | None:
        """Somebody says how many come; the answer."""
        at = self.at
        with at.store.write() as db:
            words = forums.reply(db, at.keys, at.settings, forum_id, number, heads, "sms", at.clock.now)
        return render(words, language) if words else None

    def move(self, forum_id: int, starts: datetime | None = None, venue: Mapping[Any, str] | None = None) -> None:
        """Staff move a forum."""
        forum = self.forum(forum_id)
        place: Mapping[Any, str] = venue or forum.venue
        with self.at.store.write() as db:
            forum_changes.move(
                db, self.at.settings, forum_id, starts or forum.starts, place, self.author,
                self.at.clock.now,
            )  # fmt: skip

    def cancel(self, forum_id: int) -> None:
        """Staff cancel a forum."""
        with self.at.store.write() as db:
            forum_changes.cancel(db, self.at.settings, forum_id, self.author, self.at.clock.now)

    def texts(self, number: str, text: str) -> str:
        """Somebody sends an SMS; what is said to it, or nothing."""
        before = len(self.phones.inboxes[number])
        desk = SmsDesk(self.at.store, self.at.keys, self.at.settings, self.at.conversations(), self.at.clock)
        desk.receive(InboundSms("simulator", secrets.token_hex(8), number, text))
        self.post()
        said = self.phones.inboxes[number][before:]
        del self.phones.inboxes[number][before:]
        return said[0] if said else ""

    def dials(self, number: str, *digits: str) -> str:
        """Somebody dials and presses digits; the last screen."""
        talks, session = self.at.conversations(), secrets.token_hex(8)
        for end in range(len(digits) + 1):
            screen = talks.ussd(UssdStep("simulator", session, number, path=digits[:end]))
        return screen.text

    def states(self, forum_id: int) -> dict[str, int]:
        """How the messages about a forum stand."""
        b = table.broadcasts
        mine = select(messages.c.state).join(b, b.c.id == messages.c.broadcast).where(b.c.forum == forum_id)
        with self.at.store.read() as db:
            found = [State(state).value for state in db.scalars(mine)]
        return {state: found.count(state) for state in sorted(set(found))}

    def inbox(self, number: str) -> list[str]:
        """What a phone got, and looked at: the next look shows only what is new."""
        return self.phones.inboxes.pop(number, [])
