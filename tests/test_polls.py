"""Polls: one vote a phone, shares from ten phones on, and nothing left at the close that tells who voted what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as how
from hypothesis import strategies as st
from sqlalchemy import Connection, func, inspect, select, text

from gateway.bulk import broadcasts as sending
from gateway.bulk import poll_words, polls
from gateway.bulk.complaints import NotPossible
from gateway.bulk.letters import Audience
from gateway.bulk.poll_words import Asked, Fault, Result
from gateway.bulk.polls import Poll
from gateway.config import LANGUAGES, Language
from gateway.contacts.contacts import subscribe
from gateway.menus.wording import render
from gateway.models import metadata
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.conversations import conversations
from gateway.models.installation import set_pause
from gateway.models.messages import Kind, State, inbound, messages
from gateway.models.polls import poll_answers
from gateway.models.polls import polls as table
from gateway.privacy import HASH_BYTES
from gateway.providers.base import InboundSms
from gateway.providers.simulator import SimulatorSender
from gateway.sms import SmsDesk
from gateway.text import segments
from gateway.workers.outbox import Outbox
from tests.conftest import COMMUNES, Installation

on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CLEAR = Asked(
    {
        "km": "តើអ្នកយល់សៀវភៅថវិកាទេ?",
        "km-Latn": "Ter neak yul sievphov thavika te?",
        "en": "Was the budget booklet clear?",
    },
    (
        {"km": "យល់", "km-Latn": "Yul", "en": "Yes"},
        {"km": "មិនយល់", "km-Latn": "Min yul", "en": "No"},
        {"km": "មិនបានអាន", "km-Latn": "Min ban an", "en": "Did not read it"},
    ),
)  # fmt: skip
A_WEEK = timedelta(days=7)
TA_PHOU = COMMUNES[2]


def phone(i: int) -> str:
    return f"+8551000{i:04}"


@dataclass
class House:
    """An installation that holds polls."""

    at: Installation

    @property
    def now(self) -> datetime:
        return self.at.clock.now

    def ask(self, asked: Asked = CLEAR, phones: int = 12, closes: timedelta = A_WEEK, *, approved: bool = True) -> int:
        """A poll whose question went to so many people."""
        at = self.at
        with at.store.write() as db:
            for number in map(phone, range(phones)):
                subscribe(db, at.keys, number, language="en", commune=TA_PHOU, source="test", today=self.now.date())
        audience = Audience(communes=(TA_PHOU,))
        poll = polls.draft(at.store, at.keys, asked, audience, self.now + closes, None, self.now)
        if approved:
            self.approve(poll)
        return poll

    def approve(self, poll: int) -> None:
        with self.at.store.write() as db:
            broadcast = self.poll(db, poll).broadcast
            sending.submit(db, self.at.settings, broadcast, self.now)
            sending.approve(db, self.at.settings, broadcast, 1, self.now)

    def poll(self, db: Connection, poll: int) -> Poll:
        found = polls.find(db, poll)
        assert found
        return found

    def vote(self, poll: int, caller: int, choice: int) -> str | None:
        with self.at.store.write() as db:
            thanks = polls.vote(db, self.at.keys, poll, phone(caller), choice, self.now)
        return None if thanks is None else render(thanks, "en")

    def votes(self, poll: int, choices: str) -> None:
        """Each from a phone of its own, in the order of the phones."""
        for caller, choice in enumerate(choices):
            assert self.vote(poll, caller, int(choice))

    def close(self, poll: int) -> bool:
        return polls.close(self.at.store, self.at.keys, self.at.settings, poll, self.now)

    def row(self, poll: int) -> Any:
        with self.at.store.read() as db:
            return db.execute(select(table).where(table.c.id == poll)).one()

    def result(self, poll: int) -> Result | None:
        with self.at.store.read() as db:
            return polls.result(db, self.at.settings, self.poll(db, poll))

    def counts(self, poll: int) -> tuple[int, ...] | None:
        figures = self.result(poll)
        return figures.counts if figures else None

    def count(self, what: Any) -> int:
        with self.at.store.read() as db:
            return db.scalar(select(func.count()).select_from(what)) or 0


@pytest.fixture
def house(installation: Installation) -> House:
    return House(installation)


# votes --------------------------------------------------------------------------------------------


def test_a_phone_votes_once_and_the_last_vote_counts(house: House) -> None:
    poll = house.ask()
    house.votes(poll, "1111122233")
    assert house.counts(poll) == (5, 3, 2)
    for _ in range(40):
        assert house.vote(poll, 0, 3)
    assert house.counts(poll) == (4, 3, 3)
    assert house.count(poll_answers) == 10


def test_the_thanks_name_the_question_and_never_the_choice(house: House) -> None:
    poll = house.ask()
    said = {house.vote(poll, 1, choice) for choice in (1, 2, 3)}
    assert said == {
        "Thank you! Received: Was the budget booklet clear? Shared phone? Delete this and the SMS you sent."
    }


@on_one_database
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("times", [1, 4, 20])
def test_the_thanks_fit_one_part_however_long_the_question(house: House, language: Language, times: int) -> None:
    long = Asked({one: " ".join([words] * times) for one, words in CLEAR.question.items()}, CLEAR.options)
    poll = house.ask(long)
    with house.at.store.write() as db:
        thanks = polls.vote(db, house.at.keys, poll, phone(1), 1, house.now)
    assert thanks
    said = render(thanks, language)
    assert segments(said).parts == 1
    assert CLEAR.question[language][:12] in said
    assert (".." in said) is (times > 1)


@on_one_database
def test_a_poll_of_one_language_thanks_in_it_whatever_the_phone_speaks(house: House) -> None:
    poll = house.ask(Asked({"en": "Clear?"}, ({"en": "Yes"}, {"en": "No"})))
    with house.at.store.write() as db:
        thanks = polls.vote(db, house.at.keys, poll, phone(1), 1, house.now)
    assert thanks
    assert "អរគុណ! បានទទួល៖ Clear?" in render(thanks, "km")


@pytest.mark.parametrize("choice", [-1, 0, 4, 5, 6, 9, 10**9])
def test_a_choice_that_is_none_of_the_answers_changes_nothing(house: House, choice: int) -> None:
    poll = house.ask()
    assert house.vote(poll, 1, choice) is None
    assert house.count(poll_answers) == 0


def test_who_votes_too_early_or_too_late_or_on_nothing_is_not_thanked(house: House) -> None:
    assert house.vote(99, 1, 1) is None
    assert house.vote(house.ask(approved=False), 1, 1) is None
    poll = house.ask()
    house.at.clock.forward(days=7, seconds=-1)
    assert house.vote(poll, 1, 1)
    house.at.clock.forward(seconds=1)
    assert house.vote(poll, 2, 1) is None
    closed = house.ask()
    house.close(closed)
    assert house.vote(closed, 3, 1) is None
    assert house.count(poll_answers) == 1


def test_a_poll_whose_key_is_lost_takes_no_vote_and_stops_nobody(house: House) -> None:
    poll = house.ask()
    house.at.keys.destroy_round(house.row(poll).key)
    assert house.vote(poll, 1, 1) is None
    assert house.count(poll_answers) == 0


# figures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "counts"),
    [
        ("", None),
        ("112", None),
        ("111112222", None),  # nine
        ("1111122222", (5, 5, 0)),
        ("1111111112", (9, 1, 0)),
        ("1111111111", None),  # unanimous
        ("3333333333333", None),
        ("113333333333", (2, 0, 10)),
    ],
)
def test_shares_are_shown_from_ten_phones_on_that_differ_live_and_after_the_close(
    house: House, choices: str, counts: tuple[int, ...] | None
) -> None:
    poll = house.ask()
    house.votes(poll, choices)
    assert house.counts(poll) == counts
    house.close(poll)
    assert house.counts(poll) == counts


@on_one_database
def test_what_may_not_be_shown_is_not_kept(house: House) -> None:
    unanimous, few = house.ask(), house.ask()
    house.votes(unanimous, "222222222222")
    house.votes(few, "12")
    for poll in (unanimous, few):
        house.close(poll)
        assert house.row(poll).counts is None
    assert house.count(poll_answers) == 0


@pytest.mark.parametrize(
    ("counts", "percents", "margin", "first"),
    [
        ((8, 2), (80, 20), 31, (0,)),
        ((178, 32), (85, 15), 7, (0,)),  # DOMAIN.md, table, row 13: 85 % of 210
        ((199, 1), (99, 1), 7, (0,)),  # not all, and not nobody
        ((0, 500, 1), (0, 99, 1), 4, (1,)),
        ((5, 5, 0), (50, 50, 0), 31, (0, 1)),
    ],
)
def test_a_share_has_its_margin_and_never_says_all_or_none_where_some_differ(
    counts: tuple[int, ...], percents: tuple[int, ...], margin: int, first: tuple[int, ...]
) -> None:
    figures = Result(counts)
    assert (figures.percents, figures.margin, figures.leading) == (percents, margin, first)


@pytest.mark.parametrize(
    ("counts", "language", "says"),
    [
        ((178, 30, 2), "en", "Was the budget booklet clear? 85% of 210 answers: Yes (+-7 points)"),
        ((178, 30, 2), "km", "តើអ្នកយល់សៀវភៅថវិកាទេ? 85% នៃចម្លើយ 210៖ យល់ (±7 ចំណុច)"),
        ((178, 30, 2), "km-Latn", "Ter neak yul sievphov thavika te? 85% ney chamlaoy 210: Yul (+-7 chamnoch)"),
        ((7, 7, 1), "en", "Was the budget booklet clear? 47% each of 15 answers: Yes / No (+-25 points)"),
    ],
)
def test_a_result_is_told_by_the_answer_that_most_chose(counts: tuple[int, ...], language: str, says: str) -> None:
    assert render(poll_words.sentence(CLEAR, Result(counts)), language) == says


VOTES = st.lists(st.tuples(st.integers(0, 14), st.integers(1, 3)), max_size=40)


def test_a_recount_of_the_votes_gives_the_same_figures(house: House) -> None:
    @how(
        max_examples=60 if house.at.store.is_sqlite else 25,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @example(votes=[(i, 1) for i in range(10)])
    @example(votes=[(i, 1 + i % 2) for i in range(10)])
    @given(votes=VOTES)
    def recount(votes: Sequence[tuple[int, int]]) -> None:
        poll = house.ask()
        with house.at.store.write() as db:
            for caller, choice in votes:
                assert polls.vote(db, house.at.keys, poll, phone(caller), choice, house.now)
        last = dict(votes)
        expected = tuple(list(last.values()).count(choice) for choice in (1, 2, 3))
        shown = len(last) >= 10 and len(set(last.values())) > 1
        assert house.counts(poll) == (expected if shown else None)
        house.close(poll)
        assert house.counts(poll) == (expected if shown else None)

    recount()


# the close ----------------------------------------------------------------------------------------


def post(house: House) -> None:
    """A worker sends what is due."""
    at = house.at
    Outbox(at.store, at.keys, at.settings, SimulatorSender(at.settings), now=at.clock).drain()


def say(house: House, caller: int, said: str) -> str | None:
    """An SMS, a second later than the one before; its answer, which went out."""
    at = house.at
    at.clock.forward(seconds=1)
    desk = SmsDesk(at.store, at.keys, at.settings, at.conversations(), now=at.clock)
    answer = desk.receive(InboundSms("simulator", f"{caller}-{house.now.isoformat()}", phone(caller), said))
    post(house)
    with at.store.read() as db:
        return db.scalar(select(messages.c.text).where(messages.c.id == answer))


def test_from_the_approval_to_the_close_after_which_nothing_tells_who_voted_what(house: House) -> None:
    at, poll = house.at, house.ask()
    post(house)
    key = house.row(poll).key
    file = at.keys.folder / f"round-{key}.key"
    with at.store.read() as db:
        texts = set(db.scalars(select(messages.c.text).where(messages.c.state == State.ACCEPTED)))
    assert texts == {"Was the budget booklet clear?\n1 Yes\n2 No\n3 Did not read it"}

    stranger = say(house, 50, "HELP")
    answers = {say(house, caller, choice) for caller, choice in enumerate("1122112២1143")}
    thanks = "Thank you! Received: Was the budget booklet clear? Shared phone? Delete this and the SMS you sent."
    hint = {answer for answer in answers if answer != thanks}
    assert len(hint) == 1  # a 4 is no answer: what is one is said, and the question again
    assert "Was the budget booklet clear?" in str(hint.pop())
    assert say(house, 0, "3") == thanks  # it thinks better of it
    assert house.counts(poll) == (5, 4, 2)
    hashes = {at.keys.phone(key, phone(caller)) for caller in range(12)}
    with at.store.read() as db:
        assert set(db.scalars(select(poll_answers.c.phone))) <= hashes
        before = {row.provider_id for row in db.execute(select(inbound))}
        assert len(list(db.scalars(select(messages.c.id).where(messages.c.text == thanks)))) == 12

    at.clock.forward(days=7)
    assert polls.close_due(at.store, at.keys, at.settings, house.now) == 1

    assert house.counts(poll) == (5, 4, 2)
    assert not file.exists()
    assert house.row(poll).key is None
    everything = dump(house)
    assert not [found for found in hashes if found in everything]
    asked = {at.keys.lookup(phone(caller)) for caller in range(12)}
    with at.store.read() as db:
        said = db.execute(select(inbound).where(inbound.c.phone != at.keys.lookup(phone(50)))).all()
        assert {(row.phone, row.text, row.text_key) for row in said} == {(bytes(HASH_BYTES), b"", 0)}
        assert {row.provider_id for row in db.execute(select(inbound))} == before  # what comes again is known
        left = db.execute(select(messages.c.phone, messages.c.text).where(messages.c.kind == Kind.ANSWER)).all()
        assert [(row.phone, row.text) for row in left] == [(at.keys.lookup(phone(50)), stranger)]
        assert not db.execute(select(conversations).where(conversations.c.caller.in_(asked))).all()
    assert "Was the budget" not in str(say(house, 1, "2"))  # it is over: a digit is none of its answers
    assert house.counts(poll) == (5, 4, 2)


def dump(house: House) -> bytes:
    """All that the database holds, and on SQLite all that its files hold."""
    if house.at.store.is_sqlite:
        path = Path(str(house.at.store.url.database))
        files = [path, path.with_name(f"{path.name}-wal")]
        return b"".join(file.read_bytes() for file in files if file.exists())
    with house.at.store.read() as db:
        rows = [value for one in metadata.sorted_tables for row in db.execute(select(one)) for value in row]
    return b"".join(value if isinstance(value, bytes) else str(value).encode() for value in rows)


def test_what_waits_at_the_close_is_not_sent_and_a_draft_goes_with_its_poll(house: House) -> None:
    sent, draft = house.ask(), house.ask(approved=False)
    for poll in (sent, draft):
        assert house.close(poll)
    with house.at.store.read() as db:
        assert {row.state for row in db.execute(select(messages))} == {State.CANCELLED}
        assert {row.stage for row in db.execute(select(broadcasts))} == {Stage.CANCELLED}
        with pytest.raises(NotPossible):
            sending.submit(db, house.at.settings, house.poll(db, draft).broadcast, house.now)


def test_a_poll_that_was_sent_to_the_end_stays_a_finished_broadcast(house: House) -> None:
    poll = house.ask()
    post(house)
    house.close(poll)
    with house.at.store.read() as db:
        assert house.poll(db, poll).stage == Stage.APPROVED
        assert {row.state for row in db.execute(select(messages).where(messages.c.kind == Kind.POLL))} == {
            State.ACCEPTED
        }


def test_nothing_is_asked_in_a_pause_and_what_is_kept_back_beyond_the_close_never_goes(house: House) -> None:
    at, poll = house.at, house.ask(closes=timedelta(days=3))
    with at.store.write() as db:
        set_pause(db, (house.now.date(), house.now.date() + timedelta(days=5)))
    for days in range(7):
        at.clock.forward(days=bool(days))
        polls.close_due(at.store, at.keys, at.settings, house.now)
        post(house)
        with at.store.read() as db:
            assert set(db.scalars(select(messages.c.state))) == {State.QUEUED if days < 3 else State.CANCELLED}
    assert house.row(poll).closed


def test_the_clock_closes_what_is_due_once(house: House) -> None:
    at, late = house.at, house.ask(closes=timedelta(days=1))
    house.ask(closes=timedelta(days=2))
    unsent = house.ask(closes=timedelta(hours=9), approved=False)
    done = []
    for _ in range(3):
        at.clock.forward(days=0.5)
        done.append(polls.close_due(at.store, at.keys, at.settings, house.now))
    assert done == [1, 1, 0]
    assert house.row(unsent).closed == house.row(late).closed - timedelta(days=0.5)
    assert not house.close(late)
    assert sum(path.name.startswith("round-") for path in at.keys.folder.iterdir()) == 1


@pytest.mark.parametrize("where", ["key", "log", "name"])
def test_a_close_that_was_stopped_half_way_is_finished_with_the_same_figures(
    house: House, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, poll = house.at, house.ask()
    house.votes(poll, "111112222233")
    with monkeypatch.context() as patch:
        if where == "key":
            patch.setattr(at.keys, "destroy_round", killed)
        elif where == "log":
            patch.setattr(polls, "leave_no_trace", killed)
        else:
            patch.setattr(polls, "_stop_asking", killed)
        with pytest.raises(KeyboardInterrupt):
            house.close(poll)
    assert (house.row(poll).closed is None) is (where == "name")
    if where == "name":  # nothing has happened yet
        assert house.vote(poll, 1, 1)
        at.clock.forward(days=8)
    assert polls.close_due(at.store, at.keys, at.settings, house.now) == 1
    assert not list(at.keys.folder.glob("round-*"))
    assert house.counts(poll) == (5, 5, 2)
    assert polls.close_due(at.store, at.keys, at.settings, house.now) == 0


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_no_vote_slips_in_beside_the_close(house: House) -> None:
    """Votes and the close at once: a vote that was thanked for is in the figures, and nothing is left of any."""
    at, poll = house.at, house.ask(phones=40)
    house.votes(poll, "1112223331")
    with ThreadPoolExecutor(9) as pool:
        thanked = [pool.submit(house.vote, poll, caller, 1) for caller in range(10, 25)]
        closing = pool.submit(house.close, poll)
        thanked += [pool.submit(house.vote, poll, caller, 1) for caller in range(25, 40)]
        count = 10 + sum(one.result() is not None for one in thanked)
    assert closing.result()
    figures = house.result(poll)
    assert figures
    assert figures.n == count
    assert house.count(poll_answers) == 0
    assert not list(at.keys.folder.glob("round-*"))


def test_the_table_of_votes_keeps_no_time_and_no_order(house: House) -> None:
    poll = house.ask()
    for caller in (3, 1, 2, 0):
        house.vote(poll, caller, 1)
    with house.at.store.read() as db:
        assert {column["name"] for column in inspect(db).get_columns("poll_answers")} == {"poll_id", "phone", "choice"}
        if house.at.store.is_sqlite:
            assert "WITHOUT ROWID" in str(db.scalar(text("SELECT sql FROM sqlite_master WHERE name='poll_answers'")))


# the notice of the result --------------------------------------------------------------------------


def test_the_result_becomes_one_draft_to_those_who_were_asked(house: House) -> None:
    poll = house.ask()
    house.votes(poll, "1111111122")
    house.close(poll)
    figures = house.result(poll)
    assert figures
    with house.at.store.write() as db:
        found = house.poll(db, poll)
        first = polls.draft_result(db, found, figures, 1, house.now)
        assert polls.draft_result(db, found, figures, 1, house.now) == first
        row = sending.find(db, first)
        assert row
        assert (row.kind, row.poll, row.stage) == (Kind.RESULT, None, Stage.DRAFT)  # theirs to word anew
        assert sending.plan_of(row).audience == Audience(communes=(TA_PHOU,))
        assert json.loads(row.texts)["en"] == "Was the budget booklet clear? 80% of 10 answers: Yes (+-31 points)"
        sending.cancel(db, house.at.settings, first, house.now)
        assert polls.draft_result(db, found, figures, 1, house.now) != first


# what is asked ------------------------------------------------------------------------------------


def form(**lines: str) -> dict[tuple[Language, int], str]:
    """`en0` is the question in English, `kl2` the second answer in Latin letters."""
    languages: dict[str, Language] = {"km": "km", "kl": "km-Latn", "en": "en"}
    return {(languages[name[:2]], int(name[2:])): text for name, text in lines.items()}


def test_a_question_is_sent_with_a_line_an_answer_in_each_language() -> None:
    lines = form(en0=" Was it\tclear? ", en1="Yes", en2="No", km0="យល់ទេ?\n", km1="យល់", km2="មិន\u200bយល់", kl3="  ")
    asked, faults = poll_words.in_order(lines)
    assert not faults
    assert asked.texts == {"en": "Was it clear?\n1 Yes\n2 No", "km": "យល់ទេ?\n1 យល់\n2 មិនយល់"}


def test_answers_that_are_left_out_in_between_are_passed_over() -> None:
    asked, faults = poll_words.in_order(form(en0="?", en2="A", en5="B"))
    assert (asked.texts, faults) == ({"en": "?\n1 A\n2 B"}, {})


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        (form(), {("km", 0): Fault.NOTHING}),
        (form(en0=" ", en1="\u200b"), {("km", 0): Fault.NOTHING}),
        (form(en0="Clear?"), {("en", 1): Fault.FEW}),
        (form(en0="Clear?", en1="Yes"), {("en", 2): Fault.FEW}),
        (form(en1="Yes", en2="No"), {("en", 0): Fault.NO_QUESTION}),
        (form(en0="Clear?", en1="Yes", en2="yes."), {("en", 2): Fault.EQUAL}),
        (form(en0="Clear?", en1="?", en2="!"), {}),  # signs alone are told apart
        (form(en0="Clear?", en1="?", en2="?"), {("en", 2): Fault.EQUAL}),
        (form(km0="?", km1="ក្ដី", km2="ក្តី"), {("km", 2): Fault.EQUAL}),  # they look alike
        (form(en0="Clear?", en1="A", en2="B", km0="យល់ទេ?", km1="ក"), {("km", 2): Fault.NO_ANSWER}),
        (form(en0="Clear?", en1="A", en2="B", km1="ក", km2="ខ"), {("km", 0): Fault.NO_QUESTION}),
        (form(en0="Dear {name}?", en1="A", en2="{B"), {("en", 0): Fault.BRACE, ("en", 2): Fault.BRACE}),
        (form(en0="a" * 1515, en1="Yes", en2="No"), {}),  # ten parts
        (form(en0="a" * 1525, en1="Yes", en2="No"), {("en", 0): Fault.LONG}),
        (form(km0="ក" * 2000, km1="ក", km2="ខ"), {("km", 0): Fault.LONG}),
    ],
)
def test_what_is_wrong_with_a_question_is_told_where_it_stands(
    lines: dict[tuple[Language, int], str], faults: dict[tuple[Language, int], Fault]
) -> None:
    assert poll_words.in_order(lines)[1] == faults
