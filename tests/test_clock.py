"""The clock: every period once, however many clocks there are, whatever stops them, wherever the hands are put."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.exc import OperationalError

from gateway.models.editions import editions
from gateway.models.pace import periods
from gateway.workers import clock, housekeeping
from gateway.workers.clock import DAY, HOUR, MINUTE, WEEK, Task
from tests.conftest import Installation
from tests.wire.harness import captured

PHNOM_PENH = ZoneInfo("Asia/Phnom_Penh")  # UTC+7, no summer time
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def at(text: str) -> datetime:
    """A moment by the programme's clock."""
    return datetime.fromisoformat(text).replace(tzinfo=PHNOM_PENH).astimezone(UTC)


@dataclass
class Tower:
    """An installation since some day, and the clocks that run in it."""

    house: Installation
    done: list[datetime] = field(default_factory=list)

    def clock(self, do: Callable[[datetime], object] | None = None, every: timedelta = WEEK) -> clock.Clock:
        """A clock process of its own, with one task: on Mondays at 08:00, unless it is another."""
        task = Task("bell", every, do or self.done.append, at=timedelta(hours=8) if every >= DAY else timedelta(0))
        return clock.Clock(self.house.store, PHNOM_PENH, [task])

    def since(self, moment: datetime) -> None:
        with self.house.store.write() as db:
            db.execute(update(editions).values(made=moment))

    @property
    def kept(self) -> list[str]:
        with self.house.store.read() as db:
            return sorted(db.scalars(select(periods.c.period)))


@pytest.fixture
def tower(installation: Installation) -> Tower:
    tower = Tower(installation)
    tower.since(at("2026-11-01"))
    return tower


# when a period begins -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("every", "after", "now", "begins"),
    [
        (MINUTE, timedelta(0), "2026-11-23 12:34:56", "2026-11-23 12:34"),
        (HOUR, timedelta(0), "2026-11-23 12:34:56", "2026-11-23 12:00"),
        (DAY, timedelta(hours=3), "2026-11-23 02:59:59", "2026-11-22 03:00"),
        (DAY, timedelta(hours=3), "2026-11-23 03:00:00", "2026-11-23 03:00"),
        (DAY, timedelta(hours=3), "2026-12-31 23:59:59", "2026-12-31 03:00"),
        (WEEK, timedelta(hours=8), "2026-11-23 07:59:59", "2026-11-16 08:00"),  # a Monday
        (WEEK, timedelta(hours=8), "2026-11-23 08:00:00", "2026-11-23 08:00"),
        (WEEK, timedelta(hours=8), "2026-11-29 23:59:59", "2026-11-23 08:00"),
        (WEEK, timedelta(hours=8), "2027-01-03 12:00:00", "2026-12-28 08:00"),
        (WEEK, timedelta(hours=8), "2023-12-30 12:00:00", "2023-12-25 08:00"),
    ],
)
def test_a_period_begins_by_the_programmes_clock(every: timedelta, after: timedelta, now: str, begins: str) -> None:
    task = Task("bell", every, lambda _: None, at=after)
    assert task.begins(at(now), PHNOM_PENH) == at(begins)


def test_a_weekly_period_keeps_its_hour_where_clocks_change_in_summer() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    task = Task("bell", WEEK, lambda _: None, at=timedelta(hours=8))
    for day in range(1, 29):  # the clocks change on 29 March 2026 and on 25 October 2026
        for month in (3, 4, 10, 11):
            begins = task.begins(datetime(2026, month, day, 12, tzinfo=berlin), berlin).astimezone(berlin)
            assert (begins.weekday(), begins.hour, begins.minute) == (0, 8, 0)


# once a period ------------------------------------------------------------------------------------


def test_a_task_is_done_once_a_period(tower: Tower) -> None:
    bell = tower.clock()
    moment = at("2026-11-15 12:00")
    while moment < at("2026-12-02"):
        bell.look(moment)
        moment += timedelta(minutes=20)
    monday = [at("2026-11-15 12:00"), at("2026-11-16 08:00"), at("2026-11-23 08:00"), at("2026-11-30 08:00")]
    assert tower.done == monday  # the first was missed before the clock came
    assert tower.kept == ["2026-11-09T01:00+00:00", "2026-11-16T01:00+00:00", "2026-11-23T01:00+00:00",
                          "2026-11-30T01:00+00:00"]  # fmt: skip


