"""Comments: what people get back who send one, where its words are, what is found in them, what becomes of them."""

from __future__ import annotations

import functools
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import LargeBinary, Text, func, inspect, select, text, update

from gateway import keyring
from gateway.comments import comments as taking
from gateway.comments.comments import Comment, Flaw, Refused
from gateway.comments.redaction import Found, is_delicate, leads_to_somebody, pieces, proposed
from gateway.config import LANGUAGES, Language
from gateway.menus import flows
from gateway.menus.engine import Talk
from gateway.menus.keywords import Keyword, told, understand
from gateway.menus.visit import Facts, Programme, Visit
from gateway.models import metadata, staff
from gateway.models.callers import remember
from gateway.models.comments import Verdict, comments
from gateway.models.messages import inbound, messages
from gateway.models.services import services
from gateway.phones import PREFIXES
from gateway.privacy import Keys
from gateway.text import USSD, fits, segments
from gateway.workers import housekeeping
from tests.conftest import COMMUNES, Installation
from tests.test_sms import ME, OTHER, Phone, in_language
from tests.test_wording import PROGRAMME

TA_PHOU = COMMUNES[2]
HEALTH, SCHOOL, POLICE = "health", "school", "police"
THANKS = "Thank you. Staff read it without your number. Please name nobody."
CLOSED = "Comments are not taken now. To rate a service, send RATE."
NOT_ON_IT = "No comment is taken on this service. Nothing was kept."
ENOUGH = "Three comments a day are read. Please send the next one tomorrow."
HOW = "Send COMMENT, the number of the service and your words: COMMENT 2 and what you think."
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def take_on(at: Installation, *ids: str) -> None:
    """From now on comments on these services are taken."""
    with at.store.write() as db:
        for one in ids:
            taking.switch(db, one, at.clock.now, on=True)


def kept(at: Installation) -> list[Any]:
    with at.store.read() as db:
        return list(db.execute(select(comments).order_by(comments.c.month, comments.c.id)))


def waiting(at: Installation) -> list[Comment]:
    with at.store.read() as db:
        return taking.waiting(db, at.keys, 0, 100)


@pytest.fixture
def closed(installation: Installation) -> Installation:
    """In English; both numbers live in Ta Phou; nothing takes comments."""
    with installation.store.write() as db:
        for number in (ME, OTHER):
            remember(db, installation.keys.lookup(number), commune=TA_PHOU)
    return in_language(installation, "en")


@pytest.fixture
def house(closed: Installation) -> Installation:
    """Comments on health centre and school are taken."""
    take_on(closed, HEALTH, SCHOOL)
    return closed


@pytest.fixture
def member(house: Installation) -> int:
    with house.store.write() as db:
        staff.add_member(db, "sokha", "staff", "a password", one_time=False)
        made: int = db.scalars(select(staff.staff.c.id).where(staff.staff.c.name == "sokha")).one()
    return made


# the keyword --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "number", "words"),
    [
        ("COMMENT 2 the nurse was kind", "2", "the nurse was kind"),
        ("Comment: 2, (ok) it is good.", "2", "ok) it is good."),
        ("comments the queue is long", None, "the queue is long"),
        ("  \u201cCOMMENT\u201d 2\nTwo lines\nof it", "2", "Two lines\nof it"),
        ("COMMENT\u200b 2 x", "2", "x"),
        ("comment2 late", "2", "late"),
        ("COMMENT 12 late", "12", "late"),
        ("comment 012345678 call", None, "012345678 call"),
        ("មតិ ២ គិលានុបដ្ឋាយិកាល្អ", "2", "គិលានុបដ្ឋាយិកាល្អ"),
        ("មតិ២ល្អណាស់", "2", "ល្អណាស់"),
        ("មតិគិលានុបដ្ឋាយិកាល្អ", None, "គិលានុបដ្ឋាយិកាល្អ"),
        ("យោបល់៖ សាលាល្អ", None, "សាលាល្អ"),
        ("mati 3 sala la or", "3", "sala la or"),
        ("Yobol khum min la or", None, "khum min la or"),
        ("COMMENT", None, ""),
        ("COMMENT 2", "2", ""),
    ],
)
def test_a_comment_is_a_word_perhaps_a_services_number_and_what_was_written(
    said: str, number: str | None, words: str
) -> None:
    assert understand(said).keyword is Keyword.COMMENT
    assert told(said) == (number, words)


