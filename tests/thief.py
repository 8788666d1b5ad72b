"""A thief who holds everything: the database and its files, last week's backup, the logs, the queue, and every key.

Each method is one way to link an answer to a number; it returns what it found, in words, and nothing where it fails.
"""

from __future__ import annotations

import gzip
import hmac
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, text

from gateway import backup
from gateway.models import metadata
from gateway.privacy import KeyProblem, Sealed, read_key
from tests.conftest import Installation

WHO = ("", "woman-15-30", "woman-31", "man-15-30", "man-31", "under-15", "other", "unsaid")
CHANNELS = {"USSD": "ussd", "SMS": "sms"}
KNOWN_IN = frozenset({"callers", "contacts", "opt_outs", "messages", "forum_replies", "poll_answers"})
"""Where numbers are kept, apart from ratings (DOMAIN.md, Privacy). A poll that is open has a key of its own."""
FEW = 10
SAMPLE = 6
"""Of each kind so many are looked for in the files."""

Rows = list[dict[str, Any]]


@dataclass
class Thief:
    """Who has it all after the round closed."""

    at: Installation
    numbers: Sequence[str]
    backup: Path
    before: dict[str, list[bytes]]
    """What he looks for in the files: what was there while the round was open."""
    tables: dict[str, dict[str, Rows]] = field(default_factory=dict)
    """By where they are from: now, and last week."""

    def __post_init__(self) -> None:
        self.tables = {"now": self._now(), "backup": self._last_week()}

    def ways(self, scores: Mapping[str, int], said: str, queue: bytes) -> dict[str, list[str]]:
        """All he tries, and what came of it."""
        return {
            "by key": self.by_key(),
            "by talk": self.by_talk(),
            "by day": self.by_day(),
            "by order": self.by_order(scores),
            "by bytes": self.by_bytes(),
            "by log": self.by_log(said) + self.by_log(queue.decode("latin-1")),
        }

    # what he has ----------------------------------------------------------------------------------

    def _now(self) -> dict[str, Rows]:
        """Every row, in the order in which it was written, as far as the database tells."""
        found: dict[str, Rows] = {}
        with self.at.store.read() as db:
            for table in metadata.sorted_tables:
                statement = select(table)
                if not self.at.store.is_sqlite:
                    statement = statement.order_by(text(f"{table.name}.xmin::text::bigint, {table.name}.ctid"))
                elif table.kwargs.get("sqlite_with_rowid", True):
                    statement = statement.order_by(text("rowid"))
                found[table.name] = [dict(row) for row in db.execute(statement).mappings()]
        return found

    def _last_week(self) -> dict[str, Rows]:
        found: dict[str, Rows] = {table.name: [] for table in metadata.sorted_tables}
        with self.backup.open("rb") as file, gzip.GzipFile(fileobj=backup._Opening(file, self.at.keys)) as lines:
            head: dict[str, Any] = {}
            for line in map(json.loads, lines):
                if isinstance(line, dict):
                    head = line
                    continue
                types = {name: metadata.tables[head["table"]].c[name].type for name in head["columns"]}
                values = zip(types.items(), line, strict=True)
                found[head["table"]].append(
                    {name: backup._typed(getattr(kind, "impl", kind), value) for (name, kind), value in values}
                )
        return found

    def rows(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Where from, table, row."""
        for source, tables in self.tables.items():
            for table, rows in tables.items():
                for row in rows:
                    yield source, table, row

    def hashes(self) -> dict[bytes, str]:
        """Every number of the range, hashed in every way with every key that is left."""
        folder = self.at.settings.keys
        keys = [read_key(path) for path in folder.glob("*.key")]
        keys += [read_key(self.at.settings.data_dir / "master.key"), b""]
        found: dict[bytes, str] = {}
        for number in self.numbers:
            texts = [number, number[1:], f"phone\0{number}", *(f"rater\0{number}\0{who}" for who in WHO)]
            found |= {hmac.digest(key, text.encode(), "sha256")[:16]: number for key in keys for text in texts}
            found[self.at.keys.lookup(number)] = number
        return found

    # how he tries ---------------------------------------------------------------------------------

    def by_key(self) -> list[str]:
        """A number's hash beside a rating."""
        hashes = self.hashes()
        return [
            f"{source} {table}: {hashes[value]} in {name}"
            for source, table, row in self.rows()
            for name, value in row.items()
            if table not in KNOWN_IN and isinstance(value, bytes) and value in hashes
        ]

    def by_talk(self) -> list[str]:
        """What was said, and by whom."""
        hashes = self.hashes()
        found = []
        for source, table, row in self.rows():
            if table == "conversations" and (row["caller"] in hashes or row["transcript"] or row["answer"]):
                found.append(f"{source}: {hashes.get(row['caller'])} said {row['transcript']!r}")
            if table == "inbound" and (row["phone"] in hashes or self._opened(row)):
                found.append(f"{source}: {hashes.get(row['phone'])} wrote {self._opened(row)!r}")
            if table == "messages" and row["kind"] == "answer" and (row["phone"] in hashes or row["text"]):
                found.append(f"{source}: {hashes.get(row['phone'])} was answered at {row['created']}")
        return found

    def by_day(self) -> list[str]:
        """A number that is known to have written on a day, and fewer than ten that rated on it."""
        hashes = self.hashes()
        found = []
        for source, tables in self.tables.items():
            lives = {row["key"]: row["commune"] for row in tables["callers"]}
            for phone, day, channel in self._wrote(tables):
                then = (lives.get(phone), channel, day)
                numbers = defaultdict[Any, set[bytes]](set)
                counted = Counter[Any]()
                for row in tables["answers"]:
                    if (row["commune"], row["channel"], row["day"]) == then:
                        numbers[row["service_id"], row["indicator"]].add(row["phone"])
                for row in tables["rollups"]:
                    if (row["commune"], row["channel"], row["day"]) == then:
                        counted[row["service_id"], row["indicator"]] += row["leads"]
                for few in (max(map(len, numbers.values()), default=0), max(counted.values(), default=0)):
                    if 0 < few < FEW:
                        found.append(f"{source}: {hashes[phone]}, {channel} on {day}: one of {few} that rated")
        return found

    def by_order(self, scores: Mapping[str, int]) -> list[str]:
        """Who called first gave the first answer: right for half of them, where only one in five is by chance."""
        hashes = self.hashes()
        found = []
        for source, tables in self.tables.items():
            office = [
                row["score"]
                for row in tables["answers"]
                if (row["service_id"], row["indicator"]) == ("office", "overall")
            ]
            given = office or [row["choice"] for row in tables["check_answers"]]
            for side, key in (("callers", "key"), ("contacts", "phone")):
                people = [hashes[row[key]] for row in tables[side] if hashes.get(row[key]) in scores]
                for shift in range(-3, 4):
                    pairs = [(n, given[i + shift]) for i, n in enumerate(people) if 0 <= i + shift < len(given)]
                    right = sum(scores[number] == said for number, said in pairs)
                    if right * 2 > len(people):
                        found.append(f"{source}: by the order of {side} {right} of {len(people)} are right")
        return found

    def by_bytes(self) -> list[str]:
        """What was deleted, in the files of the database."""
        files = list(self._files())
        return [
            f"{name}: {what}"
            for name, content in files
            for what, needles in self.before.items()
            if any(needle in content for needle in needles[:SAMPLE])
        ]

    def by_log(self, said: str) -> list[str]:
        """A number, or what stands beside one, in the log or in the queue."""
        marks = {phone.hex() for phone in self.hashes()} | {number[4:] for number in self.numbers}
        known = {row["id"] for source, table, row in self.rows() if table == "messages" and row["kind"] == "answer"}
        marks |= known | {needle.decode("latin-1") for needle in self.before["session"]}
        return [mark for mark in sorted(marks) if mark in said]

    # inside ---------------------------------------------------------------------------------------

    def _wrote(self, tables: dict[str, Rows]) -> Iterator[tuple[bytes, date, str]]:
        """Numbers, and when it is known of them that they wrote, and how."""
        zone = self.at.settings.zone

        def local(moment: datetime) -> date:
            return moment.astimezone(zone).date()

        for row in tables["contacts"]:
            if row["source"] in CHANNELS:
                yield row["phone"], row["since"], CHANNELS[row["source"]]
        for row in tables["opt_outs"]:
            yield row["phone"], row["since"], "sms"
        for row in tables["forum_replies"]:
            yield row["phone"], local(row["at"]), row["channel"]

    def _opened(self, row: dict[str, Any]) -> str:
        try:
            return self.at.keys.open(Sealed(row["text_key"], row["text"]), "an SMS")
        except KeyProblem:
            return ""

    def _files(self) -> Iterator[tuple[str, bytes]]:
        store = self.at.store
        if store.is_sqlite:
            path = Path(store.url.database or "")
            yield from ((file.name, file.read_bytes()) for file in path.parent.glob(f"{path.name}*"))
            return
        with store.read() as db:
            folder = Path(db.execute(text("SHOW data_directory")).scalar_one())
            ours = "SELECT oid FROM pg_database WHERE datname = current_database()"
            oid = db.execute(text(ours)).scalar_one()
        for file in (*(folder / "base" / str(oid)).iterdir(), *(folder / "pg_wal").iterdir()):
            if file.is_file():
                yield file.name, file.read_bytes()
