"""Closed days, counted: a recount of all answers gives the same, whatever happened in whatever order."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, func, select

from gateway.models import answers as model
from gateway.models.answers import Given, answers, rollup_state, stale_days
from gateway.models.rollups import (
    PEOPLE,
    SCORES,
    UNSAID,
    counted_until,
    counts,
    roll,
    roll_stale,
    rollups,
    round_sums,
    totals,
)
from gateway.models.rounds import rounds
from gateway.models.store import Store
from tests.conftest import COMMUNES, Installation

FIRST = date(2026, 11, 1)
SERVICES = ("office", "health")
WHO = (None, "woman-31", "man-31")


def marks(number: int, who: str | None) -> tuple[bytes, bytes]:
    """The hashes of a rater and of the number, as a round's key would make them."""
    return (
        hashlib.sha256(f"{number} {who}".encode()).digest()[:16],
        hashlib.sha256(str(number).encode()).digest()[:16],
    )


def save(db: Connection, number: int, who: str | None, service: str, score: int, day: date, commune: str) -> None:
    rater, phone = marks(number, who)
    model.save(db, Given(1, rater, phone, commune, service, score, day, "ussd", who=who))


def recount(db: Connection, *by: str) -> dict[tuple[object, ...], tuple[int, ...]]:
    """The same figures from the answers alone, by a way of its own; numbers are counted at the answer that leads."""
    found: dict[tuple[object, ...], Counter[str]] = {}
    for row in db.execute(select(answers)):
        values = {**row._mapping, "who": row.who or UNSAID}
        cell = found.setdefault(tuple(values[name] for name in by), Counter())
        cell[f"n{row.score}"] += 1
        cell["leads"] += row.lead
    return {key: (*(cell[f"n{s}"] for s in SCORES), cell["leads"]) for key, cell in found.items()}


def counted(db: Connection, *by: str) -> dict[tuple[object, ...], tuple[int, ...]]:
    return {tuple(row[: len(by)]): tuple(int(value) for value in row[len(by) :]) for row in counts(db, by)}


GROUPINGS = (
    ("commune", "round_id", "service_id"),
    ("commune", "day"),
    ("service_id", "who", "channel"),
    ("round_id",),
    ("commune", "round_id", "day", "service_id", "indicator", "who", "channel"),
)


def must_agree(db: Connection) -> None:
    for by in GROUPINGS:
        assert counted(db, *by) == recount(db, *by)
    # numbers are counted exactly where all of a number's answers are within
    for row in counts(db, ("service_id",)):
        exact = select(func.count(answers.c.phone.distinct())).where(answers.c.service_id == row.service_id)
        assert row.leads == db.scalar(exact)
    # what is added up over whole rounds is the same again
    for extra in ((), ("service_id", "indicator")):
        by = ("commune", "round_id", *extra)
        added = totals(db, by, round_id={1}, communes=COMMUNES)
        assert sorted(map(tuple, added)) == sorted(map(tuple, counts(db, by, people=PEOPLE)))


