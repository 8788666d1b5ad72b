"""`mati up` keeps its children alive, and leaves nothing behind. Real processes throughout."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from gateway import leash
from gateway.supervisor import FolderInUse, folder_lock, pause, port_free
from gateway.valkey import redis_url

ROOT = Path(__file__).parent.parent

# A child: notes "<event> <name> <pid>" in the journal, so that what happened can be read.
CHILD = """
import os, signal, sys, time
journal, name, habits = sys.argv[1], os.environ["NAME"], sys.argv[2].split()

def note(event, who):
    with open(journal, "a") as lines:
        lines.write(f"{event} {who} {os.getpid()}\\n")

def told(signum, frame):
    note(f"told-{signum}", name)
    if "stubborn" not in habits:
        note("stopped", name)
        sys.exit(0)

signal.signal(signal.SIGTERM, told)
signal.signal(signal.SIGINT, told)
for habit in ("same-group", "own-group", "own-session"):
    if habit in habits and os.fork() == 0:
        if habit == "own-group":
            os.setpgid(0, 0)
        if habit == "own-session":
            os.setsid()
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, signal.SIG_IGN)
        note("started", f"{name}/{habit}")
        time.sleep(300)
note("started", name)
if "crash" in habits:
    sys.exit("the database is on fire")
while True:
    time.sleep(300)
"""

# What `mati up` does, with the children of the test: (name, habits).
UP = """
import json, os, signal, sys
from gateway.supervisor import Child, Supervisor
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # even when the tests run under nohup
journal, grace, children, source = sys.argv[1], float(sys.argv[2]), *sys.argv[3:]
python = (sys.executable, "-I", "-S", "-c", source)

def started(name):
    return lambda: os.path.exists(journal) and f"started {name} " in open(journal).read()

sys.exit(Supervisor(
    [Child(name, (*python, journal, habits), {"NAME": name}, stops_first=name == "web",
           ready=(lambda: os.path.exists(journal + ".open")) if "slow" in habits else started(name))
     for name, habits in json.loads(children)],
    say=lambda line: print(line, flush=True),
    grace=grace,
    when_up=lambda: print("all up", flush=True),
).run())
"""

# What `mati up` does with Valkey.
UP_VALKEY = """
import os, sys
from gateway.supervisor import Supervisor
from gateway.valkey import socket_path, valkey_child
with socket_path() as socket:
    supervisor = Supervisor([valkey_child(socket, dict(os.environ))], say=print,
                            when_up=lambda: print("socket", socket, flush=True))
    code = supervisor.run()
sys.exit(code)
"""

HOLD = """
import subprocess, sys, time
from pathlib import Path
from gateway.supervisor import folder_lock
with folder_lock(Path(sys.argv[1])):
    child = subprocess.Popen(["sleep", "300"])
    print(child.pid, flush=True)
    time.sleep(300)
"""


def wait_for(condition: Callable[[], Any], seconds: float = 8.0) -> Any:
    limit = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.02)
    return found


def alive(pid: int) -> bool:
    """A zombie counts as alive: somebody forgot to collect it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def runs(pid: int) -> bool:
    """Alive and no zombie: one that init has yet to collect can do no harm."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True)
    return shown.stdout.strip()[:1] not in ("", "Z")


def parent_of(pid: int) -> int:
    return int(subprocess.check_output(["ps", "-o", "ppid=", "-p", str(pid)]))


@dataclass
class Up:
    """A running supervisor, what its children noted and what it said."""

    process: subprocess.Popen[str]
    journal: Path
    output: Path
    known: set[int] = field(default_factory=set)

    def events(self, event: str, name: str = "") -> list[tuple[str, int]]:
        """The (name, pid) of a child's events, its grandchildren's included; of all by default."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        rows = [line.split() for line in lines]
        return [(who, int(pid)) for what, who, pid in rows if what == event and who.startswith(name)]

    def pid(self, name: str) -> int:
        """The process id of a child's first life."""
        lives = wait_for(lambda: [pid for who, pid in self.events("started") if who == name])
        return int(lives[0])

    def said(self, text: str) -> bool:
        return text in self.output.read_text()

    def look(self) -> None:
        """Remember every process of the tree: children, grandchildren and leashes."""
        pids = {pid for _, pid in self.events("started")}
        leashes = {parent_of(pid) for who, pid in self.events("started") if "/" not in who}
        self.known |= pids | leashes

    def gone(self) -> bool:
        return not any(alive(pid) for pid in self.known)


Start = Callable[..., Up]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Start]:
    running: list[Up] = []

    def start(*children: tuple[str, str], grace: float = 0.5, ready: bool = True) -> Up:
        journal, output = tmp_path / "journal", tmp_path / "output"
        with output.open("w") as sink:
            process = subprocess.Popen(
                [sys.executable, "-c", UP, journal, str(grace), json.dumps(children), CHILD],
                cwd=ROOT, stdout=sink, stderr=sink, text=True,
            )  # fmt: skip
        running.append(Up(process, journal, output))
        if ready:
            wait_for(lambda: running[-1].said("all up"))
        return running[-1]

    yield start
    for each in running:
        each.process.kill()
        each.process.wait()
        for pid in filter(alive, each.known):  # only after a failure
            os.kill(pid, signal.SIGKILL)


