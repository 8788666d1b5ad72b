"""Backups: everything comes back on either database, and nothing that could link a rating to a person is in them."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from gateway import backup, config
from gateway.backup import BackupProblem
from gateway.contacts import contacts
from gateway.models import metadata
from gateway.models.answers import NO_DAY, Given, answers, save, stale_days
from gateway.models.callers import callers
from gateway.models.contacts import Role
from gateway.models.contacts import contacts as contacts_table
from gateway.models.editions import editions
from gateway.models.messages import Draft, Kind, State, messages, opt_out, opt_outs, write
from gateway.models.rounds import round_communes, rounds
from gateway.models.store import Store
from gateway.privacy import Keys, make_keys
from gateway.providers.base import InboundSms, UssdStep
from gateway.scorecard import weekly
from gateway.scorecard.releases import blocks_of
from gateway.scorecard.tallies import tallies
from gateway.sms import SmsDesk
from tests.conftest import Installation

NUMBERS = [f"+85510{i:06}" for i in range(1, 13)]
STOPPED = "+85512000099"


@pytest.fixture
def house(installation: Installation) -> Installation:
    """Twelve have rated in an open round, two of them by SMS; one has stopped; three messages wait."""
    installation.open_round()
    talks = installation.conversations()
    for i, number in enumerate(NUMBERS):
        for path in ("1", "1*3", "1*3*1", f"1*3*1*{i % 5 + 1}", f"1*3*1*{i % 5 + 1}*2"):
            talks.ussd(UssdStep("africastalking", f"s{i}", number, path=tuple(path.split("*"))))
    desk = SmsDesk(installation.store, installation.keys, installation.settings, talks, now=installation.clock)
    for i, number in enumerate(NUMBERS[:2]):
        desk.receive(InboundSms("simulator", f"in-{i}", number, "RATE 2 4 1"))
    with installation.store.write() as db:
        opt_out(db, installation.keys.lookup(STOPPED), installation.clock.now.date(), "SMS")
        contacts.subscribe(
            db, installation.keys, NUMBERS[0], language="km", commune="010806", source="SMS",
            today=installation.clock.now.date(),
        )  # fmt: skip
        soon = installation.clock.now + timedelta(hours=1)
        for text in ("one", "two", "three"):
            write(db, installation.keys, Draft(Kind.TEST, NUMBERS[3], text, "simulator", soon, soon), soon)
    return installation


def elsewhere(house: Installation, folder: Path, url: str = "") -> tuple[config.Settings, Store]:
    """Another machine: an empty folder that holds the master key, and nothing else."""
    folder.mkdir()
    (folder / "master.key").write_bytes((house.settings.data_dir / "master.key").read_bytes())
    (folder / "master.key").chmod(0o600)
    settings = config.load(data_dir=folder, database_url=url)
    return settings, Store(settings.database)


def shown(store: Store, house: Installation) -> list[object]:
    with store.read() as db:
        return list(tallies(db, "010806", None, 10, house.clock.now.date()))


def opened(path: Path, keys: Keys) -> bytes:
    """What the file says, for who has every key."""
    with path.open("rb") as file:
        return gzip.GzipFile(fileobj=backup._Opening(file, keys)).read()


def test_everything_comes_back_on_another_machine(house: Installation, tmp_path: Path) -> None:
    file = tmp_path / "monday.mati"
    count = backup.backup(house.store, house.keys, file, house.clock.now)
    settings, store = elsewhere(house, tmp_path / "new")
    # the round is still open: its operator brings its key along, which is in no backup
    for key in house.settings.keys.glob("round-*.key"):
        settings.keys.mkdir(exist_ok=True)
        (settings.keys / key.name).write_bytes(key.read_bytes())
        (settings.keys / key.name).chmod(0o600)
    keys = Keys(settings)
    done = backup.restore(settings, store, keys, file, house.clock.now)
    assert (done.rows, done.closed, done.made) == (count, 0, house.clock.now)
    assert shown(store, house) == shown(house.store, house) != []
    with store.read() as db:
        row = db.execute(select(contacts_table)).one()
        assert keys.lookup(NUMBERS[0]) == row.phone
        assert db.scalar(select(opt_outs.c.phone)) == keys.lookup(STOPPED)
        assert len(db.execute(select(callers)).all()) == len(NUMBERS)
    store.close()


def test_goes_from_either_database_to_the_other(house: Installation, tmp_path: Path, postgres: str) -> None:
    file = tmp_path / "monday.mati"
    backup.backup(house.store, house.keys, file, house.clock.now)
    if house.store.is_sqlite:
        from tests.conftest import _admin, _named

        _admin(postgres, "CREATE DATABASE mati_restored")
        settings, store = elsewhere(house, tmp_path / "new", _named(postgres, "mati_restored"))
    else:
        settings, store = elsewhere(house, tmp_path / "new")
    backup.restore(settings, store, Keys(settings), file, house.clock.now)
    with house.store.read() as old, store.read() as new:
        for table in metadata.sorted_tables:
            if table in backup.LEFT_OUT or table.name in {"messages", "rounds", "round_communes", "editions"}:
                continue
            columns = [column for column in table.columns if table is not answers or column.name != "day"]
            came, was = (sorted(map(repr, db.execute(select(*columns)))) for db in (new, old))
            assert came == was or table is stale_days, table
        # of the round that goes on, days on which few rated are not in it: those are to be counted anew
        assert set(new.scalars(select(answers.c.day))) == set(new.scalars(select(stale_days.c.day))) == {NO_DAY}
    with store.write() as db:  # row numbers go on where they were
        made = db.execute(rounds.insert().values(key="k", opened=house.clock.now.date())).inserted_primary_key
        assert made is not None
        assert made[0] == 2
    store.close()
    if house.store.is_sqlite:
        _admin(postgres, "DROP DATABASE mati_restored WITH (FORCE)")


def test_what_waited_is_not_sent_again(house: Installation, tmp_path: Path) -> None:
    file = tmp_path / "monday.mati"
    backup.backup(house.store, house.keys, file, house.clock.now)
    settings, store = elsewhere(house, tmp_path / "new")
    assert backup.restore(settings, store, Keys(settings), file, house.clock.now).cancelled == 3
    with store.read() as db:
        assert set(db.scalars(select(messages.c.state))) == {State.CANCELLED}
    store.close()


def test_a_round_closed_since_stays_closed(house: Installation, tmp_path: Path) -> None:
    file = tmp_path / "monday.mati"
    backup.backup(house.store, house.keys, file, house.clock.now)
    house.close_round(1)
    settings, store = elsewhere(house, tmp_path / "new")
    assert backup.restore(settings, store, Keys(settings), file, house.clock.now).closed == 1
    with store.read() as db:
        assert db.scalar(select(rounds.c.closed)) == house.clock.now.date()
        assert set(db.scalars(select(round_communes.c.open))) == {False}
    store.close()


def test_no_key_of_a_round_and_no_word_of_a_talk_is_in_it(house: Installation, tmp_path: Path) -> None:
    file = tmp_path / "monday.mati"
    backup.backup(house.store, house.keys, file, house.clock.now)
    said = opened(file, house.keys)
    for key in house.settings.keys.glob("round-*.key"):
        assert key.read_bytes().strip() not in said
    tables = [json.loads(line).get("table") for line in said.splitlines() if line.startswith(b'{"table"')]
    assert "answers" in tables
    assert not {"conversations", "inbound", "receipts"} & set(tables)
    # a caller's look-up key stands in `callers` alone, and with the contact that asked: beside no rating, no time
    mark = base64.b64encode(house.keys.lookup(NUMBERS[1]))
    assert said.count(mark) == 1
    for number in NUMBERS:
        assert number.encode() not in said
        assert number[1:].encode() not in said


def test_nobody_reads_it_without_the_master_key(house: Installation, tmp_path: Path) -> None:
    file = tmp_path / "monday.mati"
    backup.backup(house.store, house.keys, file, house.clock.now)
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"Ta Phou" not in file.read_bytes()
    other = config.load(data_dir=tmp_path / "other", database_url="")
    make_keys(other)
    store = Store(other.database)
    with pytest.raises(BackupProblem, match="another master key"):
        backup.restore(other, store, Keys(other), file, house.clock.now)
    assert store.revision() is None
    store.close()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda data: data[: len(data) // 2], "cut short"),
        (lambda data: data[:5], "no backup"),
        (lambda data: b"", "no backup"),
        (lambda data: b"PK\x03\x04" + data, "no backup"),
        (lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:], "damaged"),
        (lambda data: data + b"more", None),
    ],
)
def test_a_harmed_file_changes_nothing(house: Installation, tmp_path: Path, harm: object, said: str | None) -> None:
    file = tmp_path / "monday.mati"
    backup.backup(house.store, house.keys, file, house.clock.now)
    assert callable(harm)
    file.write_bytes(harm(file.read_bytes()))
    settings, store = elsewhere(house, tmp_path / "new")
    if said is None:
        backup.restore(settings, store, Keys(settings), file, house.clock.now)
    else:
        with pytest.raises(BackupProblem, match=said):
            backup.restore(settings, store, Keys(settings), file, house.clock.now)
        assert store.revision() is None
    store.close()


def test_never_over_data_and_never_over_a_file(house: Installation, tmp_path: Path) -> None:
    file = tmp_path / "monday.mati"
    backup.backup(house.store, house.keys, file, house.clock.now)
    with pytest.raises(BackupProblem, match="holds data"):
        backup.restore(house.settings, house.store, house.keys, file, house.clock.now)
    before = file.read_bytes()
    with pytest.raises(BackupProblem, match="there already"):
        backup.backup(house.store, house.keys, file, house.clock.now)
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.glob("*.mati*")) == ["monday.mati"]


def test_what_a_letter_told_since_the_backup_is_not_told_again_beside_new_answers(
    installation: Installation, tmp_path: Path
) -> None:
    """Told again with one more in it, the difference would be that one's score."""
    house, file = installation, tmp_path / "sunday.mati"
    house.open_round()
    with house.store.write() as db:
        made = house.clock.now - timedelta(days=30)
        db.execute(update(editions).values(made=made))
        sok = contacts.Details(name="Sok", role=Role.COUNCILLOR, language="en", commune="010806")
        assert contacts.add(db, house.keys, "+85512000098", sok, made.date())
    ten_rate(house.store, range(10), house.clock.now)
    backup.backup(house.store, house.keys, file, house.clock.now)
    monday = house.clock.now + timedelta(days=7)
    assert weekly.write_all(house.store, house.settings, monday)["written"] == 1
    settings, store = elsewhere(house, tmp_path / "new")
    shutil.copytree(house.settings.keys, settings.keys)
    backup.restore(settings, store, Keys(settings), file, monday)
    told = []
    for phones in (range(10, 11), range(11, 21)):
        ten_rate(store, phones, monday)
        monday += timedelta(days=7)
        weekly.write_all(store, settings, monday)
        with store.read() as db:
            told.append([block.figures.n for block in blocks_of(db, 1, ["010806"])])
    assert told == [[], [11]]  # of the new ones alone
    store.close()


def ten_rate(store: Store, phones: range, now: datetime) -> None:
    with store.write() as db:
        for i in phones:
            phone = f"{i:016}".encode()
            save(db, Given(1, phone, phone, "010806", "health", i % 5 + 1, now.date(), "sms"))
