"""A known number dials, rates a service, says who, is thanked: `python -m bench ussd` (installs its peers first).

The gateway and its peers stand before the same PostgreSQL and Valkey and are asked in turns, by the same load.
"""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psycopg
from sqlalchemy import make_url

from bench import load, table
from bench.chaos.ground import free_port
from bench.chaos.held import Held, seconds, until
from bench.chaos.servers import Servers, dsn
from gateway import config, schema
from gateway.commands.running import THREADS
from gateway.config import Settings
from gateway.models.callers import callers
from gateway.models.store import Store, insert_many
from gateway.privacy import Keys
from gateway.scorecard import rounds

PACKAGES = ("express@5.3.0", "ussd-menu-builder@1.2.0", "pg@8.23.1", "redis@6.3.1")
GUNICORN = "gunicorn==27.0.1"
TOKEN = "bench-token-0123456789abcdef0123456789"  # noqa: S105  # no secret
HERE = Path(__file__).parent / "peers"
KNOWN = 300_000
READY = 60.0
CPU = "processor time of its own processes, µs a step"
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
        return load.form(self.port, self.path, fields | {"networkCode": "45601"})

    def cpu(self) -> float:
        """Seconds of processor time that its own processes have used so far."""
        return seconds(self.held.processes())


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


def play(peer: Peer, connections: int, length: float) -> Turn:
    """Lets a peer answer for so long; a fifth of it before that goes uncounted."""
    address, sessions = ("127.0.0.1", peer.port), peer.sessions()
    load.closed(address, sessions, connections, length / 5)
    before = peer.cpu()
    found = load.closed(address, sessions, connections, length)
    used = peer.cpu() - before
    return Turn(
        peer.name, connections, found.sessions / found.seconds, found.quantile(0.5), found.quantile(0.99),
        used / len(found.steps),
    )  # fmt: skip


@contextmanager
def peers(servers: Servers, folder: Path, wanted: Sequence[str]) -> Iterator[list[Peer]]:
    """Those that are wanted, running side by side; each is asked in its turn."""
    database = servers.postgres.new_database()
    with psycopg.connect(dsn(database), autocommit=True) as connection:
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


def _mati(servers: Servers, folder: Path, processes: int) -> Peer:
    """The gateway with known callers and a round that is open."""
    port, name = free_port(), table.OURS if processes == 1 else f"{table.OURS} x {processes}"
    given = {
        "DATA_DIR": str(folder / name), "PORT": str(port), "DATABASE_URL": servers.postgres.new_database(),
        "WEB_PROCESSES": str(processes),
        "REDIS_URL": servers.valkey.url, "AFRICASTALKING_WEBHOOK_TOKENS": TOKEN, "DEFAULT_LANGUAGE": "en",
    }  # fmt: skip
    settings = config.load(**{name.lower(): value for name, value in given.items()})
    store = Store(settings.database)
    schema.initialise(settings, store, datetime.now(UTC))
    known_callers(store, Keys(settings), settings)
    store.close()
    env = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "TMPDIR", "HOME", "LANG") if name in os.environ}
    held = Held(name, (sys.executable, "-m", "gateway.cli", "web"), env | given, folder / f"{name}.log")
    return Peer(name, held, port, f"/hooks/africastalking/{TOKEN}/ussd")


def known_callers(store: Store, keys: Keys, settings: Settings) -> None:
    """So many numbers that speak English and have a commune, and a round that is open in each."""
    now = datetime.now(UTC)
    codes = ("010303", "010407", "010806", "010807")
    rounds.open_round(store, keys, codes, settings.day(now), now)
    month = settings.day(now).replace(day=1)
    rows = [
        {"key": keys.lookup(known(turn)), "language": "en", "commune": codes[turn % 4], "seen": month}
        for turn in range(KNOWN)
    ]
    with store.write() as db:
        insert_many(db, callers, rows, list(rows[0]))


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
    packages, port = folder / "gunicorn", free_port()
    if not packages.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(packages), GUNICORN]
        subprocess.run(command, check=True)
    serving = ("-k", "gthread", "-w", "2", "--threads", "4", "-b", f"127.0.0.1:{port}", "--keep-alive", "75")
    argv = (sys.executable, "-m", "gunicorn", "--chdir", str(HERE), *serving, "tutorial:app")
    env = {**env, "PYTHONPATH": str(packages)}
    return Peer("tutorial", Held("tutorial", argv, env, folder / "tutorial.log"), port)


