"""Retention: what is old goes, what is not stays, counts stand; and nothing stumbles over what is gone."""

from __future__ import annotations

import threading
import time
from datetime import date, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import event, func, select, update

from gateway import create_app
from gateway.bulk import progress
from gateway.cli import cli
from gateway.forums import forums
from gateway.models import decisions
from gateway.models.callers import callers, find_caller, remember
from gateway.models.forums import forum_replies, told_of
from gateway.models.messages import Draft, Kind, State, inbound, messages, opt_outs, states, write
from gateway.models.store import insert_many
from gateway.providers.base import Delivery, Reason, Receipt
from gateway.receipts import ReceiptDesk
from gateway.workers import housekeeping
from gateway.workers.housekeeping import SETTLED, due, purge, rules
from tests.conftest import Installation
from tests.people import number
from tests.test_panel import NAME, Browser, add
from tests.village import Village

ME = number(1)
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
A_DAY = timedelta(days=1)


@pytest.fixture
def village(installation: Installation) -> Village:
    return Village(installation)


def sent(at: Installation, kind: Kind, state: State, age: timedelta, to: str = ME) -> str:
    """A message that came to a state so long ago."""
    then = at.clock.now - age
    with at.store.write() as db:
        made = write(db, at.keys, Draft(kind, to, "some words", "simulator", then, then + A_DAY), then)
        values = {"state": state, "provider_id": f"p-{made}", "changed": then}
        db.execute(update(messages).where(messages.c.id == made).values(values))
    return made


def whole(at: Installation) -> set[str]:
    """The messages that have their number and text."""
    with at.store.read() as db:
        rows = db.execute(select(messages)).all()
    for row in rows:
        gone = (row.phone, row.number, row.number_key, row.provider_id) == (None,) * 4 and row.text == ""
        assert gone or (row.phone and row.number and row.number_key and row.text)
    return {row.id for row in rows if row.phone}


def purged(at: Installation) -> dict[str, int]:
    return purge(at.store, at.settings, at.clock.now)


# messages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(State))
def test_settled_messages_lose_number_and_text_after_thirty_days(installation: Installation, state: State) -> None:
    old = sent(installation, Kind.ANNOUNCEMENT, state, timedelta(days=30, seconds=1))
    new = sent(installation, Kind.ANNOUNCEMENT, state, timedelta(days=29))
    goes = state in SETTLED
    assert goes is (state not in (State.QUEUED, State.HELD, State.CLAIMED, State.SENDING))
    assert purged(installation) == ({"number and text of other messages, after 30 days": 1} if goes else {})
    assert whole(installation) == ({new} if goes else {old, new})
    with installation.store.read() as db:
        assert states(db) == {state: 2}  # counts stand
    assert purged(installation) == {}


def test_answers_to_people_go_with_the_sms_that_they_answered(installation: Installation) -> None:
    sent(installation, Kind.ANSWER, State.DELIVERED, timedelta(days=8))
    new = sent(installation, Kind.ANSWER, State.DELIVERED, timedelta(days=6))
    sent(installation, Kind.ANSWER, State.UNCONFIRMED, timedelta(days=8))
    waits = sent(installation, Kind.ANSWER, State.QUEUED, timedelta(days=8))
    assert purged(installation) == {"number and text of answers to people, after 7 days": 2}
    assert whole(installation) == {new, waits}


def test_whoever_was_invited_long_ago_is_told_when_the_forum_moves(village: Village) -> None:
    people = [number(i) for i in range(3)]
    for one in people:
        village.joins(one)
    far = village.now + timedelta(days=50)
    forum = village.invited(starts=far.replace(hour=8, minute=30, second=0, microsecond=0))
    village.at_time(timedelta(days=40))
    assert purged(village.at) == {}
    village.move(forum, starts=village.forum(forum).starts + timedelta(days=3))
    village.approve(forum)
    village.post()
    assert all(len(village.inbox(one)) == 2 for one in people)
    village.at_time(timedelta(days=50))  # five weeks after the forum
    assert purged(village.at)["number and text of other messages, after 30 days"] == 6
    with village.at.store.read() as db:
        assert told_of(db, [forum]) == []
    assert village.states(forum) == {"accepted": 6}


def test_counts_of_a_broadcast_stand(village: Village) -> None:
    for i in range(4):
        village.joins(number(i))
    village.invited()
    with village.at.store.read() as db:
        broadcast = db.scalar(select(messages.c.broadcast))
        assert broadcast
        before = progress.progress(db, village.at.settings, broadcast, village.at.clock.now + 60 * A_DAY)
    village.at_time(timedelta(days=60))
    assert "number and text of other messages, after 30 days" in purged(village.at)
    with village.at.store.read() as db:
        assert progress.progress(db, village.at.settings, broadcast, village.at.clock.now) == before


