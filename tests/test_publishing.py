"""Publishing a round: councils first, everybody a week later; who may read what on which day, pauses and all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from gateway.config import LANGUAGES
from gateway.contacts import contacts
from gateway.menus.wording import render
from gateway.models.answers import Given, save
from gateway.models.broadcasts import Stage, broadcasts
from gateway.models.contacts import Role
from gateway.models.installation import set_pause
from gateway.models.messages import State, messages
from gateway.models.rounds import rounds as table
from gateway.scorecard import publishing, telling
from gateway.scorecard.publishing import Pause, Reader, Standing, Unpublishable, Why, opens
from gateway.scorecard.releases import release
from gateway.text import segments
from gateway.wording import Wording
from tests.conftest import COMMUNES, Installation
from tests.test_releases import hashed, rater

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
PHNOM_PENH = ZoneInfo("Asia/Phnom_Penh")
CLOSED = date(2026, 11, 30)
"""A Monday."""
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def at(text: str) -> datetime:
    """A moment by the programme's clock."""
    return datetime.fromisoformat(text).replace(tzinfo=PHNOM_PENH).astimezone(UTC)


@dataclass
class Programme:
    """The four communes, with rounds that were rated and closed."""

    house: Installation
    round: int = 0

    def hold_round(self, scores: str = "4455123455", *communes: str, service: str = "health") -> int:
        """A round of a week in which each score came from a phone of its own; closed on the last day."""
        clock, store = self.house.clock, self.house.store
        self.round = self.house.open_round(*communes)
        day = clock.now.astimezone(PHNOM_PENH).date()
        with store.write() as db:
            for place, commune in enumerate(communes or COMMUNES):
                for phone, score in enumerate(scores, 100 * place):
                    one = Given(self.round, rater(phone, "woman-31"), hashed(phone), commune, service, int(score), day,
                                "sms", who="woman-31")  # fmt: skip
                    save(db, one)
        clock.forward(days=7)
        for commune in communes or COMMUNES:
            with store.write() as db:
                release(db, self.round, commune, clock.now.astimezone(PHNOM_PENH).date(), 10)
        self.house.close_round(self.round)
        return self.round

    def publish(self, moment: str, round_id: int | None = None) -> bool:
        with self.house.store.write() as db:
            return publishing.publish(db, self.house.settings, round_id or self.round, None, at(moment))

    def unpublish(self, moment: str) -> bool:
        with self.house.store.write() as db:
            return publishing.unpublish(db, self.round, at(moment))

    def pause(self, first: str, last: str) -> None:
        with self.house.store.write() as db:
            set_pause(db, (date.fromisoformat(first), date.fromisoformat(last)))

    def readable(self, reader: Reader, day: str, commune: str = TA_PHOU) -> list[int]:
        """The numbers of the rounds that somebody may read on a day."""
        with self.house.store.read() as db:
            found = publishing.published(db, reader, date.fromisoformat(day), codes=[commune])
        return [one.number for one in found]

    def councillor(self, commune: str, index: int) -> None:
        described = contacts.Details(name="Sok", role=Role.COUNCILLOR, language="en", commune=commune)
        with self.house.store.write() as db:
            assert contacts.add(db, self.house.keys, f"+85512{index:06}", described, CLOSED)

    def sent(self) -> list[tuple[str, str]]:
        with self.house.store.read() as db:
            return [(row.text, row.state) for row in db.execute(select(messages).order_by(messages.c.id))]


@pytest.fixture
def programme(installation: Installation) -> Programme:
    """A round from 23 to 30 November, closed."""
    installation.clock.now = at("2026-11-23 12:00")
    programme = Programme(installation)
    programme.hold_round()
    return programme


# the days -----------------------------------------------------------------------------------------


def test_councils_read_from_the_day_of_publishing_and_everybody_a_week_later(programme: Programme) -> None:
    assert programme.readable(Reader.COUNCIL, "2026-12-01") == []
    assert programme.publish("2026-12-01 09:00")
    expected = {"2026-11-30": ([], []), "2026-12-01": ([1], []), "2026-12-07": ([1], []), "2026-12-08": ([1], [1])}
    for day, (council, public) in expected.items():
        assert programme.readable(Reader.COUNCIL, day) == council, day
        assert programme.readable(Reader.PUBLIC, day) == public, day


@on_one_database
@pytest.mark.parametrize(
    ("moment", "council_on"),
    [("2026-12-01 00:00", "2026-12-01"), ("2026-12-01 06:59", "2026-12-01"), ("2026-12-01 23:59", "2026-12-01")],
)
def test_a_day_is_one_of_the_programmes_time_zone(programme: Programme, moment: str, council_on: str) -> None:
    """At 00:00 and at 06:59 of 1 December in Phnom Penh it is 30 November in UTC."""
    programme.publish(moment)
    with programme.house.store.read() as db:
        standing = publishing.standing(db, programme.round)
    day = date.fromisoformat(council_on)
    assert standing == Standing(day, day + timedelta(days=7))


