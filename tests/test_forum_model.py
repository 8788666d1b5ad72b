"""A forum against a plain model of who heard what: people come, stop and reply, staff move and cancel, in any order.

Whatever happens, nobody reads a time that is no longer so, nobody who stopped reads anything, a change is told only
to who had heard of the forum, and a cancellation to all of them.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import delete, select

from gateway.bulk.complaints import NotPossible
from gateway.contacts import contacts
from gateway.forums import plans as forum_plans
from gateway.forums.plans import NotNow
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.callers import remember
from gateway.models.contacts import contacts as people
from gateway.models.contacts import group_members, groups
from gateway.models.forums import forum_replies, forums
from gateway.models.messages import messages, opt_outs
from gateway.providers.base import Accepted, Outcome, Outgoing, Reason, Refused, Unknown
from tests.conftest import Installation
from tests.village import Village

pytestmark = pytest.mark.slow
OUTCOMES: dict[str, Outcome] = {
    "for now": Refused(Reason.THROTTLED, for_now=True),
    "for good": Refused(Reason.BAD_NUMBER, for_now=False),
    "unknown": Unknown(Reason.NO_ANSWER),
}
MONDAY_NOON = datetime(2026, 11, 23, 5, tzinfo=UTC)


class OneForum(RuleBasedStateMachine):
    """A group of five phones that is invited to one forum."""

    village: Village

    def __init__(self) -> None:
        super().__init__()
        self.numbers = [f"+8551000000{n}" for n in range(5)]
        self.stopped: set[str] = set()
        self.stopped_once: set[str] = set()
        self.heard: set[str] = set()
        """Who may have read of the forum, or replied."""
        self.told_it_is_off: set[str] = set()
        self.outcome = "taken"
        self.village.phones.says = self.says
        at = self.village.at
        at.clock.now = MONDAY_NOON
        with at.store.write() as db:
            for table in (messages, forum_replies, broadcasts, forums, group_members, groups, people, opt_outs):
                db.execute(delete(table))
            for number in self.numbers:
                remember(db, at.keys.lookup(number), language="en")
            made = groups.insert().values(name="village", made=at.clock.now)
            self.group: int = db.execute(made.returning(groups.c.id)).scalar_one()

    def says(self, message: Outgoing) -> Outcome:
        """What the provider makes of a message; here it is read."""
        forum, now = self.village.forum(self.forum), self.village.now
        starts = forum.starts.astimezone(now.tzinfo)
        assert message.number not in self.stopped
        assert now < starts, "told of a forum that has begun"
        if "CANCELLED" in message.text:
            assert forum.cancelled
            assert message.number in self.heard
        else:
            assert not forum.cancelled
            assert f"{starts:%d/%m} {starts.hour}:{starts:%M}" in message.text, "a time that is no longer so"
            assert "moved" not in message.text or message.number in self.heard
        assert 8 <= now.hour < (21 if "moved" in message.text or "CANCELLED" in message.text else 19)
        if self.outcome in ("taken", "unknown"):
            self.heard.add(message.number)
            if "CANCELLED" in message.text:
                assert message.number not in self.told_it_is_off, "told twice"
                self.told_it_is_off.add(message.number)
        return OUTCOMES.get(self.outcome, Accepted(message.id))

    @initialize(
        days=st.integers(1, 12), hour=st.sampled_from([6, 8, 9, 14, 20]), approved=st.sampled_from([1, 1, 1, 0])
    )
    def planned(self, days: int, hour: int, approved: bool) -> None:
        for n in range(3):
            self.joins(n)
        starts = (self.village.now + timedelta(days=days)).replace(hour=hour, minute=30)
        self.forum = self.village.plan(starts=starts, code="010807", groups=(self.group,))
        if approved:
            self.village.approve(self.forum)

    @rule(n=st.integers(0, 4))
    def joins(self, n: int) -> None:
        at, number = self.village.at, self.numbers[n]
        with at.store.write() as db:
            contacts.subscribe(
                db, at.keys, number, language="en", commune=None, source="SMS", today=self.village.now.date()
            )
            contact = db.scalar(select(people.c.id).where(people.c.phone == at.keys.lookup(number)))
            mine = (group_members.c.group_id == self.group) & (group_members.c.contact_id == contact)
            if db.execute(select(group_members.c.contact_id).where(mine)).first() is None:
                db.execute(group_members.insert().values(group_id=self.group, contact_id=contact))
        self.stopped.discard(number)

    @rule(n=st.integers(0, 4))
    def stops(self, n: int) -> None:
        self.village.stops(self.numbers[n])
        self.stopped.add(self.numbers[n])
        self.stopped_once.add(self.numbers[n])

    @rule(n=st.integers(0, 4), heads=st.sampled_from([0, 0, 1, 3]))
    def replies(self, n: int, heads: int) -> None:
        if self.village.replies(self.forum, self.numbers[n], heads):
            self.heard.add(self.numbers[n])

    @rule()
    def a_second_person_approves(self) -> None:
        with suppress(NotPossible, NotNow, AssertionError):
            self.village.approve(self.forum)

    @rule(hours=st.sampled_from([-30, -3, 5, 30, 100]), told=st.booleans())
    def is_moved(self, hours: int, told: bool) -> None:
        with suppress(NotNow):
            self.village.move(self.forum, self.village.forum(self.forum).starts + timedelta(hours=hours))
        if told:
            self.a_second_person_approves()

    @rule()
    @precondition(lambda self: len(self.heard) > 1)
    def is_cancelled(self) -> None:
        with suppress(NotNow):
            self.village.cancel(self.forum)

    @rule(outcome=st.sampled_from(["taken", "taken", "taken", *OUTCOMES]))
    def time_passes(self, outcome: str, minutes: int = 200) -> None:
        self.outcome = outcome
        self.village.at.clock.forward(minutes=minutes)
        self.village.tick()

    @rule(days=st.integers(1, 4))
    def days_pass(self, days: int) -> None:
        for _ in range(days * 8):
            self.time_passes("taken", 180)

    def teardown(self) -> None:
        """A cancellation that was approved in time has come to everybody who had heard of the forum.

        Not to who had stopped at some time, and may have come back after it.
        """
        if not hasattr(self, "forum") or not self.village.forum(self.forum).cancelled:
            return
        with self.village.at.store.read() as db:
            said = forum_plans.announcement(db, self.village.forum(self.forum))
        if said is None or said.stage != Stage.APPROVED or not said.key.startswith(f"forum {self.forum} cancelled"):
            return
        left = self.village.forum(self.forum).starts - said.approved
        for _ in range(12):
            self.time_passes("taken", 120)
        if left > timedelta(hours=16):
            assert self.heard - self.stopped_once <= self.told_it_is_off


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_forum_in_any_order_of_events(installation: Installation) -> None:
    OneForum.village = Village(installation)
    run_state_machine_as_test(
        OneForum,
        settings=settings(
            max_examples=100, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
