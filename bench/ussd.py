"""A known number dials, rates a service, says who, is thanked: `python -m bench.ussd` (installs its peers first).

The gateway and its peers stand behind the same PostgreSQL and Valkey and are asked in turns, by the same load.
"""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import click
import psycopg
from sqlalchemy import make_url

from bench import load
from bench.chaos.ground import free_port
from bench.chaos.held import Held, until
from bench.chaos.servers import Servers, servers
from gateway import config, schema
from gateway.models.callers import callers
from gateway.models.store import Store, insert_many
from gateway.privacy import Keys
from gateway.scorecard import rounds

PACKAGES = ("express@5.3.0", "ussd-menu-builder@1.2.0", "pg@8.23.1", "redis@6.3.1")
GUNICORN = "gunicorn==27.0.1"
TOKEN = "bench-token-0123456789abcdef0123456789"  # noqa: S105  # no secret
HERE = Path(__file__).parent / "peers"
KNOWN = 100_000
READY = 60.0
TABLE = "CREATE TABLE peer_ratings (phone text, service int, score int, who int, PRIMARY KEY (phone, service))"
PATHS = ("", "2", "2*5", "2*5*1")
"""From dial to thanks: the whole path in each request, as Africa's Talking sends it."""


@dataclass
class Peer:
    """Something that answers USSD."""

    name: str
    held: Held
    port: int
    path: str = "/ussd"
    answers: tuple[bytes, ...] = (b"CON Service", b"CON Health centre", b"CON You are", b"END Thank you")
    _turn: Iterator[int] = field(default_factory=itertools.count)

    def sessions(self) -> Iterator[load.Session]:
        """One after the other, each of another number."""
        for turn in self._turn:
            number, session = known(turn % KNOWN), secrets.token_hex(12)
            yield tuple(
                (self._request(session, number, path), answer) for path, answer in zip(PATHS, self.answers, strict=True)
            )

    def _request(self, session: str, number: str, text: str) -> bytes:
        fields = {"sessionId": f"ATUid_{session}", "serviceCode": "*384#", "phoneNumber": number, "text": text}
        body = urlencode(fields | {"networkCode": "45601"}).encode()
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: keep-alive\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def cpu(self) -> float:
        """Seconds of processor time that its own processes have used so far."""
        times = [one.cpu_times() for one in self.held.processes()]
        return float(sum(one.user + one.system for one in times))


def known(turn: int) -> str:
    """An invented number: subscribers of six digits that begin with 0 are not assigned."""
    return f"+855{('10', '12', '88')[turn % 3]}0{turn // 3:05d}"


@dataclass(frozen=True)
class Turn:
    """What one peer did in one turn."""

    peer: str
    connections: int
    sessions: float
    """A second."""
    p50: float
    p99: float
    cpu: float
    """Seconds of its processes' own time a step."""


def play(peer: Peer, connections: int, seconds: float) -> Turn:
    """Lets a peer answer for so long; a fifth of it before that goes uncounted."""
    address, sessions = ("127.0.0.1", peer.port), peer.sessions()
    load.closed(address, sessions, connections, seconds / 5)
    before = peer.cpu()
    found = load.closed(address, sessions, connections, seconds)
    used = peer.cpu() - before
    return Turn(
        peer.name, connections, found.sessions / found.seconds, found.quantile(0.5), found.quantile(0.99),
        used / len(found.steps),
    )  # fmt: skip


@contextmanager
def peers(servers: Servers, folder: Path, wanted: Sequence[str]) -> Iterator[list[Peer]]:
    """Those that are wanted, running side by side; each is asked in its turn."""
    database = servers.postgres.new_database()
    with psycopg.connect(_dsn(database), autocommit=True) as connection:
        connection.execute(TABLE)
    env = {
        "PATH": os.environ["PATH"], "PG_HOST": str(make_url(database).query["host"]), "DATABASE_URL": database,
        "PG_DATABASE": str(make_url(database).database), "REDIS_SOCKET": servers.valkey.url.removeprefix("unix://"),
    }  # fmt: skip
    made: list[Peer] = []
    try:
        for name in wanted:
            made.append(MAKERS[name](servers, folder, env))
            made[-1].held.start()
        for peer in made:
            until(peer.name, lambda peer=peer: _answers(peer), READY)
        yield made
    finally:
        for peer in made:
            if peer.held.runs:
                peer.held.kill_all()


