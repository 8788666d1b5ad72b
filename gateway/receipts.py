"""Receipts: a provider's word on what became of a message.

It comes twice, late, out of order, and before our own commit; the table of moves sees to it that a state only
goes forward. Those that come at the same time share one transaction (together.py), and what changes nothing is not
written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection, FromClause, Row, bindparam, delete, or_, select, tuple_, update

from gateway.config import Settings
from gateway.models.base import Moment
from gateway.models.messages import Move, messages, move, opt_out, receipts
from gateway.models.store import Many, Store, insert, is_away, types_of
from gateway.providers.base import Delivery, Reason, Receipt
from gateway.times import utc_now
from gateway.together import Together

log = structlog.get_logger()

MOVES = {Delivery.ON_THE_WAY: Move.ACCEPT, Delivery.DELIVERED: Move.DELIVER, Delivery.FAILED: Move.FAIL}
"""What a receipt does to a message."""


class ReceiptDesk:
    """Takes receipts in. One object a process; safe for threads."""

    def __init__(self, store: Store, settings: Settings, now: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._zone = settings.zone
        self._now = now
        self._together = Together(self._receive, _ids, is_away, store.writers)

    def receive(self, receipt: Receipt) -> None:
        """Applies a receipt, or keeps it until the message is settled."""
        if receipt.status is None:
            log.warning("receipt.unknown_status", provider=receipt.provider, status=receipt.said)
        else:
            self._together(receipt)

    def _receive(self, lot: Sequence[Receipt]) -> Sequence[None]:
        """The same, of several."""
        now = self._now()
        with self._store.write_by_index() as db:
            found = list(zip(_find(db, lot), lot, strict=True))
            early = (one for row, one in found if row is None)
            _KEEP(db, [vars(one) | {"move": one.status} for one in early], now=now)
            _apply_all(db, [(row, one) for row, one in found if row is not None], now, self._zone)
        return [None] * len(lot)


def apply(db: Connection, message: str, status: Delivery, reason: str | None, now: datetime, zone: ZoneInfo) -> None:
    """Moves a message as its receipt says; a provider's opt-out is one here too."""
    move(db, MOVES[status], [message], now, lease=None, reason=reason)
    if reason == Reason.OPTED_OUT:
        phone = db.scalars(select(messages.c.phone).where(messages.c.id == message)).one()
        if phone is not None:  # not forgotten
            opt_out(db, phone, now.astimezone(zone).date(), "provider")


def apply_kept(db: Connection, now: datetime, zone: ZoneInfo, given: Collection[str] | None = None) -> int:
    """Applies the receipts that came before their message was settled; returns how many.

    `given`: only those of these provider's ids. Others' may be many: of who shares our account at the provider.
    """
    waiting = select(receipts, messages.c.id.label("message")).join(
        messages, (messages.c.provider == receipts.c.provider) & (messages.c.provider_id == receipts.c.provider_id)
    )
    if given is not None:
        waiting = waiting.where(receipts.c.provider_id.in_(given))
    rows = db.execute(waiting.order_by(receipts.c.received)).all()
    for row in rows:
        apply(db, row.message, Delivery(row.move), row.reason, now, zone)
        this = (receipts.c.provider, receipts.c.provider_id, receipts.c.move)  # another may have come meanwhile
        db.execute(delete(receipts).where(tuple_(*this) == tuple_(row.provider, row.provider_id, row.move)))
    return len(rows)


# receipts that came at the same time ------------------------------------------------------------------


def _ids(receipt: Receipt) -> Iterator[tuple[str, str]]:
    """Of two receipts that have one in common the later waits: they may be of the same message."""
    yield receipt.provider, receipt.provider_id
    if receipt.message is not None:
        yield receipt.provider, receipt.message


def _find(db: Connection, lot: Sequence[Receipt]) -> list[Row[Any] | None]:
    """The message of each receipt, by our id where there is one, or None; a provider's id that is new is written."""
    asked = [{"id": one.message, "provider": one.provider, "provider_id": one.provider_id} for one in lot]
    ours = {(row.provider, row.id): row for row in _BY_OURS(db, [row for row in asked if row["id"] is not None])}
    theirs = {(row.provider, row.provider_id): row for row in _BY_THEIRS(db, asked)}
    found = [
        theirs.get((one.provider, one.provider_id)) if one.message is None else ours.get((one.provider, one.message))
        for one in lot
    ]
    new = [
        {"id": row.id, "provider_id": one.provider_id}
        for one, row in zip(lot, found, strict=True)
        if row is not None and row.provider_id is None and (one.provider, one.provider_id) not in theirs
    ]
    _NAME(db, sorted(new, key=lambda row: row["id"]))
    return found


def _apply_all(db: Connection, told: Sequence[tuple[Row[Any], Receipt]], now: datetime, zone: ZoneInfo) -> None:
    """Does for many receipts what `apply` does for one."""
    moved: dict[str, Mapping[str, Any]] = {}
    for row, receipt in told:
        assert receipt.status is not None
        what = MOVES[receipt.status]
        if row.id in moved:  # told of by our id, and by the provider's
            apply(db, row.id, receipt.status, receipt.reason, now, zone)
        elif row.state in what.leaves:  # else it says nothing new
            moved[row.id] = {"id": row.id, "state": what.to, "reason": receipt.reason}
    _MOVE(db, sorted(moved.values(), key=lambda row: row["id"]), now=now)
    stops = {row.phone for row, receipt in told if receipt.reason == Reason.OPTED_OUT}
    for phone in sorted(stops - {None}):  # None: forgotten
        opt_out(db, phone, now.astimezone(zone).date(), "provider")


def _by_theirs(given: FromClause, _dialect: str) -> Any:
    mine = (messages.c.provider == given.c.provider) & (messages.c.provider_id == given.c.provider_id)
    return select(*_COLUMNS).join(given, mine)


def _by_ours(given: FromClause, _dialect: str) -> Any:
    return select(*_COLUMNS).join(given, (messages.c.id == given.c.id) & (messages.c.provider == given.c.provider))


def _name(given: FromClause, _dialect: str) -> Any:
    nameless = (messages.c.id == given.c.id) & messages.c.provider_id.is_(None)
    return update(messages).where(nameless).values(provider_id=given.c.provider_id)


def _move(given: FromClause, _dialect: str) -> Any:
    moves = [(state, what.to) for what in MOVES.values() for state in what.leaves]
    may = or_(*((messages.c.state == state) & (given.c.state == to) for state, to in moves))
    change = {"state": given.c.state, "reason": given.c.reason, "lease": None, "changed": _NOW}
    return update(messages).where(messages.c.id == given.c.id, may).values(change)


def _keep(given: FromClause, dialect: str) -> Any:
    names = ("provider", "provider_id", "move", "reason")
    rows = select(*(given.c[name] for name in names), _NOW).order_by(given.c.provider_id)
    return insert(receipts, dialect).from_select([*names, "received"], rows).on_conflict_do_nothing()


_COLUMNS = [messages.c[name] for name in ("id", "provider", "provider_id", "state", "phone")]
_NOW = bindparam("now", type_=Moment())
_BY_THEIRS = Many(types_of(messages, "provider", "provider_id"), _by_theirs)
_BY_OURS = Many(types_of(messages, "id", "provider"), _by_ours)
_NAME = Many(types_of(messages, "id", "provider_id"), _name)
_MOVE = Many(types_of(messages, "id", "state", "reason"), _move)
_KEEP = Many(types_of(receipts, "provider", "provider_id", "move", "reason"), _keep)
