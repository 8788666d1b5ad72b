"""Forums in the menu: what is shown, what is answered, what is kept. The flow alone, then by USSD on both databases."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, select, text, update

from gateway.config import LANGUAGES, Language
from gateway.contacts import contacts as people
from gateway.menus import days, flows
from gateway.menus.effects import Attend, Effect, Subscribe, Unsubscribe
from gateway.menus.engine import Screen, Talk
from gateway.menus.phrases import Words
from gateway.menus.visit import Facts, Programme, Visit
from gateway.menus.wording import render
from gateway.models import editions
from gateway.models import messages as outbox
from gateway.models.callers import remember
from gateway.models.contacts import Role, contacts
from gateway.models.conversations import conversations
from gateway.models.forums import forum_replies
from gateway.models.services import STANDARD
from gateway.text import SMS, USSD, Limit
from tests.conftest import COMMUNES, Installation
from tests.test_conversation import ME, OTHER, Call, both_ways
from tests.test_sms import in_language
from tests.village import Village

TA_PHOU = COMMUNES[2]
PHNOM_PENH = ZoneInfo("Asia/Phnom_Penh")
BEGAN = "2026-11-23T12:00:00+07:00"


# days ---------------------------------------------------------------------------------------------


WEEK = [
    # by language: km, km-Latn, en
    ("2026-12-07 08:30", "ចន្ទ 07/12 8:30", "Chan 07/12 8:30", "Mon 07/12 8:30"),
    ("2026-12-08 13:00", "អង្គារ 08/12 13:00", "Angkea 08/12 13:00", "Tue 08/12 13:00"),
    ("2025-03-12 08:30", "ពុធ 12/03 8:30", "Put 12/03 8:30", "Wed 12/03 8:30"),
    ("2026-12-10 00:05", "ព្រហ. 10/12 0:05", "Prohoas 10/12 0:05", "Thu 10/12 0:05"),
    ("2026-12-11 08:30", "សុក្រ 11/12 8:30", "Sok 11/12 8:30", "Fri 11/12 8:30"),
    ("2026-12-12 08:30", "សៅរ៍ 12/12 8:30", "Sao 12/12 8:30", "Sat 12/12 8:30"),
    ("2026-12-13 17:00", "អាទិត្យ 13/12 17:00", "Atit 13/12 17:00", "Sun 13/12 17:00"),
]


@pytest.mark.parametrize(("moment", "km", "latn", "en"), WEEK)
def test_a_moment_is_said_in_each_language(moment: str, km: str, latn: str, en: str) -> None:
    said = days.moment(datetime.fromisoformat(moment))
    assert [render(said, language) for language in LANGUAGES] == [km, latn, en]
    assert render(days.day(datetime.fromisoformat(moment)), "en") == en.rpartition(" ")[0]


@pytest.mark.parametrize(
    ("hour", "km"),
    [("0:00", "ព្រឹក"), ("8:30", "ព្រឹក"), ("11:59", "ព្រឹក"), ("12:00", "រសៀល"), ("16:59", "រសៀល"), ("17:00", "ល្ងាច")],
)
def test_an_hour_is_said_with_its_part_of_the_day_in_khmer(hour: str, km: str) -> None:
    said = days.hour(datetime.fromisoformat(f"2026-12-02T{hour:0>5}"))
    assert (render(said, "km"), render(said, "en")) == (f"{hour} {km}", hour)


# the flow -----------------------------------------------------------------------------------------


def forum(number: int, starts: str, commune: str = TA_PHOU, **what: Any) -> dict[str, Any]:
    """A forum as an edition has it; `starts` is Phnom Penh's time."""
    texts = {"title": ["វេទិកា", "vetika", "forum"], "venue": ["សាលាឃុំ", "sala khum", "commune hall"],
             "note": ["", "", ""], "callback": ""}  # fmt: skip
    moment = datetime.fromisoformat(starts).replace(tzinfo=PHNOM_PENH).astimezone(UTC).isoformat()
    return {"id": number, "revision": 1, "commune": commune, "starts": moment, **texts, **what}


WEDNESDAY = forum(7, "2026-12-02 08:30")
THURSDAY = forum(8, "2026-12-10 15:00", title=["វេទិកាថវិកា", "vetika thavika", "budget forum"],
                 venue=["វត្តតាផូ", "voat Ta Phou", "Wat Ta Phou"])  # fmt: skip
FULL = WEDNESDAY | {
    "note": ["ចូលរួមឥតគិតថ្លៃ", "Choul ruom ot ket thlai", "Free to attend, travel not paid"],
    "callback": "012 345 678",
}