@pytest.mark.parametrize("said", ["commentary on it", "matick 2", "a comment", "2 5 1", "យោ"])
def test_other_words_are_no_comment(said: str) -> None:
    assert understand(said).keyword is not Keyword.COMMENT


# by SMS -------------------------------------------------------------------------------------------


def test_a_comment_is_thanked_and_waits_with_service_commune_and_month(house: Installation) -> None:
    assert Phone(house).send("COMMENT 2 the nurse was kind") == THANKS
    (one,) = waiting(house)
    assert replace(one, id="") == Comment("", "the nurse was kind", 1, date(2026, 11, 1), TA_PHOU, HEALTH)


def test_one_without_a_services_number_waits_without_a_service(house: Installation) -> None:
    me = Phone(house)
    assert me.send("mati khum bek yut") == THANKS
    assert me.send("COMMENT 44 people waited") == THANKS  # no service has this number: it belongs to the words
    assert {(one.service, one.words) for one in waiting(house)} == {(None, "khum bek yut"), (None, "44 people waited")}


def test_one_of_somebody_unknown_has_no_commune(house: Installation) -> None:
    assert Phone(house, "+85588000009").send("COMMENT 2 good") == THANKS
    assert waiting(house)[0].commune is None


def test_where_no_service_takes_comments_nothing_is_kept(closed: Installation) -> None:
    assert Phone(closed).send("COMMENT 2 the nurse was kind") == CLOSED
    assert kept(closed) == []
    assert not where(closed, "nurse was kind")


@pytest.mark.parametrize("number", ["1", "4", "5"])
def test_a_service_that_takes_none_says_so_and_nothing_is_kept(house: Installation, number: str) -> None:
    assert Phone(house).send(f"COMMENT {number} they took my money") == NOT_ON_IT
    assert kept(house) == []
    assert not where(house, "took my money")


def test_a_service_that_was_switched_off_takes_none(house: Installation) -> None:
    with house.store.write() as db:
        db.execute(update(services).where(services.c.id == HEALTH).values(active=False))
    assert Phone(house).send("COMMENT 2 good") == NOT_ON_IT


@pytest.mark.parametrize("said", ["COMMENT", "comment 2", "COMMENT 2 !!!", "មតិ"])
def test_without_words_one_is_told_how(house: Installation, said: str) -> None:
    assert Phone(house).send(said) == HOW
    assert kept(house) == []


def test_a_number_has_three_comments_a_day(house: Installation) -> None:
    me = Phone(house)
    me.send("COMMENT 1 refused", "COMMENT", "COMMENT 5 refused")  # these are none of the three
    assert [me.send(f"COMMENT 2 number {word}") for word in ("one", "two", "three", "four")] == [*[THANKS] * 3, ENOUGH]
    assert Phone(house, OTHER).send("COMMENT 2 mine") == THANKS
    assert len(kept(house)) == 4
    assert not where(house, "number four")
    house.clock.forward(days=1)
    assert me.send("COMMENT 2 number five") == THANKS


def test_the_same_sms_twice_is_one_comment(house: Installation) -> None:
    me = Phone(house)
    assert me.post("one", "COMMENT 2 good")
    assert me.post("one", "COMMENT 2 good") is None
    assert [row.times for row in kept(house)] == [1]


def test_the_same_comment_forty_times_is_one_row(house: Installation) -> None:
    said = ["COMMENT 2 The queue is long", "comment 2: the queue is  long!", "COMMENT 2 THE QUEUE IS LONG"]
    for i in range(40):
        number = f"+8551200{i:04}"
        with house.store.write() as db:
            remember(db, house.keys.lookup(number), commune=TA_PHOU)
        assert Phone(house, number).send(said[i % 3]) == THANKS
    (row,) = kept(house)
    assert row.times == 40
    assert waiting(house)[0].words == "The queue is long"
    assert Phone(house).send("COMMENT 3 The queue is long") == THANKS  # on another service it is another one
    assert len(kept(house)) == 2


