"""After a round closed, nobody who holds all our data links an answer to a number; and each protection matters."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from gateway import backup
from gateway.bulk import broadcasts, polls
from gateway.bulk.letters import Audience
from gateway.models import traces
from gateway.models.answers import NO_DAY, answers, stale_days
from gateway.models.contacts import Role
from gateway.models.conversations import conversations
from gateway.models.messages import Kind, inbound, messages
from gateway.models.rollups import counts
from gateway.models.rounds import rounds
from gateway.models.store import Store
from gateway.privacy import Keys
from gateway.scorecard import closing, weekly
from gateway.workers.clock import tasks
from gateway.workers.housekeeping import count_days
from gateway.workers.wakeups import WakeUps
from tests.conftest import Installation
from tests.people import People
from tests.playing import until
from tests.test_polls import CLEAR
from tests.test_rollups import must_agree
from tests.test_workers import RedisServer
from tests.thief import Thief
from tests.village import Village

TA_PHOU = "010806"
RANGE = [f"+85510{i:06}" for i in range(1, 81)]
A_PERSON = {"seconds": 40}
PLAN = (
    # day, channel, how many rate for the first time, how many of them ask for reminders in the same breath
    (0, "ussd", 14, 7),
    (1, "ussd", 3, 3),
    (1, "sms", 2, 2),
    (2, "sms", 11, 5),
    (7, "ussd", 4, 4),
    (8, "sms", 3, 3),
    (9, "sms", 4, 2),
    (14, "ussd", 5, 5),
    (15, "ussd", 6, 3),
)
LAST_WEEK, CLOSES = 9, 16


@dataclass
class Town:
    """A commune that rates for two weeks, with a forum, a poll and weekly letters beside it."""

    village: Village
    wakeups: WakeUps
    folder: Path
    round_id: int = 0
    scores: dict[str, int] = field(default_factory=dict)
    """Of the commune office, by number: the truth."""
    day: date = date.min
    before: dict[str, list[bytes]] = field(default_factory=dict)

    @property
    def at(self) -> Installation:
        return self.village.at

    def live(self) -> None:
        """From the opening to the eve of the closing."""
        chance = random.Random(6)
        self.round_id = self.at.open_round()
        start = self.village.now
        self.day = start.date()
        silent = iter(RANGE)
        People(self.at).add(99, commune=TA_PHOU, role=Role.COUNCILLOR)
        for after in range(CLOSES):
            self.village.at_time(start + timedelta(days=after), 12)
            if after in (7, 14):
                weekly.write_all(self.at.store, self.at.settings, self.at.clock.now)
                self.village.post()
            for _, channel, raters, joiners in (line for line in PLAN if line[0] == after):
                for i in range(raters):
                    self.rates(next(silent), channel, chance.randint(1, 5), joins=i < joiners)
            if after == 3:
                self.forum = self.village.invited(groups=())
                for number in list(self.scores)[:9]:
                    self.says(number, str(chance.randint(0, 5)))
            if after == 8:
                self.poll()
            if after == LAST_WEEK:
                backup.backup(self.at.store, self.at.keys, self.folder / "last week.mati", self.at.clock.now)
            count_days(self.at.store, self.at.settings.zone, self.at.clock.now)
        self.says(list(self.scores)[20], "OFF")
        self.rates(list(self.scores)[3], "ussd", 5, known=True)  # the last answer wins
        self.village.at.clock.forward(hours=2)
        self._look()

    def rates(self, number: str, channel: str, score: int, *, joins: bool = False, known: bool = False) -> None:
        """Rates the commune office, and half of them the health centre."""
        self.at.clock.forward(**A_PERSON)
        who, here = str(1 + score % 4), () if known else ("1", "3")
        if channel == "ussd":
            self.village.dials(number, *here, "1", str(score), who)
            if score % 2:
                self.village.dials(number, "2", str(6 - score), who)
            if joins:
                self.village.dials(number, "8", "1", "1")
        else:
            self.says(number, f"3 1 {score} {who}")
            if not known:
                self.says(number, "1")
            if joins:
                self.says(number, "ON")
        self.scores[number] = score

    def says(self, number: str, words: str) -> None:
        """By SMS; a worker is woken for the answer."""
        self.village.texts(number, words)
        with self.at.store.read() as db:
            last = db.scalar(select(messages.c.id).order_by(messages.c.created.desc()).limit(1))
        self.wakeups.wake(str(last))
        self.at.clock.forward(seconds=5)

    def poll(self) -> None:
        """A poll that some answer; it is open still when the round closes."""
        at, now = self.at, self.at.clock.now
        made = polls.draft(at.store, at.keys, CLEAR, Audience(communes=(TA_PHOU,)), now + timedelta(days=20), None, now)
        with at.store.write() as db:
            found = polls.find(db, made)
            assert found
            broadcasts.submit(db, at.settings, found.broadcast, now)
            broadcasts.approve(db, at.settings, found.broadcast, self.village.author, now)
        self.village.post()
        for number in list(self.scores)[:7]:
            self.says(number, "1")

    def _look(self) -> None:
        """What is in the database while the round is open, and in its files must not be afterwards."""
        with self.at.store.read() as db:
            given = db.execute(
                select(answers.c.phone, answers.c.rater).where(answers.c.round_id == self.round_id)
            ).all()
            talks = db.execute(select(conversations.c.id, conversations.c.session)).all()
            ids = db.scalars(select(messages.c.id).where(messages.c.kind == Kind.ANSWER)).all()
            said = list(db.scalars(select(inbound.c.text)))
            key = db.scalars(select(rounds.c.key).where(rounds.c.id == self.round_id)).one()
        written = (self.at.settings.keys / f"round-{key}.key").read_bytes().strip()
        self.before = {
            "phone": [row.phone for row in given],
            "rater": [row.rater for row in given],
            "session": [row.session.encode() for row in talks],
            "talk": [row.id.encode() for row in talks],
            "answer": [one.encode() for one in ids],
            "SMS": said,
            "key": [written, base64.b64decode(written)],
        }

    def close(self) -> None:
        self.village.at_time(self.village.now + timedelta(days=1), 12)
        self.at.close_round(self.round_id)

    def thief(self) -> Thief:
        return Thief(self.at, RANGE, self.folder / "last week.mati", self.before)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("valkey") / "socket")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def town(installation: Installation, redis: RedisServer, tmp_path: Path) -> Iterator[Town]:
    """The town before it lives; PostgreSQL is told not to keep old pieces of its log (docs/privacy.md)."""
    redis.client.flushall()
    store = installation.store
    if not store.is_sqlite:
        _set(store, "wal_recycle = off")
    yield Town(Village(installation), WakeUps(redis.url), tmp_path)
    if not store.is_sqlite:
        _set(store, "wal_recycle = on")


def _set(store: Store, setting: str) -> None:
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(text(f"ALTER SYSTEM SET {setting}"))
        db.execute(text("SELECT pg_reload_conf()"))


def queue(redis: RedisServer) -> bytes:
    """All that is in Valkey."""
    client = redis.client
    return b" ".join(
        repr(client.hgetall(key) if client.type(key) == b"hash" else key).encode() for key in client.scan_iter()
    )


def tried(town: Town, redis: RedisServer, capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    """The ways that led to a link."""
    captured = capsys.readouterr()
    ways = town.thief().ways(town.scores, captured.out + captured.err, queue(redis))
    return {way: found for way, found in ways.items() if found}


def test_who_has_everything_links_nothing(town: Town, redis: RedisServer, capsys: pytest.CaptureFixture[str]) -> None:
    town.live()
    assert set(tried(town, redis, capsys)) >= {"by key", "by talk", "by bytes"}  # while it is open, he wins
    town.close()
    assert tried(town, redis, capsys) == {}


def nothing(*_: object, **__: object) -> None:
    """A protection that is switched off."""


BOTH, SQLITE, POSTGRESQL = ("sqlite", "postgresql"), ("sqlite",), ("postgresql",)
OFF: tuple[tuple[str, Any, str, Any, str, tuple[str, ...]], ...] = (
    # which; where it is; what stands in its place; the way that leads to a link then; on which database
    ("the key is destroyed", Keys, "destroy_round", nothing, "by key", SQLITE),
    ("talks go", closing, "purge_round", nothing, "by talk", SQLITE),
    ("SMS go", closing, "forget_talks", nothing, "by talk", SQLITE),
    ("released numbers go", closing, "forget_released", nothing, "by bytes", SQLITE),
    ("days are blanked", closing, "kept_days", lambda *_: {}, "by day", SQLITE),
    ("days are counted anew", closing, "count_anew", nothing, "by day", SQLITE),
    ("days are blanked in backups", backup, "kept_days", lambda *_: {}, "by day", SQLITE),
    ("answers are written anew", closing, "write_anew", nothing, "by bytes", BOTH),
    ("answers are written anew", closing, "write_anew", nothing, "by order", POSTGRESQL),
    ("the files are cleared", closing, "leave_no_trace", nothing, "by bytes", BOTH),
    ("backups have an order of their own", backup, "_kept", select, "by order", POSTGRESQL),
    ("backups leave out what was said", backup, "LEFT_OUT", (), "by talk", SQLITE),
)


@pytest.mark.parametrize(
    ("database_url", "where", "name", "instead", "way"),
    [
        pytest.param(database, where, name, instead, way, id=f"{what}, {way}, {database}")
        for what, where, name, instead, way, databases in OFF
        for database in databases
    ],
    indirect=["database_url"],
)
def test_each_protection_matters(
    town: Town, where: Any, name: str, instead: Any, way: str, redis: RedisServer,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """With one of them switched off he finds a way."""
    monkeypatch.setattr(where, name, instead)
    town.live()
    town.close()
    assert way in tried(town, redis, capsys)


# half-way -----------------------------------------------------------------------------------------


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("database_url", "where", "name"),
    [
        ("sqlite", closing, "publish"), ("sqlite", Keys, "destroy_round"), ("sqlite", closing, "write_anew"),
        ("postgresql", closing, "count_anew"), ("sqlite", closing, "leave_no_trace"), ("sqlite", traces, "_sqlite"),
        ("postgresql", traces, "_postgresql"),
    ],
    indirect=["database_url"],
)  # fmt: skip
def test_what_was_stopped_half_way_is_finished(
    town: Town, where: Any, name: str, redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    town.live()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, name, killed)
        with pytest.raises(KeyboardInterrupt):
            town.close()
    if name == "publish":  # nothing of it has happened
        with town.at.store.read() as db:
            assert db.scalars(select(rounds.c.closed).where(rounds.c.id == town.round_id)).one() is None
        town.at.close_round(town.round_id)
    else:
        clock = tasks(town.at.store, town.at.keys, town.at.settings)
        (finish,) = (task for task in clock if task.name == "closed rounds")
        assert finish.do(town.at.clock.now)
        assert finish.do(town.at.clock.now) == 0
    assert tried(town, redis, capsys) == {}
    town.at.close_round(town.round_id)  # once more does no harm
    assert tried(town, redis, capsys) == {}


def test_large_files_are_cleared_at_night(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.live()
    monkeypatch.setattr(traces, "BY_DAY", {"sqlite": 0, "postgresql": 0})
    town.close()
    store, keys = town.at.store, town.at.keys
    if not store.is_sqlite:
        assert "phone" in {found.partition(": ")[2] for found in town.thief().by_bytes()}
    assert closing.finish(store, keys, at_night=False) == 0
    assert closing.finish(store, keys, at_night=True) == 1
    assert town.thief().by_bytes() == []
    assert closing.finish(store, keys, at_night=True) == 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_whoever_still_sees_the_old_rows_is_waited_for(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup under way keeps PostgreSQL from removing what was deleted."""
    town.live()
    monkeypatch.setattr(traces, "OTHERS_SECONDS", 0.2)
    with town.at.store.snapshot() as db:
        db.execute(select(answers)).all()
        town.close()
        assert closing.finish(town.at.store, town.at.keys, at_night=False) == 0
    assert closing.finish(town.at.store, town.at.keys, at_night=False) == 1
    assert town.thief().by_bytes() == []


