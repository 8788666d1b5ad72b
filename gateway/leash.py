"""Hold one command on a leash: when the supervisor dies, by any death, all its processes end.

    python -I -S leash.py GRACE COMMAND [ARGUMENT ...]

Standard input is the read end of a pipe whose only write end the supervisor holds. SIGTERM, or
the end of that pipe, stops the command's process group: SIGTERM, then after GRACE seconds
SIGKILL. SIGUSR1 is SIGKILL at once. What the command leaves behind when it ends is stopped too,
in whatever process group it is: an rq work horse has its own. The exit code is the command's,
128 + the signal that killed it, or 127 if it could not be started.

One runs beside every child of `mati up`, so it is started by its path, without `site`, and
imports as little as it can.
"""

from __future__ import annotations

import os
import select
import sys
import time

TYPE_CHECKING = False  # as in `typing`, whose import would cost 1.2 MB
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable

    Prctl = Callable[[int, int, int, int, int], int]
else:
    import _signal as signal  # the same functions without the enums, which cost 0.8 MB

POLL = 0.05  # seconds between looks at what is left
STUCK = 5.0  # seconds after SIGKILL when a process that the kernel cannot end is left to it
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
HANDLED = (*STOPS, signal.SIGUSR1, signal.SIGCHLD)
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h


def members(session: int) -> set[int]:
    """The processes of a session. No group is lost: leaving one's group is easier than this."""
    if sys.platform == "linux":
        pids = [name for name in os.listdir("/proc") if name.isdigit()]
    else:
        with os.popen("ps -A -o pid=") as listing:
            pids = listing.read().split()
    found = set()
    for pid in map(int, pids):
        try:
            if os.getsid(pid) == session:
                found.add(pid)
        except OSError:  # it ended meanwhile, or is somebody else's
            continue
    return found


def end_session(session: int) -> None:
    """SIGKILL to all of a session, whose leash was itself killed."""
    killed: set[int] = set()  # they may stay listed, as zombies, for as long as init likes
    while fresh := members(session) - killed:
        for pid in fresh:
            _send(pid, signal.SIGKILL)
        killed |= fresh
        time.sleep(POLL)


def signal_pipe(signums: Iterable[int]) -> int:
    """From here on these signals arrive as bytes on the pipe returned, where `select` sees them."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for signum in signums:
        signal.signal(signum, lambda *_: None)
    return read


def run(grace: float, command: list[str]) -> int:
    """Run the command to its end and return its exit code; nothing of it is left then."""
    _own_session()
    call = prctl()
    call(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Blocked until the handlers stand, or a signal between the fork and the exec would be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    child = os.fork()
    if child == 0:
        _become(command, call)
    _lead_group(child)
    signals = signal_pipe(HANDLED)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
    return _watch(child, grace, signals)


def _watch(child: int, grace: float, signals: int) -> int:
    code: int | None = None
    deadline: float | None = None  # of the stop, once it has begun
    watched = [0, signals]
    while True:
        ready = select.select(watched, [], [], _patience(code, deadline))[0]
        now = time.monotonic()
        arrived = os.read(signals, 512) if signals in ready else b""
        if 0 in ready:
            watched.remove(0)
        if signal.SIGUSR1 in arrived:
            deadline = now
        elif deadline is None and (0 in ready or any(stop in arrived for stop in STOPS)):
            deadline = now + grace
            # Its group only: an rq worker lets its horse, in another group, finish the job.
            _send(-child, signal.SIGTERM)
        ended = _reap(child)
        if ended is not None:
            code = ended
            deadline = now + grace if deadline is None else deadline
            for pid in _left():
                _send(pid, signal.SIGTERM)
        if deadline is None or (code is None and now < deadline):
            continue
        left = _left()
        if now >= deadline:
            for pid in left:
                _send(pid, signal.SIGKILL)
        if code is not None and (not left or now > deadline + STUCK):
            return code


def _patience(code: int | None, deadline: float | None) -> float | None:
    """Seconds to sleep: for ever while all is well, to the deadline while the child is stopping."""
    if deadline is None:
        return None
    return POLL if code is not None else max(POLL, deadline - time.monotonic())


def _left() -> set[int]:
    """Everything that descends from the command, as far as the system lets it be found.

    That is this session, and on Linux also what went off to a session of its own: when its
    parent dies it becomes our child.
    """
    left = members(os.getpid()) - {os.getpid()}
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as children:
            left.update(map(int, children.read().split()))
    except OSError:  # macOS, or a kernel without CONFIG_PROC_CHILDREN
        pass
    return left


def _reap(child: int) -> int | None:
    """Collect all that ended, adopted ones too; the child's exit code if it is among them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            code = 128 - code if code < 0 else code


def _send(pid: int, signum: int) -> None:
    try:
        os.kill(pid, signum)
    except (ProcessLookupError, PermissionError):  # macOS says "permission" of a group of zombies
        return


def _lead_group(child: int) -> None:
    """Done by both sides of the fork, as neither can know that the other has been there."""
    try:
        os.setpgid(child, child)
    except OSError:
        return


def _own_session() -> None:
    """`_left` kills a whole session, so it must never be the session of whoever started us."""
    try:
        os.setsid()
    except PermissionError:
        if os.getsid(0) != os.getpid():
            raise SystemExit("leash: start me in a session of my own (setsid)") from None


def prctl() -> Prctl:
    """Linux's prctl; elsewhere one that does nothing. It is not in the standard library."""
    if sys.platform == "linux":
        try:
            import ctypes

            found: Prctl = ctypes.CDLL(None).prctl
            return found
        except (ImportError, OSError, AttributeError):
            pass
    return lambda *_: -1


def _become(command: list[str], call: Prctl) -> None:
    """In the forked child: turn into the command. Never returns."""
    try:
        _lead_group(os.getpid())
        call(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # in case the leash itself is killed
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for signum in (*HANDLED, signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores the last two
            signal.signal(signum, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execvp(command[0], command)
    except OSError as problem:
        os.write(2, f"cannot start {command[0]}: {problem.strerror}\n".encode())
    finally:
        os._exit(127)


if __name__ == "__main__":
    sys.exit(run(float(sys.argv[1]), sys.argv[2:]))
