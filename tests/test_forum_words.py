"""What is said of a forum: worded and as long as DOMAIN.md has it, one part for ordinary names, never cut."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import LANGUAGES, Language
from gateway.forums import words as forum_words
from gateway.forums.facts import Forum
from gateway.menus.phrases import Name
from gateway.menus.wording import render
from gateway.text import is_gsm7, plain, segments

ZONE = ZoneInfo("Asia/Phnom_Penh")
FORUM = Forum(
    id=1,
    code="010806",
    commune=Name("តាផូ", "Ta Phou", "Ta Phou"),
    title={"km": "វេទិកា", "km-Latn": "vetika", "en": "forum on services"},
    inviter="RCEDO",
    starts=datetime(2025, 3, 12, 8, 30, tzinfo=ZONE),
    venue={"km": "សាលាឃុំ", "km-Latn": "sala khum", "en": "commune hall"},
    note={"km-Latn": "Mok oy ban, min chenh thlai dor te", "en": "Free to attend, travel not paid"},
    callback="",
    approved=True,
)
"""The example of DOMAIN.md: Wednesday 12 March, 8:30, in the commune hall of Ta Phou."""
MOVED = replace(FORUM, starts=datetime(2025, 3, 19, 8, 30, tzinfo=ZONE), moved_from=FORUM.starts, revision=2)
NUMBER = "012000001"
COMMUNES = [
    Name("ពន្លៃ", "Ponley", "Ponley"),
    Name("ទានកាំ", "Tean Kam", "Tean Kam"),
    FORUM.commune,
    Name("ទ្រាស", "Treas", "Treas"),
]
BULK = (forum_words.invitation, forum_words.reminder, forum_words.moved, forum_words.cancelled)


def answer(words: object, forum: Forum, language: Language) -> str:
    return plain(render(words(forum, ZONE, language), language))  # type: ignore[operator]


class TestDomainWording:
    @pytest.mark.parametrize(
        ("said", "km", "en", "lengths"),
        [
            (
                forum_words.invitation(FORUM, ZONE),
                "RCEDO៖ វេទិកាតាផូ ពុធ 12/03 8:30 សាលាឃុំ។ មកប៉ុន្មាននាក់? 0-8 OFF=ឈប់",
                "RCEDO: Ta Phou forum on services, Wed 12/03 8:30, commune hall. Free to attend, travel not paid."
                " How many will come? Reply 0-8. No more SMS=OFF",
                (69, 143),
            ),
            (
                forum_words.moved(MOVED, ZONE),
                "RCEDO៖ វេទិកា 12/03 លើកទៅ ពុធ 19/03 8:30 សាលាឃុំ។ មិនមក=0",
                "RCEDO: Ta Phou forum 12/03 moved to Wed 19/03 8:30, commune hall."
                " Your reply stands; send 0 if you cannot come.",
                (57, 111),
            ),
            (
                forum_words.cancelled(FORUM, ZONE),
                "RCEDO៖ វេទិកាតាផូ ពុធ 12/03 លុបចោល។ សូមកុំធ្វើដំណើរ។",
                "RCEDO: Ta Phou forum Wed 12/03 is CANCELLED. Please do not travel. We will tell you the new day.",
                (52, 96),
            ),
            (
                {one: answer(forum_words.thanks, FORUM, one) for one in LANGUAGES},
                "អរគុណ! ជួបគ្នា ថ្ងៃពុធ 12/03 ម៉ោង 8:30 ព្រឹក នៅសាលាឃុំ។",
                "Thank you! See you Wed 12/03, 8:30, at the commune hall.",
                (55, 56),
            ),
        ],
        ids=["invitation", "moved", "cancelled", "RSVP yes"],
    )
    def test_is_what_is_sent(self, said: dict[Language, str], km: str, en: str, lengths: tuple[int, int]) -> None:
        assert (said["km"], said["en"]) == (km, en)
        assert (segments(km).length, segments(en).length) == lengths
        assert {segments(text).parts for text in said.values()} == {1}

    def test_is_the_same_from_any_time_zone(self) -> None:
        elsewhere = replace(FORUM, starts=FORUM.starts.astimezone(ZoneInfo("UTC")))
        assert forum_words.invitation(elsewhere, ZONE) == forum_words.invitation(FORUM, ZONE)


class TestLength:
    @pytest.mark.parametrize("words", BULK)
    @pytest.mark.parametrize("day", range(10, 15))
    def test_on_a_working_day_in_the_four_communes_is_one_part(self, words: object, day: int) -> None:
        for commune in COMMUNES:
            forum = replace(MOVED, commune=commune, starts=FORUM.starts.replace(day=day))
            for language, text in words(forum, ZONE).items():  # type: ignore[operator]
                assert segments(text).parts == 1, (language, text)

    def test_that_needs_it_is_won_by_a_shorter_question_not_by_cutting(self) -> None:
        thursday = replace(FORUM, starts=FORUM.starts.replace(day=13))
        said = forum_words.invitation(thursday, ZONE)["km"]
        assert said == "RCEDO៖ វេទិកាតាផូ ព្រហ. 13/03 8:30 សាលាឃុំ។ មកប៉ុន្មាន? 0-8 OFF=ឈប់"
        assert segments(said).parts == 1

    def test_that_no_shorter_question_helps_takes_two_parts_and_says_all(self) -> None:
        long = replace(FORUM, venue={"km": "សាលារៀនបឋមសិក្សាពន្លៃថ្មី", "en": "primary school"})
        said = forum_words.invitation(long, ZONE)["km"]
        assert segments(said).parts == 2
        assert "សាលារៀនបឋមសិក្សាពន្លៃថ្មី" in said
        assert "មកប៉ុន្មាននាក់? 0-8 OFF=ឈប់" in said

    def test_lets_the_number_to_ask_in_where_it_takes_no_second_part(self) -> None:
        asked = replace(FORUM, callback=NUMBER)
        assert forum_words.cancelled(asked, ZONE)["km"].endswith(f"សូមកុំធ្វើដំណើរ។ សួរ៖ {NUMBER}")
        assert forum_words.cancelled(asked, ZONE)["en"].endswith(f"the new day. Questions: {NUMBER}")
        moved = forum_words.moved(replace(MOVED, callback=NUMBER), ZONE)
        assert NUMBER not in moved["km"]
        assert NUMBER in moved["en"]
        assert answer(forum_words.thanks, asked, "km").endswith(f"នៅសាលាឃុំ។ សួរ៖ {NUMBER}")
        thursday = replace(asked, starts=asked.starts.replace(day=13))
        assert NUMBER not in answer(forum_words.thanks, thursday, "km")

    @given(
        st.dictionaries(st.sampled_from(LANGUAGES), st.text("abcកខគ ", min_size=1, max_size=60), min_size=1),
        st.dictionaries(st.sampled_from(LANGUAGES), st.text("abcកខគ ", min_size=1, max_size=60), min_size=1),
    )
    def test_never_costs_a_word(self, title: dict[str, str], venue: dict[str, str]) -> None:
        forum = replace(FORUM, title=title, venue=venue)
        for said in (forum_words.invitation(forum, ZONE), forum_words.reminder(forum, ZONE)):
            for language, text in said.items():
                assert "12/03 8:30" in text
                if language in title:
                    assert title[language] in text
                if language in venue:
                    assert venue[language] in text


class TestLanguages:
    @pytest.mark.parametrize("words", BULK)
    def test_in_latin_letters_cost_no_unicode(self, words: object) -> None:
        said = words(replace(MOVED, callback=NUMBER), ZONE)  # type: ignore[operator]
        assert is_gsm7(said["km-Latn"])
        assert is_gsm7(said["en"])

    @pytest.mark.parametrize(
        ("given", "km", "latn", "en"),
        [
            ({"km": "វត្ត", "km-Latn": "vott", "en": "pagoda"}, "វត្ត", "vott", "pagoda"),
            ({"km": "វត្ត", "en": "pagoda"}, "វត្ត", "pagoda", "pagoda"),
            ({"km": "វត្ត", "km-Latn": "vott"}, "វត្ត", "vott", "vott"),
            ({"km": "វត្ត"}, "វត្ត", "វត្ត", "វត្ត"),
            ({"km-Latn": "vott", "en": "pagoda"}, "vott", "vott", "pagoda"),
            ({"en": "pagoda"}, "pagoda", "pagoda", "pagoda"),
        ],
    )
    def test_left_empty_have_another_stand_in(self, given: dict[str, str], km: str, latn: str, en: str) -> None:
        said = forum_words.invitation(replace(FORUM, venue=given), ZONE)
        assert f"8:30 {km}។" in said["km"]
        assert f"8:30, {latn}." in said["km-Latn"]
        assert f"8:30, {en}." in said["en"]

    def test_of_a_note_are_latin_or_khmer_but_not_one_for_the_other(self) -> None:
        only = replace(FORUM, note={"en": "Travel not paid"})
        assert [("Travel not paid" in text) for text in forum_words.invitation(only, ZONE).values()] == [
            False,
            True,
            True,
        ]
        khmer = replace(FORUM, note={"km": "មិនចេញថ្លៃធ្វើដំណើរ"})
        assert "សាលាឃុំ។ មិនចេញថ្លៃធ្វើដំណើរ។ មក" in forum_words.invitation(khmer, ZONE)["km"]
        assert is_gsm7(forum_words.invitation(khmer, ZONE)["en"])


class TestAnswers:
    @pytest.mark.parametrize(
        ("venue", "at"),
        [
            ("commune hall", "at the commune hall."),
            ("Wat Ponley", "at Wat Ponley."),
            ("8 km market", "at 8 km market."),
        ],
    )
    def test_name_the_place_as_one_says_it(self, venue: str, at: str) -> None:
        assert answer(forum_words.thanks, replace(FORUM, venue={"en": venue}), "en").endswith(at)

    @pytest.mark.parametrize(
        ("hour", "km", "en"), [(8, "ម៉ោង 8:30 ព្រឹក", "8:30,"), (14, "រសៀល", "14:30,"), (18, "ល្ងាច", "18:30,")]
    )
    def test_say_the_part_of_the_day_in_khmer(self, hour: int, km: str, en: str) -> None:
        forum = replace(FORUM, starts=FORUM.starts.replace(hour=hour))
        assert km in answer(forum_words.thanks, forum, "km")
        assert en in answer(forum_words.thanks, forum, "en")

    def test_to_who_does_not_come_name_the_forum_and_leave_the_door_open(self) -> None:
        said = {one: answer(forum_words.regrets, FORUM, one) for one in LANGUAGES}
        assert said["en"] == "Thank you. You do not come: Ta Phou forum Wed 12/03. If you can after all, send 1-8."
        assert all("12/03" in text and "1-8" in text and segments(text).parts == 1 for text in said.values())


def test_the_outcome_is_told_with_who_says_it_and_of_what() -> None:
    forum = replace(FORUM, outcome={"km": "មណ្ឌលសុខភាពបើកដល់ម៉ោង 5", "en": "health centre open until 5pm."})
    said = forum_words.outcome(forum, ZONE)
    assert said["km"] == "RCEDO៖ វេទិកាតាផូ 12/03៖ មណ្ឌលសុខភាពបើកដល់ម៉ោង 5"
    assert said["en"] == "RCEDO: Ta Phou forum 12/03: health centre open until 5pm."
    assert said["km-Latn"].endswith("health centre open until 5pm.")
