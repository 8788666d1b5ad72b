"""What was deleted must be gone from the database's files, too.

SQLite keeps old pages in its write-ahead log, and, in spite of secure_delete, stale copies of rows in the gaps of pages
(45 of 11,000 deleted rows in a file of 10 MB). PostgreSQL keeps deleted rows, with the order in which they came, until
something else takes their place, and everything once more in its log (pg_wal). So after a round, a poll or a
check closed its tables are written anew. What would take long is left for the night; that something is left stands in
`installation`, so that no crash forgets it. docs/privacy.md says what is beyond us.
"""

from __future__ import annotations

import secrets
import time

import structlog
from sqlalchemy import Connection, delete, select, text

from gateway.models.installation import installation
from gateway.models.store import DatabaseDown, Store, insert

log = structlog.get_logger()

REWRITTEN = (
    "answers", "check_answers", "conversations", "inbound", "messages", "released_phones", "near_numbers",
    "poll_answers", "recorded", "rollups", "round_sums", "stale_days",
)  # fmt: skip
"""The tables of PostgreSQL in which deleted rows would tell who rated what."""
BY_DAY = {"sqlite": 200_000_000, "postgresql": 30_000_000}
"""Bytes of the file, or of a table: more would keep those who rate waiting for longer than about a second."""
LOCK_SECONDS = 2
OTHERS_SECONDS = 3.0
"""So long it waits for transactions that still see what was deleted."""
_LEFT = "traces"


def note_left(db: Connection) -> str:
    """Notes that something was deleted that must not stay in the files; returns the note's mark."""
    mark = secrets.token_hex(8)
    statement = insert(installation, db.dialect.name).values(name=_LEFT, value=mark)
    db.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": mark}))
    return mark


def has_left(db: Connection) -> bool:
    """Whether something deleted is still in the files."""
    return db.scalar(select(installation.c.value).where(installation.c.name == _LEFT)) is not None


def leave_no_trace(store: Store, *, at_night: bool = False) -> bool:
    """Clears the database's files of what was deleted; False where that waits for the night, or for others to end."""
    with store.write() as db:
        mark = note_left(db)
    try:
        done = _sqlite(store, at_night) if store.is_sqlite else _postgresql(store, at_night)
    except DatabaseDown as error:
        log.info("traces.later", why=type(error.orig).__name__)
        return False
    if done:  # unless somebody deleted more meanwhile
        with store.write() as db:
            db.execute(delete(installation).where(installation.c.name == _LEFT, installation.c.value == mark))
    return done


def kept_by_server(db: Connection) -> list[str]:
    """What makes a PostgreSQL keep what was deleted, in words; nothing where it does not, or is none."""
    if db.dialect.name == "sqlite":
        return []
    found = db.execute(text("SELECT name, setting FROM pg_settings"))
    settings = {row.name: row.setting for row in found}
    told = []
    if settings.get("wal_recycle") == "on":
        told.append("wal_recycle is on")
    if settings.get("archive_mode", "off") != "off":
        told.append("its log is archived")
    may = text(
        "SELECT has_function_privilege('pg_switch_wal()', 'execute') AND (SELECT rolsuper FROM pg_roles"
        " WHERE rolname = current_user) OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'pg_checkpoint'"
        " AND pg_has_role(oid, 'member')) AND has_function_privilege('pg_switch_wal()', 'execute')"
    )
    if not db.execute(may).scalar_one():
        told.append("our role may not do pg_switch_wal and CHECKPOINT")
    return told


def _sqlite(store: Store, at_night: bool) -> bool:
    with store.engine.connect() as db:
        pages, size = (db.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("page_count", "page_size"))
        small = pages * size <= BY_DAY["sqlite"]
        if small or at_night:
            db.exec_driver_sql("COMMIT")
            db.exec_driver_sql("VACUUM")
            db.exec_driver_sql("BEGIN")
    return _empty_log(store) and (small or at_night)


def _empty_log(store: Store) -> bool:
    with store.engine.connect() as db:
        db.exec_driver_sql("COMMIT")
        busy = db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
        db.exec_driver_sql("BEGIN")
    return not busy


def _postgresql(store: Store, at_night: bool) -> bool:
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.exec_driver_sql(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        try:
            done = _others_ended(db)
            size = text("SELECT pg_total_relation_size(CAST(:table AS regclass))")
            for table in REWRITTEN if done else ():
                if at_night or db.execute(size, {"table": table}).scalar_one() <= BY_DAY["postgresql"]:
                    db.exec_driver_sql(f"VACUUM FULL {table}")
                else:
                    done = False
            _leave_old_log(db)
        finally:
            db.exec_driver_sql("RESET lock_timeout")
    return done


def _others_ended(db: Connection) -> bool:
    """Whether nobody sees any more what was deleted before now: VACUUM keeps it for them."""
    began = db.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND xact_start < :began"
    )
    end = time.monotonic() + OTHERS_SECONDS
    while db.execute(others, {"began": began}).scalar_one():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _leave_old_log(db: Connection) -> None:
    """Makes PostgreSQL part with its log up to now, where our role may. What an archive keeps is beyond us."""
    try:
        db.exec_driver_sql("SELECT pg_switch_wal()")
        db.exec_driver_sql("CHECKPOINT")
    except DatabaseDown:
        log.info("traces.log_kept", note="the database's role may not part with the old log; see docs/privacy.md")
