"""The first page of staff: for each situation what it says, and where it leads."""

# ruff: noqa: F811 -- fixtures are asked for by their names

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import Connection, Table, insert, select, update

from admin import home
from gateway.comments.comments import _PURPOSE
from gateway.models import staff
from gateway.models.base import metadata
from gateway.models.broadcasts import broadcasts
from gateway.models.comments import comments
from gateway.models.contacts import contacts
from gateway.models.forums import forum_replies, forums
from gateway.models.health import provider_changes, provider_health
from gateway.models.installation import set_pause
from gateway.models.messages import Draft, Kind, State, messages, write
from gateway.models.places import communes
from gateway.models.polls import polls
from gateway.models.promises import checks, commitment_changes, commitments
from gateway.models.releases import council_replies
from gateway.models.rounds import near_numbers, rounds
from tests.conftest import COMMUNES, Installation
from tests.test_panel import NAME, Browser, add, app, browser, panel, rate, text  # noqa: F401

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
"""Monday, 12:00 in Phnom Penh."""
TODAY = date(2026, 11, 23)
PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
Arrange = Callable[[Connection, Installation], Any]


@pytest.fixture(autouse=True)
def _noon(installation: Installation) -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def put(db: Connection, table: Table, **values: Any) -> int:
    """A row, with what every row of its table must have."""
    needed: Mapping[str, Mapping[str, Any]] = {
        "forums": {
            "commune": TA_PHOU, "title": '{"en": "forum"}', "inviter": "RCEDO", "venue": "{}", "note": "{}",
            "approved": True, "created": NOON,
        },
        "broadcasts": {
            "kind": Kind.ANNOUNCEMENT, "title": "News", "texts": "{}", "audience": json.dumps({"communes": [TA_PHOU]}),
            "stage": "waiting", "created": NOON, "changed": NOON,
        },
        "council_replies": {"commune": TA_PHOU, "week": TODAY, "text": "We shall see.", "received": NOON},
        "comments": {"commune": TA_PHOU, "month": date(2026, 11, 1), "verdict": "waiting"},
        "polls": {"question": '{"en": "Which day?"}', "options": "[]", "created": NOON},
        "commitments": {
            "commune": TA_PHOU, "activity": '{"en": "Mend the well"}', "responsible": "chief", "created": NOON,
            "changed": NOON,
        },
    }  # fmt: skip
    row = insert(table).values({**needed.get(table.name, {}), **values})
    if "id" not in table.c:
        return db.execute(row).rowcount
    made: int = db.execute(row.returning(table.c.id)).scalar_one()
    return made


def at(hours: float = 0, days: float = 0) -> datetime:
    return NOON + timedelta(hours=hours, days=days)


def message(db: Connection, house: Installation, kind: Kind, age: timedelta, **change: Any) -> None:
    begun = NOON - age
    draft = Draft(kind, "+85510000021", "Hello", "simulator", begun, NOON + timedelta(days=2))
    made = write(db, house.keys, draft, begun)
    if change:
        db.execute(update(messages).where(messages.c.id == made).values(**change))


def ending(days: int) -> Arrange:
    """The open round with a last day."""
    return lambda db, house: db.execute(update(rounds).values(until=TODAY + timedelta(days=days)))


def no_round(db: Connection, house: Installation) -> None:
    """As the installation began; without one nobody can rate."""
    db.execute(metadata.tables["round_services"].delete())
    db.execute(metadata.tables["round_communes"].delete())
    db.execute(rounds.delete())


def nobody(db: Connection, house: Installation) -> None:
    no_round(db, house)
    db.execute(communes.delete())


def forum(coming: int = 0, **values: Any) -> Arrange:
    def arrange(db: Connection, house: Installation) -> None:
        made = put(db, forums, **values)
        for n in range(coming):
            number = {"phone": bytes([n] * 16), "number": b"", "number_key": 1, "language": "en", "heads": 3}
            put(db, forum_replies, forum_id=made, at=NOON, channel="sms", **number)

    return arrange


def invited_soon(db: Connection, house: Installation) -> None:
    made = put(db, forums, starts=at(days=9), approved=False)
    put(db, broadcasts, forum=made, kind=Kind.INVITATION, title="Invitation")


