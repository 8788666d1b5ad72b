"""`mati up`: everything on one machine, from an empty folder to a running gateway, in one command."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime

import requests

from gateway import demo, schema, valkey
from gateway.config import Settings
from gateway.errors import Told
from gateway.models.store import Store
from gateway.supervisor import Child, Supervisor, folder_lock, port_free


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
        store = Store(settings.database)
        if with_demo:
            demo.must_fit(settings, store)
        password = schema.initialise(settings, store, datetime.now(UTC))
        handed = demo.prepare(settings, store) if with_demo else None
        store.close()
        env = dict(os.environ) | {
            "DATA_DIR": str(settings.data_dir),
            "KEYS_DIR": str(settings.keys),
            "DATABASE_URL": settings.database,
            "PORT": str(settings.port),
            "HOST": settings.host,
        }
        if handed:
            env |= handed.env
            if "second_factor" not in settings.model_fields_set:  # whoever looks around has no app to set up
                env["SECOND_FACTOR"] = "false"
        children = []
        if not settings.redis_url:
            socket = stack.enter_context(valkey.socket_path())
            env["REDIS_URL"] = valkey.redis_url(socket)
            children.append(valkey.valkey_child(socket, env))
        children += [_role("worker", env), _role("clock", env)]
        children += [_role("web", env, f"http://{_reachable(settings.host)}:{settings.port}/healthz")]

        def announce() -> None:
            print(_greeting(settings, password, handed), flush=True)

        return Supervisor(children, say, when_up=announce).run()


def say(line: str) -> None:
    """A line for whoever started it."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def _role(name: str, env: Mapping[str, str], health: str | None = None) -> Child:
    argv = (sys.executable, "-m", "gateway.cli", name)
    return Child(name, argv, env, ready=(lambda: _answers(health)) if health else (lambda: True))


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=0.5).ok
    except requests.RequestException:
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
    return "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host


def _greeting(settings: Settings, password: str | None, handed: demo.Handed | None) -> str:
    lines = ["", f"Mati is up: {settings.address}"]
    if settings.is_local:
        lines.append(f"  the handset      {settings.address}/handset")
        lines.append(f"  in the terminal  {_command('mati')} phone +85510000001")
    lines.append(f"  the panel        {settings.address}/admin/")
    if password and not handed:
        lines.append(f"  its login        admin, password {password} (shown this once)")
    if handed:
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
