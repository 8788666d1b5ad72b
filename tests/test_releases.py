"""What leaves the programme: whoever keeps all that was ever told finds no group of fewer numbers than the minimum."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from gateway.config import FLOOR
from gateway.models import answers
from gateway.models.answers import Given
from gateway.models.releases import blocks, released_phones
from gateway.models.rollups import WOMEN
from gateway.scorecard.releases import Block, blocks_of, release, total
from gateway.scorecard.tallies import Figures
from tests.conftest import COMMUNES, Installation

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
MONDAY = date(2026, 11, 23)
SUNDAYS = [MONDAY + timedelta(days=6 + 7 * week) for week in range(6)]
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def rater(phone: int, who: str | None) -> bytes:
    return f"r{phone:06}{who or ''}"[:16].encode().ljust(16)


def hashed(phone: int) -> bytes:
    return f"p{phone:015}".encode()


@dataclass
class Village:
    """A round in the four communes, and who rates when."""

    house: Installation
    round: int
    minimum: int = 10

    def rate(
        self,
        phones: Iterable[int],
        scores: str,
        day: date = MONDAY,
        commune: str = TA_PHOU,
        service: str = "health",
        who: str | None = None,
        indicator: str = answers.OVERALL,
    ) -> None:
        """Each phone gives the next of the scores, over and over."""
        with self.house.store.write() as db:
            for i, phone in enumerate(phones):
                score = int(scores[i % len(scores)])
                given = Given(
                    self.round, rater(phone, who), hashed(phone), commune, service, score, day, "sms", indicator, who
                )
                answers.save(db, given)

    def withdraw(self, phone: int) -> None:
        with self.house.store.write() as db:
            answers.withdraw(db, self.round, hashed(phone))

    def release(self, last: date, commune: str = TA_PHOU) -> list[Block]:
        with self.house.store.write() as db:
            return release(db, self.round, commune, last, self.minimum)

    def told(self, *communes: str, service: str = "health") -> list[Block]:
        with self.house.store.read() as db:
            found = blocks_of(db, self.round, communes or COMMUNES)
        return [block for block in found if block.service == service]


@pytest.fixture
def village(installation: Installation) -> Village:
    return Village(installation, installation.open_round())


# what a block is ----------------------------------------------------------------------------------


def test_a_block_has_the_answers_of_its_numbers_and_nothing_else(village: Village) -> None:
    village.rate(range(6), "12345", who="woman-31")
    village.rate(range(6, 11), "44", who="man-31")
    village.rate(range(20, 22), "11", service="school")
    (block,) = village.release(SUNDAYS[0])
    assert (block.commune, block.service, block.last) == (TA_PHOU, "health", SUNDAYS[0])
    assert block.figures.counts == (2, 1, 1, 6, 1)
    assert (block.figures.n, block.figures.numbers, block.figures.female) == (11, 11, 6)
    assert village.told() == [block]


@pytest.mark.parametrize(
    ("phones", "scores", "minimum", "told"),
    [
        (10, "12345", 10, True),
        (9, "12345", 10, False),
        (10, "4", 10, False),  # unanimous
        (200, "5", 10, False),
        (10, "4444444443", 10, True),
        (FLOOR, "12345", 1, True),
        (FLOOR - 1, "12345", 1, False),  # the floor holds whatever the setting
        (12, "12345", 13, False),
    ],
)
def test_it_is_of_enough_numbers_that_do_not_all_say_the_same(
    village: Village, phones: int, scores: str, minimum: int, told: bool
) -> None:
    village.minimum = minimum
    village.rate(range(phones), scores)
    assert bool(village.release(SUNDAYS[0])) == told


def test_numbers_are_counted_not_raters(village: Village) -> None:
    for who in ("woman-31", "man-31"):
        village.rate(range(9), "12345", who=who)
    assert village.release(SUNDAYS[0]) == []  # 18 raters on nine phones
    village.rate([9], "3", who="man-31")
    (block,) = village.release(SUNDAYS[1])
    assert (block.figures.n, block.figures.numbers) == (19, 10)


def test_what_comes_after_its_last_day_waits_for_the_next(village: Village) -> None:
    village.rate(range(10), "12", SUNDAYS[0])
    village.rate(range(10, 20), "45", SUNDAYS[0] + timedelta(days=1))
    assert [block.figures.counts for block in village.release(SUNDAYS[0])] == [(5, 5, 0, 0, 0)]
    assert [block.figures.counts for block in village.release(SUNDAYS[1])] == [(0, 0, 0, 5, 5)]


def test_what_is_too_few_or_unanimous_waits_for_more(village: Village) -> None:
    village.rate(range(9), "5", SUNDAYS[0])
    assert village.release(SUNDAYS[0]) == []
    village.rate(range(9, 20), "5", SUNDAYS[1])
    assert village.release(SUNDAYS[1]) == []
    village.rate([20], "1", SUNDAYS[2])
    (block,) = village.release(SUNDAYS[2])
    assert block.figures.counts == (1, 0, 0, 0, 20)


def test_a_service_gets_one_block_of_a_day_however_often_it_is_asked_for(village: Village) -> None:
    village.rate(range(10), "12")
    first = village.release(SUNDAYS[0])
    village.rate(range(10, 30), "12")  # as if they had rated before that day
    assert village.release(SUNDAYS[0]) == first
    village.rate(range(40, 60), "12", service="school")
    assert [block.service for block in village.release(SUNDAYS[0])] == ["health", "school"]
    assert [block.figures.n for block in village.release(SUNDAYS[1])] == [20]


# what stays inside --------------------------------------------------------------------------------


def test_a_number_in_a_block_stays_inside_whatever_it_does_later(village: Village) -> None:
    village.rate(range(10), "12345")
    first = village.release(SUNDAYS[0])
    village.rate(range(10), "5", SUNDAYS[1])  # all ten think again
    village.rate(range(5), "1", SUNDAYS[1], who="woman-31")  # somebody else on the same phones
    village.withdraw(7)
    village.rate([7], "3", SUNDAYS[1])
    village.rate(range(10, 19), "12345", SUNDAYS[1])  # nine new ones are too few
    assert village.release(SUNDAYS[1]) == []
    assert village.told() == first
    village.rate([19], "1", SUNDAYS[2])
    (second,) = village.release(SUNDAYS[2])
    assert second.figures.n == 10
    assert total(village.told()) == total([*first, second])


def test_a_number_that_moves_is_in_the_blocks_of_one_commune(village: Village) -> None:
    village.rate(range(10), "12345", commune=TA_PHOU)
    village.release(SUNDAYS[0], TA_PHOU)
    village.rate(range(5), "12345", SUNDAYS[1], commune=TREAS)
    village.rate(range(10, 19), "12345", SUNDAYS[1], commune=TREAS)
    assert village.release(SUNDAYS[1], TREAS) == []  # fourteen answers, nine of them of numbers not told yet
    village.rate([19], "3", SUNDAYS[1], commune=TREAS)
    village.rate([19], "3", SUNDAYS[1], commune=TREAS, service="school")
    village.release(SUNDAYS[2], TREAS)
    summed = total(village.told())
    assert summed is not None
    assert summed.numbers == 20


def test_each_service_has_its_own_numbers(village: Village) -> None:
    village.rate(range(10), "12345", service="health")
    village.release(SUNDAYS[0])
    village.rate(range(10), "12345", SUNDAYS[1], service="school")
    assert [block.service for block in village.release(SUNDAYS[1])] == ["school"]


# extra questions ----------------------------------------------------------------------------------


def told_of_questions(village: Village, week: int) -> list[tuple[str, int]]:
    return [(block.indicator, block.figures.n) for block in village.release(SUNDAYS[week])]


def test_an_extra_question_has_blocks_of_its_own(village: Village) -> None:
    village.rate(range(20), "12345")
    village.rate(range(12), "45", indicator="clean")
    village.rate(range(9), "45", indicator="kind")  # too few
    village.rate(range(15), "4", indicator="price")  # all the same
    assert told_of_questions(village, 0) == [("overall", 20), ("clean", 12)]
    village.rate(range(12), "1", SUNDAYS[1], indicator="clean")  # told already
    village.rate(range(9, 11), "3", SUNDAYS[1], indicator="kind")
    assert told_of_questions(village, 1) == [("kind", 11)]


def test_an_extra_question_is_told_only_of_numbers_whose_score_is_told(village: Village) -> None:
    """Twelve answered it: then twelve scored, and a score that is hidden all the same would be known as unanimous."""
    village.rate(range(12), "4")
    village.rate(range(12), "12345", indicator="clean")
    assert told_of_questions(village, 0) == []
    village.rate([12], "1", SUNDAYS[1])
    assert told_of_questions(village, 1) == [("overall", 13), ("clean", 12)]
    village.rate(range(20, 29), "12", SUNDAYS[2])  # nine: their scores wait
    village.rate(range(20, 32), "12", SUNDAYS[2], indicator="clean")
    assert told_of_questions(village, 2) == []
    village.rate(range(29, 32), "45", SUNDAYS[3])
    assert told_of_questions(village, 3) == [("overall", 12), ("clean", 12)]


# a round that closes ------------------------------------------------------------------------------


def test_closing_releases_the_rest_and_forgets_whose_it_was(village: Village) -> None:
    village.rate(range(10), "12345")
    village.release(SUNDAYS[0])
    village.rate(range(10, 25), "12345", SUNDAYS[0])
    village.rate(range(30, 39), "12345", service="school")  # nine: the last ones stay inside
    village.house.clock.now += timedelta(days=9)
    village.house.close_round(village.round)
    assert [(block.figures.n, block.last) for block in village.told()] == [
        (10, SUNDAYS[0]), (15, village.house.clock.now.date()),
    ]  # fmt: skip
    assert village.told(service="school") == []
    with village.house.store.read() as db:
        assert db.execute(select(released_phones)).all() == []


def test_of_a_closed_round_nothing_more_is_released(village: Village) -> None:
    """Which numbers are in its blocks is forgotten: all would seem to be new."""
    village.rate(range(10), "12345")
    village.house.close_round(village.round)
    told = village.told()
    for sunday in SUNDAYS:
        village.release(sunday)
    village.house.close_round(village.round)
    assert village.told() == told
    assert len(told) == 1


@on_one_database
def test_a_closing_cut_short_is_repeated_without_harm(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    village.rate(range(10), "12345")
    village.rate(range(20, 30), "12345", commune=TREAS)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("gateway.scorecard.closing.forget_released", cut)
        with pytest.raises(KeyboardInterrupt):
            village.house.close_round(village.round)
    village.rate(range(40, 60), "12345")  # it is still open
    village.house.clock.now += timedelta(days=1)
    village.house.close_round(village.round)
    assert [block.figures.n for block in village.told(TA_PHOU)] == [10, 20]
    assert [block.figures.n for block in village.told(TREAS)] == [10]


# at once ------------------------------------------------------------------------------------------


def test_two_that_release_at_once_make_one_block(village: Village) -> None:
    village.rate(range(12), "12345")
    begin = threading.Barrier(2)
    found: list[list[Block]] = []

    def run() -> None:
        begin.wait(10)
        found.append(village.release(SUNDAYS[0]))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found[0] == found[1] == village.told()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_whoever_rates_does_not_wait_for_a_release(village: Village) -> None:
    village.rate(range(12), "12345")
    with village.house.store.write() as db:
        release(db, village.round, TA_PHOU, SUNDAYS[0], 10)
        village.rate([50], "3")  # in a transaction of its own, while the first is under way
    (block,) = village.told()
    assert block.figures.n == 12


# played through -----------------------------------------------------------------------------------

SERVICES = ("health", "school")
WHO = (None, "woman-31", "man-31")
DEEDS = st.one_of(
    st.tuples(st.just("rate"), st.integers(0, 23), st.sampled_from(SERVICES), st.integers(1, 5), st.sampled_from(WHO),
              st.sampled_from([TA_PHOU, TREAS])),
    # many on the same day: a random stream alone seldom fills a block
    st.tuples(st.just("crowd"), st.integers(0, 60), st.sampled_from(SERVICES), st.integers(1, 5),
              st.sampled_from([TA_PHOU, TREAS])),
    st.tuples(st.just("identify"), st.integers(0, 23), st.sampled_from(WHO[1:])),
    st.tuples(st.just("withdraw"), st.integers(0, 23)),
    st.tuples(st.just("discard"), st.integers(0, 23), st.sampled_from(SERVICES)),
    st.tuples(st.just("week"), st.permutations([TA_PHOU, TREAS])),
)  # fmt: skip


@dataclass
class Attacker:
    """Keeps what was told, and knows in the end whose answers were in it."""

    inside: dict[Block, set[bytes]] = field(default_factory=dict)

    def notes(self, block: Block, phones: set[bytes]) -> None:
        self.inside[block] = phones

    def finds(self, minimum: int) -> None:
        """No two sets of numbers, however they are added and subtracted, leave fewer than the minimum."""
        by_service: dict[str, list[set[bytes]]] = defaultdict(list)
        for block, phones in self.inside.items():
            assert len(phones) == block.figures.numbers >= minimum
            assert max(block.figures.counts) < block.figures.n == sum(block.figures.counts)
            by_service[block.service].append(phones)
        for parts in by_service.values():
            # disjoint sets: whatever can be reached from their sums is a union of whole ones
            assert sum(map(len, parts)) == len(set().union(*parts))


def recount(
    village: Village, commune: str, service: str, last: date, told: set[bytes]
) -> tuple[Block | None, set[bytes]]:
    """The block that is due, counted from the rows by other means, and the numbers in it."""
    table = answers.answers
    with village.house.store.read() as db:
        rows = [row for row in db.execute(select(table)) if (row.commune, row.service_id) == (commune, service)]
    rows = [row for row in rows if row.day <= last and row.phone not in told and row.indicator == answers.OVERALL]
    phones, scores = {row.phone for row in rows}, Counter(row.score for row in rows)
    if len(phones) < village.minimum or len(scores) < 2:
        return None, set()
    female = sum(row.who in WOMEN for row in rows)
    figures = Figures(len(rows), len(phones), female, tuple(scores[score] for score in (1, 2, 3, 4, 5)))
    return Block(commune, village.round, service, last, figures), phones


def play(village: Village, story: list[tuple[object, ...]]) -> None:
    with village.house.store.write() as db:
        for table in (answers.answers, blocks, released_phones):
            db.execute(delete(table))
    attacker, day, told = Attacker(), MONDAY, {service: set[bytes]() for service in SERVICES}
    for deed in [*story, ("week", [TA_PHOU, TREAS])]:
        match deed:
            case ("rate", int(phone), str(service), int(score), who, str(commune)):
                village.rate([phone], str(score), day, commune, service, who)  # type: ignore[arg-type]
            case ("crowd", int(first), str(service), int(score), str(commune)):
                village.rate(range(first, first + 8), f"{score}{score}3", day, commune, service)
            case ("identify", int(phone), str(who)):
                with village.house.store.write() as db:
                    words = village.round, hashed(phone), rater(phone, None), rater(phone, who), who, day
                    answers.take_over(db, [answers.Told(*words)])
            case ("withdraw", int(phone)):
                village.withdraw(phone)
            case ("discard", int(phone), str(service)):
                with village.house.store.write() as db:
                    answers.remove_loose(db, village.round, hashed(phone), rater(phone, None), service)
            case ("week", list(order)):
                sunday = day + timedelta(days=6 - day.weekday())
                for commune in order:
                    due = [recount(village, commune, service, sunday, told[service]) for service in SERVICES]
                    wanted = [block for block, _ in due if block]
                    assert village.release(sunday, commune) == wanted
                    for block, phones in due:
                        if block:
                            attacker.notes(block, phones)
                            told[block.service] |= phones
                day = sunday + timedelta(days=1)
    attacker.finds(village.minimum)
    event(f"{len(attacker.inside)} blocks")
    for service in SERVICES:
        parts = [block for block in attacker.inside if block.service == service]
        found = village.told(service=service)
        assert sorted(found, key=repr) == sorted(parts, key=repr), "a block changed after its release"
        for some in (found, village.told(TA_PHOU, service=service), found[:2]):
            summed = total(some)
            assert (summed is None) == (not some)
            if summed:
                assert summed.n == sum(block.figures.n for block in some) == sum(summed.counts)
                assert summed.numbers == len(set().union(*(attacker.inside[block] for block in some)))
                assert summed.female == sum(block.figures.female for block in some)


def test_over_weeks_of_ratings_moves_and_withdrawals_nothing_told_isolates_anybody(village: Village) -> None:
    village.minimum = 7

    @settings(
        max_examples=150 if village.house.store.is_sqlite else 40, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.lists(DEEDS, min_size=8, max_size=40))
    def run(story: list[tuple[object, ...]]) -> None:
        play(village, story)

    run()