def test_a_clock_that_is_started_again_does_not_do_it_again(tower: Tower) -> None:
    for hour in range(8, 20):
        tower.clock().look(at(f"2026-11-16 {hour:02}:00"))
    assert tower.done == [at("2026-11-16 08:00")]


def test_of_missed_periods_only_the_latest_is_made_up(tower: Tower) -> None:
    tower.clock().look(at("2026-11-02 08:00"))
    tower.clock().look(at("2026-11-26 03:00"))  # the machine was off for three weeks
    tower.clock().look(at("2026-11-26 03:01"))
    assert tower.done == [at("2026-11-02 08:00"), at("2026-11-26 03:00")]
    assert tower.kept == ["2026-11-02T01:00+00:00", "2026-11-23T01:00+00:00"]


def test_a_fresh_installation_makes_up_nothing_from_before_it_was_there(tower: Tower) -> None:
    tower.since(at("2026-11-18 10:00"))
    bell = tower.clock()
    for hour in range(24 * 7):
        bell.look(at("2026-11-18 10:00") + timedelta(hours=hour))
    assert tower.done == [at("2026-11-23 08:00")]


def test_a_task_that_comes_oftener_than_daily_is_each_clocks_own_and_leaves_no_rows(tower: Tower) -> None:
    one, other = tower.clock(every=MINUTE), tower.clock(every=MINUTE)
    for second in range(0, 180, 10):
        one.look(at("2026-11-16 08:00") + timedelta(seconds=second))
        other.look(at("2026-11-16 08:00") + timedelta(seconds=second))
    assert len(tower.done) == 6
    assert tower.kept == []


@on_one_database
def test_every_task_has_a_name_of_its_own(tower: Tower) -> None:
    house = tower.house
    names = [task.name for task in clock.tasks(house.store, house.keys, house.settings)]
    assert len(names) == len(set(names))
    assert "weekly letters" in names


# what stops a clock -------------------------------------------------------------------------------


@on_one_database
def test_a_task_that_fails_keeps_back_no_other_and_is_tried_again_at_the_next_look(tower: Tower) -> None:
    done: list[str] = []
    troubles: list[Exception] = [OperationalError("", {}, Exception("the database is away")), ValueError("broken")]

    def fails(_: datetime) -> None:
        if troubles:
            raise troubles.pop()
        done.append("fails no more")

    tasks = [Task(f"fails {every}", every, fails) for every in (HOUR, WEEK)]
    tasks.append(Task("works", HOUR, lambda _: done.append("works")))
    bell = clock.Clock(tower.house.store, PHNOM_PENH, tasks)
    bell.look(at("2026-11-16 08:00"))
    assert done == ["works"]
    assert tower.kept == []
    for second in range(10, 60, 10):
        bell.look(at("2026-11-16 08:00") + timedelta(seconds=second))
    assert done == ["works", "fails no more", "fails no more"]
    assert len(tower.kept) == 1


@on_one_database
def test_no_number_is_in_the_log_of_a_failure(tower: Tower) -> None:
    def fails(_: datetime) -> None:
        raise ValueError("cannot write to +85510000001")

    with captured() as lines:
        tower.clock(fails).look(at("2026-11-16 08:00"))
    (said,) = lines
    assert "clock.failed" in said
    assert "ValueError" in said
    assert "10000001" not in said


class Killed(BaseException):
    """The process ends here."""


def test_a_clock_killed_in_the_middle_leaves_the_period_to_the_next(tower: Tower) -> None:
    def dies(_: datetime) -> None:
        raise Killed

    with pytest.raises(Killed):
        tower.clock(dies).look(at("2026-11-16 08:00"))
    assert tower.kept == []
    tower.clock().look(at("2026-11-16 08:05"))
    assert tower.done == [at("2026-11-16 08:05")]


