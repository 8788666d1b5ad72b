"""A provider's rate: what may go at once, what waits and for how long; by Redis, without it, and while it goes away."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from sqlalchemy import select, update

from gateway import valkey
from gateway.models.broadcasts import Stage
from gateway.models.messages import Kind, State
from gateway.models.pace import paces
from gateway.providers.base import Outgoing
from gateway.times import utc_now
from gateway.workers import pace as pace_module
from gateway.workers.outbox import MICRO_BATCH
from gateway.workers.pace import TAKE, Grant, Pace, granted
from tests.conftest import Installation
from tests.test_outbox import A_DAY, SECOND, House, Provider
from tests.test_workers import RedisServer

PROVIDER = "simulator"
HOUR = timedelta(hours=1)
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with valkey.socket_path() as socket:
        server = RedisServer(socket)
        server.start()
        yield server
        server.kill()


Maker = Callable[[float], Pace]


@pytest.fixture(params=["redis", "database"])
def maker(request: pytest.FixtureRequest, installation: Installation) -> Maker:
    """Makes a worker's own view of a rate; all of one test share the bucket."""
    url = request.getfixturevalue("redis").url if request.param == "redis" else ""
    return lambda rate: paced(installation, rate, url)


def paced(installation: Installation, rate: float, url: str) -> Pace:
    changed = {"simulator_rate": rate, "redis_url": url}
    return Pace(installation.store, installation.settings.model_copy(update=changed), PROVIDER)


def never(_: object) -> None:
    raise AssertionError("the database was asked")


# how many -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "most", "first", "wanted", "expected"),
    [
        (10.0, 10.0, 1, 4, 4),
        (10.0, 10.0, 1, 40, 10),
        (3.9, 10.0, 1, 40, 3),
        (0.9, 10.0, 1, 40, 0),
        (2.9, 10.0, 3, 40, 0),
        (3.0, 10.0, 3, 40, 3),
        (-2.0, 10.0, 1, 1, 0),
        (9.9, 10.0, 12, 40, 0),
        (10.0, 10.0, 12, 40, 12),
        (1.0, 1.0, 3, 3, 3),
        (0.99, 1.0, 1, 3, 0),
        (2.5, 2.5, 3, 3, 3),
    ],
    ids=[
        "all that is wanted", "all there is", "whole segments", "not yet one", "not yet a message", "a message's",
        "in debt", "larger than the bucket, not full", "larger than the bucket, full", "a slow rate", "a slow rate, not"
        " full", "a broken rate",
    ],
)  # fmt: skip
def test_how_many_segments_are_granted(level: float, most: float, first: int, wanted: int, expected: int) -> None:
    assert granted(level, most, first, wanted) == expected


@on_one_database
def test_redis_reckons_as_the_database_does(redis: RedisServer, installation: Installation) -> None:
    client = redis.client
    take = client.register_script(TAKE)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        level=st.integers(-40_000, 100_000).map(lambda thousandths: thousandths / 1000),
        most=st.integers(1, 100_000).map(lambda thousandths: max(1.0, thousandths / 1000)),
        first=st.integers(1, 40),
        more=st.integers(0, 300),
    )
    def same(level: float, most: float, first: int, more: int) -> None:
        seconds, micros = client.time()
        client.hset("bucket", mapping={"segments": level, "at": f"{seconds}.{micros:06}"})
        standing = 1e-9  # a rate at which nothing comes to it meanwhile
        said = take(keys=["bucket"], args=[standing, most, first, first + more])
        expected = granted(min(level, most), most, first, first + more)
        assert said[0] == expected
        assert float(said[1]) == pytest.approx(min(level, most) - expected, abs=1e-5)

    same()


# in time ------------------------------------------------------------------------------------------


def test_a_second_s_worth_goes_at_once_and_then_what_comes_to_it(maker: Maker) -> None:
    pace = maker(10)
    first = pace.take(1, 300)
    assert first.segments == 10
    none = pace.take(1, 300)
    assert none.segments == 0
    wait = pace.seconds_until(3, none.left)
    assert 0.2 < wait <= 0.3
    time.sleep(wait)
    assert pace.take(1, 300).segments == 3