def body(*forums: dict[str, Any]) -> dict[str, Any]:
    names = (("ពន្លៃ", "Ponley"), ("ទានកាំ", "Tean Kam"), ("តាផូ", "Ta Phou"), ("ទ្រាស", "Treas"))
    return {
        "communes": [
            [code, number, *name, None] for number, (code, name) in enumerate(zip(COMMUNES, names, strict=True), 1)
        ],
        "above": {},
        "services": [row[:5] for row in STANDARD],
        "rounds": {},
        "forums": list(forums),
    }


def play(
    forums: Sequence[dict[str, Any]], *inputs: str, language: Language = "en", limit: Limit = USSD, **facts: Any
) -> Talk:
    """What somebody of Ta Phou sees after these inputs; no round is open, so that the menu comes first."""
    usual: dict[str, Any] = {"commune": TA_PHOU, "began": BEGAN, "channel": "sms" if limit is SMS else "ussd"}
    known = Facts(edition=1, language=language, cost="", menus=flows.VERSION, **usual | facts)
    visit = Visit(known, Programme(1, body(*forums), PHNOM_PENH))
    talk = Talk(functools.partial(flows.dial, visit), language, limit)
    for typed in inputs:
        talk.feed(typed)
    return talk


MENU = "Ta Phou: no rating is open now.\n"
REST = "Forum news by SMS\n{} Other commune\n{} Language\n{} Who sees what\n0 Leave"
ABOUT = "Ta Phou forum, Wed 02/12 8:30, commune hall.\n1 We come\n2 We do not come\n0 Back"
HEADS = "How many will come? 1-8\n0 Back"


class TestMenu:
    def test_offers_forums_only_where_there_are_any(self) -> None:
        without, with_ = MENU + "1 " + REST.format(2, 3, 4), MENU + "1 Forums\n2 " + REST.format(3, 4, 5)
        assert play([]).screen.text == without
        assert play([WEDNESDAY]).screen.text == with_
        assert play([WEDNESDAY | {"commune": COMMUNES[0]}]).screen.text == without

    @pytest.mark.parametrize(("began", "there"), [("08:29:59", True), ("08:30:00", False), ("09:00:00", False)])
    def test_leaves_out_what_had_begun_when_the_talk_began(self, began: str, there: bool) -> None:
        assert ("Forums" in play([WEDNESDAY], began=f"2026-12-02T{began}+07:00").screen.text) is there

    def test_of_a_talk_from_before_there_were_forums_has_none(self) -> None:
        assert "Forums" not in play([WEDNESDAY], began="").screen.text
        old = Facts.from_json(json.dumps({
            "edition": 1, "language": "en", "commune": TA_PHOU, "cost": "", "menus": "1", "channel": "ussd",
            "place": "", "entry": "", "dialled": ["2"], "earlier": [], "taken_up": "",
        }))  # fmt: skip
        before = {key: value for key, value in body().items() if key != "forums"}
        assert Visit(old, Programme(1, before)).forums(Programme(1, before).communes[TA_PHOU]) == []

    def test_of_another_commune_shows_its_forums(self) -> None:
        at = play([WEDNESDAY | {"commune": COMMUNES[0]}], "2", "1")
        assert at.screen.text.startswith("Ponley: no rating is open now.\n1 Forums\n")


class TestForum:
    def test_is_shown_with_all_that_one_must_know_to_come(self) -> None:
        assert play([FULL], "1").screen.text == ABOUT.replace(
            "hall.", "hall. Free to attend, travel not paid. Questions: 012 345 678"
        )
        assert play([WEDNESDAY], "1").screen.text == ABOUT

    def test_is_chosen_from_a_list_where_there_are_several(self) -> None:
        both = [WEDNESDAY, THURSDAY]
        listed = "Forums:\n1 Wed 02/12 8:30: forum\n2 Thu 10/12 15:00: budget forum\n0 Back"
        assert play(both, "1").screen.text == listed
        assert play(both, "1", "2").screen.text.startswith("Ta Phou budget forum, Thu 10/12 15:00, Wat Ta Phou.\n1 We")
        assert play(both, "1", "2", "1", "3").screen.text == "Thank you! See you Thu 10/12, 15:00, at Wat Ta Phou."

    @pytest.mark.parametrize(
        ("language", "limit", "pages"),
        [
            ("km", USSD, ["វេទិកាតាផូ ពុធ 02/12 8:30 សាលាឃុំ។", "ចូលរួមឥតគិតថ្លៃ។ សួរ៖ 012 345 678"]),
            ("km", SMS, ["វេទិកាតាផូ ពុធ 02/12 8:30 សាលាឃុំ។", "ចូលរួមឥតគិតថ្លៃ។ សួរ៖ 012 345 678"]),
            ("km-Latn", SMS, ["vetika Ta Phou, Put 02/12 8:30, sala khum. Choul ruom ot ket thlai. Suor: 012 345 678"]),
        ],
    )
    def test_of_several_screens_has_the_answers_on_each_of_them(
        self, language: Language, limit: Limit, pages: list[str]
    ) -> None:
        """Who answers by SMS pays for each `9`."""
        at = play([FULL], entry="forums", language=language, limit=limit)
        yes, no = (render(Words(words), language) for words in ("We come", "We do not come"))
        for page in pages:
            assert at.screen.text.startswith(f"{page}\n1 {yes}\n2 {no}")
            at.feed("9")
        at.feed("1")
        assert at.screen.text.startswith(render(Words("How many will come? 1-8"), language))