def waiting_for_others(db: Connection, house: Installation) -> None:
    """What is one's own, or was changed last by oneself, is for others to approve."""
    me = db.scalars(select(staff.staff.c.id).where(staff.staff.c.name == NAME)).one()
    put(db, broadcasts, title="mine", author=me)
    put(db, broadcasts, title="edited", editor=me)
    put(db, broadcasts, title="a draft", stage="draft")


def many_broadcasts(db: Connection, house: Installation) -> None:
    for n in range(7):
        put(db, broadcasts, title=f"News {n}", created=at(n))


def poll(sent: bool, hours: float) -> Arrange:
    def arrange(db: Connection, house: Installation) -> None:
        made = put(db, polls, closes=at(hours))
        put(db, broadcasts, poll=made, kind=Kind.POLL, stage="approved" if sent else "draft",
            approved=NOON if sent else None)  # fmt: skip

    return arrange


def check(days: int) -> Arrange:
    def arrange(db: Connection, house: Installation) -> None:
        made = promise(db, due=TODAY + timedelta(days=30))
        put(db, checks, commitment=made, opened=TODAY, until=TODAY + timedelta(days=days))

    return arrange


def commitment(days: int, standing: str) -> Arrange:
    return lambda db, house: promise(db, due=TODAY + timedelta(days=days), standing=standing)


def promise(db: Connection, **values: Any) -> int:
    """A commitment with the beginning of its history."""
    made = put(db, commitments, **values)
    put(db, commitment_changes, commitment=made, standing="planned", day=TODAY, at=NOON)
    return made


def health(failures: int, rests: float | None = None, reason: str = "gateway down") -> Arrange:
    def arrange(db: Connection, house: Installation) -> None:
        until = at(rests) if rests is not None else None
        put(db, provider_health, provider="simulator", failures=failures, rests_until=until, accepted=at(-2))
        put(db, provider_changes, at=NOON, provider="simulator", change="rests", reason=reason, messages=0)

    return arrange


def stuck(kind: Kind, minutes: float, accepted: float | None = None) -> Arrange:
    def arrange(db: Connection, house: Installation) -> None:
        message(db, house, kind, timedelta(minutes=minutes))
        if accepted is not None:
            put(db, provider_health, provider="simulator", failures=0, accepted=at(-accepted / 60))

    return arrange


def comment(db: Connection, house: Installation) -> None:
    sealed = house.keys.seal("The road is bad", _PURPOSE)
    put(db, comments, id="a", same=b"a" * 16, words=sealed.data, words_key=sealed.key)


def burst(db: Connection, house: Installation) -> None:
    round_id = db.scalars(select(rounds.c.id)).one()
    put(db, near_numbers, round_id=round_id, near=b"x" * 16, commune=TA_PHOU, day=TODAY, numbers=6)