def _mati(servers: Servers, folder: Path) -> Peer:
    """The gateway with known callers and a round that is open."""
    port = free_port()
    given = {
        "DATA_DIR": str(folder / "mati"), "PORT": str(port), "DATABASE_URL": servers.postgres.new_database(),
        "REDIS_URL": servers.valkey.url, "AFRICASTALKING_WEBHOOK_TOKENS": TOKEN, "DEFAULT_LANGUAGE": "en",
    }  # fmt: skip
    settings = config.load(**{name.lower(): value for name, value in given.items()})
    store, now = Store(settings.database), datetime.now(UTC)
    schema.initialise(settings, store, now)
    keys = Keys(settings)
    codes = ("010303", "010407", "010806", "010807")
    rounds.open_round(store, keys, codes, settings.day(now), now)
    month = settings.day(now).replace(day=1)
    rows = [
        {"key": keys.lookup(known(turn)), "language": "en", "commune": codes[turn % 4], "seen": month}
        for turn in range(KNOWN)
    ]
    with store.write() as db:
        insert_many(db, callers, rows, list(rows[0]))
    store.close()
    env = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "TMPDIR", "HOME", "LANG") if name in os.environ}
    held = Held("mati", (sys.executable, "-m", "gateway.cli", "web"), env | given, folder / "mati.log")
    return Peer("mati", held, port, f"/hooks/africastalking/{TOKEN}/ussd")


def _express(folder: Path, env: Mapping[str, str], processes: int) -> Peer:
    """Express with ussd-menu-builder, installed here from npm."""
    home = folder / "express"
    if not home.exists():
        home.mkdir()
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(home), *PACKAGES]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        shutil.copy(HERE / "express.js", home)
    port, name = free_port(), "express" if processes == 1 else f"express x {processes}"
    more = {"PORT": str(port), "PROCESSES": str(processes), "NODE_ENV": "production"}
    return Peer(name, Held(name, ("node", str(home / "express.js")), {**env, **more}, folder / f"{name}.log"), port)


def _tutorial(folder: Path, env: Mapping[str, str]) -> Peer:
    """Gunicorn with threads, Flask, the ORM."""
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", GUNICORN], check=True)
    port = free_port()
    serving = ("-k", "gthread", "-w", "2", "--threads", "4", "-b", f"127.0.0.1:{port}", "--keep-alive", "75")
    argv = (sys.executable, "-m", "gunicorn", "--chdir", str(HERE), *serving, "tutorial:app")
    return Peer("tutorial", Held("tutorial", argv, env, folder / "tutorial.log"), port)


def _ceiling(folder: Path, app: str, name: str) -> Peer:
    """A server that does nothing, as `mati web` is served."""
    port = free_port()
    argv = (
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--blocking-threads", "4", "--no-ws", "--log-level", "warning", f"bench.peers.ceilings:{app}",
    )  # fmt: skip
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE.parents[1])}
    return Peer(name, Held(name, argv, env, folder / f"{app}.log"), port, answers=(b"CON",) * len(PATHS))


def _answers(peer: Peer) -> bool:
    """Whether it answers one session whole."""
    try:
        return load.closed(("127.0.0.1", peer.port), peer.sessions(), 1, 0.2).sessions > 0
    except OSError:
        return False


def _dsn(url: str) -> str:
    made = make_url(url)
    return f"host={made.query['host']} user=postgres dbname={made.database}"


MAKERS: Mapping[str, Callable[[Servers, Path, Mapping[str, str]], Peer]] = {
    "mati": lambda servers, folder, _env: _mati(servers, folder),
    "express": lambda _servers, folder, env: _express(folder, env, 1),
    "express x 2": lambda _servers, folder, env: _express(folder, env, 2),
    "tutorial": lambda _servers, folder, env: _tutorial(folder, env),
    "flask, no I/O": lambda _servers, folder, _env: _ceiling(folder, "flask_app", "flask, no I/O"),
    "bare WSGI": lambda _servers, folder, _env: _ceiling(folder, "bare", "bare WSGI"),
}
"""The gateway, what people would use instead, and what none of them can be faster than."""


@click.command()
@click.option("--peer", "wanted", multiple=True, help="Only these; else all.")
@click.option("--connections", multiple=True, type=int, default=(16, 64, 128), show_default=True)
@click.option("--seconds", type=float, default=5.0, show_default=True, help="A turn.")
@click.option("--rounds", "turns", type=int, default=1, show_default=True, help="Turns of each.")
def main(wanted: Sequence[str], connections: Sequence[int], seconds: float, turns: int) -> None:
    """Lets them answer in turns, behind a PostgreSQL and a Valkey of their own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "bench"
        folder.mkdir()
        with servers(folder) as both, peers(both, folder, wanted or tuple(MAKERS)) as made:
            for many, _turn, peer in itertools.product(connections, range(turns), made):
                found = play(peer, many, seconds)
                click.echo(
                    f"{found.peer:<14} {many:>4} connections {found.sessions:>8.0f} sessions/s"
                    f"  p50 {found.p50 * 1000:6.1f} ms  p99 {found.p99 * 1000:6.1f} ms  {found.cpu * 1e6:.0f} µs a step"
                )


if __name__ == "__main__":
    main()
