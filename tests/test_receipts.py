"""Receipts that come at the same time: each has the effect that it has alone."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event, select, text, update

from gateway import receipts as receipts_module
from gateway.models.messages import Draft, Kind, State, messages, opt_outs, receipts, write
from gateway.providers.base import Delivery, Reason, Receipt
from gateway.receipts import ReceiptDesk
from tests.conftest import Installation
from tests.test_outbox import A_DAY, PROVIDER, its_id

SAID = ((Delivery.ON_THE_WAY, None), (Delivery.DELIVERED, None), (Delivery.FAILED, Reason.UNREACHABLE),
        (Delivery.FAILED, Reason.OPTED_OUT))  # fmt: skip


class Desk:
    """An installation with messages, and who takes in receipts of them."""

    def __init__(self, at: Installation) -> None:
        self.store, self.clock = at.store, at.clock
        self.desk = ReceiptDesk(at.store, at.settings, at.clock)
        now = at.clock.now
        drafts = [
            Draft(Kind.POLL, f"+85510{n:06}", "hello", PROVIDER, not_before=now, expires=now + A_DAY) for n in range(24)
        ]
        with at.store.write() as db:
            self.ids = [write(db, at.keys, draft, now) for draft in drafts]

    def stand(self, states: Sequence[State], named: Sequence[bool]) -> None:
        """Each message in a state, with the provider's id or without; nothing else was heard so far."""
        with self.store.write() as db:
            for table in (receipts, opt_outs):
                db.execute(delete(table))
            for message, state, has_id in zip(self.ids, states, named, strict=True):
                values = {"state": state, "provider_id": its_id(message) if has_id else None, "reason": None}
                db.execute(update(messages).where(messages.c.id == message).values(values))

    def hear(self, *lot: Receipt) -> None:
        """Receipts that come at the same time."""
        self.desk._receive(lot)

    def found(self) -> Any:
        """All that receipts can change."""
        c = messages.c
        with self.store.read() as db:
            return (
                db.execute(select(c.id, c.state, c.reason, c.provider_id, c.lease).order_by(c.id)).all(),
                set(db.execute(select(receipts)).all()),
                set(db.execute(select(opt_outs)).all()),
            )


@pytest.fixture
def desk(installation: Installation) -> Desk:
    return Desk(installation)


def receipt(message: str, said: tuple[Delivery, Reason | None] = SAID[1], ours: str | None = None) -> Receipt:
    return Receipt(PROVIDER, its_id(message), said[0], "x", said[1], ours)


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is asked of databases in this block."""
    asked: list[str] = []

    def note(*args: Any) -> None:
        asked.append(args[2])

    event.listen(Engine, "before_cursor_execute", note)
    yield asked
    event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("seed", range(6))
def test_a_lot_does_what_its_receipts_do_one_after_the_other(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)
    states = [chance.choice(list(State)) for _ in desk.ids]
    named = [chance.random() < 0.6 for _ in desk.ids]
    told = [
        receipt(one, chance.choice(SAID), chance.choice((None, one, "nobody's")))
        for one in chance.sample([*desk.ids, *(f"other {n}" for n in range(6))], 20)
    ]
    desk.stand(states, named)
    for one in told:
        desk.hear(one)
    alone = desk.found()
    desk.stand(states, named)
    desk.hear(*told)
    assert desk.found() == alone


def test_two_of_one_message_in_a_lot_both_count(desk: Desk) -> None:
    """One by our id, with another id of theirs than the one that they gave when they took it."""
    desk.stand([State.SENDING] * len(desk.ids), [True] * len(desk.ids))
    one = desk.ids[0]
    by_ours = Receipt(PROVIDER, "a word of its own", Delivery.ON_THE_WAY, "x", None, one)
    for lot in ((by_ours, receipt(one)), (receipt(one), by_ours)):
        desk.stand([State.SENDING] * len(desk.ids), [True] * len(desk.ids))
        desk.hear(*lot)
        states = {row.id: row.state for row in desk.found()[0]}
        assert states[one] == State.DELIVERED


def test_what_says_nothing_new_is_not_written(desk: Desk) -> None:
    desk.stand([State.ACCEPTED] * len(desk.ids), [True] * len(desk.ids))
    told = [receipt(one, SAID[n % 3]) for n, one in enumerate(desk.ids)]
    desk.hear(*told)
    with statements() as asked:
        desk.hear(*told)
        desk.hear(*(receipt(one, SAID[0]) for one in desk.ids))
    assert asked
    assert not [statement for statement in asked if not statement.startswith(("SELECT", "BEGIN"))]


def test_many_at_once_in_any_order_are_none_lost(desk: Desk) -> None:
    desk.stand([State.ACCEPTED] * len(desk.ids), [True] * len(desk.ids))
    told = [receipt(one, said) for one in desk.ids for said in SAID[:2] * 2]
    random.Random(1).shuffle(told)
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(desk.desk.receive, told)) == [None] * len(told)
    assert {row.state for row in desk.found()[0]} == {State.DELIVERED}


def test_what_was_planned_while_the_table_was_small_does_not_read_it_whole(desk: Desk) -> None:
    """PostgreSQL may keep such a plan until long after the table has grown."""
    if desk.store.is_sqlite:
        pytest.skip("SQLite plans by the indexes there are")
    with desk.store.write() as db:
        db.execute(delete(messages))
        db.execute(text("ANALYZE messages"))
    with desk.store.write_by_index() as db:
        event.listen(db, "before_cursor_execute", lambda *args: (f"EXPLAIN {args[2]}", args[3]), retval=True)
        plan = receipts_module._BY_THEIRS(db, [{"provider": PROVIDER, "provider_id": "x"}])
    lines = [row[0] for row in plan]
    assert any("Index Cond" in line for line in lines), lines
    assert not any("Join Filter" in line for line in lines), lines