SITUATIONS: Mapping[str, tuple[Arrange, str, str | None]] = {
    "a forum tomorrow": (
        forum(2, starts=at(20)),
        "Forum in Ta Phou, 24 Nov 2026, 08:00. People who say they come: 6.", "/admin/forums/1",
    ),
    "a forum in two days": (
        forum(starts=at(days=2)),
        "Forum in Ta Phou, 25 Nov 2026, 12:00. People who say they come: 0.", "/admin/forums/1",
    ),
    "a forum in four days": (forum(starts=at(days=4)), "Forum in", None),
    "a forum that is cancelled": (forum(starts=at(20), cancelled=True), "Forum in", None),
    "a forum that has begun": (forum(starts=at(-1)), "Forum in", None),
    "a forum without its invitation": (
        forum(starts=at(days=9), approved=False), "Forum in Ta Phou, 2 Dec 2026, 12:00: nobody is invited yet",
        "/admin/forums/1",
    ),
    "a forum whose invitation waits": (invited_soon, "nobody is invited yet", None),
    "its invitation": (invited_soon, "Waits for your approval: “Invitation” (Invitation).", "/admin/broadcasts/1"),
    "a broadcast of somebody else": (
        lambda db, _: put(db, broadcasts), "Waits for your approval: “News” (Announcement).", "/admin/broadcasts/1",
    ),
    "a check that the clock wrote": (
        lambda db, _: put(db, broadcasts, kind=Kind.CHECK), "(Check of a promise)", "/admin/broadcasts/1",
    ),
    "broadcasts of one's own": (waiting_for_others, "Waits for your approval", None),
    "seven broadcasts": (many_broadcasts, "More that waits for approval: 2.", "/admin/broadcasts?stage=waiting"),
    "a reply": (lambda db, _: put(db, council_replies), "Replies of councils to read: 1.", "/admin/weekly/replies"),
    "a reply that was read": (lambda db, _: put(db, council_replies, read_by=1), "Replies of councils", None),
    "a comment": (comment, "Comments to read: 1.", "/admin/comments"),
    "a comment that was decided": (
        lambda db, _: put(db, comments, id="a", same=b"a" * 16, verdict="approved"), "Comments to read", None,
    ),
    "a message in doubt": (
        lambda db, house: message(db, house, Kind.ANSWER, timedelta(), state=State.UNCONFIRMED),
        "Messages of which nobody knows whether they went out: 1.", "/admin/messages?state=unconfirmed",
    ),
    "a round that ends in two days": (
        ending(2), "The round in 4 communes ends on 25 Nov 2026. Close it then.", "/admin/rounds/1",
    ),
    "a round that ends in a week": (ending(7), "The round in", None),
    "a round over its day": (
        ending(-1), "The round in 4 communes should have ended on 22 Nov 2026. Close it.", "/admin/rounds/1",
    ),
    "no round": (no_round, "No round is open: nobody can rate.", "/admin/rounds/new"),
    "no commune": (nobody, "No commune takes part yet. Choose the first ones.", "/admin/places"),
    "a burst": (burst, "Improbable answers in the round in 4 communes: 1. Look at them.", "/admin/rounds/1"),
    "a provider that rests": (
        health(5, rests=0.05),
        "simulator failed 5 times in a row and is left alone until 23 Nov 2026, 12:03.", "/admin/providers",
    ),
    "a provider that rested": (health(0, rests=-1), "simulator", None),
    "a provider that fails": (health(3), "simulator failed 3 times in a row.", "/admin/providers"),
    "a provider that failed twice": (health(2), "simulator", None),
    "messages that wait": (
        stuck(Kind.ANSWER, 16, accepted=120),
        "Messages wait for simulator, which has taken none since 23 Nov 2026, 10:00.", "/admin/providers",
    ),
    "messages that wait for the first time": (
        stuck(Kind.ANNOUNCEMENT, 16), "Messages wait for simulator, which has taken none yet.", "/admin/providers",
    ),
    "messages for which it is not long yet": (stuck(Kind.ANSWER, 14), "Messages wait", None),
    "messages that wait their turn": (stuck(Kind.ANNOUNCEMENT, 60, accepted=1), "Messages wait", None),
    "a check that ends": (
        check(2), "Villagers of Ta Phou are asked until 25 Nov 2026: “Mend the well”.", "/admin/commitments/1",
    ),
    "a check that goes on": (check(3), "Villagers of Ta Phou", None),
    "a promise overdue": (
        commitment(-1, "under way"), "Promises that should be kept by now: 1.", "/admin/commitments?standing=overdue",
    ),
    "a promise due today": (commitment(0, "planned"), "Promises that", None),
    "a promise kept": (commitment(-1, "done"), "Promises that", None),
    "a poll that closes": (
        poll(True, 6), "A poll closes today, 23 Nov 2026, 18:00: “Which day?”.", "/admin/polls/1",
    ),
    "a poll that closes tomorrow": (poll(True, 13), "A poll closes", None),
    "a poll that nobody approved": (poll(False, 6), "A poll closes", None),
    "a pause": (
        lambda db, _: set_pause(db, (TODAY, TODAY + timedelta(days=3))),
        "A pause runs until 26 Nov 2026: no tally, poll, invitation or result leaves.", "/admin/pause",
    ),
    "a pause that comes": (
        lambda db, _: set_pause(db, (TODAY + timedelta(days=6), TODAY + timedelta(days=9))),
        "A pause begins on 29 Nov 2026 and ends on 2 Dec 2026", "/admin/pause",
    ),
    "a pause far off": (
        lambda db, _: set_pause(db, (TODAY + timedelta(days=8), TODAY + timedelta(days=9))), "A pause begins", None,
    ),
    "a pause that is over": (
        lambda db, _: set_pause(db, (TODAY - timedelta(days=8), TODAY - timedelta(days=1))), "A pause runs", None,
    ),
}  # fmt: skip
"""What there is, what is said of it, where it is done; None: nothing is said."""


