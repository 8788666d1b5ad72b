"""What commands begin with: a number from the command line, a database that is ready."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from gateway.config import PREPARED, Settings
from gateway.errors import Told

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gateway.models.store import Store


def number_of(text: str, settings: Settings) -> str:
    """A number as somebody typed it, as E.164; raises UsageError, which does not repeat it."""
    from gateway.phones import NotANumber, e164

    try:
        return e164(text, settings.countries[0])
    except NotANumber as error:
        raise click.UsageError(f"the number: {error}, such as +85510000001") from None


def given(**values: object) -> dict[str, object]:
    """The options that were given."""
    return {name: value for name, value in values.items() if value is not None}


def store_of(settings: Settings) -> Store:
    """The database as it is; an SQLite folder is made."""
    from gateway.models.store import Store

    if not settings.database_url:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    return Store(settings.database)


def ready_store(settings: Settings) -> Store:
    """The database, with the schema this program wants. Raises StoreProblem."""
    from gateway.models.store import StoreProblem

    if not settings.database_url and not (settings.data_dir / "mati.sqlite").exists():
        raise StoreProblem(f"there is no database in {settings.data_dir}; set DATA_DIR, or run: mati init")
    store = store_of(settings)
    store.must_be_current()
    return store


def noted(db: Connection, command: str, **details: object) -> None:
    """Keeps in the audit log what the operator did, in the transaction in which it was done."""
    from gateway.models.audit import note

    note(db, f"mati {command}", datetime.now(UTC), details=details)


def must_run(settings: Settings) -> None:
    """A role on its own needs what `mati up` would bring.

    `mati up` has looked itself: the first process of its web server, which watches over the other, then does without
    the modules of the database (15 MB).
    """
    if os.environ.get(PREPARED):
        return
    from gateway import keyring
    from gateway.privacy import Keys

    if not settings.redis_url:
        raise Told("REDIS_URL is not set; set it to your Redis, or run everything with: mati up")
    store = ready_store(settings)
    keyring.must_fit(store, Keys(settings))
    store.close()