HABITS = ["polite", "stubborn", "stubborn same-group", "polite own-group"]
if sys.platform == "linux":  # elsewhere a session of one's own is a way out
    HABITS.append("stubborn own-session")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_outlives_the_supervisor(up: Start, end: signal.Signals) -> None:
    tree = up(*[(f"child{number}", habits) for number, habits in enumerate(HABITS)])
    grandchildren = sum("-" in habits for habits in HABITS)
    wait_for(lambda: len(tree.events("started")) == len(HABITS) + grandchildren)
    tree.look()
    assert len(tree.known) == 2 * len(HABITS) + grandchildren
    assert all(map(alive, tree.known))

    tree.process.send_signal(end)

    assert tree.process.wait(8) == (-9 if end == signal.SIGKILL else 0)
    if end != signal.SIGKILL:
        assert tree.gone(), "the supervisor returns when everything has ended"
    wait_for(tree.gone)


def test_nothing_outlives_a_supervisor_killed_together_with_a_leash(up: Start) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux kills a process with its parent")
    tree = up(("valkey", "stubborn"))
    tree.look()
    tree.process.kill()
    os.kill(parent_of(tree.pid("valkey")), signal.SIGKILL)
    wait_for(tree.gone)


def test_a_terminals_ctrl_c_reaches_the_children_as_one_sigterm(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        children = json.dumps([["web", "polite"]])
        os.execv(sys.executable, [sys.executable, "-c", UP, str(journal), "5", children, CHILD])
    wait_for(lambda: b"all up" in os.read(terminal, 4096))
    os.write(terminal, b"\x03")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
    events = [line.split()[0] for line in journal.read_text().splitlines()]
    assert events == ["started", f"told-{signal.SIGTERM:d}", "stopped"]


def test_a_second_ctrl_c_kills_at_once(up: Start) -> None:
    tree = up(("worker", "stubborn own-group"), ("web", "stubborn"), grace=60)
    wait_for(lambda: len(tree.events("started")) == 3)
    tree.look()
    tree.process.send_signal(signal.SIGINT)
    wait_for(lambda: tree.events("told-15", "web"))
    time.sleep(0.3)
    assert tree.process.poll() is None

    tree.process.send_signal(signal.SIGINT)

    assert tree.process.wait(2) == 0
    assert tree.gone()


def test_children_stop_one_after_the_other_in_reverse_order_but_what_lets_others_in_first(up: Start) -> None:
    names = ["valkey", "web", "worker", "clock"]
    tree = up(*[(name, "polite") for name in names])
    assert [name for name, _ in tree.events("started")] == names
    tree.process.terminate()
    assert tree.process.wait(5) == 0
    endings = [line.split()[:2] for line in tree.journal.read_text().splitlines()[len(names) :]]
    order = ("web", "clock", "worker", "valkey")
    assert endings == [[event, name] for name in order for event in ("told-15", "stopped")]


def test_a_child_starts_when_the_one_before_it_is_ready(up: Start) -> None:
    tree = up(("valkey", "slow"), ("web", "polite"), ready=False)
    tree.pid("valkey")
    time.sleep(0.4)
    assert not tree.events("started", "web")
    Path(f"{tree.journal}.open").touch()
    tree.pid("web")
    wait_for(lambda: tree.said("all up"))


@pytest.mark.parametrize("victim", ["child", "leash"])
def test_a_killed_child_comes_back_once(up: Start, victim: str) -> None:
    tree = up(("valkey", "polite"), ("worker", "stubborn same-group own-group"))
    wait_for(lambda: len(tree.events("started")) == 4)
    tree.look()
    pid, bystander = tree.pid("worker"), tree.pid("valkey")
    first_life = {pid for name, pid in tree.events("started", "worker")}

    os.kill(pid if victim == "child" else parent_of(pid), signal.SIGKILL)

    wait_for(lambda: len(tree.events("started", "worker")) == 6)
    assert not any(map(runs, first_life)), "two of one kind would do everything twice"
    assert alive(bystander)
    cause = "killed by signal 9" if victim == "child" else "its leash was killed by signal 9"
    lines = tree.output.read_text().splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(f"worker ended ({cause}) after ")
    assert lines[1].endswith(" s, starting it again")


def test_a_crash_loop_is_given_up_on_and_named(up: Start) -> None:
    tree = up(("valkey", "polite"), ("worker", "crash"), ready=False)
    tree.pid("valkey")
    tree.look()
    begun = time.monotonic()
    assert tree.process.wait(10) == 1
    assert 3.4 < time.monotonic() - begun < 6, "pauses of 0, 0.5, 1 and 2 seconds"
    assert len(tree.events("started", "worker")) == 5
    *before, last = tree.output.read_text().splitlines()
    assert before.count("the database is on fire") == 5
    assert last.startswith("worker ended (exit code 1) after ")
    assert last.endswith("The message of worker itself stands above.")
    assert tree.events("stopped", "valkey")
    assert tree.gone()


def test_pauses_between_restarts_grow_to_ten_seconds() -> None:
    assert [pause(restarts) for restarts in range(9)] == [0, 0.5, 1, 2, 4, 8, 10, 10, 10]
    assert pause(100_000) == 10


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 3"], 3),
        (["sh", "-c", "kill -KILL $$"], 137),
        (["no-such-command"], 127),
        (["sh", "-c", 'test "$(cat)" = "" -a "$ONLY" = this'], 0),
    ],
    ids=["success", "failure", "killed", "not found", "empty input and its own environment"],
)
def test_a_leash_ends_with_the_exit_code_of_its_command(command: list[str], code: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", leash.__file__, "1", *command],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "ONLY": "this"},
    ) as held:
        assert held.stderr is not None
        message = held.stderr.read().decode()
        assert held.wait(5) == code
    expected = "cannot start no-such-command: No such file or directory\n" if code == 127 else ""
    assert message == expected