def lines(page: str) -> dict[str, str]:
    """What stands in the list, and where each line leads."""
    listed = page.partition('<ul class="todo">')[2].partition("</ul>")[0]
    return {html.unescape(words): html.unescape(link) for link, words in re.findall(r'href="([^"]+)">([^<]+)', listed)}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_each_thing_that_needs_somebody_stands_there_with_the_way_to_it(
    panel: Browser, installation: Installation, situation: str
) -> None:
    arrange, words, link = SITUATIONS[situation]
    installation.open_round()
    with installation.store.write() as db:
        arrange(db, installation)
    found = {line: to for line, to in lines(panel.get("/admin/").text).items() if words in line}
    assert list(found.values()) == ([link] if link else []), found
    if link:
        assert panel.get(link).status_code == 200


@on_one_database
def test_the_table_has_a_situation_for_every_kind_of_line(panel: Browser, installation: Installation) -> None:
    seen = set()
    for arrange, _words, link in SITUATIONS.values():
        if not link:
            continue
        with installation.store.write() as db, db.begin_nested() as arranged:
            in_a_round(db)
            arrange(db, installation)
            asked = home.Asked(installation.settings, 1, None, NOON)
            seen |= {kind.__name__ for kind in home.KINDS_OF_LINES if list(kind(db, asked))}
            arranged.rollback()
    assert seen == {kind.__name__ for kind in home.KINDS_OF_LINES}


def in_a_round(db: Connection) -> None:
    put(db, rounds, key="k", opened=TODAY)
    for code in COMMUNES:
        put(db, metadata.tables["round_communes"], round_id=1, commune=code, number=1, open=True)


def test_when_nothing_needs_doing_the_page_says_so_with_figures(panel: Browser, installation: Installation) -> None:
    installation.open_round()
    rate(installation, "4455123455")
    with installation.store.write() as db:
        db.execute(near_numbers.delete())  # their numbers are neighbours
    page = panel.get("/admin/")
    said = text(page)
    assert "Nothing needs you today." in said
    assert not lines(page.text)
    assert "10 Ratings since Monday (n)" in said
    assert "0 Messages since Monday" in said
    assert "0 People who asked for news by SMS" in said


@pytest.mark.parametrize("phones", [9, 10])
def test_ratings_are_counted_where_enough_phones_gave_them_this_week(
    panel: Browser, installation: Installation, phones: int
) -> None:
    installation.open_round()
    installation.clock.now = at(days=-1)
    rate(installation, "55555", service="1")  # last week's
    installation.clock.now = NOON
    rate(installation, "4" * phones)
    said = panel.read("/admin/")
    assert (f"{phones} Ratings since Monday" in said) is (phones == 10)
    assert ("not shown Ratings since Monday" in said) is (phones == 9)


@on_one_database
def test_what_is_pressing_goes_first(panel: Browser, installation: Installation) -> None:
    installation.open_round()
    with installation.store.write() as db:
        put(db, council_replies)
        put(db, broadcasts)
        health(5, rests=1)(db, installation)
    page = panel.get("/admin/").text
    assert [words.partition(" ")[0] for words in lines(page)] == ["simulator", "Waits", "Replies"]
    assert page.count('<li class="pressing">') == 2