EFFECTS: list[tuple[list[str], list[Effect], str]] = [
    (["1", "1"], [], HEADS),
    (["1", "1", "1"], [Attend(7, 1, 1)], "Thank you! See you Wed 02/12, 8:30, at the commune hall."),
    (["1", "1", "8"], [Attend(7, 1, 8)], "Thank you! See you Wed 02/12, 8:30, at the commune hall."),
    (["1", "1", "៣"], [Attend(7, 1, 3)], "Thank you! See you Wed 02/12, 8:30, at the commune hall."),
    (["1", "2"], [Attend(7, 1, 0)], "Thank you. You do not come: Ta Phou forum Wed 02/12."),
    (["1", "1", "0"], [], ABOUT),
    (["1", "1", "9"], [], f"Reply with one number, 1 to 8.\n{HEADS}"),
    (["1", "1", "12"], [], f"Reply with one number, 1 to 8.\n{HEADS}"),
    (["1", "3"], [], f"Reply with one number, 1 to 2.\n{ABOUT}"),
    (["2"], [], "SMS about forums to this phone? We keep its number for that, apart from ratings.\n"
     "1 Yes\n2 No\n0 Back"),
    (["2", "1"], [Subscribe(TA_PHOU)], "You will get SMS about forums in Ta Phou. No more: send OFF."),
    (["2", "2"], [Unsubscribe()], "This phone gets no SMS about forums."),
]  # fmt: skip


class TestAnswer:
    @pytest.mark.parametrize(("inputs", "effects", "screen"), EFFECTS)
    def test_does_this_and_shows_that(self, inputs: list[str], effects: list[Effect], screen: str) -> None:
        at = play([WEDNESDAY], *inputs)
        assert (at.effects, at.screen.text) == (effects, screen)

    def test_names_a_place_as_it_is_named(self) -> None:
        """A common noun takes its article in English, a name does not."""
        for venue, said in (("commune hall", "at the commune hall."), ("Wat Ponley", "at Wat Ponley.")):
            at = play([WEDNESDAY | {"venue": ["វត្ត", "voat", venue]}], "1", "1", "2")
            assert at.screen.text.endswith(said)

    def test_leaves_out_a_place_too_long_for_the_thanks(self) -> None:
        venue = ["សាលាប្រជុំនៃវត្តព្រះនេត្រព្រះ ជិតផ្សារទឹកថ្លា ភូមិតាអ៊ុន", "sala", "hall"]
        at = play([WEDNESDAY | {"venue": venue}], entry="forums", language="km")
        at.feed("1")
        at.feed("2")
        assert at.screen.text == "អរគុណ! ជួបគ្នា ថ្ងៃពុធ 02/12 ម៉ោង 8:30 ព្រឹក។"


# by USSD ------------------------------------------------------------------------------------------


@pytest.fixture
def house(installation: Installation) -> Installation:
    """In English, without a round; a number of Ta Phou is known."""
    english = in_language(installation, "en")
    with english.store.write() as db:
        remember(db, english.keys.lookup(ME), commune=TA_PHOU)
    return english


@pytest.fixture
def village(house: Installation) -> Village:
    """With one forum, on Wednesday 9 December at 8:30 in Ta Phou; one other phone was invited."""
    village = Village(house)
    village.joins(OTHER)
    village.approved()
    return village


def heads(house: Installation) -> list[tuple[int, str]]:
    with house.store.read() as db:
        mine = forum_replies.c.phone == house.keys.lookup(ME)
        return [(row.heads, row.channel) for row in db.execute(select(forum_replies).where(mine))]


