"""The ground that a row of the table is played on: a gateway of real processes, a played provider, the messages."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
from sqlalchemy import insert

from bench.chaos import moved
from bench.chaos.held import Held, until
from bench.chaos.servers import Servers
from gateway import config, schema
from gateway.bulk.letters import Audience, Letter, recipients_of, write_letter
from gateway.models.contacts import Role, contacts, group_members, groups
from gateway.models.messages import Kind
from gateway.models.store import Store, insert_many
from gateway.phones import operator
from gateway.privacy import Keys

TOKEN = "chaos-token-0123456789abcdef0123456789"  # noqa: S105  # neither is a secret
SECRET = "invented-5d41402abc4b2a76b9719d911017c592"  # noqa: S105
WIRES: dict[str, Mapping[str, str]] = {
    "kannel": {
        "KANNEL_SEND_URL": "{stub}/cgi-bin/sendsms", "KANNEL_USERNAME": "mati", "KANNEL_PASSWORD": SECRET,
        "KANNEL_SENDER": "8550", "KANNEL_WEBHOOK_TOKENS": TOKEN,
    },
    "africastalking": {
        "AFRICASTALKING_BASE_URL": "{stub}", "AFRICASTALKING_USERNAME": "mati", "AFRICASTALKING_API_KEY": SECRET,
        "AFRICASTALKING_WEBHOOK_TOKENS": TOKEN,
    },
    "twilio": {
        "TWILIO_BASE_URL": "{stub}", "TWILIO_ACCOUNT_SID": f"AC{'5' * 32}", "TWILIO_AUTH_TOKEN": SECRET,
        "TWILIO_FROM": "+85510000000",
    },
    "http": {
        "HTTP_SEND_URL": "{stub}/send", "HTTP_WEBHOOK_TOKENS": TOKEN, "HTTP_REFERENCE_FIELD": "ref",
    },
}  # fmt: skip
"""What the gateway must know of a played provider. Receipts carry our id by all of them but Africa's Talking."""
HERE = Path(__file__).parent
READY = 60.0
PREFIXES = ("10", "12", "88")
TEXTS: dict[config.Language, str] = {
    "km": "RCEDO៖ វេទិកាតាផូ ពុធ 12/03 8:30 សាលាឃុំ។",
    "km-Latn": "RCEDO: vetika Ta Phou, Wed 12/03 8:30, sala khum.",
    "en": "RCEDO: Ta Phou forum on services, Wed 12/03 8:30, commune hall.",
}