def test_one_that_was_decided_is_counted_and_not_read_again(house: Installation, member: int) -> None:
    me = Phone(house)
    me.send("COMMENT 2 good")
    with house.store.write() as db:
        assert taking.turn_down(db, kept(house)[0].id, member, house.clock.now.date())
    assert me.send("COMMENT 2 good") == THANKS
    (row,) = kept(house)
    assert (row.verdict, row.times, row.words) == (Verdict.TURNED_DOWN, 2, None)


def test_a_long_one_in_khmer_is_kept_whole(house: Installation) -> None:
    words = ("គិលានុបដ្ឋាយិកាមិនមកធ្វើការទេ ហៅលេខ ០១២ ៣៤៥ ៦៧៨ ឬមើល t.me/abc " * 12)[:668].strip()
    assert segments(f"មតិ ២ {words}").parts >= 10
    assert Phone(house).send(f"មតិ ២ {words}") == THANKS
    assert waiting(house)[0].words == words
    assert {piece.found for piece in pieces(words)} >= {Found.NUMBER, Found.LINK}
    assert "៣៤៥" not in proposed(words)
    assert "t.me" not in proposed(words)


def test_it_opens_no_talk_and_ends_none(house: Installation) -> None:
    house.open_round()
    me = Phone(house)
    asked = me.send("RATE")
    assert asked is not None
    me.send("COMMENT 2 good")
    answer = me.send("2")
    assert answer is not None
    assert answer.startswith("Health centre")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_answer_is_one_part_and_none_repeats_the_words(installation: Installation, language: Language) -> None:
    at = in_language(installation, language)
    me = Phone(at)
    answers = [me.send("COMMENT 2 pagoda"), me.send("HELP")]
    take_on(at, HEALTH)
    answers += [me.send(f"COMMENT {said}") for said in ("", "1 pagoda", "2 pagoda", "pagoda", "2 pagoda!", "2 pagoda")]
    answers.append(me.send("HELP"))
    assert len(set(answers)) == 7
    for answer in answers:
        assert answer is not None
        assert segments(answer).parts == 1, answer
        assert "pagoda" not in answer


# where its words are ------------------------------------------------------------------------------


def where(at: Installation, words: str) -> set[str]:
    """The tables in which words are, open or sealed, whatever they were sealed as."""
    found = set()
    purposes = {purpose for _table, _value, _key, purpose in keyring.SEALED}
    with at.store.read() as db:
        for table in metadata.sorted_tables:
            for row in db.execute(select(table)).mappings():
                for column in table.columns:
                    value = row[column.name]
                    if isinstance(column.type, Text) and value is not None and words in str(value):
                        found.add(table.name)
                    if isinstance(value, bytes) and any(words in said for said in opened(at.keys, value, purposes)):
                        found.add(table.name)
    return found


def opened(keys: Keys, data: bytes, purposes: set[str]) -> list[str]:
    from gateway.privacy import KeyProblem, Sealed

    said = []
    for number in keys.sealing_numbers():
        for purpose in purposes:
            try:
                said.append(keys.open(Sealed(number, data), purpose))
            except KeyProblem:
                continue
    return said


def test_the_words_are_in_one_table_and_nothing_there_leads_to_the_number(house: Installation) -> None:
    words = "the midwife was very kind"
    Phone(house).send(f"COMMENT 2 {words}", f"COMMENT {words}")
    assert where(house, words) == {"comments"}
    assert {column.name for column in comments.columns} == {
        "id", "commune", "service_id", "month", "words", "words_key", "same", "times", "verdict", "text", "decided",
        "decided_by",
    }  # fmt: skip
    about_me: set[object] = {house.keys.lookup(ME)}
    with house.store.read() as db:
        rows = db.execute(select(comments)).all()
        for table in (inbound, messages):
            for row in db.execute(select(table)):
                about_me |= {value for value in row if isinstance(value, bytes | datetime)}
                about_me |= {value for value in row if isinstance(value, str) and len(value) > 8 and value != THANKS}
    assert not {value for row in rows for value in row} & about_me
    assert len({row.id for row in rows}) == 2
    assert all(row.month.day == 1 for row in rows)
    # its mark is under a key: who has the words and no master key cannot tell that it is theirs
    assert rows[0].same != rows[1].same