def is_subscribed(house: Installation) -> bool:
    with house.store.read() as db:
        return db.execute(select(contacts).where(contacts.c.phone == house.keys.lookup(ME))).first() is not None


SEE_YOU = Screen("Thank you! See you Wed 09/12, 8:30, at the commune hall.", True)
CHANGED = Screen("This forum was moved or cancelled just now. Your answer was not kept. Please ask again.", True)


@both_ways
def test_a_reply_from_the_menu_is_kept(village: Village, provider: str) -> None:
    call = Call(village.at, provider)
    assert call.dial().text.startswith("Ta Phou: no rating is open now.\n1 Forums\n2 Forum news by SMS")
    assert call.type("1", "1", "3") == SEE_YOU
    assert heads(village.at) == [(3, "ussd")]
    assert not is_subscribed(village.at)


@both_ways
def test_a_later_reply_takes_the_place_of_an_earlier_one(village: Village, provider: str) -> None:
    for inputs in (["1", "1", "3"], ["1", "1", "8"], ["1", "2"]):
        call = Call(village.at, provider)
        call.dial()
        call.type(*inputs)
    assert heads(village.at) == [(0, "ussd")]


@both_ways
def test_a_repeat_of_the_last_request_changes_nothing(village: Village, provider: str) -> None:
    first = Call(village.at, provider)
    first.dial()
    assert first.type("1", "1", "3") == SEE_YOU
    later = Call(village.at, provider)
    later.dial()
    later.type("1", "1", "5")
    assert first.request(3) == SEE_YOU
    assert heads(village.at) == [(5, "ussd")]


@both_ways
def test_a_forum_moved_while_it_is_shown_keeps_no_answer_to_what_was_shown(village: Village, provider: str) -> None:
    call = Call(village.at, provider)
    call.dial()
    call.type("1", "1")
    with village.at.store.read() as db:
        (forum_id,) = db.scalars(text("SELECT id FROM forums"))
    village.post()
    village.move(forum_id, village.forum(forum_id).starts + timedelta(days=7))
    assert call.type("3") == CHANGED
    assert heads(village.at) == []
    again = Call(village.at, provider)
    again.dial()
    assert "Wed 16/12 8:30" in again.type("1").text
    assert again.type("1", "3").text == SEE_YOU.text.replace("09/12", "16/12")


@both_ways
@pytest.mark.parametrize("what", ["cancelled", "over"])
def test_a_forum_that_is_no_more_keeps_no_answer(village: Village, provider: str, what: str) -> None:
    with village.at.store.read() as db:
        (forum_id,) = db.scalars(text("SELECT id FROM forums"))
    village.at.clock.now = village.forum(forum_id).starts - timedelta(seconds=30)
    call = Call(village.at, provider)
    call.dial()
    call.type("1", "1")
    if what == "cancelled":
        village.cancel(forum_id)
    else:
        village.at.clock.forward(minutes=1)
    assert call.type("3") == CHANGED
    assert heads(village.at) == []
    assert "Forums" not in Call(village.at, provider).dial().text


@both_ways
def test_news_begins_and_ends_from_the_menu(house: Installation, provider: str) -> None:
    screens = []
    for answer in ("1", "1", "2", "2", "1"):
        call = Call(house, provider)
        call.dial()
        screens.append((call.type("1"), call.type(answer)))
        assert is_subscribed(house) is (answer == "1")
    # the same screens whether or not the phone was subscribed: phones are shared
    assert screens[0] == screens[1] == screens[4]
    assert screens[2] == screens[3]


@both_ways
def test_news_brings_back_a_number_that_had_stopped(house: Installation, provider: str) -> None:
    with house.store.write() as db:
        outbox.opt_out(db, house.keys.lookup(ME), house.clock.now.date(), "SMS")
    call = Call(house, provider)
    call.dial()
    call.type("1", "1")
    with house.store.read() as db:
        assert not outbox.has_opted_out(db, house.keys.lookup(ME))


@both_ways
def test_news_comes_in_the_language_of_the_caller_by_then(house: Installation, provider: str) -> None:
    call = Call(house, provider)
    call.dial()
    call.type("3", "2", "1", "1")  # language, Khmer in Latin letters; news, yes
    with house.store.read() as db:
        row = db.execute(select(contacts)).one()
    assert (row.language, row.commune, row.source) == ("km-Latn", TA_PHOU, "USSD")


