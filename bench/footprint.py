"""What a whole `mati up` takes of a small machine: its memory, and the time from its start to its first answer.

Memory is the proportional share (PSS) of all its processes, what each role does having been done once: what several of
them have in common is counted once among them. Time is that of a folder which is there already, and of a first start,
which makes keys, database and places.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psutil
import requests

from bench import table
from bench.chaos.ground import free_port, noon
from bench.chaos.held import Held, until
from gateway import config, leash
from gateway.models import staff
from gateway.models.messages import State, states
from gateway.models.places import communes
from gateway.models.store import Store
from gateway.privacy import Keys
from gateway.scorecard.rounds import open_round

MEGABYTES, SECONDS = 300, 1.5
READY, SETTLE = 60.0, 3.0
LOOK = 0.003
"""Seconds between two questions whether it answers."""
PASSWORD = "three words together"  # noqa: S105  # of an installation that is removed
NUMBER = "+85510000001"
ROLES = {
    "up": "its supervisor",
    "leashes": "its four leashes",
    "valkey": "its Valkey",
    "worker": "its worker",
    "clock": "its clock",
    "web": "its web server, two processes",
}
ALL, START = "MB resident (PSS), all of it", "seconds to the first answer"


def measure(ground: table.Ground) -> table.Result:
    """So many installations, each started twice, used, and weighed."""
    first, again, weights = [], [], []
    for turn in range(ground.rounds):
        folder = ground.folder / str(turn)
        folder.mkdir()
        port = free_port()
        env = environment(folder, port)
        with running(folder, env, port) as (_, seconds):
            first.append(seconds)
        prepare(env)
        with running(folder, env, port) as (held, seconds):
            again.append(seconds)
            use(f"http://127.0.0.1:{port}", env)
            time.sleep(SETTLE)
            weights.append(weigh(held))
        ground.say(f"{turn + 1} of {ground.rounds}: {weights[-1].total() / 1e6:.0f} MB, {seconds:.2f} s")
    megabytes = {ALL: [one.total() / 1e6 for one in weights]}
    megabytes |= {f"MB, {what}": [one[role] / 1e6 for one in weights] for role, what in ROLES.items()}
    found = megabytes | {START: again, f"{START}, first start": first}
    memory, start = median(found[ALL]), median(again)
    return table.Result(
        "Footprint of `mati up`",
        tuple(table.Figure(what, table.OURS, tuple(values)) for what, values in found.items()),
        (
            table.Goal(f"all of `mati up` under {MEGABYTES} MB resident", f"{memory:.0f} MB", memory < MEGABYTES),
            table.Goal(f"from its start to its first answer under {SECONDS} s", f"{start:.2f} s", start < SECONDS),
        ),
    )


def environment(folder: Path, port: int) -> dict[str, str]:
    """Of a `mati up` with SQLite and a Valkey of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "TMPDIR", "HOME", "LANG") if name in os.environ}
    return kept | {
        "DATA_DIR": str(folder / "data"), "PORT": str(port), "SECOND_FACTOR": "false",
        "TIMEZONE": noon(datetime.now(UTC)),
    }  # fmt: skip


@contextmanager
def running(folder: Path, env: Mapping[str, str], port: int) -> Iterator[tuple[Held, float]]:
    """A `mati up` that answers, and the seconds from its start to its first answer."""
    held = Held("up", (sys.executable, "-m", "gateway.cli", "up"), env, folder / "log")
    began = time.perf_counter()
    held.start()
    try:
        while not _answers(port):
            if time.perf_counter() - began > READY or not held.runs:
                raise TimeoutError(f"no answer: {(folder / 'log').read_text()}")
            time.sleep(LOOK)
        yield held, time.perf_counter() - began
    finally:
        held.stop()


def prepare(env: Mapping[str, str]) -> None:
    """An open round, and a password for the first login."""
    settings, store = _opened(env)
    now = datetime.now(UTC)
    with store.write() as db:
        staff.reset_password(db, "admin", PASSWORD, one_time=False)
        codes = list(db.scalars(communes.select().with_only_columns(communes.c.code)))
    open_round(store, Keys(settings), codes, settings.day(now), now)
    store.close()


def use(url: str, env: Mapping[str, str]) -> None:
    """A call, an SMS that is answered, a page of the panel: so that all is loaded that one of them loads."""
    steps = [None, "1", "1", "1", "5", "1"]
    for position, given in enumerate(steps):
        step = {"session": "bench", "number": NUMBER, "input": given, "position": position}
        requests.post(f"{url}/hooks/simulator/ussd", json=step, timeout=10).raise_for_status()
    sms = {"id": "bench", "from": NUMBER, "to": "8550", "text": "help"}
    requests.post(f"{url}/hooks/simulator/sms", json=sms, timeout=10).raise_for_status()
    until("the answer", lambda: _sent(env), READY)
    with requests.Session() as browser:
        page = browser.get(f"{url}/admin/login?lang=en", timeout=10).text
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert token
        form = {"name": "admin", "password": PASSWORD, "csrf_token": token[1]}
        browser.post(f"{url}/admin/login", data=form, timeout=10).raise_for_status()
        page = browser.get(f"{url}/admin/tallies", timeout=10).text
        assert "/admin/logout" in page, page


def weigh(held: Held) -> Counter[str]:
    """Bytes of each role's processes."""
    found: Counter[str] = Counter()
    for process in held.processes():
        found[_role(process)] += process.memory_full_info().pss
    return found


def _role(process: psutil.Process) -> str:
    words = process.cmdline()
    if leash.__file__ in words:
        return "leashes"
    return words[-1] if words[-1] in ROLES else "valkey"  # which writes its own words over those it was started with


def _sent(env: Mapping[str, str]) -> bool:
    _, store = _opened(env)
    with store.read() as db:
        found = State.ACCEPTED in states(db)
    store.close()
    return found


def _opened(env: Mapping[str, str]) -> tuple[config.Settings, Store]:
    names = {name.lower(): value for name, value in env.items() if name.lower() in config.Settings.model_fields}
    settings = config.load(**names)
    return settings, Store(settings.database)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            return b" 200 " in connection.recv(64)
    except OSError:
        return False