def test_rows_lie_in_no_order_of_their_coming(house: Installation) -> None:
    """On SQLite by their random ids; on PostgreSQL too, once the clock has been, and all under one transaction."""
    for i in range(12):
        Phone(house, f"+855120000{i:02}").send(f"COMMENT 2 word{chr(97 + i)}")
    housekeeping.mix_comments(house.store)
    with house.store.read() as db:
        lying = db.scalars(select(comments.c.id)).all()
        assert lying == sorted(lying)
        if not house.store.is_sqlite:
            assert len(set(db.scalars(text("SELECT xmin::text FROM comments")))) == 1
    assert [one.words for one in waiting(house)] != [f"word{chr(97 + i)}" for i in range(12)]
    assert inspect(house.store.engine).get_pk_constraint("comments")["constrained_columns"] == ["id"]


def test_keys_rotate_with_it(house: Installation) -> None:
    Phone(house).send("COMMENT 2 good")
    keyring.rotate(house.store, house.keys, wait=lambda _: None)
    assert waiting(house)[0].words == "good"
    assert kept(house)[0].words_key == 2


def test_it_is_gone_unread_after_sixty_days_and_then_may_come_again(house: Installation) -> None:
    me = Phone(house)
    me.send("COMMENT 2 good")
    house.clock.now = datetime(2027, 1, 29, 5, 0, tzinfo=house.clock.now.tzinfo)
    housekeeping.purge(house.store, house.settings, house.clock.now)
    assert len(waiting(house)) == 1
    house.clock.now += timedelta(days=2)  # 31 January: sixty days after the month ended
    done = housekeeping.purge(house.store, house.settings, house.clock.now)
    assert done["comments that nobody read, after 60 days"] == 1
    (row,) = kept(house)
    assert (row.verdict, row.words, row.words_key, row.decided_by) == (Verdict.TURNED_DOWN, None, None, None)
    assert me.send("COMMENT 2 good") == THANKS
    (one,) = waiting(house)
    assert (one.words, one.month, one.times) == ("good", date(2027, 1, 1), 2)


# staff decide -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "service", "flaw"),
    [
        ("  ", HEALTH, Flaw.MISSING),
        ("x" * 1001, HEALTH, Flaw.TOO_LONG),
        ("call ០១២ ៣៤៥ ៦៧៨", HEALTH, Flaw.LEADS),
        ("see www.example.org", HEALTH, Flaw.LEADS),
        ("fine", POLICE, Flaw.NOT_TAKEN),
        ("fine", "window", Flaw.NOT_TAKEN),
    ],
)
def test_what_may_not_stand_is_not_approved(
    house: Installation, member: int, given: str, service: str, flaw: Flaw
) -> None:
    Phone(house).send("COMMENT 2 good")
    today = house.clock.now.date()
    with house.store.write() as db, pytest.raises(Refused) as refused:
        taking.approve(db, kept(house)[0].id, given, TA_PHOU, service, member, today)
    assert refused.value.flaw is flaw
    assert waiting(house)[0].words == "good"


def test_approved_only_the_cleaned_text_stays(house: Installation, member: int) -> None:
    Phone(house).send("COMMENT 2 Mrs Sokha was kind, call 012 345 678")
    today = house.clock.now.date()
    comment = kept(house)[0].id
    with house.store.write() as db:
        assert taking.approve(db, comment, " A nurse was kind ", TA_PHOU, HEALTH, member, today)
        assert not taking.approve(db, comment, "Another text", TA_PHOU, HEALTH, member, today)
        assert not taking.turn_down(db, comment, member, today)
        (one,) = taking.approved(db)
        assert (one.commune, one.service, one.month, one.text) == (
            TA_PHOU,
            HEALTH,
            date(2026, 11, 1),
            "A nurse was kind",
        )
        assert taking.count(db) == {Verdict.APPROVED: 1}
        assert taking.approved(db, communes=["010807"]) == []
        assert taking.approved(db, first=date(2026, 12, 1)) == []
        assert len(taking.approved(db, date(2026, 11, 20), date(2026, 11, 30), [TA_PHOU])) == 1
        assert taking.find(db, house.keys, comment) is Verdict.APPROVED
        assert taking.find(db, house.keys, "nothing") is None
    assert not where(house, "Mrs Sokha")
    with house.store.write() as db:
        assert taking.take_back(db, comment, member, today)
        assert not taking.take_back(db, comment, member, today)
        assert taking.approved(db) == []
    assert not where(house, "nurse was kind")


