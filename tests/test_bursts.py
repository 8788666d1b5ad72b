"""Answers that come in an improbable way are flagged for staff, who are told counts and days, and never deleted."""

# ruff: noqa: F811 -- fixtures are asked for by their names

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from gateway.models.answers import _MOST_GIVEN, OFTEN, answers
from gateway.models.rounds import NEIGHBOURS, near_numbers
from gateway.models.volunteers import note_recorded
from gateway.scorecard.bursts import RECORDED, Kind, bursts
from tests.conftest import COMMUNES, Installation
from tests.test_assisted import volunteer
from tests.test_conversation import Call
from tests.test_panel import Browser, app, browser, panel  # noqa: F401

PONLEY, _TEAN_KAM, TA_PHOU, _TREAS = COMMUNES
MINIMUM = 10


@pytest.fixture
def house(installation: Installation) -> Installation:
    """In English, with an open round in all four communes."""
    english = replace(installation, settings=installation.settings.model_copy(update={"default_language": "en"}))
    english.open_round()
    return english


def rate(at: Installation, number: str, *scores: str, commune: str = "3", who: str = "1", service: str = "2") -> None:
    """A phone rates; who is known already dials through."""
    for score in scores:
        call = Call(at, number=number)
        if call.dial().text.startswith("Rate"):
            call.type("1", commune)
        call.type(service, score, who)


def near(hundred: int, last: int) -> str:
    """One of a hundred neighbours."""
    return f"+855100{hundred:03}{last:02}"


def flags(at: Installation) -> list[tuple[str, int, bool]]:
    with at.store.read() as db:
        return [(one.kind, one.count, one.at_least) for one in bursts(db, 1, MINIMUM)]


def counted(at: Installation) -> list[int]:
    with at.store.read() as db:
        return sorted(db.scalars(select(near_numbers.c.numbers)))


class TestNeighbours:
    def test_are_flagged_from_five_on_a_day_and_counted_from_the_threshold_on(self, house: Installation) -> None:
        for last in range(NEIGHBOURS - 1):
            rate(house, near(1, last), "5")
            rate(house, near(2 + last, last), "5")  # of other hundreds
        assert flags(house) == []
        rate(house, near(1, 40), "1")
        assert flags(house) == [(Kind.NEIGHBOURS, 5, True)]
        for last in range(50, 55):
            rate(house, near(1, last), "1")
        assert flags(house) == [(Kind.NEIGHBOURS, 10, False)]

    def test_count_a_number_once_however_often_it_answers(self, house: Installation) -> None:
        rate(house, near(1, 1), "5", "4", "3")
        rate(house, near(1, 1), "5", service="3")
        rate(house, near(1, 1), "5", who="2")
        assert counted(house) == [1]

    def test_are_told_apart_by_day_and_commune(self, house: Installation) -> None:
        for last in range(3):
            rate(house, near(1, last), "5")
        for last in range(3, 6):
            rate(house, near(1, last), "5", commune="1")
        house.clock.forward(days=1)
        for last in range(6, 9):
            rate(house, near(1, last), "5")
        assert counted(house) == [3, 3, 3]
        assert flags(house) == []

    def test_who_withdraws_or_is_under_15_is_counted_no_more(self, house: Installation) -> None:
        rate(house, near(1, 1), "5")
        rate(house, near(1, 2), "5", who="5")
        assert counted(house) == [1]
        for _again in range(4):
            call = Call(house, number=near(1, 1))
            call.dial()
            call.type("8", "5", "1")
            assert call.screen.text.startswith("Done.")
            rate(house, near(1, 1), "4")
        assert counted(house) == [1]

    def test_of_respondents_there_are_none(self, house: Installation) -> None:
        volunteer(house, near(1, 1))
        call = Call(house, number=near(1, 1))
        call.dial()
        call.type("1", *("2", "5", "8", "1", "1") * 8)
        assert counted(house) == []

    def test_are_forgotten_when_the_round_closes(self, house: Installation) -> None:
        for last in range(6):
            rate(house, near(1, last), "5")
        assert len(flags(house)) == 1
        house.close_round(1)
        assert counted(house) == []
        assert flags(house) == []

    def test_are_stored_under_the_rounds_key(self, house: Installation) -> None:
        rate(house, near(1, 1), "5")
        with house.store.read() as db:
            stored = db.scalars(select(near_numbers.c.near)).one()
        assert stored != house.keys.lookup(near(1, 1)[:-2])
        assert stored != house.keys.lookup(near(1, 1))
        assert len(stored) == 16


class TestChanges:
    def test_of_one_answer_are_flagged_when_there_are_very_many(self, house: Installation) -> None:
        rate(house, near(1, 1), *"12345" * 2)
        assert flags(house) == [(Kind.CHANGES, OFTEN, True)]
        with house.store.read() as db:
            row = db.execute(select(answers)).one()
        assert (row.score, row.given) == (5, 10)

    def test_are_counted_over_calls_that_told_who(self, house: Installation) -> None:
        rate(house, near(1, 1), *"123")
        rate(house, near(1, 1), "4", who="2")  # somebody else of the family
        with house.store.read() as db:
            given = {row.who: row.given for row in db.execute(select(answers))}
        assert given == {"woman-15-30": 3, "woman-31": 1}
        assert flags(house) == []

    def test_are_counted_no_further_than_the_column_is_wide(self, house: Installation) -> None:
        rate(house, near(1, 1), "1")
        with house.store.write() as db:
            db.execute(answers.update().values(given=_MOST_GIVEN))
        rate(house, near(1, 1), "2", "3")
        with house.store.read() as db:
            assert db.execute(select(answers.c.score, answers.c.given)).one() == (3, _MOST_GIVEN)


class TestAVolunteer:
    def test_who_recorded_more_than_anybody_can_ask_is_flagged(self, house: Installation) -> None:
        volunteer(house)
        today = house.clock.now.date()
        with house.store.write() as db:
            note_recorded(db, 1, 1, today, RECORDED - 1)
        assert flags(house) == []
        with house.store.write() as db:
            note_recorded(db, 1, 1, today, 1)
        assert flags(house) == [(Kind.RECORDED, RECORDED, False)]


def test_the_rounds_page_tells_of_them_in_sentences(house: Installation, panel: Browser) -> None:
    assert "Look at these" not in panel.read("/admin/rounds/1")
    for last in range(12):
        rate(house, near(1, last), "5")
    for last in range(6):
        rate(house, near(2, last), "5", commune="1")
    rate(house, near(3, 1), *"12345" * 2)
    volunteer(house)
    with house.store.write() as db:
        note_recorded(db, 1, 1, house.clock.now.date(), 75)
    page = panel.read("/admin/rounds/1")
    assert "12 phones with neighbouring numbers rated Ta Phou on 23 Nov 2026." in page
    assert "At least 5 phones with neighbouring numbers rated Ponley on 23 Nov 2026." in page
    assert "In Ta Phou an answer was changed 10 times or more." in page
    assert "Sokha recorded 75 respondents on 23 Nov 2026." in page
    assert "All of these answers count: the system deletes nothing by itself." in page
    with house.store.read() as db:
        assert db.scalar(select(func.count()).select_from(answers)) == 19