def numbers(count: int) -> list[str]:
    """So many invented numbers: subscribers of six digits that begin with 0 are not assigned (DOMAIN.md, Phones)."""
    each = -(-count // len(PREFIXES))
    assert each <= 100_000
    return [f"+855{prefix}{n:06d}" for prefix in PREFIXES for n in range(each)][:count]


def noon(now: datetime) -> str:
    """A time zone in which it is now between 12:00 and 13:00: no message waits for the morning."""
    ahead = (12 - now.hour + 11) % 24 - 11
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def free_port() -> int:
    """A port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@dataclass
class Ground:
    """One installation with its processes."""

    servers: Servers
    folder: Path
    provider: str
    stub_options: Sequence[str] = ()
    on_sqlite: bool = False
    own_clocks: bool = False
    """Whether each role goes by a clock that can be moved."""
    stub_log: Path = field(init=False)
    held: dict[str, Held] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "data").mkdir(parents=True)
        self.stub_log = self.folder / "stub.jsonl"
        self.stub_log.touch()
        self.stub_url = f"http://127.0.0.1:{free_port()}"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = "" if self.on_sqlite else self.servers.postgres.new_database()
        wire = {name: value.format(stub=self.stub_url) for name, value in WIRES[self.provider].items()}
        self.given = wire | {
            f"{self.provider.upper()}_RATE": "10000",
            "PROVIDERS": self.provider,
            "DATA_DIR": str(self.folder / "data"),
            "PORT": str(self.port),
            "TIMEZONE": noon(datetime.now(UTC)),
        }
        if not self.on_sqlite:
            self.given |= {"DATABASE_URL": self.database, "REDIS_URL": self.servers.valkey.url}
        self.settings = config.load(**{name.lower(): value for name, value in self.given.items()})
        self.store = Store(self.settings.database)
        schema.initialise(self.settings, self.store, datetime.now(UTC))
        self.keys = Keys(self.settings)

    # processes ----------------------------------------------------------------------------------

    def role(self, name: str, *words: str) -> Held:
        """One more process of the gateway: `mati` with these words (else with its name)."""
        program = (str(HERE / "moved.py"),) if self.own_clocks and name != "stub" else ("-m", "gateway.cli")
        return self.program(name, *program, *(words or (name,)))

    def program(self, name: str, *words: str, ends: bool = False) -> Held:
        """One more process with the settings of this installation: Python with these words."""
        taken = sum(other.partition(" ")[0] == name for other in self.held)
        full = f"{name} {taken + 1}" if taken else name
        env = {key: os.environ[key] for key in ("PATH", "PYTHONPATH", "TMPDIR", "HOME", "LANG") if key in os.environ}
        if self.own_clocks:
            env[moved.CLOCK] = str(self.folder / f"{full}.lead")
            self.move_clock(full, 0)
        held = Held(full, (sys.executable, *words), env | self.given, self.folder / f"{name}.log", ends=ends)
        self.held[full] = held
        return held

    def move_clock(self, role: str, seconds: float) -> None:
        """Puts a role's clock ahead of the true one."""
        lead = self.folder / f"{role}.lead"
        lead.with_suffix(".new").write_text(str(seconds))
        lead.with_suffix(".new").replace(lead)

    def logs(self, role: str) -> str:
        """What all processes of a role wrote."""
        log = self.folder / f"{role}.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def start_stub(self) -> None:
        """The played provider."""
        port = self.stub_url.rpartition(":")[2]
        options = ["--hooks", self.url, "--token", TOKEN, "--secret", SECRET, "--log", str(self.stub_log)]
        self.role("stub", "stub", self.provider, "--port", port, "--show-numbers", *options, *self.stub_options).start()
        until("the stub", lambda: answers(f"{self.stub_url}/_summary"), READY)

    def start_roles(self) -> None:
        """The web server, which takes receipts, and the clock. Raises TimeoutError."""
        for name in ("web", "clock"):
            self.role(name).start()
        until("mati web", self.is_up, READY)

    def is_up(self) -> bool:
        """Whether the web server answers."""
        return answers(f"{self.url}/healthz")

    def summary(self) -> dict[str, int]:
        """The stub's counts."""
        counts: dict[str, int] = requests.get(f"{self.stub_url}/_summary", timeout=10).json()
        return counts

    def stop(self) -> None:
        """Stops everything of this row; the provider last."""
        for held in sorted(self.held.values(), key=lambda held: held.name == "stub"):
            if held.runs:
                held.kill_all()
        self.store.close()
        if self.database:
            self.servers.postgres.drop(self.database)

    # messages -----------------------------------------------------------------------------------

    def write_contacts(
        self, count: int, parts: int = 1, languages: Sequence[config.Language | None] = (*TEXTS, None)
    ) -> list[int]:
        """So many people, of these languages in turn, in so many groups; returns the groups' ids."""
        now = datetime.now(UTC)
        people = numbers(count)
        with self.store.write() as db:
            made = [
                db.scalar(insert(groups).values(name=f"chaos {n + 1}", made=now).returning(groups.c.id))
                for n in range(parts)
            ]
            rows = []
            for n, number in enumerate(people):
                sealed = self.keys.seal_number(number)
                rows.append(
                    {
                        "id": n + 1, "phone": self.keys.lookup(number), "number": sealed.data,
                        "number_key": sealed.key, "operator": operator(number), "role": str(Role.PERSON),
                        "name": "", "address": "", "language": languages[n % len(languages)], "source": "chaos",
                        "consent": "invented", "since": now.date(),
                    }
                )  # fmt: skip
            insert_many(db, contacts, rows, list(rows[0]))
            members = [{"group_id": made[n * parts // count], "contact_id": n + 1} for n in range(count)]
            insert_many(db, group_members, members, ["group_id", "contact_id"])
        return [one for one in made if one is not None]

    def write_letter(self, group: int) -> None:
        """One announcement to a group, due now."""
        now = datetime.now(UTC)
        letter = Letter(Kind.ANNOUNCEMENT, "chaos", TEXTS, now, now + timedelta(hours=6), f"chaos {group}")
        with self.store.write() as db:
            people = recipients_of(db, Audience(groups=(group,)), self.settings)
            assert write_letter(db, self.settings, letter, people, now) is not None


def answers(address: str) -> bool:
    """Whether something answers well there."""
    try:
        return requests.get(address, timeout=2).ok
    except requests.RequestException:
        return False