# what leads to a person ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("call 012 345 678 now", {("012 345 678", Found.NUMBER)}),
        ("ហៅ ០១២-៣៤៥-៦៧៨", {("០១២-៣៤៥-៦៧៨", Found.NUMBER)}),
        ("+855 (0)12.345.678", {("+855 (0)12.345.678", Found.NUMBER)}),
        ("①②③④⑤⑥⑦⑧", {("①②③④⑤⑥⑦⑧", Found.NUMBER)}),
        ("see https://a.example/x?y=1 ok", {("https://a.example/x?y=1", Found.LINK)}),
        ("see facebook.com/me", {("facebook.com/me", Found.LINK)}),
        ("write a.b@example.org", {("a.b@example.org", Found.LINK)}),
        ("it cost 4000000 riel at 8:30 on 12/03", set()),
        ("the nurse Mrs Sokha Chan was kind", {("nurse Mrs Sokha Chan", Found.NAME)}),
        ("mr sok took it", {("mr sok", Found.NAME)}),
        ("The school is good. Dara too. I like Monday", {("Dara", Found.NAME)}),
        ("THE NURSE WAS KIND", set()),
        ("លោកសុខា មិនមក", {("លោកសុខា", Found.NAME)}),
        ("បងស្រី ចាន់ ល្អ", {("បងស្រី ចាន់", Found.NAME)}),
        ("ពូកែណាស់ ពូជស្រូវ", set()),
    ],
)
def test_numbers_links_and_likely_names_are_found(words: str, found: set[tuple[str, Found]]) -> None:
    made = pieces(words)
    assert "".join(piece.text for piece in made) == words
    assert {(piece.text, piece.found) for piece in made if piece.found} == found


@pytest.mark.parametrize(
    ("words", "cleaned"),
    [
        (" call 012 345 678 or www.a.example/b ", "call [number] or [link]"),
        ("ហៅ ០១២៣៤៥៦៧៨", "ហៅ [លេខ]"),
        ("Mrs Sokha was kind", "Mrs Sokha was kind"),
        ("fine", "fine"),
    ],
)
def test_the_proposed_text_is_without_numbers_and_links(words: str, cleaned: str) -> None:
    assert proposed(words) == cleaned


@pytest.mark.parametrize(
    ("words", "delicate"),
    [("the police took money", True), ("ប៉ូលិសសុំលុយ", True), ("they want samnok", True), ("ទំនាស់ដីធ្លី", True),
     ("the island is nice", False), ("the nurse was kind", False)],
)  # fmt: skip
def test_police_bribery_and_land_are_told(words: str, delicate: bool) -> None:
    assert is_delicate(words) is delicate


