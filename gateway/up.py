"""`mati up`: everything on one machine, from an empty folder to a running gateway, in one command.

What stays beside the gateway for as long as it runs is small: whatever needs a database is imported where it is done,
in a process that ends before the others start.
"""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway import leash, valkey
from gateway.config import PREPARED, Settings
from gateway.errors import Told
from gateway.supervisor import Child, Supervisor, folder_lock, port_free

if TYPE_CHECKING:
    from gateway.demo import Handed


class CannotStart(Told):
    """The gateway cannot start as it is told to; the message says what to change."""


def up(settings: Settings, with_demo: bool) -> int:
    """Runs the gateway until it is told to stop. Returns the exit code.

    Raises CannotStart, FolderInUse, StoreProblem, KeyProblem, ValkeyMissing.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(folder_lock(settings.data_dir))
        _must_be_free(settings)
        prepared: Prepared = apart(lambda: prepare(settings, with_demo))
        env = dict(os.environ) | {
            "DATA_DIR": str(settings.data_dir),
            "KEYS_DIR": str(settings.keys),
            "DATABASE_URL": settings.database,
            "PORT": str(settings.port),
            "HOST": settings.host,
            PREPARED: "true",
            **prepared.env,
        }
        children = []
        if not settings.redis_url:
            socket = stack.enter_context(valkey.socket_path())
            env["REDIS_URL"] = valkey.redis_url(socket)
            children.append(valkey.valkey_child(socket, env))
        # the others wait until it answers: beside them it would take half as long again (bench/footprint.py)
        is_up = partial(_answers, _reachable(settings.host), settings.port)
        children.append(replace(_role("web", env), ready=is_up, stops_first=True))
        children += [_role("worker", env), _role("clock", env)]

        def announce() -> None:
            print(prepared.greeting, flush=True)

        return Supervisor(children, say, when_up=announce).run()


@dataclass(frozen=True)
class Prepared:
    """What there is before anything runs."""

    greeting: str
    """For whoever started it, once all of it runs."""
    env: Mapping[str, str]
    """What the processes must know beside the settings."""


def prepare(settings: Settings, with_demo: bool) -> Prepared:
    """An installation in the folder: keys, schema, first login, and the demonstration's data where they are wanted.

    Raises StoreProblem, KeyProblem, NotADemo.
    """
    from gateway import schema
    from gateway.models.store import Store

    store = Store(settings.database)
    if not with_demo:
        password = schema.initialise(settings, store, datetime.now(UTC))
        store.close()
        return Prepared(_greeting(settings, password), {})
    from gateway import demo

    demo.must_fit(settings, store)
    schema.initialise(settings, store, datetime.now(UTC))
    handed = demo.prepare(settings, store)
    store.close()
    env = dict(handed.env)
    if "second_factor" not in settings.model_fields_set:  # whoever looks around has no app to set up
        env["SECOND_FACTOR"] = "false"
    return Prepared(_greeting(settings, handed=handed), env)


def apart(work: Callable[[], Any]) -> Any:
    """What `work` returns, or raises, done in a process that ends then: the memory it took is given back.

    That process dies with this one.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            leash.prctl()(leash.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            found, problem = None, None
            try:
                found = work()
            except Exception as error:
                problem = error
            told = pickle.dumps((found, problem))
            with open(write, "wb") as pipe:
                pipe.write(told)
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    if not told:
        raise CannotStart("preparing the folder was cut off; start it again")
    found, problem = pickle.loads(told)  # noqa: S301  # our own child's
    if problem:
        raise problem
    return found


def say(line: str) -> None:
    """A line for whoever started it."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def _role(name: str, env: Mapping[str, str], ready: Callable[[], bool] = lambda: True) -> Child:
    return Child(name, (sys.executable, "-m", "gateway.cli", name), env, ready)


def _answers(host: str, port: int) -> bool:
    """Whether the web server says that it is well. Written out: a client costs 8 MB, for one question."""
    try:
        with socket.create_connection((host, port), timeout=0.5) as connection:
            connection.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return b" 200 " in connection.recv(64)
    except OSError:
        return False


def _must_be_free(settings: Settings) -> None:
    try:
        free = port_free(settings.host, settings.port)
    except OSError as error:
        raise CannotStart(f"HOST {settings.host}, PORT {settings.port}: {error.strerror}") from None
    if not free:
        raise CannotStart(
            f"port {settings.port} is taken by another program; choose one with: --port {settings.port + 1}"
        )


def _reachable(host: str) -> str:
    return "127.0.0.1" if host == "0.0.0.0" else host


def _greeting(settings: Settings, password: str | None = None, handed: Handed | None = None) -> str:
    lines = ["", f"Mati is up: {settings.address}"]
    if settings.is_local:
        lines.append(f"  the handset      {settings.address}/handset")
        lines.append(f"  in the terminal  {_command('mati')} phone +85510000001")
    lines.append(f"  the panel        {settings.address}/admin/")
    if password:
        lines.append(f"  its login        admin, password {password} (shown this once)")
    if handed:
        from gateway import demo

        lines.append(f"  its login        {demo.LOGIN}, password {handed.password}")
        lines.append(f"  who approves     {demo.COLLEAGUE}, the same password (nobody approves what is their own)")
        lines.append(f"  as a council     {demo.COUNCIL}, the same password")
        lines.append(f"  public results   {settings.address}/results/")
        lines += [
            "",
            "The data are INVENTED: two closed rounds in four communes, and a third that is open and empty.",
            "",
        ]
        lines += ["Dial it as Africa's Talking would:", "", handed.curl(settings), ""]
        lines.append(f"Then read the figures: {_command('mati')} tally --commune 010806 --json")
    lines += ["", "Ctrl-C stops everything.", ""]
    return "\n".join(lines)


def _command(name: str) -> str:
    """How to call a command from here: by its bare name when that finds it."""
    here = os.path.join(os.path.dirname(sys.executable), name)
    if shutil.which(name) or not os.path.exists(here):
        return name
    return os.path.relpath(here) if here.startswith(os.getcwd()) else here
