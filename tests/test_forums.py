"""Forums: who is told what and when, whatever happens in between. On both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from gateway.bulk import broadcasts
from gateway.bulk.complaints import NotPossible
from gateway.forums import changes as forum_changes
from gateway.forums import forums
from gateway.forums import plans as forum_plans
from gateway.forums import results as forum_results
from gateway.forums import times as forum_times
from gateway.forums.times import Skipped, Which, plan
from gateway.models import editions
from gateway.models.broadcasts import broadcasts as table
from gateway.models.forums import forum_replies
from gateway.models.installation import set_pause
from gateway.models.messages import Kind
from gateway.providers.base import Accepted, Outgoing, Reason, Refused, Unknown
from tests.conftest import Installation
from tests.test_forum_words import FORUM
from tests.village import TA_PHOU, Village

ZONE = ZoneInfo("Asia/Phnom_Penh")
SREY, BORA, CHAN, DEVI = (f"+8551000000{n}" for n in (1, 2, 3, 4))
A_DAY = timedelta(days=1)
REMINDERS = ("week", "eve", "morning")
EARLY, TOLD = Skipped.EARLY_START, Skipped.TOLD_JUST_BEFORE


@pytest.fixture
def village(installation: Installation) -> Village:
    """Three people of Ta Phou who asked for reminders; it is a Monday noon."""
    village = Village(installation)
    for number in (SREY, BORA, CHAN):
        village.joins(number, "en")
    return village


# replies ------------------------------------------------------------------------------------------


class TestReplies:
    def test_are_answered_with_the_forum_and_counted_in_heads(self, village: Village) -> None:
        forum = village.invited()
        assert village.replies(forum, SREY, 3) == "Thank you! See you Wed 09/12, 8:30, at the commune hall."
        village.replies(forum, BORA, 8)
        assert "You do not come: Ta Phou forum Wed 09/12." in (village.replies(forum, CHAN, 0) or "")
        with village.at.store.read() as db:
            said = forums.replies(db, forum)
        assert (said.heads, said.phones, said.by_heads) == (11, 3, {0: 1, 3: 1, 8: 1})

    def test_of_one_phone_count_once_the_last_one(self, village: Village) -> None:
        forum = village.invited()
        for heads in (2, 5, 1):
            village.replies(forum, SREY, heads)
        with village.at.store.read() as db:
            assert (forums.replies(db, forum).heads, forums.replies(db, forum).phones) == (1, 1)

    @pytest.mark.parametrize("heads", [-1, 9, 80])
    def test_of_no_possible_number_are_not_taken(self, village: Village, heads: int) -> None:
        assert village.replies(village.invited(), SREY, heads) is None

    def test_to_what_is_not_planned_are_not_taken(self, village: Village) -> None:
        draft, cancelled, over = village.plan(), village.invited(), village.invited()
        village.cancel(cancelled)
        village.at.clock.now = village.forum(over).starts
        assert [village.replies(forum, SREY, 2) for forum in (draft, cancelled, over, 999)] == [None] * 4

    def test_become_counts_a_week_after_the_forum(self, village: Village) -> None:
        forum, later = village.invited(), village.invited(starts=village.now + timedelta(days=18))
        for number, heads in ((SREY, 3), (BORA, 0)):
            village.replies(forum, number, heads)
        village.replies(later, SREY, 4)
        village.at.clock.now = village.forum(forum).starts + timedelta(days=7, minutes=-1)
        with village.at.store.write() as db:
            assert forums.forget_replies(db, village.now) == 0
        village.at.clock.now += timedelta(minutes=2)
        with village.at.store.write() as db:
            assert forums.forget_replies(db, village.now) == 1
            assert forums.forget_replies(db, village.now) == 0
            assert db.scalars(select(forum_replies.c.forum_id)).all() == [later]
            kept = forums.replies(db, forum)
        assert (kept.heads, kept.phones, kept.by_heads) == (3, 2, {})

    def test_are_kept_under_no_number(self, village: Village) -> None:
        forum = village.invited()
        village.replies(forum, SREY, 2)
        with village.at.store.read() as db:
            row = db.execute(select(forum_replies)).one()
        assert SREY[4:].encode() not in bytes(row.number) + bytes(row.phone)


class TestUpcoming:
    def test_are_those_approved_and_ahead_of_the_commune_the_next_one_first(self, village: Village) -> None:
        village.joins(DEVI, "en", "010807")
        draft = village.plan()
        far = village.approved(starts=village.now + 20 * A_DAY)
        near, elsewhere = village.approved(), village.approved(code="010807")
        cancelled = village.approved()
        village.cancel(cancelled)
        with village.at.store.read() as db:
            assert [one.id for one in forums.upcoming(db, TA_PHOU, village.now)] == [near, far]
            assert [one.id for one in forums.upcoming(db, None, village.now)] == [near, elsewhere, far]
            assert forums.upcoming(db, TA_PHOU, village.now + 30 * A_DAY) == []
        assert draft

    def test_are_in_what_menus_show(self, village: Village) -> None:
        def shown() -> list[int]:
            with village.at.store.read() as db:
                return [one["id"] for one in editions.read_edition(db, editions.newest(db))["forums"]]

        forum = village.plan()
        assert shown() == []
        village.approve(forum)
        assert shown() == [forum]
        village.cancel(forum)
        assert shown() == []


# invitations --------------------------------------------------------------------------------------


class TestInvitation:
    def test_goes_to_who_asked_for_it_once_a_second_person_approved(self, village: Village) -> None:
        village.joins(DEVI, "en", "010807")
        village.stops(CHAN)
        forum = village.plan()
        assert village.post() == 0
        village.approve(forum)
        assert village.post() == 2
        assert village.forum(forum).approved
        assert village.inbox(SREY) == [
            "RCEDO: Ta Phou forum on services, Wed 09/12 8:30, commune hall. Free to attend, travel not paid."
            " How many will come? Reply 0-8. No more SMS=OFF"
        ]
        assert village.inbox(CHAN) == village.inbox(DEVI) == []

    def test_is_not_approved_by_its_author_nor_by_who_changed_it(self, village: Village) -> None:
        forum = village.plan()
        now, settings = village.at.clock.now, village.at.settings
        with village.at.store.write() as db:
            forum_plans.change(db, settings, village.forum(forum), village.approver, now)
            forum_plans.ask(db, settings, forum, village.author, now)
            said = forum_plans.announcement(db, village.forum(forum))
        assert said is not None
        for member in (village.author, village.approver):
            with pytest.raises(NotPossible), village.at.store.write() as db:
                broadcasts.approve(db, settings, said.id, member, now)
        assert not village.forum(forum).approved

    def test_says_what_the_forum_says_after_a_change(self, village: Village) -> None:
        forum = village.plan()
        changed = village.new_forum(id=forum, venue={"en": "pagoda"}, starts=village.now + 20 * A_DAY)
        with village.at.store.write() as db:
            forum_plans.change(db, village.at.settings, changed, village.author, village.at.clock.now)
        village.approve(forum)
        village.post()
        assert "Sun 13/12 12:00, pagoda." in village.inbox(SREY)[0]

    def test_waits_for_the_morning_but_not_for_the_forum(self, village: Village) -> None:
        village.at_time(village.now, 20)
        forum = village.approved()
        assert village.post() == 0
        village.at_time(A_DAY, 8)
        assert village.post() == 3
        late = village.approved(starts=village.now + timedelta(hours=2))
        village.at.clock.now += timedelta(hours=3)
        assert village.post() == 0
        assert village.states(late) == {"expired": 3}
        assert village.states(forum) == {"accepted": 3}

    def test_to_nobody_can_be_approved_unsaid_and_who_joins_is_reminded(self, village: Village) -> None:
        forum = village.plan(code="010807")
        settings, now = village.at.settings, village.at.clock.now
        with pytest.raises(NotPossible), village.at.store.write() as db:
            forum_plans.ask(db, settings, forum, village.author, now)
        with pytest.raises(forum_plans.NotNow), village.at.store.write() as db:
            forum_plans.approve_unsaid(db, settings, forum, village.author, now)
        with village.at.store.write() as db:
            forum_plans.approve_unsaid(db, settings, forum, village.approver, now)
        assert village.forum(forum).approved
        village.joins(DEVI, "en", "010807")
        village.at_time(village.forum(forum).starts - 7 * A_DAY, 9)
        assert village.tick() == {"week": 2}
        assert "No more SMS=OFF" in village.inbox(DEVI)[0]

    def test_that_was_ended_as_a_broadcast_can_be_asked_for_again(self, village: Village) -> None:
        forum = village.plan()
        with village.at.store.write() as db:
            said = forum_plans.announcement(db, village.forum(forum))
            assert said is not None
            broadcasts.cancel(db, village.at.settings, said.id, village.at.clock.now)
        with village.at.store.write() as db:
            forum_plans.ask(db, village.at.settings, forum, village.author, village.at.clock.now)
        village.approve(forum)
        assert village.post() == 3


# reminders ----------------------------------------------------------------------------------------


def local(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 12, day, hour, minute, tzinfo=ZONE)


class TestPlan:
    @pytest.mark.parametrize(
        ("starts", "told", "expected"),
        [
            (local(9, 8, 30), local(1, 9), [local(2, 9), local(8, 17), EARLY]),
            (local(9, 9, 29), local(1, 9), [local(2, 9), local(8, 17), EARLY]),
            (local(9, 9, 30), local(1, 9), [local(2, 9), local(8, 17), local(9, 8)]),
            (local(9, 14), local(1, 9), [local(2, 9), local(8, 17), local(9, 8)]),
            (local(9, 6), local(1, 9), [local(2, 9), local(8, 17), EARLY]),
            (local(9, 14), local(1, 21), [local(2, 9), local(8, 17), local(9, 8)]),
            (local(9, 14), local(1, 21, 1), [TOLD, local(8, 17), local(9, 8)]),
            (local(9, 14), local(5, 9), [TOLD, local(8, 17), local(9, 8)]),
            (local(9, 14), local(8, 9), [TOLD, TOLD, local(9, 8)]),
            (local(9, 14), local(9, 8), [TOLD, TOLD, TOLD]),
        ],
    )  # fmt: skip
    def test_has_each_reminder_at_its_time_or_a_reason(
        self, starts: datetime, told: datetime, expected: list[object]
    ) -> None:
        found = plan(replace(FORUM, starts=starts, reminders=REMINDERS), ZONE, told)
        assert [one.which.value for one in found] == list(REMINDERS)
        assert [one.skipped or one.at for one in found] == expected

    def test_has_only_what_staff_chose(self) -> None:
        forum = replace(FORUM, starts=local(9, 14), reminders=("eve",))
        assert [one.which for one in plan(forum, ZONE, local(1, 9))] == [Which.EVE]

    @given(
        ahead=st.timedeltas(timedelta(0), timedelta(days=60)),
        told=st.timedeltas(timedelta(0), timedelta(days=20)),
        chosen=st.sets(st.sampled_from(REMINDERS)),
        revision=st.integers(1, 2),
    )
    def test_never_has_two_at_once_nor_any_at_night_nor_after_the_start(
        self, ahead: timedelta, told: timedelta, chosen: set[str], revision: int
    ) -> None:
        starts = local(2, 0) + ahead
        forum = replace(FORUM, starts=starts, reminders=tuple(chosen), revision=revision)
        kept = [one for one in plan(forum, ZONE, starts - told) if one.skipped is None]
        assert all(one.at < one.until <= starts or one.at >= starts for one in kept if one.which == Which.INVITATION)
        reminders = [one for one in kept if one.which != Which.INVITATION]
        assert all(8 <= one.at.astimezone(ZONE).hour < 19 for one in reminders)
        assert all(starts - told + timedelta(hours=12) <= one.at < one.until <= starts for one in reminders)
        for one, other in pairwise(reminders):
            assert one.until == other.at


class TestReminders:
    def test_go_at_their_times_and_only_then_once(self, village: Village) -> None:
        forum = village.invited(starts=village.now.replace(hour=14) + 16 * A_DAY)
        village.inbox(SREY)
        starts = village.forum(forum).starts
        seen = []
        village.at_time(A_DAY, 0)
        while village.at.clock.now < starts:
            if village.tick():
                seen.append(f"{village.now:%d %H:%M}")
            village.at.clock.now += timedelta(minutes=30)
        assert seen == ["02 09:00", "08 17:00", "09 08:00"]
        said = village.inbox(SREY)
        assert len(said) == 3
        assert set(said) == {
            "RCEDO reminds: Ta Phou forum on services, Wed 09/12 14:00, commune hall."
            " Free to attend, travel not paid. How many will come? Reply 0-8."
        }

    def test_that_two_clocks_write_are_one(self, village: Village) -> None:
        forum = village.invited()
        village.at_time(village.forum(forum).starts - A_DAY, 17)
        assert [village.tick(), village.tick()] == [{"eve": 1}, {}]
        assert len(village.inbox(SREY)) == 2

    def test_go_to_who_joined_later_as_an_invitation_and_not_to_who_left(self, village: Village) -> None:
        forum = village.invited()
        for number in (SREY, BORA, CHAN):
            village.inbox(number)
        village.replies(forum, SREY, 2)
        village.replies(forum, BORA, 0)
        village.stops(CHAN)
        village.joins(DEVI, "en")
        village.at_time(village.forum(forum).starts - A_DAY, 17)
        village.tick()
        assert [text[:14] for text in village.inbox(SREY)] == ["RCEDO reminds:"]
        assert [text[:6] for text in village.inbox(DEVI)] == ["RCEDO:"]
        assert village.inbox(BORA) == village.inbox(CHAN) == []

    def test_do_not_come_on_top_of_an_invitation_that_is_still_waiting(self, village: Village) -> None:
        forum = village.approved()
        village.at_time(village.forum(forum).starts - 7 * A_DAY, 9)
        village.tick()
        assert len(village.inbox(SREY)) == 1

    def test_that_were_missed_are_made_up_until_the_next_ones_time(self, village: Village) -> None:
        forum = village.invited()
        starts = village.forum(forum).starts
        village.at_time(starts - 6 * A_DAY, 11)
        assert village.tick() == {"week": 1}
        village.at_time(starts - A_DAY, 20)
        assert village.tick() == {}  # at night nothing is written
        village.at_time(starts, 8)
        assert village.tick() == {"eve": 1}
        assert [text.count("reminds") for text in village.inbox(SREY)] == [0, 1, 1]

    def test_that_were_missed_until_the_next_ones_time_are_left_out(self, village: Village) -> None:
        forum = village.invited()
        starts = village.forum(forum).starts
        village.at_time(starts - A_DAY, 17)
        assert village.tick() == {"eve": 1}
        village.at.clock.now = starts
        assert village.tick() == {}

    def test_are_none_before_the_approval_nor_after_a_cancellation(self, village: Village) -> None:
        draft, cancelled = village.plan(), village.invited()
        village.cancel(cancelled)
        village.at_time(village.forum(draft).starts - A_DAY, 17)
        assert village.tick() == {}

    def test_are_none_while_staff_hold_back_the_invitation(self, village: Village) -> None:
        forum = village.approved()
        with village.at.store.write() as db:
            said = forum_plans.announcement(db, village.forum(forum))
            assert said is not None
            broadcasts.pause(db, village.at.settings, said.id, village.at.clock.now)
        village.at_time(village.forum(forum).starts - A_DAY, 17)
        assert village.tick() == {}
        with village.at.store.write() as db:
            broadcasts.resume(db, village.at.settings, said.id, village.at.clock.now)
        village.post()
        assert village.tick() == {"eve": 1}

    def test_go_to_everybody_when_staff_ended_the_invitation_in_the_middle(self, village: Village) -> None:
        village.phones.says = lambda m: Accepted(m.id) if m.number == SREY else Refused(Reason.THROTTLED, for_now=True)
        forum = village.invited()
        with village.at.store.write() as db:
            said = forum_plans.announcement(db, village.forum(forum))
            assert said is not None
            broadcasts.cancel(db, village.at.settings, said.id, village.at.clock.now)
        village.phones.says = lambda m: Accepted(m.id)
        village.at_time(village.forum(forum).starts - A_DAY, 17)
        assert village.tick() == {"eve": 2}
        assert "reminds" in village.inbox(SREY)[1]
        assert "OFF" in village.inbox(BORA)[0]

    def test_wait_for_the_end_of_a_pause(self, village: Village) -> None:
        forum = village.invited()
        starts = village.forum(forum).starts
        with village.at.store.write() as db:
            set_pause(db, (date(2026, 12, 1), date(2026, 12, 4)))
        village.at_time(starts - 7 * A_DAY, 9)
        assert village.tick() == {}
        village.at_time(starts - 4 * A_DAY, 9)
        assert village.tick() == {"week": 1}

    def test_expire_when_the_forum_begins(self, village: Village) -> None:
        forum = village.invited()
        village.at_time(village.forum(forum).starts - A_DAY, 17)
        forum_times.due(village.at.store, village.at.settings, village.at.clock.now)
        village.at.clock.now = village.forum(forum).starts
        village.post()
        assert village.states(forum) == {"accepted": 3, "expired": 3}


# moved and cancelled ------------------------------------------------------------------------------


class TestMoved:
    def test_is_told_to_who_was_told_after_approval_and_the_others_are_invited_anew(self, village: Village) -> None:
        village.phones.says = lambda m: (
            Accepted(m.id) if m.number == SREY else Refused(Reason.GATEWAY_DOWN, for_now=True)
        )
        forum = village.invited()
        village.phones.says = lambda m: Accepted(m.id)
        village.joins(DEVI, "en")
        village.move(forum, village.forum(forum).starts + 7 * A_DAY)
        assert village.post() == 0  # nobody hears the old time any more
        assert village.states(forum) == {"accepted": 1, "cancelled": 2}
        assert village.tick() == {}  # nor the new one before it is approved
        village.approve(forum)
        assert village.tick() == {"invitation": 1}
        assert village.inbox(SREY)[1:] == [
            "RCEDO: Ta Phou forum 09/12 moved to Wed 16/12 8:30, commune hall."
            " Your reply stands; send 0 if you cannot come."
        ]
        for number in (BORA, CHAN, DEVI):
            assert [text[:58] for text in village.inbox(number)] == [
                "RCEDO: Ta Phou forum on services, Wed 16/12 8:30, commune "
            ]
        assert village.tick() == {}

    @pytest.mark.parametrize(
        ("now", "to", "at_once"),
        [
            (timedelta(hours=25), timedelta(days=7), False),
            (timedelta(hours=24), timedelta(days=7), True),
            (timedelta(hours=2), timedelta(days=7), True),
            (timedelta(hours=25), timedelta(hours=-3), True),
            (timedelta(days=9), timedelta(days=-8), True),
            (timedelta(days=9), timedelta(days=-7), False),
        ],
    )
    def test_within_a_day_of_the_old_or_the_new_time_is_told_at_once(
        self, village: Village, now: timedelta, to: timedelta, at_once: bool
    ) -> None:
        forum = village.invited(starts=village.now.replace(hour=16) + 16 * A_DAY)
        village.inbox(SREY)
        starts = village.forum(forum).starts
        village.at.clock.now = starts - now
        village.move(forum, starts + to)
        village.post()
        assert bool(village.inbox(SREY)) is at_once
        with village.at.store.read() as db:
            said = forum_plans.announcement(db, village.forum(forum))
        assert said is not None
        assert said.kind == (Kind.URGENT if at_once else Kind.NOTICE)

    def test_that_still_waits_can_be_hurried_when_the_time_is_near(self, village: Village) -> None:
        forum = village.invited()
        starts = village.forum(forum).starts
        village.at_time(starts - 2 * A_DAY, 12)
        village.move(forum, starts + 7 * A_DAY)
        settings = village.at.settings
        with pytest.raises(forum_plans.NotNow), village.at.store.write() as db:
            forum_changes.hurry(db, settings, forum, village.author, village.at.clock.now)
        village.at_time(starts - A_DAY, 12)
        with village.at.store.write() as db:
            forum_changes.hurry(db, settings, forum, village.author, village.at.clock.now)
        village.post()
        assert "09/12 moved to Wed 16/12" in village.inbox(SREY)[1]
        with pytest.raises(NotPossible):
            village.approve(forum)  # it was told already
        assert village.tick() == {"invitation": 1}
        assert village.inbox(SREY) == []

    def test_whose_notice_staff_dropped_can_be_told_again(self, village: Village) -> None:
        forum = village.invited()
        village.move(forum, village.forum(forum).starts + 7 * A_DAY)
        settings, now = village.at.settings, village.at.clock.now
        with pytest.raises(forum_plans.NotNow), village.at.store.write() as db:
            forum_changes.tell_again(db, settings, forum, village.author, now)
        with village.at.store.write() as db:
            said = forum_plans.announcement(db, village.forum(forum))
            assert said is not None
            broadcasts.cancel(db, settings, said.id, now)
        assert village.tick() == {}
        with village.at.store.write() as db:
            forum_changes.tell_again(db, settings, forum, village.author, now)
        village.approve(forum)
        assert village.tick() == {"invitation": 1}
        assert "moved to Wed 16/12" in village.inbox(SREY)[1]

    def test_before_anybody_was_told_waits_for_approval_as_an_invitation(self, village: Village) -> None:
        village.at_time(village.now, 20)
        forum = village.approved()
        village.move(forum, village.forum(forum).starts + A_DAY)
        assert not village.forum(forum).approved
        village.at_time(A_DAY, 8)
        assert village.post() == 0
        village.approve(forum)
        assert village.tick() == {}
        assert "Thu 10/12 8:30" in village.inbox(SREY)[0]

    def test_twice_names_the_time_that_people_know(self, village: Village) -> None:
        forum = village.invited()
        starts = village.forum(forum).starts
        village.move(forum, starts + 7 * A_DAY)
        village.move(forum, starts + 14 * A_DAY)
        village.approve(forum)
        village.post()
        assert "forum 09/12 moved to Wed 23/12" in village.inbox(SREY)[1]
        village.move(forum, starts + 15 * A_DAY)
        village.approve(forum)
        village.post()
        assert "forum 23/12 moved to Thu 24/12" in village.inbox(SREY)[0]

    def test_to_another_place_is_told_alike(self, village: Village) -> None:
        forum = village.invited()
        village.move(forum, venue={"en": "pagoda"})
        village.approve(forum)
        village.post()
        assert "forum 09/12 moved to Wed 09/12 8:30, pagoda." in village.inbox(SREY)[1]

    def test_leaves_replies_as_they_are_and_tells_who_replied_by_the_menu(self, village: Village) -> None:
        forum = village.invited()
        village.replies(forum, DEVI, 4)  # by the menu: no contact
        village.replies(forum, SREY, 2)
        village.stops(SREY)
        village.move(forum, village.forum(forum).starts + 7 * A_DAY)
        village.approve(forum)
        village.tick()
        assert [("16/12" in text) for text in village.inbox(DEVI)] == [True]
        assert len(village.inbox(SREY)) == 1  # the invitation, before it stopped
        assert village.states(forum) == {"accepted": 6}  # nothing was even written to who stopped
        with village.at.store.read() as db:
            assert forums.replies(db, forum).heads == 6

    def test_while_a_message_is_on_its_way_never_sends_the_old_time_after_all(self, village: Village) -> None:
        """A provider refuses it for now just after the move: it would be sent again."""
        forum = village.approved()

        def says(message: Outgoing) -> Refused:
            if village.forum(forum).revision == 1:
                village.move(forum, village.forum(forum).starts + 7 * A_DAY)
            return Refused(Reason.THROTTLED, for_now=True)

        village.phones.says = says
        village.post()
        village.phones.says = lambda m: Accepted(m.id)
        village.at.clock.now += timedelta(hours=1)
        village.post()
        assert all("09/12 8:30" not in text for texts in village.phones.inboxes.values() for text in texts)

    def test_takes_reminders_along(self, village: Village) -> None:
        forum = village.invited()
        starts = village.forum(forum).starts
        village.move(forum, starts + 7 * A_DAY)
        village.approve(forum)
        village.tick()
        for number in (SREY, BORA):
            village.inbox(number)
        village.at_time(starts - A_DAY, 17)
        assert village.tick() == {}
        village.at_time(starts + 6 * A_DAY, 17)
        assert village.tick() == {"eve": 1}
        assert "Wed 16/12 8:30" in village.inbox(SREY)[0]

    def test_is_refused_when_it_is_over_or_cancelled_or_goes_back_in_time(self, village: Village) -> None:
        over, cancelled, ahead = village.invited(), village.invited(), village.invited()
        village.cancel(cancelled)
        with pytest.raises(forum_plans.NotNow):
            village.move(cancelled, village.now + A_DAY)
        with pytest.raises(forum_plans.NotNow):
            village.move(ahead, village.now - A_DAY)
        village.at.clock.now = village.forum(over).starts
        with pytest.raises(forum_plans.NotNow):
            village.move(over, village.now + A_DAY)


class TestCancelled:
    def test_is_told_to_who_was_told_after_approval(self, village: Village) -> None:
        village.phones.says = lambda m: Accepted(m.id) if m.number == SREY else Unknown(Reason.NO_ANSWER)
        forum = village.invited()
        village.joins(DEVI, "en")
        village.stops(CHAN)
        village.phones.says = lambda m: Accepted(m.id)
        village.cancel(forum)
        assert village.post() == 0
        village.approve(forum)
        village.tick()
        expected = ["RCEDO: Ta Phou forum Wed 09/12 is CANCELLED. Please do not travel. We will tell you the new day."]
        assert village.inbox(SREY)[1:] == village.inbox(BORA) == expected  # it may have come to Bora
        assert village.inbox(CHAN) == village.inbox(DEVI) == []

    def test_a_day_before_is_told_at_once(self, village: Village) -> None:
        forum = village.invited()
        village.inbox(SREY)
        village.at_time(village.forum(forum).starts - A_DAY, 18)
        village.cancel(forum)
        village.post()
        assert "is CANCELLED" in village.inbox(SREY)[0]

    def test_before_anybody_was_told_says_nothing(self, village: Village) -> None:
        waiting = village.plan()
        village.at_time(village.now, 20)
        night = village.approved()
        for forum in (waiting, night):
            village.cancel(forum)
        village.at_time(A_DAY, 12)
        assert village.post() == 0
        assert village.states(night) == {"cancelled": 3}

    def test_after_a_move_that_nobody_heard_of_names_the_old_day(self, village: Village) -> None:
        forum = village.invited()
        village.move(forum, village.forum(forum).starts + 7 * A_DAY)
        village.cancel(forum)
        village.approve(forum)
        village.post()
        assert "Wed 09/12 is CANCELLED" in village.inbox(SREY)[1]

    def test_is_for_good(self, village: Village) -> None:
        forum = village.invited()
        village.cancel(forum)
        with pytest.raises(forum_plans.NotNow):
            village.cancel(forum)


# afterwards ---------------------------------------------------------------------------------------


class TestAfterwards:
    def test_attendance_is_taken_once_it_has_begun(self, village: Village) -> None:
        forum = village.invited()
        with pytest.raises(forum_plans.NotNow), village.at.store.write() as db:
            forum_results.note_attendance(db, forum, 41, 19, 22, village.now)
        village.at.clock.now = village.forum(forum).starts
        with village.at.store.write() as db:
            forum_results.note_attendance(db, forum, 41, 19, 22, village.now)
        found = village.forum(forum)
        assert (found.attended, found.women, found.men) == (41, 19, 22)

    def test_what_came_of_it_goes_to_who_was_told(self, village: Village) -> None:
        forum = village.invited()
        village.replies(forum, DEVI, 1)
        village.stops(CHAN)
        village.at.clock.now = village.forum(forum).starts + timedelta(hours=4)
        texts = {"en": "41 came. The health centre stays open until 5pm."}
        with village.at.store.write() as db:
            args = (village.at.settings, forum, texts, village.author, village.at.clock.now)
            said = forum_results.draft_outcome(db, *args)  # type: ignore[arg-type]
            broadcasts.submit(db, village.at.settings, said, village.at.clock.now)
        with village.at.store.write() as db:
            broadcasts.approve(db, village.at.settings, said, village.approver, village.at.clock.now)
        village.post()
        expected = "RCEDO: Ta Phou forum 09/12: 41 came. The health centre stays open until 5pm."
        assert village.inbox(SREY)[1:] == village.inbox(DEVI) == [expected]
        assert len(village.inbox(CHAN)) == 1
        with pytest.raises(forum_plans.NotNow), village.at.store.write() as db:
            forum_results.draft_outcome(db, *args)  # type: ignore[arg-type]


def test_every_letter_of_a_forum_has_a_key_of_its_own(village: Village) -> None:
    forum = village.invited()
    village.at_time(village.forum(forum).starts - 7 * A_DAY, 9)
    village.tick()
    with village.at.store.read() as db:
        assert db.scalars(select(table.c.key).order_by(table.c.id)).all() == [
            f"forum {forum} invitation 1",
            f"forum {forum} week 1",
        ]
