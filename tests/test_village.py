"""A forum from its plan to who came, in a village of sixty phones: real menus, outbox and clock, a moved time."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.bulk import broadcasts
from gateway.forums import forums
from gateway.forums import results as forum_results
from gateway.forums.times import Which
from gateway.models.callers import remember
from gateway.models.contacts import contacts
from gateway.models.forums import forum_replies
from gateway.models.messages import Kind, messages
from gateway.text import segments
from gateway.workers.housekeeping import purge
from tests.conftest import Installation
from tests.village import Village

pytestmark = pytest.mark.slow
PEOPLE = [f"+85510000{n:03}" for n in range(60)]
STOPPED, SILENT = PEOPLE[:3], PEOPLE[3:20]
COMING, STAYING = PEOPLE[20:50], PEOPLE[50:60]
GUESTS = ["+85512000001", "+85512000002"]
"""They never asked for messages; they come by the menu."""
LATE, LATER = "+85588000001", "+85588000002"
A_DAY = timedelta(days=1)


def language(number: str) -> str:
    """Most read Khmer, some in Latin letters, a few English."""
    n = int(number[-2:])
    return "en" if n % 10 == 9 else "km-Latn" if n % 4 == 3 else "km"


@pytest.fixture
def village(installation: Installation) -> Village:
    """Sixty people of Ta Phou asked for messages by SMS; three of them have stopped again."""
    village = Village(installation)
    installation.open_round()
    for number in PEOPLE:
        join(village, number)
    for number in STOPPED:
        assert "ON" in village.texts(number, "off")
    return village


def join(village: Village, number: str) -> None:
    with village.at.store.write() as db:
        remember(db, village.at.keys.lookup(number), language=language(number))
    village.texts(number, "START")
    assert village.texts(number, "3")  # Ta Phou
    with village.at.store.read() as db:
        assert db.scalar(select(contacts.c.commune).where(contacts.c.phone == village.at.keys.lookup(number)))


def got(village: Village) -> dict[str, list[str]]:
    """What each phone got since the last look."""
    found = {number: texts for number, texts in village.phones.inboxes.items() if texts}
    village.phones.inboxes.clear()
    return found


def one_each(found: dict[str, list[str]]) -> set[str]:
    """The phones that got one message each; none got two."""
    assert {len(texts) for texts in found.values()} <= {1}
    return set(found)


def replied(village: Village, forum: int) -> tuple[int, int]:
    with village.at.store.read() as db:
        said = forums.replies(db, forum)
    return said.heads, said.phones


def invite(village: Village) -> int:
    """A forum on a Wednesday at 14:00, in 16 days; everybody who is to be invited is."""
    forum = village.plan(starts=village.now.replace(hour=14, minute=0) + 16 * A_DAY)
    assert village.post() == 0
    village.approve(forum)
    village.post()
    return forum


def test_a_forum_from_its_plan_to_who_came(village: Village) -> None:
    forum = invite(village)
    starts = village.forum(forum).starts
    invitations = got(village)
    assert one_each(invitations) == set(PEOPLE) - set(STOPPED)
    for number, (text,) in invitations.items():
        assert segments(text).parts == 1
        assert "09/12 14:00" in text
        assert "0-8" in text
        assert "OFF" in text
        assert {"km": "មកប៉ុន្មាន", "km-Latn": "Mok ponman", "en": "How many"}[language(number)] in text

    # replies, by SMS and by the menu
    village.at.clock.forward(hours=2)
    for n, number in enumerate(COMING):
        answer = village.texts(number, str(n % 8 + 1))
        assert "09/12" in answer
        assert segments(answer).parts == 1
    for number in STAYING:
        assert "1-8" in village.texts(number, "0")
    heads = sum(n % 8 + 1 for n in range(30))
    assert replied(village, forum) == (heads, 40)
    village.texts(COMING[0], "5")  # instead of 1
    heads += 4
    for number in GUESTS:  # go on, Ta Phou; the menu, forums; we come; three
        assert "09/12" in village.dials(number, "1", "3", "8", "1", "1", "3")
    heads += 6
    assert replied(village, forum) == (heads, 42)
    assert "8" not in village.texts(COMING[1], "12")[:2]  # no such number of heads: nothing changes
    assert replied(village, forum) == (heads, 42)
    got(village)

    # seven days before: not to who does not come, but to who joined since then
    join(village, LATE)
    village.at_time(starts - 7 * A_DAY, 8, 59)
    assert village.tick() == {}
    village.at_time(village.now, 9)
    assert village.tick() == {Which.WEEK: 2}
    reminders = got(village)
    assert one_each(reminders) == {*SILENT, *COMING, LATE}
    assert "0-8" in reminders[LATE][0]
    assert "OFF" in reminders[LATE][0]
    assert village.tick() == {}

    # moved: who was told of it hears it, once a second person approves
    village.texts(COMING[2], "STOP")
    join(village, LATER)
    got(village)
    village.at_time(starts - 3 * A_DAY, 10)
    village.move(forum, starts + 7 * A_DAY - timedelta(hours=5, minutes=30))
    assert village.tick() == {}
    assert got(village) == {}
    village.approve(forum)
    assert village.tick() == {Which.INVITATION: 1}
    notices = got(village)
    told = {*SILENT, *COMING, *STAYING, *GUESTS, LATE} - {COMING[2]}
    assert one_each(notices) == told | {LATER}
    for number in told:
        assert "09/12" in notices[number][0]
        assert "16/12 8:30" in notices[number][0]
        assert segments(notices[number][0]).parts == 1
    assert "09/12" not in notices[LATER][0]
    assert "16/12 8:30" in notices[LATER][0]

    # the reply stands, or is taken back
    assert replied(village, forum) == (heads, 42)
    village.texts(COMING[3], "0")  # instead of 4
    assert replied(village, forum) == (heads - 4, 42)
    village.texts(LATER, "2")
    heads += 2 - 4
    got(village)

    # the reminders move along; at 8:30 the eve's is the last
    seen = Counter[str]()
    while village.at.clock.now < village.forum(forum).starts:
        seen.update(village.tick())
        village.at.clock.forward(minutes=20)
    assert seen == {Which.WEEK: 1, Which.EVE: 1}
    awaited = {*SILENT, *COMING, LATE, LATER} - {COMING[2], COMING[3]}
    last = got(village)
    assert set(last) == awaited
    assert {len(texts) for texts in last.values()} == {2}
    assert all("16/12 8:30" in text for texts in last.values() for text in texts)

    # who came, and what came of it
    village.at_time(village.forum(forum).starts, 12)
    with village.at.store.write() as db:
        forum_results.note_attendance(db, forum, 37, 19, 18, village.now)
        texts = {"en": "37 came. The well is repaired by May.", "km": "មក 37 នាក់។ ជួសជុលអណ្តូងមុនខែឧសភា។"}
        said = forum_results.draft_outcome(db, village.at.settings, forum, texts, village.author, village.at.clock.now)  # type: ignore[arg-type]
        broadcasts.submit(db, village.at.settings, said, village.at.clock.now)
    with village.at.store.write() as db:
        broadcasts.approve(db, village.at.settings, said, village.approver, village.at.clock.now)
    village.post()
    assert one_each(got(village)) == told | {LATER}
    assert replied(village, forum) == (heads, 43)

    # a week later the replies are counts
    village.at.clock.forward(days=8)
    purge(village.at.store, village.at.settings, village.at.clock.now)
    assert replied(village, forum) == (heads, 43)
    with village.at.store.read() as db:
        assert not db.execute(select(forum_replies)).all()
    nothing_was_lost_or_said_to_who_stopped(village)


def test_a_forum_that_is_cancelled_on_its_eve(village: Village) -> None:
    forum = invite(village)
    village.texts(COMING[0], "4")
    village.dials(GUESTS[0], "1", "3", "8", "1", "1", "2")
    village.texts(COMING[1], "off")
    starts = village.forum(forum).starts
    got(village)
    village.at_time(starts - A_DAY, 17)
    assert village.tick() == {Which.EVE: 1}
    join(village, LATE)
    got(village)
    village.at_time(village.now, 20, 30)
    village.cancel(forum)
    village.post()
    notices = got(village)
    assert one_each(notices) == {*PEOPLE, GUESTS[0]} - {*STOPPED, COMING[1]}
    for number, (text,) in notices.items():
        expected = {"km": "លុបចោល", "km-Latn": "LOB CHAOL", "en": "CANCELLED"}[language(number)]
        assert number in GUESTS or (expected in text and "09/12" in text)
    # it is over: no reminder, no reply, nothing in the menu
    village.at_time(starts, 8)
    assert village.tick() == {}
    village.texts(COMING[0], "4")
    assert replied(village, forum) == (6, 2)
    assert got(village) == {}
    nothing_was_lost_or_said_to_who_stopped(village)


def test_two_clocks_through_the_whole_time_say_everything_once(village: Village) -> None:
    forum = invite(village)
    got(village)
    seen = Counter[str]()
    while village.at.clock.now < village.forum(forum).starts:
        for _ in "two":
            seen.update(village.tick())
        village.at.clock.forward(minutes=30)
    assert seen == {Which.WEEK: 1, Which.EVE: 1, Which.MORNING: 1}
    found = got(village)
    assert set(found) == set(PEOPLE) - set(STOPPED)
    assert {len(texts) for texts in found.values()} == {3}


def nothing_was_lost_or_said_to_who_stopped(village: Village) -> None:
    with village.at.store.read() as db:
        states = db.scalars(select(messages.c.state).where(messages.c.kind != Kind.ANSWER)).all()
        keys = {village.at.keys.lookup(number) for number in STOPPED}
        to_stopped = db.execute(select(messages.c.id).where(messages.c.phone.in_(keys), messages.c.kind != Kind.ANSWER))
        assert not to_stopped.all()
    assert set(states) <= {"accepted", "cancelled"}