@on_one_database
def test_publishing_twice_keeps_the_days_and_only_a_closed_round_is_published(programme: Programme) -> None:
    assert programme.publish("2026-12-01 09:00")
    assert not programme.publish("2026-12-05 09:00")
    assert programme.readable(Reader.PUBLIC, "2026-12-08") == [1]
    open_one = programme.house.open_round()
    for round_id, why in ((open_one, Why.OPEN), (999, Why.GONE)):
        with pytest.raises(Unpublishable) as refusal:
            programme.publish("2026-12-05 09:00", round_id)
        assert refusal.value.why is why
    with programme.house.store.read() as db:
        assert publishing.read(db, TA_PHOU, 2, Reader.COUNCIL, date(2030, 1, 1)) is None


@pytest.mark.parametrize("undone", ["2026-12-03 09:00", "2027-03-01 09:00"], ids=["before it is public", "long after"])
def test_what_is_taken_back_is_on_no_page_and_can_be_published_anew_with_a_new_week(
    programme: Programme, undone: str
) -> None:
    programme.publish("2026-12-01 09:00")
    assert programme.unpublish(undone)
    assert not programme.unpublish(undone)
    for reader in Reader:
        assert programme.readable(reader, "2027-04-01") == []
    programme.publish("2027-05-01 09:00")
    assert programme.readable(Reader.COUNCIL, "2027-05-07") == [1]
    assert programme.readable(Reader.PUBLIC, "2027-05-07") == []
    assert programme.readable(Reader.PUBLIC, "2027-05-08") == [1]


# the pause ----------------------------------------------------------------------------------------


def test_nothing_is_published_in_a_pause(programme: Programme) -> None:
    programme.pause("2026-12-01", "2026-12-20")
    for moment in ("2026-12-01 00:00", "2026-12-20 23:59"):
        with pytest.raises(Unpublishable) as refusal:
            programme.publish(moment)
        assert refusal.value.why is Why.PAUSED
    assert programme.publish("2026-12-21 00:00")


def test_what_would_become_public_in_a_pause_waits_for_the_day_after_it_and_councils_keep_what_they_have(
    programme: Programme,
) -> None:
    programme.publish("2026-12-01 09:00")
    programme.pause("2026-12-05", "2026-12-20")
    for day in ("2026-12-05", "2026-12-08", "2026-12-20"):
        assert programme.readable(Reader.PUBLIC, day) == [], day
        assert programme.readable(Reader.COUNCIL, day) == [1], day
    assert programme.readable(Reader.PUBLIC, "2026-12-21") == [1]
    with programme.house.store.read() as db:
        standing = publishing.standing(db, programme.round)
    assert standing == Standing(date(2026, 12, 1), date(2026, 12, 21))


def test_what_was_public_before_a_pause_stays_public_in_it(programme: Programme) -> None:
    programme.publish("2026-12-01 09:00")
    programme.pause("2026-12-09", "2026-12-20")
    for day in ("2026-12-08", "2026-12-09", "2026-12-20", "2026-12-21"):
        assert programme.readable(Reader.PUBLIC, day) == [1], day


@on_one_database
def test_a_pause_that_is_taken_away_lets_out_what_it_kept_back(programme: Programme) -> None:
    programme.publish("2026-12-01 09:00")
    programme.pause("2026-12-05", "2026-12-20")
    with programme.house.store.write() as db:
        set_pause(db, None)
    assert programme.readable(Reader.PUBLIC, "2026-12-08") == [1]


@on_one_database
def test_the_days_that_are_told_are_those_that_hold(programme: Programme) -> None:
    """For every day and every pause: somebody may read a round from the day on that its page names, and not before."""
    start = date(2026, 12, 1)
    day = st.integers(0, 12).map(lambda n: start + timedelta(days=n))
    pauses = st.none() | st.tuples(day, day).map(sorted).map(tuple)

    @given(council=day, days=pauses, today=day, reader=st.sampled_from(Reader))
    def holds(council: date, days: Pause | None, today: date, reader: Reader) -> None:
        public = council + timedelta(days=7)
        with programme.house.store.write() as db:
            db.execute(update(table).values(council_on=council, public_on=public))
            set_pause(db, days)
        opened = opens(council if reader is Reader.COUNCIL else public, days)
        assert opened is not None
        assert (programme.readable(reader, today.isoformat()) == [1]) == (today >= opened)
        assert days is None or not days[0] <= opened <= days[1]

    holds()


# what is read -------------------------------------------------------------------------------------


def test_the_round_before_stands_beside_it_only_for_who_may_read_that_too(programme: Programme) -> None:
    first = programme.round
    programme.house.clock.forward(days=1)
    programme.hold_round("1155123455")
    programme.publish("2026-12-10 09:00")

    def change_for(reader: Reader, day: str) -> object:
        with programme.house.store.read() as db:
            told = publishing.read(db, TA_PHOU, 2, reader, date.fromisoformat(day))
        assert told is not None
        health = next(one for one in told[1].services if one.service == "health")
        assert health.figures
        return health.change.points if health.change else None

    assert change_for(Reader.PUBLIC, "2026-12-17") is None
    assert programme.publish("2026-12-16 09:00", first)
    assert change_for(Reader.COUNCIL, "2026-12-17") == -20
    assert change_for(Reader.PUBLIC, "2026-12-22") is None
    assert change_for(Reader.PUBLIC, "2026-12-23") == -20