number = st.integers(0, 5)
service = st.sampled_from(SERVICES)
STEPS = st.one_of(
    st.tuples(st.just("save"), number, st.sampled_from(WHO), service, st.integers(1, 5), st.sampled_from(COMMUNES[:2])),
    st.tuples(st.just("take over"), number, st.sampled_from(WHO[1:])),
    st.tuples(st.just("remove"), number, service),
    st.tuples(st.just("withdraw"), number),
    st.tuples(st.just("next day"), st.integers(1, 3)),
    st.tuples(st.just("roll")),
    st.tuples(st.just("roll stale"), st.integers(1, 3)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([("save", 0, None, SERVICES[0], 5, COMMUNES[0]), ("next day", 1), ("roll",), ("take over", 0, WHO[1])])
@given(st.lists(STEPS, max_size=40))
def test_a_recount_gives_the_same(installation: Installation, steps: list[tuple[object, ...]]) -> None:
    with installation.store.read() as db:
        if db.execute(select(rounds)).first() is None:
            installation.open_round()
    with installation.store.write() as db:
        for table in (answers, stale_days, rollups, round_sums, rollup_state):
            db.execute(delete(table))
    today = FIRST
    for step in steps:
        with installation.store.write() as db:
            match step:
                case ("save", int(n), who, str(service), int(score), str(commune)):
                    assert who is None or isinstance(who, str)
                    save(db, n, who, service, score, today, commune)
                case ("take over", int(n), str(who)):
                    nobody, phone = marks(n, None)
                    model.take_over(db, [model.Told(1, phone, nobody, marks(n, who)[0], who, today)])
                case ("remove", int(n), str(service)):
                    nobody, phone = marks(n, None)
                    model.remove_loose(db, 1, phone, nobody, service)
                case ("withdraw", int(n)):
                    model.withdraw(db, 1, marks(n, None)[1])
                case ("next day", int(days)):
                    today += timedelta(days=days)
                case ("roll",):
                    roll(db, today - timedelta(days=1))
                case ("roll stale", int(most)):
                    roll_stale(db, most)
        with installation.store.read() as db:
            must_agree(db)
    with installation.store.write() as db:  # in the end nothing is left to be read from single answers but today
        roll(db, today)
        while roll_stale(db):
            pass
        assert db.scalar(select(func.count()).select_from(stale_days)) == 0
        assert counted_until(db) == today
        must_agree(db)


def test_what_is_counted_is_not_looked_at_again(installation: Installation) -> None:
    """With the answers gone, the figures of counted days stand: they come from the rollups alone."""
    installation.open_round()
    with installation.store.write() as db:
        for n in range(6):
            save(db, n, "man-31", "office", 3, FIRST, COMMUNES[0])
        roll(db, FIRST)
        db.execute(delete(answers))
    with installation.store.read() as db:
        assert counted(db, "service_id") == {("office",): (0, 0, 6, 0, 0, 6)}


def test_an_answer_given_again_is_counted_once_and_its_times_are_known(installation: Installation) -> None:
    installation.open_round()
    with installation.store.write() as db:
        for score, day in ((1, 0), (2, 1), (5, 4)):
            save(db, 1, "man-31", "office", score, FIRST + timedelta(days=day), COMMUNES[0])
            roll(db, FIRST + timedelta(days=day))
    with installation.store.read() as db:
        assert counted(db, "service_id") == {("office",): (0, 0, 0, 0, 1, 1)}
        assert list(db.scalars(select(answers.c.given))) == [3]


def _roll_for_ever(url: str, last: date) -> None:
    store = Store(url)
    while True:
        with store.write() as db:
            roll(db, last)
            roll_stale(db, 7)


@pytest.mark.slow
def test_kills_in_the_middle_of_a_count_change_nothing(installation: Installation) -> None:
    """A process that counts is killed at random moments, while answers come in, change and are withdrawn."""
    installation.open_round()
    chance = random.Random(7)
    last = FIRST + timedelta(days=40)
    start = multiprocessing.get_context("spawn")
    with installation.store.write() as db:
        for n in range(300):
            save(db, n, "man-31", chance.choice(SERVICES), 3, FIRST + timedelta(days=n % 30), chance.choice(COMMUNES))
        roll(db, last - timedelta(days=1))
    for _ in range(8):
        child = start.Process(target=_roll_for_ever, args=(installation.settings.database, last), daemon=True)
        child.start()
        until = time.monotonic() + 0.7 + chance.random()
        while time.monotonic() < until:
            n, day = chance.randrange(300), FIRST + timedelta(days=chance.randrange(40))
            with installation.store.write() as db:
                if chance.random() < 0.1:
                    model.withdraw(db, 1, marks(n, None)[1])
                else:
                    score, commune = chance.randint(1, 5), chance.choice(COMMUNES)
                    save(db, n, chance.choice(WHO), chance.choice(SERVICES), score, day, commune)
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        with installation.store.read() as db:
            must_agree(db)
    with installation.store.write() as db:
        while roll_stale(db):
            pass
        must_agree(db)