def test_nothing_is_decided_about_what_is_gone(installation: Installation) -> None:
    for state in (State.UNCONFIRMED, State.REFUSED):
        one = sent(installation, Kind.ANNOUNCEMENT, state, timedelta(days=31))
        with installation.store.write() as db:
            later = installation.clock.now + A_DAY
            db.execute(update(messages).where(messages.c.id == one).values(expires=later, for_now=True))
    purged(installation)
    with installation.store.write() as db:
        ids = db.scalars(select(messages.c.id)).all()
        assert decisions.send_again(db, ids, installation.clock.now) == 0
        assert decisions.try_again(db, ids, installation.clock.now) == 0
        assert decisions.went_out(db, ids, installation.clock.now) == 1


def test_a_receipt_that_comes_after_all_harms_nobody(installation: Installation) -> None:
    old = sent(installation, Kind.ANNOUNCEMENT, State.ACCEPTED, timedelta(days=31))
    purged(installation)
    desk = ReceiptDesk(installation.store, installation.settings, installation.clock)
    desk.receive(Receipt("simulator", "x", Delivery.FAILED, "stop", Reason.OPTED_OUT, message=old))
    with installation.store.read() as db:
        assert states(db) == {State.UNDELIVERED: 1}
        assert not db.execute(select(opt_outs)).all()


# what people said ---------------------------------------------------------------------------------


def test_callers_not_heard_of_for_twelve_months_are_forgotten(village: Village) -> None:
    at = village.at
    at.open_round()
    village.dials(ME, "1", "3", "1", "4", "2")
    village.texts(number(2), "3 1 4 2")
    village.texts(number(2), "1")
    village.at_time(timedelta(days=200))
    village.dials(ME)  # only looked in
    village.at_time(timedelta(days=180))
    assert purged(at)["callers not heard of for 12 months"] == 1
    with at.store.read() as db:
        assert find_caller(db, at.keys.lookup(number(2))) is None
        kept = find_caller(db, at.keys.lookup(ME))
        assert kept
        assert kept.commune == "010806"
    assert "1" in village.dials(ME)  # neither language nor commune is asked again
    village.at_time(timedelta(days=400))
    assert purged(at)["callers not heard of for 12 months"] == 1


def test_the_month_is_all_that_is_kept_and_it_is_written_once(village: Village) -> None:
    at = village.at
    at.open_round()
    village.dials(ME, "1", "3", "1", "4", "2")
    writes: list[str] = []
    for engine in at.store.engines:
        event.listen(engine, "before_cursor_execute", lambda *args: writes.append(args[2]))

    def written() -> int:
        count = sum("callers" in statement and not statement.startswith("SELECT") for statement in writes)
        writes.clear()
        return count

    for _ in range(3):
        village.at_time(A_DAY)
        village.dials(ME, "1", "4", "2")
    assert written() == 0
    village.at_time(timedelta(days=20))
    for _ in range(3):
        village.dials(ME, "2", "4", "2")
    assert written() == 1
    with at.store.read() as db:
        seen = db.scalar(select(callers.c.seen))
    assert seen == village.now.date().replace(day=1)


def test_a_forums_answers_go_with_its_replies_and_nothing_since(village: Village) -> None:
    """A week after a forum: the replies are counts, "See you" and the SMS go; what was said since then stays."""
    at, coming, other = village.at, number(1), number(2)
    for one in (coming, other):
        village.joins(one)
    settings = at.settings.model_copy(update={"inbound_days": 60})  # else they are gone by then
    forum = village.invited()
    assert village.texts(coming, "3")
    village.at.clock.now = village.forum(forum).starts
    village.texts(other, "HELP")
    village.at_time(timedelta(days=6))
    village.texts(coming, "HELP")
    village.at_time(A_DAY * 2)
    done = purge(at.store, settings, at.clock.now)
    assert done == {"forums whose replies become counts, after 7 days": 1}
    with at.store.read() as db:
        assert not db.execute(select(forum_replies)).all()
        assert forums.replies(db, forum).heads == 3
        answers = select(messages.c.phone).where(messages.c.kind == Kind.ANSWER).order_by(messages.c.created)
        assert list(db.scalars(answers)) == [at.keys.lookup(other), at.keys.lookup(coming)]
        said = db.execute(select(inbound.c.phone, inbound.c.text_key).order_by(inbound.c.received)).all()
    assert [row.text_key > 0 for row in said] == [False, True, True]
    assert [row.phone == bytes(16) for row in said] == [True, False, False]


