"""`mati backup` and `mati restore`: the database in one file that only the master key opens.

What could link a rating to a person is not in it: no round key, no talk, no SMS that came in, no answer to one. So an
old backup opens nothing that a closed round has locked (DOMAIN.md, Privacy).
"""

from __future__ import annotations

import base64
import gzip
import hmac
import io
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO

from alembic import command
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import (
    Connection,
    Date,
    DateTime,
    LargeBinary,
    MetaData,
    Select,
    Table,
    delete,
    func,
    select,
    text,
    update,
)

from gateway.config import Settings
from gateway.errors import Told
from gateway.models import (
    answers,
    conversations,
    editions,
    messages,
    metadata,
    polls,
    promises,
    rollups,
    rounds,
    staff,
    uploads,
)
from gateway.models.messages import Kind, State
from gateway.models.store import Store
from gateway.privacy import Keys
from gateway.providers.base import Reason
from gateway.schema import alembic_config, migrate
from gateway.scorecard import weekly
from gateway.scorecard.closing import kept_days

MAGIC = b"MATI BACKUP 1\n"
LEFT_OUT = (conversations.conversations, messages.inbound, messages.receipts, uploads.uploads,
            staff.staff_sessions, staff.invitations)  # fmt: skip
"""What people said and were answered: it stands beside their numbers' keys. And files that wait for a yes, logins that
go on, links that open one: none of them comes back to life with an old backup."""
CHANGED = (answers.answers, rollups.rollups, answers.stale_days)
"""Of rounds that go on, they hold fewer days: see `_on_answers`."""
_SALT = 16
_CHUNK = 1024 * 1024
_ROWS = 1000


class BackupProblem(Told):
    """A backup cannot be made or read; the message says why. Nothing was changed."""


@dataclass(frozen=True)
class Restored:
    """What a restore brought back."""

    rows: int
    made: datetime
    closed: int
    """Rounds, polls and checks that had been closed since: their keys are gone, so they are closed again."""
    cancelled: int
    """Messages that waited when the backup was made: they may have gone out since."""