def test_two_clocks_at_once_note_a_period_once(tower: Tower) -> None:
    both = threading.Barrier(2)

    def meets(now: datetime) -> None:
        both.wait(10)  # each has seen that it is due
        tower.done.append(now)

    threads = [threading.Thread(target=tower.clock(meets).look, args=[at("2026-11-16 08:00")]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(tower.done) == 2  # what a task does may be done twice: see test_weekly.py
    assert tower.kept == ["2026-11-16T01:00+00:00"]
    tower.clock().look(at("2026-11-16 08:01"))
    assert len(tower.done) == 2


# the wall clock -----------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [DAY, WEEK])
def test_a_wall_clock_put_back_over_a_beginning_does_nothing_again(tower: Tower, every: timedelta) -> None:
    tower.clock(every=every).look(at("2026-11-16 08:30"))
    tower.clock(every=every).look(at("2026-11-16 07:30"))  # the period before was never done: it is past all the same
    tower.clock(every=every).look(at("2026-11-16 08:30"))
    assert tower.done == [at("2026-11-16 08:30")]


def test_a_wall_clock_put_back_holds_up_no_task_of_every_minute(tower: Tower) -> None:
    bell = tower.clock(every=MINUTE)
    for moment in ("09:30:00", "08:30:00", "08:30:30", "08:31:00"):
        bell.look(at(f"2026-11-16 {moment}"))
    assert tower.done == [at("2026-11-16 09:30"), at("2026-11-16 08:30"), at("2026-11-16 08:31")]


def test_a_wall_clock_that_was_years_ahead_holds_up_nothing_once_it_is_right(tower: Tower) -> None:
    tower.clock().look(at("2031-01-06 09:00"))
    tower.clock().look(at("2026-11-16 09:00"))
    assert tower.done == [at("2031-01-06 09:00"), at("2026-11-16 09:00")]


def test_through_kills_gaps_second_clocks_and_moved_hands_no_period_is_done_twice_or_lost(tower: Tower) -> None:
    """Looks at random moments, by one of two clocks, some of them killed before or after the work."""

    @settings(
        max_examples=150 if tower.house.store.is_sqlite else 40, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([10, 600, 3600, 40000, 86400, 700000, -3600]),  # seconds on, or an hour back
                st.booleans(),  # by which clock
                st.sampled_from(["well", "well", "fails", "killed"]),
            ),
            max_size=40,
        )
    )
    def run(story: list[tuple[int, bool, str]]) -> None:
        with tower.house.store.write() as db:
            db.execute(delete(periods))
        now, done, how = at("2026-11-04 12:00"), [], "well"

        def do(moment: datetime) -> None:
            if how == "killed":
                raise Killed
            if how == "fails":
                raise ValueError
            done.append(moment)

        def new() -> clock.Clock:
            return clock.Clock(tower.house.store, PHNOM_PENH, [task])

        task = Task("bell", DAY, do, at=timedelta(hours=8))
        clocks, due = [new(), new()], set()
        for seconds, which, ends in story:
            now, how = now + timedelta(seconds=seconds), ends
            period = task.begins(now, PHNOM_PENH)
            try:
                clocks[which].look(now)
            except Killed:
                clocks[which] = new()
            if ends == "well":
                due.add(period)
                # it is done now, or was already, or the hands were put back over the beginning of the next
                told = {task.begins(moment, PHNOM_PENH) for moment in done}
                assert period in told or period + DAY in told
        begun = [task.begins(moment, PHNOM_PENH) for moment in done]
        assert len(begun) == len(set(begun)), "a period was done twice"
        assert begun == sorted(begun), "an older one was done after a newer one"
        assert set(begun) <= due

    run()


@pytest.mark.parametrize(
    ("now", "night"),
    [("2026-11-23 00:59", False), ("2026-11-23 01:00", True), ("2026-11-23 04:59", True), ("2026-11-23 05:00", False)],
)
def test_what_keeps_others_waiting_is_done_by_night(now: str, night: bool) -> None:
    assert clock._is_night(at(now), PHNOM_PENH) is night


# its rows -----------------------------------------------------------------------------------------


def test_rows_of_old_periods_are_removed_and_nothing_is_done_again(tower: Tower) -> None:
    for week in range(20):
        now = at("2026-11-16 08:00") + week * WEEK
        tower.clock().look(now)
        housekeeping.purge(tower.house.store, tower.house.settings, now)
        tower.clock().look(now + HOUR)
    assert len(tower.done) == 20
    assert len(tower.kept) == 9  # of 60 days