_SCRIPTS = ("0123456789", "០១២៣៤៥៦៧៨៩", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩")
_gaps = st.text(" .-–()/\u200b\u00a0\n,:*", max_size=3)


@st.composite
def _written(draw: st.DrawFn) -> tuple[str, str]:
    """A Cambodian number as somebody may write it, and its digits."""
    national = draw(st.sampled_from(sorted(PREFIXES))) + draw(st.text("0123456789", min_size=6, max_size=7))
    before = draw(st.sampled_from(["0", "", "+855", "855", "00855", "+8550"]))
    shown = ""
    for char in before + national:
        shown += draw(st.sampled_from(_SCRIPTS))[int(char)] if char.isdigit() else char
        shown += draw(_gaps) if char.isdigit() else ""
    return shown, national


_around = st.text(st.characters(exclude_categories=["Cs", "Nd", "No", "Nl"]), max_size=20)


@settings(max_examples=600, deadline=None)
@given(_around, _written(), _around, _written())
@example("see ", ("www 012 345 678", "12345678"), ".com ", ("012345678", "12345678"))
@example("", ("010000000", "10000000"), "@AA", ("011373966", "11373966"))
def test_no_number_is_left_however_it_is_written(
    before: str, first: tuple[str, str], between: str, second: tuple[str, str]
) -> None:
    said = f"{before}{first[0]}{between}{second[0]}"
    cleaned = proposed(said)
    digits = "".join(str(int(char)) if char.isdecimal() else " " for char in cleaned)
    assert not leads_to_somebody(cleaned)
    for number in (first[1], second[1]):
        assert number not in "".join(digits.split())
    assert "".join(piece.text for piece in pieces(said)) == said


# after a low score --------------------------------------------------------------------------------


def call(language: Language, inputs: str, *, taken: tuple[str, ...] = (HEALTH,), **facts: Any) -> str:
    """The last screen of a call."""
    body = {
        "communes": [[one.code, one.number, one.name.km, one.name.en, 1] for one in PROGRAMME.communes.values()],
        "above": {},
        "services": [["health", 2, "មណ្ឌលសុខភាព", "Mondol", "Health centre"], ["school", 3, "សាលា", "Sala", "School"]],
        "rounds": {"1": ["health", "school"]},
        "comments": list(taken),
    }
    known: dict[str, Any] = {"edition": 1, "language": language, "commune": TA_PHOU, "cost": "", "sms": "8550"}
    visit = Visit(Facts(**known | {"menus": flows.VERSION} | facts), Programme(1, body))
    talk = Talk(functools.partial(flows.dial, visit), language, USSD)
    for digit in inputs:
        talk.feed(digit)
    assert talk.ended
    return talk.screen.text


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", "Thank you! Received. Want to say why? SMS to 8550: COMMENT 2 and your words"),
        ("km", "អរគុណ! បានទទួលហើយ។ ចង់ប្រាប់មូលហេតុ? ផ្ញើ SMS ទៅ 8550៖ មតិ 2 ហើយសរសេរ"),
        ("km-Latn", "Orkun! Ban totuol haoy. Chong prap mul het? Phnhae SMS tov 8550: YOBOL 2 haoy sarser"),
    ],
)
def test_after_a_low_score_the_last_screen_tells_how_to_say_why(language: Language, says: str) -> None:
    assert call(language, "211") == call(language, "221") == says
    assert fits(says, USSD)


@pytest.mark.parametrize(
    ("inputs", "what"),
    [
        ("231", {}), ("251", {}),  # content enough
        ("311", {}),  # the school takes none
        ("211", {"taken": ()}),
        ("211", {"sms": ""}),
        ("215", {}),  # under 15: nothing is kept of it
        ("211", {"channel": "sms"}),  # it would stay on the phone and tell the score
        ("211", {"sms": "8550 " * 40}),  # no room for it
    ],
)  # fmt: skip
def test_otherwise_there_is_only_the_thanks(inputs: str, what: dict[str, Any]) -> None:
    assert "COMMENT" not in call("en", inputs, **what)
    assert call("en", inputs, **what).startswith("Thank you!")


def test_the_edition_tells_which_services_take_comments(house: Installation) -> None:
    take_on(house, POLICE)  # on, but the service itself is off
    programme = newest(house)
    assert programme.comments == {HEALTH, SCHOOL}
    with house.store.write() as db:
        taking.switch(db, SCHOOL, house.clock.now, on=False)
    assert newest(house).comments == {HEALTH}


def newest(at: Installation) -> Programme:
    from gateway.models import editions

    with at.store.read() as db:
        edition = editions.newest(db)
        return Programme(edition, editions.read_edition(db, edition))


def test_a_call_on_a_low_score_tells_the_programmes_number(house: Installation) -> None:
    from gateway.providers.base import UssdStep

    house.open_round()
    talks = house.conversations()
    for path in ((), ("2",), ("2", "1"), ("2", "1", "2")):
        screen = talks.ussd(UssdStep("simulator", "s1", ME, path=path))
    assert screen.text.endswith("SMS to 8550: COMMENT 2 and your words")
    with house.store.read() as db:
        assert db.scalar(select(func.count()).select_from(comments)) == 0


def test_columns_of_comments_are_text_or_sealed() -> None:
    sealed = {column.name for column in comments.columns if isinstance(column.type, LargeBinary)}
    assert sealed == {"words", "same"}
