"""The weekly letter: one a council and a week, whatever crashes or runs twice; what it says; what is answered to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, delete, event, func, select, update

from gateway import places
from gateway.contacts import contacts
from gateway.menus.phrases import Name
from gateway.menus.wording import render
from gateway.models import answers, messages
from gateway.models.broadcasts import broadcasts
from gateway.models.contacts import Role
from gateway.models.contacts import contacts as contacts_table
from gateway.models.editions import editions
from gateway.models.installation import set_pause
from gateway.models.places import communes, join_programme
from gateway.models.places import places as place_names
from gateway.models.releases import blocks, council_replies, weekly_letters
from gateway.models.services import STANDARD
from gateway.scorecard import rounds, weekly
from gateway.scorecard.tallies import Figures
from gateway.scorecard.weekly import Outcome
from gateway.scorecard.weekly_words import Line, days, details, letter
from gateway.text import segments
from gateway.workers import clock
from tests.conftest import COMMUNES, Installation
from tests.test_releases import hashed, rater
from tests.wire.harness import captured

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
PHNOM_PENH = ZoneInfo("Asia/Phnom_Penh")
WEEK = date(2026, 11, 23)
"""The first week of the tests, by its Monday; its letter is due on 30 November."""
GAZETTEER = Path(__file__).parents[2] / "shared" / "data" / "gazetteer.csv"
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def at(text: str) -> datetime:
    """A moment by the programme's clock."""
    return datetime.fromisoformat(text).replace(tzinfo=PHNOM_PENH).astimezone(UTC)


@dataclass
class Councils:
    """The four communes with a round since 23 November, each with one councillor who reads English."""

    house: Installation
    round: int

    def councillor(self, commune: str, index: int, language: str | None = "en") -> str:
        """Another councillor; the number."""
        number = f"+85512{index:06}"
        described = contacts.Details(name="Sok", role=Role.COUNCILLOR, language=language, commune=commune)  # type: ignore[arg-type]
        with self.house.store.write() as db:
            assert contacts.add(db, self.house.keys, number, described, WEEK)
        return number

    def rate(
        self, phones: range, scores: str, day: date = WEEK, commune: str = TA_PHOU, service: str = "health",
        round_id: int | None = None,
    ) -> None:  # fmt: skip
        """Each phone gives the next of the scores."""
        with self.house.store.write() as db:
            for i, phone in enumerate(phones):
                score = int(scores[i % len(scores)])
                round_ = round_id or self.round
                given = answers.Given(
                    round_, rater(phone, "woman-31"), hashed(phone), commune, service, score, day, "sms", who="woman-31"
                )
                answers.save(db, given)

    def tick(self, moment: str) -> None:
        """A clock that has just been started looks."""
        house = self.house
        task = next(one for one in clock.tasks(house.store, house.keys, house.settings) if one.name == "weekly letters")
        clock.Clock(house.store, house.settings.zone, [task]).look(at(moment))

    def sent(self, commune: str | None = None) -> list[str]:
        """The texts in the outbox, by the week and the commune."""
        texts = select(messages.messages.c.text).join(
            weekly_letters, weekly_letters.c.broadcast == messages.messages.c.broadcast
        )
        texts = texts.order_by(weekly_letters.c.week, weekly_letters.c.commune, weekly_letters.c.copy)
        with self.house.store.read() as db:
            return list(db.scalars(texts.where(weekly_letters.c.commune == commune) if commune else texts))

    def letters(self) -> Counter[tuple[str, date]]:
        with self.house.store.read() as db:
            rows = db.execute(select(weekly_letters.c.commune, weekly_letters.c.week))
            return Counter((row.commune, row.week) for row in rows)

    def broadcast(self, commune: str = TA_PHOU) -> int:
        """The id of a commune's newest letter."""
        mine = select(weekly_letters.c.broadcast).where(weekly_letters.c.commune == commune)
        with self.house.store.read() as db:
            return int(db.scalars(mine.order_by(weekly_letters.c.broadcast.desc())).first() or 0)

    def pause(self, first: date, last: date) -> None:
        with self.house.store.write() as db:
            set_pause(db, (first, last))