@on_one_database
def test_in_the_quiet_hours_only_answers_are_late(panel: Browser, installation: Installation) -> None:
    installation.open_round()
    with time_machine.travel(at(hours=8), tick=False):  # 20:00
        panel.log_in()
        with installation.store.write() as db:
            message(db, installation, Kind.ANNOUNCEMENT, timedelta())
        assert "Messages wait" not in panel.read("/admin/")
        with installation.store.write() as db:
            message(db, installation, Kind.ANSWER, timedelta())
        assert "Messages wait" in panel.read("/admin/")
    with time_machine.travel(at(hours=20, days=0) + timedelta(minutes=5), tick=False):  # 8:05 the next day
        panel.log_in()
        with installation.store.write() as db:
            db.execute(update(messages).where(messages.c.kind == Kind.ANSWER).values(state=State.DELIVERED))
        assert "Messages wait" not in panel.read("/admin/")


@on_one_database
def test_who_sees_some_communes_reads_of_these_alone(app: Any, installation: Installation) -> None:
    add(installation, "own")
    with installation.store.write() as db:
        me = db.scalars(select(staff.staff.c.id).where(staff.staff.c.name == "own")).one()
        staff.set_communes(db, me, [TREAS])
    installation.open_round(TA_PHOU)
    other = installation.open_round(TREAS)
    with installation.store.write() as db:
        for number, code in enumerate((TA_PHOU, TREAS)):
            put(db, forums, commune=code, starts=at(20))
            put(db, council_replies, commune=code)
            put(db, comments, id=code, same=code.encode(), commune=code)
            put(db, commitments, commune=code, due=TODAY - timedelta(days=1))
            made = put(db, broadcasts, title=code, audience=json.dumps({"communes": [code]}), stage="approved")
            put(db, broadcasts, title=code, audience=json.dumps({"communes": [code]}))
            message(db, installation, Kind.ANSWER, timedelta(), state=State.UNCONFIRMED, broadcast=made)
            phone = {"phone": bytes([number] * 16), "number": b"", "number_key": 1}
            put(db, contacts, role="person", commune=code, source="x", since=TODAY, **phone)
        db.execute(update(rounds).values(until=TODAY))
    browser = Browser(app.test_client())
    assert browser.log_in("own", page="/admin/login?lang=en").headers["Location"] == "/admin/"
    page = browser.get("/admin/")
    assert lines(page.text) == {
        "Forum in Treas, 24 Nov 2026, 08:00. People who say they come: 0.": "/admin/forums/2",
        f"Waits for your approval: “{TREAS}” (Announcement).": "/admin/broadcasts/4",
        "Replies of councils to read: 1.": "/admin/weekly/replies",
        "Comments to read: 1.": "/admin/comments",
        "Messages of which nobody knows whether they went out: 1. Decide about them.": (
            "/admin/messages?state=unconfirmed"
        ),
        "The round in Treas ends on 23 Nov 2026. Close it then.": f"/admin/rounds/{other}",
        "Promises that should be kept by now: 1. Ask how they stand.": "/admin/commitments?standing=overdue",
    }
    assert "1 People who asked for news by SMS" in text(page)
    assert "Messages since Monday" not in text(page)


@on_one_database
@pytest.mark.parametrize(("role", "first"), [("council", "/admin/council"), ("volunteer", "/admin/record")])
def test_councils_and_volunteers_begin_on_their_own_page(
    app: Any, installation: Installation, role: str, first: str
) -> None:
    add(installation, f"a {role}", role)
    browser = Browser(app.test_client())
    assert browser.log_in(f"a {role}").headers["Location"] == first
    assert browser.get("/admin/").headers["Location"] == first
    assert 'href="/admin/"' in browser.get("/admin/password").text  # the name of the house leads there, too
    assert "ថ្ងៃនេះ" not in browser.read("/admin/password")


@on_one_database
def test_khmer_says_the_same(panel: Browser, installation: Installation) -> None:
    installation.open_round()
    with installation.store.write() as db:
        forum(2, starts=at(20))(db, installation)
    panel.send("/admin/tallies", "/admin/language", lang="km")
    assert "វេទិកានៅតាផូ 24 វិច្ឆិកា 2026, 08:00។ អ្នកដែលថានឹងមក៖ 6 នាក់។" in panel.read("/admin/")
