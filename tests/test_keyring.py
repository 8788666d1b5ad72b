"""The life of the keys: rotated under a running service, told apart, given up when lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateway import keyring, schema
from gateway.contacts import contacts
from gateway.models import metadata
from gateway.models.answers import answers
from gateway.models.callers import callers
from gateway.models.contacts import contacts as contacts_table
from gateway.models.messages import Draft, Kind, State, inbound, messages, number_of, opt_out, opt_outs, write
from gateway.privacy import KEY_BYTES, KeyProblem, Keys, Sealed, make_keys, master_path
from gateway.providers.base import InboundSms, UssdStep
from gateway.sms import SmsDesk
from tests.conftest import Installation

NUMBERS = [f"+85510{i:06}" for i in range(1, 1203)]


@pytest.fixture
def house(installation: Installation) -> Installation:
    """More messages and contacts than one transaction of the rotation takes, and an SMS that came in."""
    now = installation.clock.now
    with installation.store.write() as db:
        for number in NUMBERS:
            write(db, installation.keys, Draft(Kind.TEST, number, "hello", "simulator", now, now), now)
        for number in NUMBERS[:3]:
            contacts.subscribe(
                db, installation.keys, number, language="km", commune="010806", source="SMS", today=now.date()
            )
    talks = installation.conversations()
    desk = SmsDesk(installation.store, installation.keys, installation.settings, talks, now=installation.clock)
    desk.receive(InboundSms("simulator", "1", NUMBERS[0], "HELP"))
    return installation


def numbers(house: Installation) -> list[str]:
    fresh = Keys(house.settings)  # a process that starts now
    with house.store.read() as db:
        rows = db.execute(select(messages).where(messages.c.kind == Kind.TEST)).all()
        return sorted(number_of(fresh, row) for row in rows)


class TestRotation:
    def test_seals_everything_anew_and_destroys_the_old_key(self, house: Installation) -> None:
        old = (house.settings.keys / "sealing-1.key").read_bytes()
        done = keyring.rotate(house.store, house.keys, wait=lambda _: None)
        assert (done.key, done.destroyed, done.unreadable) == (2, (1,), 0)
        assert done.resealed == len(NUMBERS) + 3 + 1 + 1  # messages, contacts, the answer to HELP, the SMS itself
        assert numbers(house) == NUMBERS
        assert [path.name for path in house.settings.keys.glob("sealing-*")] == ["sealing-2.key"]
        assert all(old not in path.read_bytes() for path in house.settings.keys.iterdir())
        with house.store.read() as db:
            row = db.execute(select(inbound)).one()
            assert Keys(house.settings).open(Sealed(row.text_key, row.text), "an SMS") == "HELP"

    def test_knows_every_sealed_column(self) -> None:
        """One that is not in the table of the rotation would die with the old key."""
        sealed = {
            (table.name, column.name)
            for table in metadata.sorted_tables
            for column in table.columns
            if column.name.endswith("_key") and column.name != "key"
        }
        assert sealed == {(table.name, key) for table, _, key, _ in keyring.SEALED}

    def test_waits_for_who_still_seals_with_the_old_key(self, house: Installation) -> None:
        other = Keys(house.settings)  # another process
        now = house.clock.now
        late = "+85512000077"

        def meanwhile(_seconds: float) -> None:
            """A transaction that began before the new key was made ends now."""
            other._newest = (house.settings.keys.stat().st_mtime_ns, 1)
            with house.store.write() as db:
                write(db, other, Draft(Kind.TEST, late, "late", "simulator", now, now), now)

        done = keyring.rotate(house.store, house.keys, wait=meanwhile)
        assert done.unreadable == 0
        assert late in numbers(house)

    def test_is_seen_by_processes_that_run(self, house: Installation) -> None:
        other = Keys(house.settings)
        assert other.seal_number(NUMBERS[0]).key == 1
        keyring.rotate(house.store, house.keys, wait=lambda _: None)
        sealed = other.seal_number(NUMBERS[0])
        assert sealed.key == 2
        assert Keys(house.settings).open_number(sealed) == NUMBERS[0]

    def test_stopped_half_way_loses_nothing(self, house: Installation) -> None:
        def killed(_seconds: float) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            keyring.rotate(house.store, house.keys, wait=killed)
        assert numbers(house) == NUMBERS
        assert keyring.rotate(house.store, house.keys, wait=lambda _: None).destroyed == (1, 2)
        assert numbers(house) == NUMBERS

    def test_leaves_what_no_key_opens_and_says_how_much(self, house: Installation) -> None:
        house.keys.destroy_sealing(1)
        make_keys(house.settings)
        done = keyring.rotate(house.store, Keys(house.settings), wait=lambda _: None)
        assert done.unreadable == len(NUMBERS) + 5


class TestMasterKey:
    def test_of_another_database_is_refused(self, house: Installation) -> None:
        other = house.settings.model_copy(update={"mati_master_key": "A" * 42 + "A="})
        with pytest.raises(KeyProblem, match="not the one this database was made with"):
            keyring.must_fit(house.store, Keys(other))
        with pytest.raises(KeyProblem, match="not the one"):
            schema.initialise(other, house.store, house.clock.now)

    def test_that_is_missing_is_not_made_anew_over_data(self, house: Installation) -> None:
        master_path(house.settings).unlink()
        with pytest.raises(KeyProblem, match=r"is missing, but there are data"):
            schema.initialise(house.settings, house.store, house.clock.now)
        assert not master_path(house.settings).exists()

    def test_lost_gives_up_who_is_known_and_keeps_the_ratings(self, house: Installation) -> None:
        house.open_round()
        talks = house.conversations()
        for path in ((), ("1",), ("1", "3"), ("1", "3", "1"), ("1", "3", "1", "4")):
            talks.ussd(UssdStep("africastalking", "s", NUMBERS[5], path=path))
        with house.store.write() as db:
            opt_out(db, house.keys.lookup(NUMBERS[7]), house.clock.now.date(), "SMS")
        master_path(house.settings).unlink()
        make_keys(house.settings)
        new = Keys(house.settings)
        gone = keyring.start_anew(house.store, new, house.clock.now + timedelta(minutes=1))
        assert gone["contacts"] == 3
        assert gone["opt-outs"] == 1
        assert gone["messages that waited"] == len(NUMBERS) + 1
        with house.store.read() as db:
            assert not db.scalar(select(func.count()).select_from(contacts_table))
            assert not db.scalar(select(func.count()).select_from(callers))
            assert not db.scalar(select(func.count()).select_from(opt_outs))
            assert set(db.scalars(select(messages.c.state))) == {State.CANCELLED}
            assert db.scalar(select(func.count()).select_from(answers)) == 1
        keyring.must_fit(house.store, new)
        # a rating of the same number, now a stranger again, still takes the place of the first: round keys are apart
        for path in ((), ("1",), ("1", "3"), ("1", "3", "1"), ("1", "3", "1", "2")):
            house_talks = house.conversations()
            house_talks._keys = new
            house_talks._effects._keys = new
            house_talks.ussd(UssdStep("africastalking", "again", NUMBERS[5], path=path))
        with house.store.read() as db:
            assert list(db.scalars(select(answers.c.score))) == [2]


def test_a_key_s_mark_tells_nothing_of_it(house: Installation) -> None:
    mark = house.keys.fingerprint()
    assert len(mark) == 16 < 2 * KEY_BYTES
    assert mark != house.keys.derived("mati fingerprint ")[:16]