def test_opt_outs_stay_for_ever(village: Village) -> None:
    village.stops(ME)
    village.at_time(timedelta(days=4000))
    purged(village.at)
    with village.at.store.read() as db:
        assert db.scalar(select(opt_outs.c.phone)) == village.at.keys.lookup(ME)


# settings, and the command ------------------------------------------------------------------------


@on_one_database
def test_settings_say_how_long(installation: Installation) -> None:
    at = installation
    sent(at, Kind.ANSWER, State.DELIVERED, timedelta(days=4))
    sent(at, Kind.ANNOUNCEMENT, State.DELIVERED, timedelta(days=12))
    with at.store.write() as db:
        remember(db, at.keys.lookup(ME), date(2026, 8, 31), commune="010806")
    assert purged(at) == {}
    changes = {"inbound_days": 3, "message_days": 11, "caller_months": 2, "rsvp_days": 5}
    settings = at.settings.model_copy(update=changes)
    assert purge(at.store, settings, at.clock.now) == {
        "number and text of answers to people, after 3 days": 1,
        "number and text of other messages, after 11 days": 1,
        "callers not heard of for 2 months": 1,
    }
    assert "forums whose replies become counts, after 5 days" in {rule.name for rule in rules(settings, at.clock.now)}


def test_a_dry_run_counts_and_changes_nothing(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    at = installation
    at.clock.now += timedelta(days=-200)  # the command has a clock of its own, which is later
    sent(at, Kind.ANNOUNCEMENT, State.DELIVERED, timedelta(0))
    sent(at, Kind.ANSWER, State.DELIVERED, timedelta(0))
    for name in ("data_dir", "database_url"):
        monkeypatch.setenv(name.upper(), str(getattr(at.settings, name)))
    before = whole(at)
    run = CliRunner()
    for _ in range(2):
        dry = run.invoke(cli, ["purge", "--dry-run"])
        assert dry.exit_code == 0, dry.output
        assert whole(at) == before
    lines = dry.output.splitlines()
    assert "1  number and text of other messages, after 30 days" in lines
    assert "1  number and text of answers to people, after 7 days" in lines
    assert "0  callers not heard of for 12 months" in lines
    assert lines[-1] == "Nothing was changed: this was a dry run."
    done = run.invoke(cli, ["purge"])
    assert done.output.splitlines() == lines[:-1]
    assert whole(at) == set()
    again = run.invoke(cli, ["purge"])
    assert {line.split()[0] for line in again.output.splitlines()} == {"0"}


# the panel ----------------------------------------------------------------------------------------


@on_one_database
def test_the_messages_page_shows_what_is_left(installation: Installation) -> None:
    at = installation
    for kind in (Kind.ANSWER, Kind.ANNOUNCEMENT):
        for state in (State.DELIVERED, State.UNCONFIRMED):
            sent(at, kind, state, timedelta(days=31))
    purged(at)
    add(at, NAME)
    browser = Browser(create_app(at.settings).test_client())
    assert browser.log_in(page="/admin/login?lang=en").status_code == 302
    for address in ("/admin/messages", "/admin/messages?state=unconfirmed"):
        text = browser.get(address).get_data(as_text=True)
        assert "no longer kept" in text
        assert "some words" not in text


# who rates meanwhile ------------------------------------------------------------------------------


@pytest.mark.slow
@on_one_database
def test_who_writes_meanwhile_does_not_wait(installation: Installation) -> None:
    """20,000 messages lose their numbers; whoever writes beside that waits a fraction of a second."""
    at = installation
    one = sent(at, Kind.ANNOUNCEMENT, State.DELIVERED, timedelta(days=31))
    with at.store.write() as db:
        row = dict(db.execute(select(messages).where(messages.c.id == one)).mappings().one())
        many = ({**row, "id": f"{i:032}", "phone": i.to_bytes(16), "provider_id": None} for i in range(20_000))
        insert_many(db, messages, many, [column.name for column in messages.columns])
    longest, done = 0.0, threading.Event()

    def others() -> None:
        nonlocal longest
        while not done.is_set():
            began = time.monotonic()
            with at.store.write() as db:
                remember(db, at.keys.lookup(ME), language="km")
            longest = max(longest, time.monotonic() - began)
            time.sleep(0.01)

    beside = threading.Thread(target=others)
    beside.start()
    try:
        assert purged(at) == {"number and text of other messages, after 30 days": 20_001}
    finally:
        done.set()
        beside.join()
    assert longest < 1.0
    with at.store.read() as db:
        assert db.scalar(select(func.count()).where(messages.c.phone.is_not(None))) == 0
    assert housekeeping.STEP <= 1000
    assert not any(due(at.store, at.settings, at.clock.now).values())