def backup(store: Store, keys: Keys, path: Path, now: datetime) -> int:
    """Writes the whole database into a new file, mode 0600; returns how many rows. Memory stays flat.

    Raises BackupProblem.
    """
    part = path.with_name(path.name + ".part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        if path.exists():
            raise BackupProblem(f"{path} is there already; choose another name")
        with os.fdopen(handle, "wb") as file:
            with _Sealing(file, keys) as sealing, gzip.GzipFile(fileobj=sealing, mode="wb", mtime=0) as packed:
                count = _dump(store, keys, packed, now)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    except OSError as error:
        raise BackupProblem(f"{path}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    return count


def restore(settings: Settings, store: Store, keys: Keys, path: Path, now: datetime) -> Restored:
    """Fills an empty database from a backup, whole or not at all; an older schema is brought up to date.

    What was closed stays closed, what waited to be sent is not sent. Raises BackupProblem.
    """
    if store.revision() is not None:
        raise BackupProblem(
            f"{store.url.database} holds data; restore into an empty folder: DATA_DIR=… mati restore {path}"
        )
    try:
        with path.open("rb") as file, gzip.GzipFile(fileobj=_Opening(file, keys)) as packed:
            lines = (json.loads(line) for line in packed)
            head = next(lines)
            with store.rebuild() as db:
                rows = _load(db, keys, head, lines)
                closed, cancelled = _settle(db, keys, settings, now)
    except OSError as error:  # gzip's own complaint is one too
        raise BackupProblem(f"{path}: {error.strerror or 'this is no whole backup'}") from None
    except (EOFError, ValueError, StopIteration):
        raise BackupProblem(f"{path}: this is no whole backup") from None
    migrate(store)
    with store.write() as db:
        weekly.hold_back(db, settings, now)
        editions.publish(db, now)
    return Restored(rows, datetime.fromisoformat(head["made"]), closed, cancelled)


# rows ---------------------------------------------------------------------------------------------


def _dump(store: Store, keys: Keys, out: gzip.GzipFile, now: datetime) -> int:
    def line(value: object) -> None:
        out.write(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain).encode() + b"\n")

    line({"revision": store.revision(), "made": now.isoformat()})
    for number in keys.sealing_numbers():
        line({"sealing": number, "key": keys.sealing_key(number)})
    count = 0
    with store.snapshot() as db:
        for table in metadata.sorted_tables:
            if table in LEFT_OUT:
                continue
            line({"table": table.name, "columns": [column.name for column in table.columns]})
            rows = (
                _on_answers(db, table)
                if table in CHANGED
                else db.execute(_kept(table).execution_options(yield_per=_ROWS))
            )
            for row in rows:
                line(list(row))
                count += 1
    return count


def _kept(table: Table) -> Select[Any]:
    """In the order of the key: the one in which rows came would tell whose answer is whose."""
    statement = select(table).order_by(*table.primary_key.columns)
    return statement.where(table.c.kind != Kind.ANSWER) if table is messages.messages else statement


def _on_answers(db: Connection, table: Table) -> Iterator[Sequence[Any]]:
    """Rows on answers. Of a round that goes on, a day stays only where many rated, as when it closes.

    The day on which somebody asked for reminders, and by which channel, is kept with the number: it would link the two.
    Such a round's days are to be counted anew.
    """
    a, c = answers.answers.c, rounds.round_communes.c
    going = select(c.round_id, c.commune).where(~c.forgotten).order_by(c.round_id, c.commune)
    pairs = [tuple(row) for row in db.execute(going)]
    gone = _kept(table).join(rounds.round_communes, (c.round_id == table.c.round_id) & (c.commune == table.c.commune))
    yield from db.execute(gone.where(c.forgotten).execution_options(yield_per=_ROWS))
    for round_id, commune in pairs if table is not rollups.rollups else ():
        days = kept_days(db, round_id, commune)
        mine = (a.round_id == round_id) & (a.commune == commune)
        if table is answers.answers:
            for row in db.execute(_kept(table).where(mine).execution_options(yield_per=_ROWS)).mappings():
                yield list({**row, "day": days.get((row["channel"], row["day"]), row["day"])}.values())
        else:
            there = db.execute(select(a.channel, a.day).where(mine).distinct())
            for day in sorted({days.get((channel, day), day) for channel, day in there}):
                yield commune, round_id, day


def _plain(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)


def _load(db: Connection, keys: Keys, head: dict[str, Any], lines: Iterator[Any]) -> int:
    try:
        command.upgrade(alembic_config(db), head["revision"])
    except Exception as error:
        if "Can't locate revision" in str(error):
            raise BackupProblem("this backup was made by a newer program; install that one first") from None
        raise
    found = MetaData()
    found.reflect(db)  # the tables as that revision has them
    table: Table | None = None
    count, waiting = 0, list[dict[str, Any]]()

    def flush() -> None:
        nonlocal waiting
        if table is not None and waiting:
            db.execute(table.insert(), waiting)
        waiting = []

    columns: list[str] = []
    for line in lines:
        if isinstance(line, dict) and "sealing" in line:
            keys.put_sealing(line["sealing"], line["key"])
        elif isinstance(line, dict):
            flush()
            table, columns = found.tables[line["table"]], line["columns"]
        elif table is not None:
            waiting.append({name: _typed(table.c[name].type, value) for name, value in zip(columns, line, strict=True)})
            count += 1
            if len(waiting) == _ROWS:
                flush()
    flush()
    if db.dialect.name == "postgresql":
        for table in found.sorted_tables:
            if "id" in table.c and table.c.id.autoincrement is True:
                _go_on_counting(db, table)
    return count


def _go_on_counting(db: Connection, table: Table) -> None:
    last = db.scalar(select(func.max(table.c.id)))
    if last is not None:
        db.execute(
            text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)"), {"table": table.name, "last": last}
        )


def _typed(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, DateTime):
        moment = datetime.fromisoformat(value)
        return moment if kind.timezone else moment.replace(tzinfo=None)  # SQLite's are UTC without saying so
    if isinstance(kind, Date):
        return date.fromisoformat(value)
    if isinstance(kind, LargeBinary):
        return base64.b64decode(value)
    return value