def test_a_folder_is_held_by_one_process_until_it_dies(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    holder = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    try:
        with pytest.raises(FolderInUse, match=rf"process {holder.pid}\. Stop that one first"):
            folder_lock(tmp_path).__enter__()
        holder.kill()
        holder.wait()
        assert alive(child)
        with folder_lock(tmp_path):
            assert (tmp_path / "up.lock").read_text() == f"{os.getpid()}\n"
    finally:
        holder.kill()
        os.kill(child, signal.SIGKILL)
        holder.stdout.close()


def test_a_folder_is_free_again_after_use(tmp_path: Path) -> None:
    for _ in range(2):
        with folder_lock(tmp_path):
            pass


def test_a_port_is_free_until_somebody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not port_free("127.0.0.1", port)
        assert not port_free("localhost", port)
        client = socket.create_connection(("127.0.0.1", port))
        served, _ = server.accept()
    served.close()  # the server's side closes first and lingers
    client.close()
    assert port_free("127.0.0.1", port)
    with pytest.raises(OSError, match="assign requested address"):
        port_free("192.0.2.1", port)


@dataclass
class Valkey:
    process: subprocess.Popen[str]
    socket: Path

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(redis_url(self.socket))


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Callable[[Path], Valkey]]:
    running: list[Valkey] = []

    def start(temporary: Path) -> Valkey:
        temporary.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-c", UP_VALKEY],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"TMPDIR": str(temporary)},
        )  # fmt: skip
        assert process.stdout is not None
        path = next(line.split()[1] for line in process.stdout if line.startswith("socket "))
        running.append(Valkey(process, Path(path)))
        return running[-1]

    yield start
    for each in running:
        each.process.kill()
        each.process.wait()
        assert each.process.stdout is not None
        each.process.stdout.close()


def pid_of(client: redis.Redis) -> int:
    info: Any = client.info("server")
    return int(info["process_id"])


def test_valkey_answers_on_its_socket_only_and_leaves_nothing(valkey: Callable[[Path], Valkey], tmp_path: Path) -> None:
    run = valkey(tmp_path)
    client = run.client()
    assert client.ping()
    assert client.set("grade", "4")
    assert client.get("grade") == b"4"
    settings = {"port": "0", "save": "", "appendonly": "no"}
    assert client.config_get(*settings) == settings
    folder = run.socket.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    pid = pid_of(client)

    run.process.send_signal(signal.SIGINT)
    run.process.wait(5)

    assert run.process.returncode == 0
    assert not alive(pid)
    assert list(tmp_path.iterdir()) == [], "no dump, no socket, no folder"


def test_a_killed_valkey_comes_back_on_the_same_socket_and_writes_no_dump(
    valkey: Callable[[Path], Valkey], tmp_path: Path
) -> None:
    run = valkey(tmp_path)
    first = pid_of(run.client())
    run.client().set("grade", "4")
    os.kill(first, signal.SIGKILL)

    def again() -> bool:
        try:
            return pid_of(run.client()) != first
        except redis.ConnectionError:
            return False

    wait_for(again)
    assert run.client().get("grade") is None
    assert {path.name for path in run.socket.parent.iterdir()} == {"valkey.sock", "up.lock"}


def test_a_long_temporary_folder_does_not_break_the_socket(valkey: Callable[[Path], Valkey], tmp_path: Path) -> None:
    run = valkey(tmp_path / ("long" * 30) / ("longer" * 20))
    assert len(os.fsencode(run.socket)) <= 103
    assert run.client().ping()
    run.process.terminate()
    run.process.wait(5)
    assert not run.socket.parent.exists()


def test_the_folder_of_a_killed_run_goes_with_the_next_one(valkey: Callable[[Path], Valkey], tmp_path: Path) -> None:
    dead, living = valkey(tmp_path), valkey(tmp_path)
    dead.process.kill()
    wait_for(lambda: not dead.socket.exists())
    foreign = tmp_path / "mati-valkey-notes"
    foreign.mkdir()
    (foreign / "diary").touch()
    for folder in (dead.socket.parent, living.socket.parent, foreign):
        os.utime(folder, (0, 0))

    valkey(tmp_path)

    assert not dead.socket.parent.exists()
    assert living.client().ping()
    assert (foreign / "diary").exists()