@both_ways
def test_news_follow_a_language_chosen_later_and_a_councillor_s_letter_does_not(
    house: Installation, provider: str
) -> None:
    for role, language in ((Role.PERSON, "km-Latn"), (Role.COUNCILLOR, "en")):
        with house.store.write() as db:
            db.execute(delete(contacts))
            as_written = people.Details(language="en", commune=TA_PHOU, role=role)
            people.add(db, house.keys, ME, as_written, house.clock.now.date())
            remember(db, house.keys.lookup(ME), language="en")
        call = Call(house, provider)
        call.dial()
        call.type("3", "2")
        with house.store.read() as db:
            assert db.scalar(select(contacts.c.language)) == language


@both_ways
def test_joining_a_commune_subscribes_nobody(installation: Installation, provider: str) -> None:
    call = Call(in_language(installation, "en"), provider)
    call.dial()
    call.type("1", "3")
    assert not is_subscribed(installation)


@both_ways
def test_a_talk_keeps_no_number_and_a_closed_round_no_answer_from_the_same_talk(
    village: Village, provider: str
) -> None:
    call = Call(village.at, provider)
    call.dial()
    call.type("1", "1", "3")
    with village.at.store.read() as db:
        kept = str(db.execute(select(conversations)).all())
    assert ME[4:] not in kept
    village.at.clock.forward(hours=1)
    round_id = village.at.open_round()
    village.at.close_round(round_id)
    with village.at.store.read() as db:
        assert db.execute(select(conversations)).all() == []
    assert heads(village.at) == [(3, "ussd")]  # of the forum, apart from ratings


@both_ways
def test_a_talk_over_a_deploy_goes_on(village: Village, provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its edition and its facts were written by a version that knew no forums."""
    with village.at.store.write() as db:
        (number,) = db.scalars(select(editions.editions.c.id).order_by(editions.editions.c.id.desc()).limit(1))
        said = editions.read_edition(db, number)
        del said["forums"]
        db.execute(update(editions.editions).where(editions.editions.c.id == number).values(body=json.dumps(said)))
    monkeypatch.setattr(flows, "VERSION", "before")
    call = Call(village.at, provider)
    call.dial()
    with village.at.store.write() as db:
        facts = json.loads(str(db.scalar(select(conversations.c.facts))))
        del facts["began"]
        db.execute(update(conversations).values(facts=json.dumps(facts)))
    monkeypatch.setattr(flows, "VERSION", "after")
    assert call.type("9").text.startswith("Ta Phou: no rating is open now.\n1 Forum news by SMS")
    assert call.type("1", "1").text.startswith("You will get SMS about forums in Ta Phou.")


# editions -----------------------------------------------------------------------------------------


def published(house: Installation) -> list[dict[str, Any]]:
    with house.store.write() as db:
        found: list[dict[str, Any]] = editions.read_edition(db, editions.publish(db, house.clock.now))["forums"]
    return found


def test_an_edition_has_what_people_may_come_to(village: Village) -> None:
    (first,) = published(village.at)
    assert first == {
        "id": first["id"], "revision": 1, "commune": TA_PHOU, "callback": "", "starts": "2026-12-09T01:30:00+00:00",
        "title": ["វេទិកា", "vetika", "forum on services"], "venue": ["សាលាឃុំ", "sala khum", "commune hall"],
        "note": ["Free to attend, travel not paid"] * 3,
    }  # fmt: skip
    village.plan(title={"en": "not approved"})
    cancelled = village.approved(title={"en": "cancelled"})
    village.cancel(cancelled)
    sooner = village.approved(starts=village.now + timedelta(days=2))
    assert [one["id"] for one in published(village.at)] == [sooner, first["id"]]
    village.at.clock.forward(days=3)
    assert [one["id"] for one in published(village.at)] == [first["id"]]


def test_a_change_of_nothing_makes_no_new_edition(village: Village) -> None:
    with village.at.store.write() as db:
        assert editions.publish(db, village.at.clock.now) == editions.publish(db, village.at.clock.now)


def test_a_menu_shows_a_forum_from_its_approval_on(house: Installation) -> None:
    village = Village(house)
    village.joins(OTHER)
    forum_id = village.plan()
    assert "Forums" not in Call(house).dial().text
    village.approve(forum_id)
    assert "Forums" in Call(house, number=ME).dial().text


def test_facts_come_back_as_they_were() -> None:
    facts = Facts(1, "km", None, "", "1", entry="news", began=BEGAN)
    assert Facts.from_json(facts.to_json()) == facts
    assert replace(facts, began="") != facts