@pytest.fixture
def councils(installation: Installation) -> Councils:
    installation.clock.now = at("2026-11-23 12:00")
    with installation.store.write() as db:
        db.execute(update(editions).values(made=at("2026-11-01 00:00")))
    found = Councils(installation, installation.open_round())
    for index, commune in enumerate(COMMUNES, 1):
        found.councillor(commune, index)
    return found


# what a council reads -----------------------------------------------------------------------------


def test_a_council_reads_what_was_released_of_its_week(councils: Councils) -> None:
    councils.rate(range(31), "4412345", service="office")
    councils.rate(range(23), "45123", service="health")
    councils.rate(range(9), "45123", service="school")
    councils.rate(range(12), "5", service="window")
    councils.tick("2026-11-30 08:00")
    assert councils.sent(TA_PHOU) == [
        "Ta Phou 23-29/11 % satisfied (raters,change)\n"
        "Commune office 58 (31,new)\n"
        "Health 43 (23,new)\n"
        "School: not shown\n"  # nine phones
        "One-window: not shown\n"  # all the same
        "1=details"
    ]  # fmt: skip


def test_a_change_is_from_what_was_told_last_of_the_service(councils: Councils) -> None:
    councils.rate(range(10), "44123", service="health")  # 40 %
    councils.tick("2026-11-30 08:00")
    councils.rate(range(10, 19), "5", date(2026, 11, 30))  # too few: not told this week
    councils.tick("2026-12-07 08:00")
    councils.rate(range(19, 21), "1", date(2026, 12, 7))  # 9 of 11: 82 %
    councils.rate(range(10), "44443", date(2026, 12, 7), service="school")
    councils.tick("2026-12-14 08:00")
    councils.rate(range(30, 40), "1112222225", date(2026, 12, 14))  # 10 %
    councils.rate(range(30, 40), "44443", date(2026, 12, 14), service="school")
    councils.tick("2026-12-21 08:00")
    told = [
        [line for line in text.splitlines() if line.startswith(("Health", "School"))] for text in councils.sent(TA_PHOU)
    ]
    assert told == [
        ["Health 40 (10,new)", "School: not shown"],
        [],
        ["Health 82 (11,+42)", "School 80 (10,new)"],
        ["Health 10 (10,-72)", "School 80 (10,0)"],
    ]


def test_the_first_figure_of_a_round_is_compared_with_the_whole_of_the_round_before(councils: Councils) -> None:
    councils.rate(range(10), "44123")
    councils.tick("2026-11-30 08:00")
    councils.rate(range(10, 20), "11125", date(2026, 12, 1))
    councils.house.clock.now = at("2026-12-02 12:00")
    councils.house.close_round(councils.round)  # of 20 raters 6: 30 %
    councils.tick("2026-12-07 08:00")
    councils.house.clock.now = at("2026-12-08 12:00")
    second = councils.house.open_round()
    councils.rate(range(10), "44443", date(2026, 12, 9), round_id=second)
    councils.tick("2026-12-14 08:00")
    assert [text.splitlines()[1] for text in councils.sent(TA_PHOU)] == [
        "Health 40 (10,new)", "Health 20 (10,-20)", "Health 80 (10,+50)",
    ]  # fmt: skip


def test_a_round_that_closed_in_the_week_is_told_of_and_a_new_one_waits(councils: Councils) -> None:
    councils.rate(range(10), "44123")
    councils.house.clock.now = at("2026-11-26 12:00")
    councils.house.close_round(councils.round)
    second = councils.house.open_round(TA_PHOU)
    councils.rate(range(10), "44443", date(2026, 11, 27), round_id=second)
    councils.tick("2026-11-30 08:00")
    councils.tick("2026-12-07 08:00")
    first, then = councils.sent(TA_PHOU)
    assert "Health 40 (10,new)" in first
    assert "Health 80 (10,+40)" in then
    assert councils.letters()[PONLEY, date(2026, 11, 30)] == 0  # its round had ended before