def test_a_bucket_unused_for_long_holds_a_second_s_worth(maker: Maker) -> None:
    pace = maker(100)
    pace.take(1, 50)
    time.sleep(1.2)
    assert pace.take(1, 300).segments == 100


def test_a_message_larger_than_the_bucket_goes_when_it_is_full_and_is_paid_for(maker: Maker) -> None:
    pace = maker(10)
    assert pace.take(12, 40) == Grant(12, -2.0)
    waits = pace.take(1, 1)
    assert waits.segments == 0
    assert pace.seconds_until(1, waits.left) == pytest.approx(0.3, abs=0.1)
    assert pace.seconds_until(12, waits.left) == pytest.approx(1.2, abs=0.1)  # full is enough
    time.sleep(0.31)
    assert pace.take(1, 1).segments == 1


def test_what_was_not_used_is_given_back_and_what_was_used_too_much_is_owed(maker: Maker) -> None:
    pace = maker(2)
    assert pace.take(1, 2).segments == 2
    pace.give_back(2)
    assert maker(2).take(1, 2).segments == 2
    pace.give_back(-4)
    assert pace.take(1, 2).left == pytest.approx(-4, abs=0.2)


def test_workers_share_one_rate(maker: Maker) -> None:
    rate, seconds = 200, 1.5
    begun = time.monotonic()
    ready = threading.Barrier(4)

    def work(pace: Pace) -> int:
        ready.wait()
        got = 0
        while time.monotonic() - begun < seconds:
            grant = pace.take(1, 7)
            got += grant.segments
            if not grant.segments:
                time.sleep(pace.seconds_until(1, grant.left))
        return got

    with ThreadPoolExecutor(4) as pool:
        got = sum(pool.map(work, [maker(rate) for _ in range(4)]))
    took = time.monotonic() - begun
    assert 0.9 * rate * seconds < got <= rate * (took + 1) + 1  # the burst, and what came to it


def test_a_slow_rate_sends_a_message_at_a_time(maker: Maker) -> None:
    pace = maker(0.5)
    assert pace.take(1, 10).segments == 1
    waits = pace.take(1, 10)
    assert (waits.segments, round(pace.seconds_until(1, waits.left), 1)) == (0, 2.0)


def test_providers_have_a_rate_each(maker: Maker, installation: Installation) -> None:
    assert maker(1).take(1, 5).segments == 1
    other = Pace(installation.store, installation.settings.model_copy(update={"redis_url": ""}), "kannel")
    assert other.take(1, 50).segments == installation.settings.kannel_rate


# clocks -------------------------------------------------------------------------------------------