def test_the_check_tells_what_a_server_keeps(installation: Installation) -> None:
    store = installation.store

    def kept() -> list[str]:
        with store.read() as db:
            return traces.kept_by_server(db)

    if store.is_sqlite:
        assert kept() == []
        return
    _set(store, "wal_recycle = on")
    until(lambda: kept() == ["wal_recycle is on"])
    _set(store, "wal_recycle = off")
    until(lambda: kept() == [])


# figures ------------------------------------------------------------------------------------------


def test_figures_are_what_they_were(town: Town) -> None:
    """Of the round, by every dimension but the day. Of a week what may be shown is, but for few by another channel."""

    def figures(*by: str) -> dict[tuple[Any, ...], tuple[int, ...]]:
        with town.at.store.read() as db:
            return {tuple(row[: len(by)]): tuple(map(int, row[len(by) :])) for row in counts(db, by)}

    town.live()
    dimensions = ("commune", "round_id", "service_id", "indicator", "who", "channel")
    whole, days = figures(*dimensions), figures("channel", "day", "service_id")
    town.close()
    assert figures(*dimensions) == whole
    first = town.day
    kept = {("ussd", 0): 0, ("sms", 2): 2, ("ussd", 14): 15, ("ussd", 15): 15}
    expected = {(channel, first + timedelta(days=day)) for (channel, _), day in kept.items()}
    after = figures("channel", "day", "service_id")
    assert {(channel, day) for channel, day, _ in after if day != NO_DAY} == expected
    for channel, day in (("sms", 2),):
        of_day = (channel, first + timedelta(days=day), "office")
        assert after[of_day] == days[of_day]
    with town.at.store.read() as db:
        must_agree(db)
        assert not db.execute(select(stale_days)).all()
    town.village.at_time(timedelta(days=1))
    count_days(town.at.store, town.at.settings.zone, town.at.clock.now)
    with town.at.store.read() as db:
        must_agree(db)
        rows = db.execute(select(answers)).all()
    # one phone's answers on two services have nothing in common any more
    office, health = ({row.phone for row in rows if row.service_id == service} for service in ("office", "health"))
    assert not office & health
    assert len(office) == len(town.scores)