def test_extra_questions_are_not_in_it(councils: Councils) -> None:
    councils.rate(range(23), "45123")
    with councils.house.store.write() as db:
        for i in range(23):
            given = answers.Given(
                councils.round, rater(i, "woman-31"), hashed(i), TA_PHOU, "health", 5 - i % 2, WEEK, "sms", "clean",
                "woman-31",
            )  # fmt: skip
            answers.save(db, given)
    councils.tick("2026-11-30 08:00")
    house = councils.house
    with house.store.read() as db:
        told = weekly.details(db, councils.broadcast(), "en", house.settings, at("2026-11-30 09:00"))
        assert db.scalar(select(func.count()).select_from(blocks)) == 2
    assert councils.sent(TA_PHOU)[0].splitlines()[1] == "Health 43 (23,new)"
    assert told.splitlines()[1] == "Health 5,4,4,5,5 (23,23)"


def test_when_nothing_can_be_shown_a_sentence_says_so(councils: Councils) -> None:
    councils.rate(range(9), "12345")
    councils.tick("2026-11-30 08:00")
    assert councils.sent(TA_PHOU) == [
        "Ta Phou 23-29/11: no service can be shown. One is shown when enough phones rated it and their answers differ."
    ]
    assert len(councils.sent()) == 4


def test_each_councillor_reads_it_in_their_language(councils: Councils) -> None:
    councils.councillor(TA_PHOU, 11, "km")
    councils.councillor(TA_PHOU, 12, "km-Latn")
    councils.councillor(TA_PHOU, 13, None)  # the programme's
    councils.rate(range(23), "45123")
    councils.tick("2026-11-30 08:00")
    assert Counter(text.splitlines()[0] for text in councils.sent(TA_PHOU)) == {
        "Ta Phou 23-29/11 % satisfied (raters,change)": 1,
        "តាផូ 23-29/11 %ពេញចិត្ត (នាក់,ប្រែ)": 2,
        "Ta Phou 23-29/11 %penh chet (neak,brae)": 1,
    }


def test_who_stopped_gets_none_and_is_the_only_one(councils: Councils) -> None:
    number = councils.councillor(TA_PHOU, 11)
    with councils.house.store.write() as db:
        messages.opt_out(db, councils.house.keys.lookup(number), WEEK, "sms")
    councils.tick("2026-11-30 08:00")
    assert len(councils.sent(TA_PHOU)) == 1


@pytest.mark.parametrize(
    ("monday", "said"),
    [
        (date(2026, 3, 2), "2-8/3"),
        (date(2025, 3, 3), "3-9/3"),
        (date(2026, 2, 23), "23/2-1/3"),
        (date(2026, 12, 28), "28/12-3/1"),
    ],
)
def test_a_week_is_said_by_its_days(monday: date, said: str) -> None:
    assert days(monday) == said


# how long it is -----------------------------------------------------------------------------------

NAMES = [Name(row[5] or row[2], row[6] or row[3], row[7] or row[4]) for row in STANDARD]
SHARES = [Figures(131, 120, 112, (20, 20, 21, 34, 36)), Figures(31, 31, 9, (3, 5, 5, 8, 10))]
TOLD = [
    (SHARES[1], -4),
    (Figures(23, 23, 9, (2, 3, 4, 8, 6)), 6),
    (None, None),
    (Figures(18, 18, 9, (1, 2, 2, 5, 8)), None),
]


def said_of(*told: tuple[Figures | None, int | None]) -> list[Line]:
    return [Line(row[0], name, *each) for row, name, each in zip(STANDARD, NAMES, told, strict=False)]


@pytest.mark.parametrize("commune", [Name("តាផូ", "Ta Phou", "Ta Phou"), Name("ទានកាំ", "Tean Kam", "Tean Kam")])
@pytest.mark.parametrize("week", [date(2026, 3, 2), date(2026, 12, 28)])
@pytest.mark.parametrize("told", [TOLD, [(SHARES[0], -14)] * 4, [(None, None)] * 4])
def test_four_services_fit_one_part_of_latin_letters_and_two_of_khmer_ones(
    commune: Name, week: date, told: list[tuple[Figures | None, int | None]]
) -> None:
    lines = said_of(*told)
    assert segments(letter(commune, week, lines, "en")).length <= 160
    assert segments(letter(commune, week, lines, "km-Latn")).length <= 160
    assert segments(letter(commune, week, lines, "km")).length <= 134
    for language, most in (("en", 2), ("km-Latn", 2), ("km", 3)):
        assert segments(details(commune, week, lines, language)).parts <= most  # type: ignore[arg-type]


