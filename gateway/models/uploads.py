"""Files that staff brought, until they say yes to what would come of them: sealed, and for an hour.

And forms that came when their writer's login had just ended, until they log in and send them: such a one has no file.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, ColumnElement, Connection, ForeignKey, Integer, LargeBinary, Table, Text, delete, select

from gateway.models.base import Moment, metadata
from gateway.privacy import Keys, Sealed

KEPT = timedelta(hours=1)
_PURPOSE = "an upload"

uploads = Table(
    "uploads",
    metadata,
    Column("id", Text, primary_key=True),
    Column("staff", ForeignKey("staff.id", ondelete="CASCADE"), nullable=False, index=True),  # nobody else sees it
    Column("file", Text, nullable=False),  # its name
    Column("said", Text, nullable=False),  # JSON: what was said in the form beside it
    Column("content", LargeBinary, nullable=False),  # sealed
    Column("content_key", Integer, nullable=False),
    Column("brought", Moment, nullable=False, index=True),
)


@dataclass(frozen=True)
class Upload:
    """A file as it was brought."""

    file: str
    said: Mapping[str, str]
    text: str


@dataclass(frozen=True)
class Form:
    """A form as it was sent, and where to."""

    target: str
    fields: Sequence[tuple[str, str]]


def keep(db: Connection, keys: Keys, member: int, file: str, said: Mapping[str, str], text: str, now: datetime) -> str:
    """Keeps a file for the hour; returns its id. One that this member brought before goes."""
    db.execute(delete(uploads).where(uploads.c.staff == member, uploads.c.file != ""))
    return _keep(db, keys, member, file or "?", said, text, now)


def find_upload(db: Connection, keys: Keys, upload: str, member: int, now: datetime) -> Upload | None:
    """A file that this member brought within the hour."""
    return _find(db, keys, uploads.c.file != "", upload, member, now)


def keep_form(db: Connection, keys: Keys, member: int, form: Form, now: datetime) -> str:
    """Keeps a form for the hour; returns its id. One of this member's that was kept before goes."""
    db.execute(delete(uploads).where(uploads.c.staff == member, uploads.c.file == ""))
    fields = json.dumps(form.fields, ensure_ascii=False)
    return _keep(db, keys, member, "", {"target": form.target}, fields, now)


def find_form(db: Connection, keys: Keys, upload: str, member: int, now: datetime) -> Form | None:
    """A form that this member sent within the hour."""
    kept = _find(db, keys, uploads.c.file == "", upload, member, now)
    return Form(kept.said["target"], [(name, value) for name, value in json.loads(kept.text)]) if kept else None


def _keep(db: Connection, keys: Keys, member: int, file: str, said: Mapping[str, str], text: str, now: datetime) -> str:
    forget_uploads(db, now)
    upload = secrets.token_hex(16)
    sealed = keys.seal(text, _PURPOSE)
    db.execute(
        uploads.insert().values(
            id=upload, staff=member, file=file, said=json.dumps(said, ensure_ascii=False),
            content=sealed.data, content_key=sealed.key, brought=now,
        )
    )  # fmt: skip
    return upload


def _find(
    db: Connection, keys: Keys, kind: ColumnElement[bool], upload: str, member: int, now: datetime
) -> Upload | None:
    mine = (uploads.c.id == upload) & (uploads.c.staff == member) & (uploads.c.brought > now - KEPT) & kind
    row = db.execute(select(uploads).where(mine)).first()
    if row is None:
        return None
    return Upload(row.file, json.loads(row.said), keys.open(Sealed(row.content_key, row.content), _PURPOSE))


def drop_upload(db: Connection, upload: str) -> bool:
    """Removes a file; False when it is gone already."""
    return db.execute(delete(uploads).where(uploads.c.id == upload)).rowcount == 1


def forget_uploads(db: Connection, now: datetime) -> int:
    """Removes files of more than an hour ago; returns how many."""
    return db.execute(delete(uploads).where(uploads.c.brought <= now - KEPT)).rowcount