@on_one_database
@pytest.mark.parametrize("by", [-HOUR, HOUR])
def test_a_clock_that_is_put_forward_or_back_costs_a_burst_at_most(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    pace = paced(installation, 10, "")
    pace.take(1, 10)
    monkeypatch.setattr(pace_module, "utc_now", lambda: utc_now() + by)
    at_once = pace.take(1, 10).segments
    assert at_once == (10 if by > timedelta() else 0)
    time.sleep(0.35)
    assert pace.take(1, 10).segments == 3


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_machines_whose_clocks_differ_share_the_database_s_clock(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = paced(installation, 10, ""), paced(installation, 10, "")
    got = 0
    for turn in range(10):
        monkeypatch.setattr(pace_module, "utc_now", lambda turn=turn: utc_now() + (turn % 2) * HOUR)
        got += (one, other)[turn % 2].take(1, 10).segments
    assert got <= 11


def test_a_row_from_the_future_does_not_stop_the_sending(installation: Installation) -> None:
    """As a machine leaves it whose clock was wrong."""
    pace = paced(installation, 20, "")
    pace.take(1, 20)
    with installation.store.write() as db:
        db.execute(update(paces).values(at=utc_now() + HOUR))
    assert pace.take(1, 20).segments == 0
    time.sleep(0.2)
    assert pace.take(1, 20).segments > 0


# a Redis that comes and goes ----------------------------------------------------------------------


@on_one_database
class TestRedis:
    @pytest.mark.parametrize("how", ["FLUSHALL", "restart"])
    def test_what_it_forgets_costs_one_burst(self, redis: RedisServer, installation: Installation, how: str) -> None:
        pace = paced(installation, 5, redis.url)
        assert pace.take(1, 50).segments == 5
        if how == "restart":
            redis.kill()
            redis.start()
        else:
            redis.client.flushall()
            redis.client.script_flush()
        assert pace.take(1, 50).segments == 5
        assert pace.take(1, 50).segments == 0
        pace.give_back(0)

    def test_what_is_given_back_to_one_that_forgot_makes_no_more_than_a_burst(
        self, redis: RedisServer, installation: Installation
    ) -> None:
        pace = paced(installation, 5, redis.url)
        pace.take(1, 5)
        redis.client.flushall()
        pace.give_back(4)
        assert pace.take(1, 50).segments == 5
        assert pace.take(1, 50).segments == 0

    def test_while_it_is_there_the_database_is_not_asked(
        self, redis: RedisServer, installation: Installation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pace = paced(installation, 5, redis.url)
        monkeypatch.setattr(installation.store, "write", never)
        assert pace.take(1, 5).segments == 5
        pace.give_back(1)

    def test_nothing_stays_in_it_when_nothing_is_sent(self, redis: RedisServer, installation: Installation) -> None:
        pace = paced(installation, 5, redis.url)
        pace.take(1, 5)
        assert 1 <= redis.client.ttl("mati:pace:simulator") <= 2
        pace.take(1, 50)
        pace.give_back(-10)  # a debt is not forgotten early
        pace.take(1, 1)
        assert 3 <= redis.client.ttl("mati:pace:simulator") <= 4

    def test_without_it_the_rate_is_kept_in_the_database(self, redis: RedisServer, installation: Installation) -> None:
        one, other = paced(installation, 5, redis.url), paced(installation, 5, redis.url)
        redis.kill()
        assert one.take(1, 50).segments == 5
        assert other.take(1, 50).segments == 0
        with installation.store.read() as db:
            assert db.scalars(select(paces.c.provider)).all() == [PROVIDER]

    def test_one_that_is_gone_is_left_alone_for_a_while_and_then_asked_again(
        self, redis: RedisServer, installation: Installation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pace_module, "PAUSE_SECONDS", 0.5)
        pace = paced(installation, 50, redis.url)
        redis.kill()
        begun = time.monotonic()
        pace.take(1, 1)
        redis.start()
        while time.monotonic() - begun < 0.4:
            pace.take(1, 1)
            pace.give_back(1)
        assert not redis.client.exists("mati:pace:simulator")
        time.sleep(0.3)
        pace.take(1, 1)
        assert redis.client.exists("mati:pace:simulator")

    def test_one_that_hangs_is_waited_for_once(self, redis: RedisServer, installation: Installation) -> None:
        pace = paced(installation, 1000, redis.url)
        pace.take(1, 1)
        assert redis.process is not None
        os.kill(redis.process.pid, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            for _ in range(20):
                assert pace.take(1, 1).segments == 1
            assert time.monotonic() - begun < 1.2
        finally:
            os.kill(redis.process.pid, signal.SIGCONT)

    def test_no_address_needs_no_redis(self, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Redis, "from_url", never)
        assert paced(installation, 5, "").take(1, 5).segments == 5


# the outbox at a rate -------------------------------------------------------------------------------------


THREE_PARTS = "x" * 400


def at_a_rate(installation: Installation, rate: float) -> House:
    installation.settings = installation.settings.model_copy(update={"simulator_rate": rate})
    return House(installation)


@pytest.fixture
def slow(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> House:
    """Ten segments a second, by the clock of the test."""
    monkeypatch.setattr(pace_module, "utc_now", installation.clock)
    return at_a_rate(installation, 10)


@on_one_database
def test_no_more_is_claimed_than_the_rate_lets_go_and_it_says_how_long_to_wait(slow: House) -> None:
    ids = [slow.post(f"number {each}", kind=Kind.REMINDER) for each in range(40)]
    outbox = slow.outbox()
    assert outbox.rest is None
    assert outbox.drain() == 10
    assert Counter(slow.state(message) for message in ids) == {State.ACCEPTED: 10, State.QUEUED: 30}
    assert outbox.rest == 0.5  # half a second's worth is worth a claim
    slow.forward(timedelta(seconds=0.5))
    assert outbox.drain() == 5


@on_one_database
def test_an_answer_goes_next_though_much_waits(slow: House) -> None:
    for each in range(40):
        slow.post(f"number {each}", kind=Kind.REMINDER)
    outbox = slow.outbox()
    outbox.drain()
    slow.post("answer")
    outbox.drain()
    assert outbox.rest == 0.1  # for its own segment
    slow.forward(timedelta(seconds=0.1))
    outbox.drain()
    assert slow.provider.texts[10:] == ["answer"]


@on_one_database
def test_parts_are_counted_not_messages(slow: House) -> None:
    for each in range(8):
        said = THREE_PARTS if each % 2 else f"number {each}"
        slow.post(said, kind=Kind.REMINDER, not_before=slow.now - SECOND * (9 - each))
    outbox = slow.outbox()
    assert outbox.drain() == 5  # 1 + 3 + 1 + 3 + 1: the next would make it 12, and the tenth is given back
    assert outbox.rest == 0.4
    slow.forward(timedelta(seconds=0.19))
    assert outbox.drain() == 0
    slow.forward(timedelta(seconds=0.01))
    assert outbox.drain() == 1  # of three parts


@on_one_database
def test_a_message_of_more_parts_than_go_in_a_second_goes_and_is_paid_for(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace_module, "utc_now", installation.clock)
    house = at_a_rate(installation, 2)
    house.post(THREE_PARTS, not_before=house.now - SECOND)
    house.post("next")
    outbox = house.outbox()
    outbox.drain()
    assert (house.provider.texts, outbox.rest) == ([THREE_PARTS], 1.0)
    house.forward(SECOND)
    outbox.drain()
    assert house.provider.texts == [THREE_PARTS, "next"]


def test_workers_beside_each_other_keep_one_rate_and_send_nothing_twice(installation: Installation) -> None:
    house = at_a_rate(installation, 10)
    for each in range(60):
        house.post(f"number {each}", kind=Kind.REMINDER)
    providers = [Provider() for _ in range(3)]
    begun = time.monotonic()

    def work(provider: Provider) -> None:
        outbox = house.outbox(provider)
        while time.monotonic() - begun < 1.5:
            outbox.drain()
            time.sleep(outbox.rest or 0.05)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, providers))
    handed = [said for provider in providers for said in provider.texts]
    assert 15 <= len(handed) == len(set(handed)) <= 10 * (time.monotonic() - begun + 1)


def test_the_rate_is_not_asked_for_when_nothing_is_due(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(installation)
    house.post(not_before=house.now + A_DAY)
    house.post(kind=Kind.REMINDER, broadcast=house.broadcast(Stage.PAUSED))
    monkeypatch.setattr(Pace, "take", None)
    outbox = house.outbox()
    assert (outbox.drain(), outbox.rest) == (0, None)


def test_a_slow_provider_is_given_no_more_than_it_sends_in_a_second(installation: Installation) -> None:
    """Else an answer waited for all that was claimed before it came, whatever the rate."""
    house = House(installation)
    for each in range(400):
        house.post(f"number {each}", kind=Kind.REMINDER)
    order: list[str] = []

    def slowly(batch: Sequence[Outgoing]) -> None:
        time.sleep(0.3)
        order.extend(message.text for message in batch)
        if len(order) == 9 * MICRO_BATCH:  # the first claim is past, and one micro-batch of the second
            house.post("answer")

    house.provider.meanwhile = slowly
    house.outbox().drain(stopped=lambda: "answer" in order)
    assert order.index("answer") < 12 * MICRO_BATCH