def test_the_letter_is_worded_as_the_field_has_it() -> None:
    """DOMAIN.md, Wording; what is not shown comes last there too."""
    week = date(2025, 3, 3)
    ta_phou = Name("តាផូ", "Ta Phou", "Ta Phou")
    shares = [
        (SHARES[1], -4), (Figures(23, 23, 9, (2, 3, 4, 8, 6)), 6), (None, None),
        (Figures(18, 18, 9, (1, 2, 2, 5, 8)), None),
    ]  # fmt: skip
    assert letter(ta_phou, week, said_of(*shares), "km").split("\n") == [
        "តាផូ 3-9/3 %ពេញចិត្ត (នាក់,ប្រែ)", "ឃុំ 58 (31,-4)", "សុខភាព 61 (23,+6)", "ច្រកមួយ 72 (18,ថ្មី)",
        "សាលា៖ មិនបង្ហាញ", "1=លម្អិត",
    ]  # fmt: skip
    assert letter(ta_phou, week, said_of(*shares), "en").split("\n") == [
        "Ta Phou 3-9/3 % satisfied (raters,change)", "Commune office 58 (31,-4)", "Health 61 (23,+6)",
        "One-window 72 (18,new)", "School: not shown", "1=details",
    ]  # fmt: skip


def test_an_accent_in_a_name_does_not_double_the_parts() -> None:
    lines = [Line("health", Name("សុខភាព", "Sokhâpheap", "Health"), SHARES[0], 3)]
    for language in ("en", "km-Latn"):
        assert segments(letter(Name("ចំបក់", "Chambâk", "Chambâk"), WEEK, lines, language)).encoding == "GSM-7"


# once a council and a week ------------------------------------------------------------------------


def test_a_week_of_looks_by_two_clocks_makes_one_letter_a_council(councils: Councils) -> None:
    house = councils.house
    councils.rate(range(20), "44123")
    due = clock.tasks(house.store, house.keys, house.settings)
    both = [clock.Clock(house.store, house.settings.zone, [one for one in due if one.every >= clock.DAY]) for _ in "ab"]
    moment = at("2026-11-29 12:00")
    while moment < at("2026-12-06 12:00"):
        for each in both:
            each.look(moment)
        moment += timedelta(minutes=30)
    assert councils.letters() == {(commune, WEEK): 1 for commune in COMMUNES}
    assert len(councils.sent()) == 4
    with house.store.read() as db:
        assert set(db.scalars(select(broadcasts.c.key))) == {f"tally {commune} 2026-W48" for commune in COMMUNES}
        assert db.scalar(select(func.count()).select_from(blocks)) == 1


def test_two_clocks_at_the_same_moment_make_one_letter_a_council(councils: Councils) -> None:
    for commune in COMMUNES:
        councils.rate(range(20), "44123", commune=commune, service=STANDARD[COMMUNES.index(commune)][0])
    begin = threading.Barrier(2)
    problems: list[BaseException] = []

    def run() -> None:
        begin.wait(10)
        try:
            weekly.write_all(councils.house.store, councils.house.settings, at("2026-11-30 08:00"))
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not problems
    assert councils.letters() == {(commune, WEEK): 1 for commune in COMMUNES}
    assert len(councils.sent()) == 4
    with councils.house.store.read() as db:
        assert db.scalar(select(func.count()).select_from(blocks)) == 4


class Crash(BaseException):
    """The process ends here."""


