"""After a check closed, nobody who holds all our data links what was said of a promise to a number."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway import backup
from gateway.bulk import broadcasts as sending
from gateway.models.broadcasts import broadcasts
from gateway.models.conversations import conversations
from gateway.models.messages import Kind, inbound, messages
from gateway.models.promises import check_answers, checks
from gateway.privacy import Keys
from gateway.promises import asking
from gateway.promises.commitments import Commitment, add
from gateway.workers.housekeeping import purge
from tests.conftest import Installation
from tests.test_after_closing import TA_PHOU, _set, nothing
from tests.thief import Thief
from tests.village import Village

RANGE = [f"+85510{i:06}" for i in range(1, 121)]
JOINED, OTHERS = RANGE[:50], RANGE[50:100]
"""So many that an order is not right for half of them by chance."""
A_DAY = timedelta(days=1)


@dataclass
class Promised:
    """A commune where a promise was due: some answer by the menu, some the SMS, over three weeks."""

    village: Village
    folder: Path
    choices: dict[str, int] = field(default_factory=dict)
    """By number: the truth."""
    commitment: int = 0
    before: dict[str, list[bytes]] = field(default_factory=dict)

    @property
    def at(self) -> Installation:
        return self.village.at

    def live(self) -> None:
        """From the promise to the eve of the closing."""
        chance = random.Random(7)
        with self.at.store.write() as db:
            one = Commitment(
                id=0, commune=TA_PHOU, activity={"km": "អណ្តូង", "en": "The well"}, responsible="Council",
                due=self.village.now.date(),
            )  # fmt: skip
            self.commitment = add(db, self.at.settings, one, self.village.author, self.at.clock.now)
        for number in JOINED:
            self.village.joins(number)
        self.village.at_time(A_DAY)
        assert asking.due(self.at.store, self.at.keys, self.at.settings, self.at.clock.now) == {"opened": 1}
        with self.at.store.write() as db:
            row = db.execute(select(broadcasts.c.id).where(broadcasts.c.kind == Kind.CHECK)).one()
            sending.approve(db, self.at.settings, row.id, self.village.approver, self.at.clock.now)
        self.village.post()
        for n, number in enumerate([*JOINED, *OTHERS]):
            self.at.clock.forward(seconds=40)
            choice = chance.randint(1, 4)
            if number in JOINED:
                self.village.texts(number, str(choice))
                self.village.texts(number, "2")
            else:  # more, go on, Ta Phou, the promises; what, and who
                self.village.dials(number, "9", "1", "3", "1", str(choice), "4")
            self.choices[number] = choice
            if n == 95:
                backup.backup(self.at.store, self.at.keys, self.folder / "last week.mati", self.at.clock.now)
        purge(self.at.store, self.at.settings, self.at.clock.now)
        self.at.clock.forward(hours=2)
        self._look()

    def _look(self) -> None:
        """What is in the database while it is open, and in its files must not be afterwards."""
        with self.at.store.read() as db:
            given = db.execute(select(check_answers.c.phone, check_answers.c.rater)).all()
            talks = db.execute(select(conversations.c.id, conversations.c.session)).all()
            ids = db.scalars(select(messages.c.id).where(messages.c.kind == Kind.ANSWER)).all()
            said = list(db.scalars(select(inbound.c.text)))
            key = db.scalars(select(checks.c.key)).one()
        assert len(given) == 100
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
        self.village.at_time(60 * A_DAY, 12)
        assert asking.due(self.at.store, self.at.keys, self.at.settings, self.at.clock.now) == {"closed": 1}

    def ways(self, capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
        """The ways that led to a link."""
        captured = capsys.readouterr()
        thief = Thief(self.at, RANGE, self.folder / "last week.mati", self.before)
        found = thief.ways(self.choices, captured.out + captured.err, b"")
        return {way: what for way, what in found.items() if what}


@pytest.fixture
def promised(installation: Installation, tmp_path: Path) -> Iterator[Promised]:
    store = installation.store
    if not store.is_sqlite:
        _set(store, "wal_recycle = off")
    yield Promised(Village(installation), tmp_path)
    if not store.is_sqlite:
        _set(store, "wal_recycle = on")


def test_who_has_everything_links_nothing(promised: Promised, capsys: pytest.CaptureFixture[str]) -> None:
    promised.live()
    assert set(promised.ways(capsys)) >= {"by key", "by talk", "by bytes"}  # while it is open, he wins
    promised.close()
    assert promised.ways(capsys) == {}


SQLITE, POSTGRESQL = ("sqlite",), ("postgresql",)
OFF: tuple[tuple[str, Any, str, Any, str, tuple[str, ...]], ...] = (
    # which; where it is; what stands in its place; the way that leads to a link then; on which database
    ("the key is destroyed", Keys, "destroy_round", nothing, "by key", SQLITE),
    ("talks go", asking, "purge_check", nothing, "by talk", SQLITE),
    ("SMS go", asking, "forget_talks", nothing, "by talk", SQLITE),
    ("the files are cleared", asking, "leave_no_trace", nothing, "by bytes", SQLITE + POSTGRESQL),
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
    promised: Promised, where: Any, name: str, instead: Any, way: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """With one of them switched off he finds a way."""
    monkeypatch.setattr(where, name, instead)
    promised.live()
    promised.close()
    assert way in promised.ways(capsys)