def _settle(db: Connection, keys: Keys, settings: Settings, now: datetime) -> tuple[int, int]:
    """What must not come back: rounds, polls and checks whose keys are gone, messages that may have gone out since."""
    day = settings.day(now)
    lost = _without_key(db, keys, rounds.rounds)
    db.execute(update(rounds.rounds).where(rounds.rounds.c.id.in_(lost)).values(closed=day))
    db.execute(update(rounds.round_communes).where(rounds.round_communes.c.round_id.in_(lost)).values(open=False))
    over = _without_key(db, keys, polls.polls)
    db.execute(update(polls.polls).where(polls.polls.c.id.in_(over)).values(closed=now))
    asked = _without_key(db, keys, promises.checks)
    db.execute(update(promises.checks).where(promises.checks.c.id.in_(asked)).values(closed=day))
    # not counted: its figures may have been told since, and would differ from these by few answers
    db.execute(delete(promises.check_answers).where(promises.check_answers.c.check_id.in_(asked)))
    table = messages.messages
    waited = table.c.state.in_((State.QUEUED, State.HELD, State.CLAIMED))
    cancelled = db.execute(update(table).where(waited).values(state=State.CANCELLED, lease=None)).rowcount
    doubtful = table.c.state == State.SENDING
    db.execute(update(table).where(doubtful).values(state=State.UNCONFIRMED, lease=None, reason=Reason.WORKER_LOST))
    return len(lost) + len(over) + len(asked), cancelled


def _without_key(db: Connection, keys: Keys, table: Table) -> list[int]:
    going = select(table.c.id, table.c.key).where(table.c.closed.is_(None), table.c.key.is_not(None))
    return [row.id for row in db.execute(going) if not keys.has_round(row.key)]


# the file -----------------------------------------------------------------------------------------


class _Sealing(io.RawIOBase):
    """What is written goes into a file in sealed chunks; the last one says that it is the last."""

    def __init__(self, file: BinaryIO, keys: Keys) -> None:
        self._file = file
        salt = secrets.token_bytes(_SALT)
        self._cipher = _cipher(keys, salt)
        self._waiting = bytearray()
        self._count = 0
        file.write(MAGIC + salt)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting += data
        while len(self._waiting) > _CHUNK:
            self._put(bytes(self._waiting[:_CHUNK]), b"more")
            del self._waiting[:_CHUNK]
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._put(bytes(self._waiting), b"last")
        super().close()

    def _put(self, chunk: bytes, which: bytes) -> None:
        sealed = self._cipher.encrypt(self._count.to_bytes(12, "big"), chunk, which)
        self._file.write(len(sealed).to_bytes(4, "big") + which + sealed)
        self._count += 1


class _Opening(io.RawIOBase):
    """A sealed file, read. Raises BackupProblem when it is another's, damaged or cut short."""

    def __init__(self, file: BinaryIO, keys: Keys) -> None:
        self._file = file
        if file.read(len(MAGIC)) != MAGIC:
            raise BackupProblem("this is no backup of Mati")
        self._cipher = _cipher(keys, file.read(_SALT))
        self._waiting = b""
        self._count = 0
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._waiting and not self._ended:
            self._waiting = self._next()
        count = min(len(buffer), len(self._waiting))
        buffer[:count] = self._waiting[:count]
        self._waiting = self._waiting[count:]
        return count

    def _next(self) -> bytes:
        head = self._file.read(8)
        size, which = int.from_bytes(head[:4], "big"), head[4:]
        sealed = self._file.read(size) if size <= 2 * _CHUNK else b""
        if len(head) < 8 or len(sealed) < size or not size:
            raise BackupProblem("this backup is cut short")
        try:
            chunk = self._cipher.decrypt(self._count.to_bytes(12, "big"), sealed, which)
        except InvalidTag:
            if self._count:
                raise BackupProblem("this backup is damaged") from None
            raise BackupProblem("this backup was made with another master key, or is damaged") from None
        self._count += 1
        self._ended = which == b"last"
        return chunk


def _cipher(keys: Keys, salt: bytes) -> AESGCM:
    """A key for one file: the salt is new for each, so that chunks may be numbered from 0."""
    return AESGCM(hmac.digest(bytes.fromhex(keys.derived("mati backup")), salt, "sha256"))