def _ceiling(folder: Path, app: str, name: str) -> Peer:
    """A server that does nothing, as `mati web` is served."""
    port = free_port()
    argv = (
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--blocking-threads", str(THREADS), "--no-ws", "--log-level", "warning", f"bench.peers.ceilings:{app}",
    )  # fmt: skip
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE.parents[1])}
    return Peer(name, Held(name, argv, env, folder / f"{app}.log"), port, answers=(b"CON",) * len(PATHS))


def _answers(peer: Peer) -> bool:
    """Whether it answers one session whole."""
    try:
        return load.closed(("127.0.0.1", peer.port), peer.sessions(), 1, 0.2).sessions > 0
    except OSError:
        return False


MAKERS: Mapping[str, Callable[[Servers, Path, Mapping[str, str]], Peer]] = {
    "mati": lambda servers, folder, _env: _mati(servers, folder, 1),
    "mati x 2": lambda servers, folder, _env: _mati(servers, folder, 2),
    "express": lambda _servers, folder, env: _express(folder, env, 1),
    "express x 2": lambda _servers, folder, env: _express(folder, env, 2),
    "tutorial": lambda _servers, folder, env: _tutorial(folder, env),
    "flask, no I/O": lambda _servers, folder, _env: _ceiling(folder, "flask_app", "flask, no I/O"),
    "bare WSGI": lambda _servers, folder, _env: _ceiling(folder, "bare", "bare WSGI"),
}
"""The gateway, what people would use instead, and what none of them can be faster than."""


CONNECTIONS = (16, 64, 128)
SECONDS = 2.5
"""A turn."""
FIGURES = (("sessions/s", "sessions", 1.0), ("p50, ms", "p50", 1000.0), ("p99, ms", "p99", 1000.0), (CPU, "cpu", 1e6))


def measure(ground: table.Ground) -> table.Result:
    """All of them in turns, so many rounds at each number of connections."""
    found: dict[tuple[str, int], list[Turn]] = {}
    with peers(ground.servers, ground.folder, tuple(MAKERS)) as made:
        for turn, many, peer in itertools.product(range(ground.rounds), CONNECTIONS, made):
            ground.say(f"round {turn + 1} of {ground.rounds}: {peer.name}, {many} connections")
            found.setdefault((peer.name, many), []).append(play(peer, many, SECONDS * ground.share))
    figures = [
        table.Figure(f"{what}, {many} connections", name, tuple(scale * getattr(turn, part) for turn in turns))
        for many in CONNECTIONS
        for what, part, scale in FIGURES
        for (name, at), turns in found.items()
        if at == many
    ]
    return table.Result("A USSD session, from dial to thanks", tuple(figures), tuple(_goals(found)))


def _goals(found: Mapping[tuple[str, int], Sequence[Turn]]) -> Iterator[table.Goal]:
    """At the number of connections that suits each best; what they wait for at the same."""

    def best(*names: str) -> Turn:
        return max((_middle(turns) for (name, _), turns in found.items() if name in names), key=lambda t: t.sessions)

    mati, express, tutorial = best("mati", "mati x 2"), best("express", "express x 2"), best("tutorial")
    ratio, cpu, times = mati.sessions / express.sessions, mati.cpu / express.cpu, mati.sessions / tutorial.sessions
    yield table.Goal("sessions/s: at least 2 × Express at its best", f"{ratio:.2f} ×", ratio >= 2)
    yield table.Goal("processor time a step: at most half of Express's", f"{cpu:.2f} of it", cpu <= 0.5)
    yield table.Goal("sessions/s: at least 8 × the tutorial's stack", f"{times:.1f} ×", times >= 8)
    ours, theirs = (_middle(found[name, 64]).p99 for name in (table.OURS, "express"))
    wait = ours / theirs
    yield table.Goal("p99 at 64 connections: at most half of Express's", f"{wait:.2f} of it", wait <= 0.5)


def _middle(turns: Sequence[Turn]) -> Turn:
    """The median of each figure."""
    figures = (median(getattr(turn, part) for turn in turns) for part in ("sessions", "p50", "p99", "cpu"))
    return Turn(turns[0].peer, turns[0].connections, *figures)
