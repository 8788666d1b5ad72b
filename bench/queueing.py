"""How long an approval takes that puts a long list into the outbox.

Recipients are read, every text is filled and counted, every message written and committed, as `broadcasts.approve`
does it: once with one text a language, once with a name in each.
"""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Self

from sqlalchemy import delete, select, text

from bench import table
from gateway import config, schema
from gateway.bulk import broadcasts
from gateway.bulk.letters import Audience, Texts
from gateway.config import LANGUAGES, Settings
from gateway.garbage import look_seldom
from gateway.models.contacts import Role, contacts, group_members, groups
from gateway.models.messages import Kind, messages
from gateway.models.staff import add_member, staff
from gateway.models.store import Store, insert_many
from gateway.phones import operator
from gateway.privacy import Keys

RECIPIENTS, SECONDS = 100_000, 2
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


def measure(ground: table.Ground) -> table.Result:
    """Approves one broadcast after the other, on PostgreSQL and on SQLite in turns."""
    look_seldom()  # as the gateway's own processes
    count = max(1000, int(RECIPIENTS * ground.share))
    found: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        desks = [
            stack.enter_context(Desk.opened(ground.folder / kind, url, kind, count))
            for kind, url in (("PostgreSQL", ground.servers.postgres.new_database()), ("SQLite", ""))
        ]
        for turn in range(ground.rounds):
            for desk, name in itertools.product(desks, TEXTS):
                found[f"seconds for {count:,}, {name}, {desk.kind}"].append(desk.approve(name))
            ground.say(f"{turn + 1} of {ground.rounds}")
    figures = tuple(table.Figure(what, table.OURS, tuple(values)) for what, values in found.items())
    wanted = median(found[f"seconds for {count:,}, a name in each, PostgreSQL"])
    goal = table.Goal(
        f"100,000 reminders with placeholders in under {SECONDS} s", f"{wanted:.2f} s for {count:,}", wanted < SECONDS
    )
    return table.Result("Queueing", figures, (goal,))


@dataclass
class Desk:
    """An installation with people in one group, and two members of staff: one writes, the other approves."""

    kind: str
    settings: Settings
    store: Store
    group: int
    approver: int

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, url: str, kind: str, count: int) -> Iterator[Self]:
        """One of its own."""
        settings = config.load(data_dir=folder, database_url=url)
        folder.mkdir()
        store = Store(settings.database)
        schema.initialise(settings, store, NOW)
        group = people(store, Keys(settings), count)
        with store.write() as db:
            add_member(db, "second", "staff", "a password")
            approver = db.execute(select(staff.c.id).where(staff.c.name == "second")).scalar_one()
        yield cls(kind, settings, store, group, approver)
        store.close()

    def approve(self, name: str) -> float:
        """Seconds from the approval to the commit of all its messages, which are removed again."""
        with self.store.write() as db:
            made = broadcasts.draft(
                db, kind=Kind.REMINDER, title=name, texts=TEXTS[name], audience=Audience(groups=(self.group,)),
                author=None, now=NOW, expires=NOW + timedelta(days=60),
            )  # fmt: skip
            broadcasts.submit(db, self.settings, made, NOW)
        began = time.perf_counter()
        with self.store.write() as db:
            broadcasts.approve(db, self.settings, made, self.approver, NOW)
        seconds = time.perf_counter() - began
        with self.store.write() as db:
            db.execute(delete(messages) if self.store.is_sqlite else text("TRUNCATE messages CASCADE"))
        return seconds
