"""The schema brought up to date, after a copy; an empty database filled with what every programme needs."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from gateway import keyring
from gateway.config import Settings
from gateway.models import editions, services, staff
from gateway.models.store import MIGRATIONS, Store, StoreProblem, newest_revision
from gateway.places import SHIPPED, import_places
from gateway.privacy import KeyProblem, Keys, make_keys, master_path


def migrate(store: Store) -> Path | None:
    """Brings the schema up to date. An SQLite file with data is copied beside itself first; returns the copy.

    Raises StoreProblem when the database is newer than this program.
    """
    found = store.revision()
    if found == newest_revision():
        return None
    copy = _copied(store, found) if found and store.is_sqlite else None
    with store.rebuild() as db:
        config = alembic_config(db)
        try:
            command.upgrade(config, "head")
        except Exception as error:
            if "Can't locate revision" in str(error):
                raise StoreProblem(f"the database is at schema {found}, which this program is too old for") from None
            raise
    return copy


def initialise(settings: Settings, store: Store, now: datetime) -> str | None:
    """Makes keys, schema, places and services where they are missing, and the first admin login.

    Returns the login's one-time password when it made one, else None. Raises StoreProblem, KeyProblem.
    """
    path = master_path(settings)
    if store.revision() is not None and not settings.mati_master_key and not path.exists():
        raise KeyProblem(f"{path} is missing, but there are data made with it; put it back (docs/keys.md)")
    make_keys(settings)
    migrate(store)
    keyring.must_fit(store, Keys(settings))
    with store.write() as db:
        if editions.newest(db):
            return None
        import_places(db, SHIPPED, join=True)
        services.add_standard(db)
        editions.publish(db, now)
        password = staff.new_password()
        return password if staff.add_member(db, "admin", "admin", password) else None


def alembic_config(connection: Connection) -> Config:
    """Alembic's settings, with the connection its scripts are to use."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _copied(store: Store, revision: str) -> Path:
    path = Path(str(store.url.database))
    copy = path.with_name(f"{path.stem}-before-{newest_revision()}-from-{revision}{path.suffix}")
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    copy.chmod(0o600)
    return copy