@on_one_database
@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("ta phou", {TA_PHOU}), ("តាផូ", {TA_PHOU}), ("010806", {TA_PHOU}), ("svay chek", {TA_PHOU, TREAS}),
        ("0108", set()), ("nowhere", set()), ("%", set()), ("\x00", set()),
    ],
)  # fmt: skip
def test_communes_are_found_by_name_district_and_code(programme: Programme, wanted: str, found: set[str]) -> None:
    programme.publish("2026-12-01 09:00")
    with programme.house.store.read() as db:
        assert publishing.named(db, Reader.PUBLIC, date(2026, 12, 8), wanted) == found
        assert publishing.named(db, Reader.PUBLIC, date(2026, 12, 7), wanted) == set()


# councillors are told ------------------------------------------------------------------------------


def test_councillors_are_told_once_that_there_are_results_not_what_they_are(programme: Programme) -> None:
    programme.councillor(TA_PHOU, 1)
    programme.councillor(TREAS, 2)
    programme.publish("2026-12-01 09:00")
    programme.publish("2026-12-01 09:01")
    assert [text for text, _state in programme.sent()] == [
        f"{name}: the results of the round are ready for the council. Everybody sees them from 8/12 on."
        " To read them and reply, log in or ask the staff."
        for name in ("Ta Phou", "Treas")
    ]
    with programme.house.store.read() as db:
        row = db.execute(select(broadcasts)).one()
    assert row.expires == at("2026-12-08 00:00")


def test_who_was_not_told_yet_is_not_told_when_it_is_taken_back_and_is_when_it_is_published_anew(
    programme: Programme,
) -> None:
    programme.councillor(TA_PHOU, 1)
    programme.councillor(TREAS, 2)
    programme.publish("2026-12-01 09:00")
    with programme.house.store.write() as db:
        first = db.scalar(select(messages.c.id).order_by(messages.c.id).limit(1))
        db.execute(update(messages).where(messages.c.id == first).values(state=State.DELIVERED))
    programme.unpublish("2026-12-01 09:05")
    assert [state for _text, state in programme.sent()] == [State.DELIVERED, State.CANCELLED]
    programme.publish("2026-12-01 09:10")
    states = sorted(state for _text, state in programme.sent())
    assert states == sorted([State.DELIVERED, State.CANCELLED, State.QUEUED, State.QUEUED])
    with programme.house.store.read() as db:
        assert [row.stage for row in db.execute(select(broadcasts).order_by(broadcasts.c.id))] == [
            Stage.CANCELLED, Stage.APPROVED,
        ]  # fmt: skip


@on_one_database
def test_without_a_councillors_number_nothing_is_sent(programme: Programme) -> None:
    programme.publish("2026-12-01 09:00")
    assert programme.sent() == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notice_is_short(language: str) -> None:
    text = publishing.notice(date(2026, 12, 28))[language].replace("{commune}", "Preah Netr Preah")  # type: ignore[index]
    assert segments(text).parts <= 2
    assert language == "km" or segments(text).encoding == "GSM-7"


# the text to paste ---------------------------------------------------------------------------------


def test_the_text_to_paste_says_what_the_page_says(programme: Programme) -> None:
    programme.publish("2026-12-01 09:00")
    with programme.house.store.read() as db:
        told = publishing.read(db, TA_PHOU, 1, Reader.PUBLIC, date(2026, 12, 8))
    assert told is not None

    def said(language: str, today: date) -> list[str]:
        return telling.text(
            *told, 10, language=language, zone=PHNOM_PENH, address="https://mati.example.org", today=today
        ).splitlines()

    assert said("en", date(2026, 12, 8)) == [
        "Ta Phou, round 1",
        "23 Nov 2026 to 30 Nov 2026",
        "",
        "% satisfied = scores 4 and 5 of the scale 1-5, of n raters. ± is the margin, in points.",
        "1 Commune office: not shown",
        "2 Health centre: 70% ±31 (n 10, 10 female)",
        "3 Primary school: not shown",
        "4 One-window office: not shown",
        "",
        "not shown = fewer than 10 different phones, or all gave the same answer.",
        "Answers that were too few at a time, or came later, are in no figure.",
        "https://mati.example.org/results/010806/1?lang=en",
    ]
    assert said("en", date(2026, 12, 7))[0] == "NOT PUBLIC until 8 Dec 2026: for the council only."
    assert said("km", date(2026, 12, 8))[5] == "2 មណ្ឌលសុខភាព: 70% ±31 (n 10 ស្រី 10)"
    assert Wording("km", PHNOM_PENH).date(date(2026, 12, 8)) in said("km", date(2026, 12, 7))[0]
    assert render(told[0].name, "km") in said("km", date(2026, 12, 8))[0]
