"""Requests that come at the same time are answered together, and nobody can tell."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import OperationalError

from gateway import together
from gateway.menus.phrases import Words
from gateway.menus.wording import render
from gateway.models.answers import answers
from gateway.models.rounds import near_numbers
from gateway.providers.base import UssdStep
from gateway.together import Together
from tests.conftest import Installation


@dataclass
class Desk:
    """Answers with what it was asked, by lots, when it is let."""

    lots: list[list[str]] = field(default_factory=list)
    may_go: threading.Event = field(default_factory=threading.Event)
    bad: set[str] = field(default_factory=set)

    def answer(self, asked: Sequence[str]) -> list[str]:
        self.lots.append(list(asked))
        assert self.may_go.wait(10)
        if self.bad & set(asked):
            raise ValueError(f"{len(asked)} at once")
        return [one.upper() for one in asked]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(80) as pool:
        yield pool


def ask(pool: ThreadPoolExecutor, counter: Together[str, str], *asked: str) -> list[Callable[[], str]]:
    """Each in a thread of its own, one after the other; how to get its answer."""
    found = []
    for one in asked:
        found.append(pool.submit(counter, one).result)
        time.sleep(0.01)
    return [partial(get, 10) for get in found]


def first_letter(asked: str) -> str:
    return asked[0]


def no_error(_: BaseException) -> bool:
    return False


def test_who_comes_first_begins_at_once_and_who_comes_meanwhile_is_in_the_next_lot(threads: ThreadPoolExecutor) -> None:
    desk = Desk()
    counter = Together(desk.answer, first_letter, no_error)
    got = ask(threads, counter, "a", "b", "c")
    desk.may_go.set()
    assert [get() for get in got] == ["A", "B", "C"]
    assert desk.lots == [["a"], ["b", "c"]]


def test_what_must_be_apart_is_in_lots_one_after_the_other(threads: ThreadPoolExecutor) -> None:
    desk = Desk()
    got = ask(threads, Together(desk.answer, first_letter, no_error), "x", "a1", "b1", "a2", "a3", "c1")
    desk.may_go.set()
    assert [get() for get in got] == ["X", "A1", "B1", "A2", "A3", "C1"]
    assert desk.lots == [["x"], ["a1", "b1", "c1"], ["a2"], ["a3"]]


def test_where_it_helps_two_lots_are_at_work_at_the_same_time(threads: ThreadPoolExecutor) -> None:
    desk = Desk()
    got = ask(threads, Together(desk.answer, first_letter, no_error, at_once=2), "a", "b", "c", "d")
    assert desk.lots == [["a"], ["b"]]
    desk.may_go.set()
    assert [get() for get in got] == ["A", "B", "C", "D"]
    assert desk.lots == [["a"], ["b"], ["c", "d"]]


def test_a_lot_has_an_end(threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "MOST", 3)
    desk = Desk()
    got = ask(threads, Together(desk.answer, first_letter, no_error), *"abcdefgh")
    desk.may_go.set()
    assert [get() for get in got] == list("ABCDEFGH")
    assert list(map(len, desk.lots)) == [1, 3, 3, 1]


def test_one_that_fails_does_not_spoil_it_for_the_others(threads: ThreadPoolExecutor) -> None:
    desk = Desk(bad={"c"})
    got = ask(threads, Together(desk.answer, first_letter, no_error), *"abcd")
    desk.may_go.set()
    assert [got[n]() for n in (0, 1, 3)] == ["A", "B", "D"]
    with pytest.raises(ValueError, match="1 at once"):
        got[2]()


def test_what_ends_all_is_not_tried_again_for_each(threads: ThreadPoolExecutor) -> None:
    desk = Desk(bad={"c"})
    got = ask(threads, Together(desk.answer, first_letter, lambda error: isinstance(error, ValueError)), *"abcd")
    desk.may_go.set()
    assert got[0]() == "A"
    for get in got[1:]:
        with pytest.raises(ValueError, match="3 at once"):
            get()
    assert len(desk.lots) == 2


def test_who_waits_long_begins_beside_a_lot_that_hangs(threads: ThreadPoolExecutor) -> None:
    desk, quick = Desk(), Desk()
    quick.may_go.set()

    def answer(asked: Sequence[str]) -> list[str]:
        return (desk if "hangs" in asked else quick).answer(asked)

    began = time.monotonic()
    got = ask(threads, Together(answer, first_letter, no_error), "hangs", "b", "c")
    assert sorted(get() for get in got[1:]) == ["B", "C"]
    assert time.monotonic() - began < 5
    desk.may_go.set()
    assert got[0]() == "HANGS"


def test_a_crowd_gets_each_its_own_answer() -> None:
    def answer(asked: Sequence[int]) -> list[int]:
        time.sleep(0.001)
        return [one * 2 for one in asked]

    counter = Together(answer, lambda one: (one % 7,), no_error)
    with ThreadPoolExecutor(40) as pool:
        assert list(pool.map(counter, range(3000))) == [n * 2 for n in range(3000)]


# conversations --------------------------------------------------------------------------------------

PRESSED = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "x")


def numbers(first: int, count: int) -> list[str]:
    """Neighbours are counted by hundreds: each group has its own."""
    return [f"+85510{first:03}{n:03}" for n in range(count)]


@dataclass
class Caller:
    """Presses keys, from time to time in a new session, or the same as before."""

    number: str
    keys: random.Random
    path: list[str] = field(default_factory=list)
    session: int = 0

    def next(self) -> UssdStep:
        deed = self.keys.random()
        if deed < 0.1 or len(self.path) > 12:
            self.session, self.path = self.session + 1, self.keys.choice(([], ["2", "5"], ["1", "3", "2"]))[:]
        elif deed > 0.15:  # else the provider repeats it
            likely = ("1", "3") if len(self.path) < 2 else PRESSED
            self.path.append(self.keys.choice(likely))
        return UssdStep("africastalking", f"{self.number}-{self.session}", self.number, path=tuple(self.path))


def rated(house: Installation, callers: Sequence[str]) -> tuple[Counter[tuple[object, ...]], int]:
    """What is kept of callers: answers without their numbers, and how many were counted among their neighbours."""
    key = text("SELECT key FROM rounds")
    with house.store.read() as db:
        name = db.scalar(key)
        phones = {house.keys.phone(str(name), number) for number in callers}
        columns = ("service_id", "score", "who", "commune", "given", "lead", "channel", "day")
        of_them = select(*(answers.c[name] for name in columns)).where(answers.c.phone.in_(phones))
        kept = Counter(tuple(row) for row in db.execute(of_them))
        near = {house.keys.near(str(name), number) for number in callers}
        count = sum(db.scalars(select(near_numbers.c.numbers).where(near_numbers.c.near.in_(near))))
    return kept, count


@pytest.mark.parametrize("seed", range(3))
def test_a_lot_of_callers_is_told_what_each_is_told_alone(installation: Installation, seed: int) -> None:
    """Whatever they press; and the same is kept. Half-way the round closes."""
    round_id = installation.open_round()
    talks = installation.conversations()
    size = 12
    lots = [Caller(number, random.Random(f"{seed} {n}")) for n, number in enumerate(numbers(seed, size))]
    alone = [Caller(n, random.Random(f"{seed} {i}")) for i, n in enumerate(numbers(seed + 100, size))]
    for turn in range(40):
        together_ = talks._answer([caller.next() for caller in lots])
        one_by_one = [talks.ussd(caller.next()) for caller in alone]
        assert together_ == one_by_one
        if turn == 30:
            ours, theirs = (rated(installation, [one.number for one in group]) for group in (lots, alone))
            assert ours == theirs
            assert sum(ours[0].values()) > size / 2
            installation.close_round(round_id)
        installation.clock.forward(seconds=7)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_crowd_rates_at_the_same_moment(installation: Installation) -> None:
    """Two processes, forty threads each: everybody is thanked, and every rating is there once."""
    installation.open_round()
    processes = [installation.conversations(), installation.conversations()]
    callers = numbers(500, 120)

    def ask(session: str, number: str, *path: str) -> str:
        """The provider is impatient: it asks twice, of both processes."""
        step = UssdStep("africastalking", f"{number} {session}", number, path=path)
        with ThreadPoolExecutor(2) as both:
            found: set[str] = {screen.text for screen in both.map(lambda talks: talks.ussd(step), processes)}
        assert len(found) == 1
        return found.pop()

    def call(number: str) -> tuple[str, str]:
        path = ("1", "1234"[int(number) % 4], "2", "5", "1")
        said = [ask("first", number, *path[:end]) for end in range(6)]
        return said[-1], ask("dials through", number, "1", "4")  # all at once: the talk is new, and stores a score

    with ThreadPoolExecutor(40) as pool:
        said = list(pool.map(call, callers))
    assert {thanks for thanks, _ in said} == {render(Words("Thank you! Received."), "km")}
    assert len({who for _, who in said}) == 1
    kept, count = rated(installation, callers)
    assert count == len(callers)
    assert {row[:3] for row in kept} == {("health", 5, "woman-15-30"), ("office", 4, None)}
    assert {row[4] for row in kept} == {1}  # given once
    assert set(kept.values()) == {len(callers) // 4}  # in each commune
    time.sleep(1)  # so long PostgreSQL may take to count
    with installation.store.read() as db:
        deadlocks = db.scalar(text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
    assert deadlocks == 0  # else some waited for a second


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_that_collide_are_answered_one_by_one(installation: Installation) -> None:
    """PostgreSQL undoes one of two transactions that wait for each other: nobody is told so."""
    installation.open_round()
    talks = installation.conversations()
    undone: list[str] = []

    def deadlock(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO conversations") and not undone:
            undone.append(statement)
            raise _Collision

    event.listen(installation.store._by_index, "before_cursor_execute", deadlock)
    steps = [UssdStep("africastalking", number, number, path=()) for number in numbers(700, 3)]
    with ThreadPoolExecutor(3) as pool:
        screens = list(pool.map(talks.ussd, steps))
    assert undone
    assert {screen.text for screen in screens} == {talks.ussd(steps[0]).text}


class _Collision(OperationalError):
    def __init__(self) -> None:
        super().__init__("", {}, type("Orig", (Exception,), {"sqlstate": "40P01"})())