def test_a_crash_at_any_statement_leaves_all_of_a_letter_or_nothing(councils: Councils) -> None:
    """Each run comes one statement further than the one before; then the clock is started again."""
    for commune in COMMUNES:
        councils.rate(range(20), "44123", commune=commune, service=STANDARD[COMMUNES.index(commune)][0])
    left = [0]

    def count(*_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Crash

    engine = councils.house.store.engine
    event.listen(engine, "before_cursor_execute", count)
    crashes = 0
    try:
        for step in range(1, 10_000):
            left[0] = step
            try:
                councils.tick("2026-11-30 08:00")
                break
            except Crash:
                crashes += 1
            left[0] = 0
            check_whole(councils)
    finally:
        event.remove(engine, "before_cursor_execute", count)
    assert crashes > 20
    assert councils.letters() == {(commune, WEEK): 1 for commune in COMMUNES}
    assert len(councils.sent()) == 4
    check_whole(councils)


def check_whole(councils: Councils) -> None:
    """A letter has its broadcast, its message and its blocks; what has no letter has none of them."""
    with councils.house.store.read() as db:
        told = set(db.scalars(select(weekly_letters.c.commune)))
        assert set(db.scalars(select(blocks.c.commune))) == told
        assert {key.split()[1] for key in db.scalars(select(broadcasts.c.key))} == told
        assert db.scalar(select(func.count()).select_from(messages.messages)) == len(told)


KILLED = """
import sys
from datetime import datetime
from gateway import config
from gateway.scorecard import weekly
from gateway.models.store import Store

settings = config.load()
store = Store(settings.database)
put = weekly._put
count = 0

def stops(*given):
    global count
    count += 1
    done = put(*given)
    if count == int(sys.argv[1]):
        print("here", flush=True)
        import time
        time.sleep(60)
    return done

weekly._put = stops
weekly.write_all(store, settings, datetime.fromisoformat(sys.argv[2]))
"""


def test_a_clock_killed_in_the_middle_of_monday_is_made_good_by_the_next(councils: Councils) -> None:
    for commune in COMMUNES:
        councils.rate(range(20), "44123", commune=commune, service=STANDARD[COMMUNES.index(commune)][0])
    settings = councils.house.settings
    env = dict(os.environ) | {"DATA_DIR": str(settings.data_dir), "DATABASE_URL": settings.database}
    for stage, there in (("2", 1), ("3", 3)):  # each is killed within the transaction of a letter
        argv = [sys.executable, "-c", KILLED, stage, at("2026-11-30 08:00").isoformat()]
        process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
        assert process.stdout
        assert process.stdout.readline() == "here\n"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert len(councils.letters()) == there
        check_whole(councils)
    councils.tick("2026-11-30 08:01")
    assert councils.letters() == {(commune, WEEK): 1 for commune in COMMUNES}
    assert len(councils.sent()) == 4


@on_one_database
def test_one_council_that_fails_keeps_back_no_other_and_is_tried_again(
    councils: Councils, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = weekly._told

    def fails(db: Connection, council: weekly.Due, *given: object) -> object:
        if council.commune == TEAN_KAM:
            raise ValueError("broken for +85512000002")
        return told(db, council, *given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, captured() as lines:
        patch.setattr(weekly, "_told", fails)
        councils.tick("2026-11-30 08:00")
    assert len(councils.letters()) == 3
    assert any("1 of 4 weekly letters could not be written" in line for line in lines)
    assert not any("12000002" in line for line in lines)
    councils.tick("2026-11-30 08:00")
    assert len(councils.letters()) == 4


def test_after_a_gap_of_three_weeks_there_is_one_letter_about_the_last_week(councils: Councils) -> None:
    councils.rate(range(10), "44123")
    councils.tick("2026-11-30 08:00")
    councils.rate(range(10, 20), "12345", date(2026, 12, 2))
    councils.rate(range(20, 30), "12345", date(2026, 12, 18))
    councils.tick("2026-12-22 23:00")
    councils.tick("2026-12-22 23:01")
    assert sorted(councils.letters()) == sorted((commune, week) for commune in COMMUNES
                                                for week in (WEEK, date(2026, 12, 14)))  # fmt: skip
    assert councils.sent(TA_PHOU)[1].splitlines()[:2] == [
        "Ta Phou 14-20/12 % satisfied (raters,change)", "Health 40 (20,0)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("now", "week"),
    [
        ("2026-11-30 07:59:59", date(2026, 11, 16)),
        ("2026-11-30 08:00:00", WEEK),
        ("2026-12-07 07:00:00", WEEK),
        ("2027-01-04 09:00:00", date(2026, 12, 28)),
    ],
)
@on_one_database
def test_the_week_of_a_letter_is_that_before_the_last_monday_at_eight(
    installation: Installation, now: str, week: date
) -> None:
    assert weekly.due_week(at(now), installation.settings) == week


# who gets one -------------------------------------------------------------------------------------


def test_a_commune_gets_one_when_its_round_was_open_in_the_week(councils: Councils) -> None:
    house = councils.house
    house.clock.now = at("2026-12-02 12:00")
    house.close_round(councils.round)  # on a Wednesday
    house.clock.now = at("2026-12-09 12:00")
    house.open_round(PONLEY)
    with house.store.write() as db:
        db.execute(update(communes).where(communes.c.code == TREAS).values(active=False))
    for monday in ("2026-11-30", "2026-12-07", "2026-12-14"):
        councils.tick(f"{monday} 08:00")
    assert councils.letters() == {
        (commune, week): 1
        for week, codes in {
            date(2026, 11, 23): (PONLEY, TEAN_KAM, TA_PHOU),
            date(2026, 11, 30): (PONLEY, TEAN_KAM, TA_PHOU),
            date(2026, 12, 7): (PONLEY,),
        }.items()
        for commune in codes
    }


def test_without_a_number_there_is_no_letter_and_nothing_is_released(councils: Councils) -> None:
    house = councils.house
    councils.rate(range(10), "44123", commune=TEAN_KAM)
    with house.store.write() as db:
        db.execute(delete(contacts_table).where(contacts_table.c.commune == TEAN_KAM))
    councils.tick("2026-11-30 08:00")
    assert councils.letters() == {(commune, WEEK): 1 for commune in COMMUNES if commune != TEAN_KAM}
    with house.store.read() as db:
        assert db.execute(select(blocks)).all() == []
        (missing,) = weekly.missing(db, house.settings, at("2026-11-30 09:00"))
        assert (missing.council.commune, missing.why) == (TEAN_KAM, Outcome.NOBODY)
    # one is added in the middle of the week; staff write it then
    councils.councillor(TEAN_KAM, 20)
    with house.store.read() as db:
        (missing,) = weekly.missing(db, house.settings, at("2026-12-02 09:00"))
    assert missing.why is None
    assert weekly.write(house.store, house.settings, missing.council, WEEK, at("2026-12-02 10:00")) is Outcome.WRITTEN
    assert weekly.write(house.store, house.settings, missing.council, WEEK, at("2026-12-02 10:00")) is Outcome.THERE
    assert "Health 40 (10,new)" in councils.sent(TEAN_KAM)[0]


# the pause ----------------------------------------------------------------------------------------


def test_in_a_pause_no_letter_is_written_and_the_next_takes_in_what_waited(councils: Councils) -> None:
    councils.rate(range(10), "44123")
    councils.tick("2026-11-30 08:00")
    councils.pause(date(2026, 12, 1), date(2026, 12, 18))
    councils.rate(range(10, 20), "44443", date(2026, 12, 1))
    councils.rate(range(20, 25), "12345", date(2026, 12, 8))
    councils.tick("2026-12-07 08:00")
    councils.tick("2026-12-14 08:00")
    assert len(councils.sent(TA_PHOU)) == 1
    with councils.house.store.read() as db:
        assert db.scalar(select(func.count()).select_from(blocks)) == 1
    councils.tick("2026-12-20 12:00")  # the pause is over, and so is its Monday
    councils.tick("2026-12-21 08:00")
    assert councils.sent(TA_PHOU)[1].splitlines()[:2] == [
        "Ta Phou 14-20/12 % satisfied (raters,change)", "Health 67 (15,+27)",
    ]  # fmt: skip
    assert len(councils.sent(TA_PHOU)) == 2


def test_a_round_that_closed_in_a_pause_is_told_of_after_it(councils: Councils) -> None:
    councils.pause(date(2026, 11, 30), date(2026, 12, 12))
    councils.rate(range(10), "44123")
    councils.house.clock.now = at("2026-12-02 12:00")
    councils.house.close_round(councils.round)
    for monday in ("2026-11-30", "2026-12-07", "2026-12-14", "2026-12-21"):
        councils.tick(f"{monday} 08:00")
    assert [text.splitlines()[1] for text in councils.sent(TA_PHOU)] == ["Health 40 (10,new)"]


# answers to it ------------------------------------------------------------------------------------


def test_one_brings_the_counts_as_they_were(councils: Councils) -> None:
    councils.rate(range(23), "45123")
    councils.rate(range(9), "45123", service="school")
    councils.tick("2026-11-30 08:00")
    councils.rate(range(23), "1", date(2026, 12, 1))  # all of them think again
    house = councils.house
    with house.store.read() as db:
        told = weekly.details(db, councils.broadcast(), "en", house.settings, at("2026-11-30 09:00"))
        khmer = weekly.details(db, councils.broadcast(), "km", house.settings, at("2026-11-30 09:00"))
    assert told.split("\n") == [
        "Ta Phou 23-29/11: how many gave 1,2,3,4,5 (raters,women). Satisfied=4+5",
        "Health 5,4,4,5,5 (23,23)",
        "Reply to staff: 2 and your words",
    ]
    assert "សុខភាព 5,4,4,5,5 (23,23)" in khmer


def test_one_to_a_letter_without_figures_says_so_again(councils: Councils) -> None:
    councils.tick("2026-11-30 08:00")
    with councils.house.store.read() as db:
        told = weekly.details(db, councils.broadcast(), "en", councils.house.settings, at("2026-11-30 09:00"))
    assert told.startswith("Ta Phou 23-29/11: no service can be shown.")


def test_one_brings_no_figures_in_a_pause(councils: Councils) -> None:
    councils.rate(range(23), "45123")
    councils.tick("2026-11-30 08:00")
    councils.pause(date(2026, 12, 1), date(2026, 12, 18))
    with councils.house.store.read() as db:
        for moment, says in (("2026-11-30 23:59", "Ta Phou"), ("2026-12-01 00:00", "No figures are sent until 18/12."),
                             ("2026-12-19 00:00", "Ta Phou")):  # fmt: skip
            told = weekly.details(db, councils.broadcast(), "en", councils.house.settings, at(moment))
            assert told.startswith(says), moment


@pytest.mark.parametrize(
    ("text", "kept", "answer"),
    [
        ("  The health centre opens until 5pm. ", "The health centre opens until 5pm.",
         "Thank you! Your reply is with the staff."),
        ("មណ្ឌលសុខភាពបើកដល់ម៉ោង 5", "មណ្ឌលសុខភាពបើកដល់ម៉ោង 5", "Thank you! Your reply is with the staff."),
        ("x" * 1001, "x" * 1000, "Thank you! The first 1000 characters of your reply are with the staff."),
        ("x" * 1000, "x" * 1000, "Thank you! Your reply is with the staff."),
        ("   ", None, "Nothing came after 2. Send 2 and your words, such as: 2 Open until 5pm from April"),
    ],
)  # fmt: skip
def test_two_and_a_text_is_filed_for_staff(councils: Councils, text: str, kept: str | None, answer: str) -> None:
    councils.tick("2026-11-30 08:00")
    with councils.house.store.write() as db:
        said = weekly.file_reply(db, councils.broadcast(TEAN_KAM), text, at("2026-11-30 09:00"))
        rows = db.execute(select(council_replies)).all()
    assert render(said, "en") == answer
    assert [(row.commune, row.week, row.text, row.read_by) for row in rows] == (
        [(TEAN_KAM, WEEK, kept, None)] if kept else []
    )


# again --------------------------------------------------------------------------------------------


def test_sent_again_it_says_the_same_to_the_numbers_of_now(councils: Councils) -> None:
    house = councils.house
    councils.rate(range(23), "45123")
    councils.tick("2026-11-30 08:00")
    councils.rate(range(30, 60), "1", date(2026, 12, 1))
    councils.councillor(TA_PHOU, 11)
    again: Callable[[int], Outcome] = lambda copy: weekly.write_again(  # noqa: E731
        house.store, house.settings, TA_PHOU, WEEK, copy, at("2026-12-02 10:00"), author=1
    )
    assert again(2) is Outcome.WRITTEN
    assert again(2) is Outcome.THERE  # a second click
    first, *second = councils.sent(TA_PHOU)
    assert second == [first, first]
    assert again(3) is Outcome.WRITTEN
    assert again(5) is Outcome.NOT_DUE
    assert len(councils.sent(TA_PHOU)) == 5
    with house.store.read() as db:
        keys = list(db.scalars(select(broadcasts.c.key).where(broadcasts.c.key.like(f"tally {TA_PHOU}%"))))
        told = weekly.details(db, councils.broadcast(), "en", house.settings, at("2026-12-02 11:00"))
    assert sorted(keys) == [f"tally {TA_PHOU} 2026-W48{copy}" for copy in ("", " copy 2", " copy 3")]
    assert "Health 5,4,4,5,5 (23,23)" in told
    councils.tick("2026-12-07 08:00")
    assert councils.letters()[TA_PHOU, date(2026, 11, 30)] == 1


def test_it_is_not_sent_again_in_a_pause_or_to_nobody(councils: Councils) -> None:
    house = councils.house
    councils.tick("2026-11-30 08:00")
    councils.pause(date(2026, 12, 1), date(2026, 12, 3))
    again = (house.store, house.settings, TA_PHOU, WEEK, 2)
    assert weekly.write_again(*again, at("2026-12-02 10:00"), author=1) is Outcome.PAUSED
    with house.store.write() as db:
        db.execute(delete(contacts_table))
    assert weekly.write_again(*again, at("2026-12-04 10:00"), author=1) is Outcome.NOBODY
    assert councils.letters()[TA_PHOU, WEEK] == 1


# the whole country --------------------------------------------------------------------------------


MEASURED = """
import json, sys, time
from datetime import datetime
from pathlib import Path
from gateway import config
from gateway.scorecard import weekly
from gateway.models.store import Store

def megabytes(of):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if of in line) / 1024

after = []
put = weekly._put
weekly._put = lambda *given: (after.append(megabytes("VmHWM")), put(*given))[1]
settings, begun = config.load(), time.monotonic()
outcomes = weekly.write_all(Store(settings.database), settings, datetime.fromisoformat(sys.argv[1]))
print(json.dumps([outcomes, time.monotonic() - begun, after[100], after[-1]]))
"""


@pytest.mark.slow
def test_all_communes_of_the_country_are_told_in_flat_memory(installation: Installation) -> None:
    if not GAZETTEER.exists():
        pytest.skip("no ../shared/data/gazetteer.csv beside this repository")
    house = installation
    house.clock.now = at("2026-11-23 12:00")
    with house.store.write() as db:
        db.execute(update(editions).values(made=at("2026-11-01 00:00")))
        places.import_places(db, GAZETTEER, join=False)
        known = select(place_names.c.code).where(place_names.c.level == "commune").order_by(place_names.c.code)
        codes = list(db.scalars(known))
        join_programme(db, codes)
    round_id = rounds.open_round(house.store, house.keys, codes, WEEK, house.clock.now)
    country = Councils(house, round_id)
    table = answers.answers
    with house.store.write() as db:
        for index, code in enumerate(codes):
            described = contacts.Details(name="Sok", role=Role.COUNCILLOR, language="km", commune=code)
            assert contacts.add(db, house.keys, f"+85512{index:06}", described, WEEK)
            db.execute(
                table.insert(),
                [
                    {
                        "round_id": round_id, "rater": rater(20 * index + i, None), "service_id": service,
                        "indicator": answers.OVERALL, "phone": hashed(20 * index + i), "who": None, "commune": code,
                        "score": i % 5 + 1, "day": WEEK, "channel": "sms",
                    }
                    for service in ("office", "health", "school", "window")
                    for i in range(20)
                ],
            )  # fmt: skip
    env = dict(os.environ) | {"DATA_DIR": str(house.settings.data_dir), "DATABASE_URL": house.settings.database}
    argv = [sys.executable, "-c", MEASURED, at("2026-11-30 08:00").isoformat()]
    run = subprocess.run(argv, env=env, capture_output=True, text=True, cwd=Path(__file__).parents[1], check=True)
    outcomes, seconds, at_100, at_last = json.loads(run.stdout)
    memory = f"{at_100:.0f} MB at the 100th, {at_last:.0f} MB at the last"
    print(f"{house.store.engine.name}: {len(codes)} letters in {seconds:.1f} s, {memory}")
    assert outcomes == {"written": len(codes)}
    assert len(country.sent()) == len(codes) == 1652
    assert at_last - at_100 < 8
