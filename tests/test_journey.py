"""The whole gateway as its operator meets it: real processes, started and stopped, called over HTTP.

`mati up --demo` runs once for all tests of this file, which go through its day in their order.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from alembic import command
from redis import Redis

from gateway import schema
from gateway.cli import main
from gateway.config import Settings
from gateway.models.store import Store
from gateway.valkey import redis_url, socket_path, valkey_child, wait_until_ready

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
TWELVE = [f"+85510090{index:03d}" for index in range(1, 13)]
EIGHT = [f"+85512090{index:03d}" for index in range(1, 9)]
CUT, TYPED, HALF = "+85515090001", "+85516090001", "+85516090002"
NUMBERS = [*TWELVE, *EIGHT, CUT, TYPED, HALF]
"""Not assigned (DOMAIN.md, Phones), and none of the demonstration's."""
WELCOME, THANKS = "ឃុំមិនឃើញលេខអ្នកទេ", "អរគុណ! បានទទួលហើយ។"
QUITE_LONG = 90.0
_sessions = itertools.count()


@dataclass
class Run:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """Its error, which is one line."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        return lines[0]


@dataclass
class Shell:
    """Where commands are called, and all that they ever printed."""

    folder: Path
    printed: list[str] = field(default_factory=list)

    def env(self, **variables: object) -> dict[str, str]:
        """The environment without the developer's own settings."""
        ours = {name.upper() for name in Settings.model_fields}
        kept = {name: value for name, value in os.environ.items() if name.upper() not in ours}
        return kept | {"PYTHONPATH": str(ROOT)} | {name: str(value) for name, value in variables.items()}

    def mati(self, *words: object, typed: str | None = None, **variables: Any) -> Run:
        done = subprocess.run(
            [sys.executable, "-m", "gateway.cli", *map(str, words)],
            cwd=self.folder, env=self.env(**variables), input=typed, capture_output=True, text=True, timeout=QUITE_LONG,
            check=False,
        )  # fmt: skip
        self.printed += [done.stdout, done.stderr]
        assert "Traceback" not in done.stderr, done.stderr
        return Run(done.returncode, done.stdout, done.stderr)


@dataclass
class Gateway:
    """`mati up --demo`, running."""

    shell: Shell
    data: Path
    port: int
    process: subprocess.Popen[bytes]
    start: int = 0

    @property
    def greeting(self) -> str:
        return (self.shell.folder / f"out{self.start}").read_text()

    @property
    def log(self) -> str:
        return (self.shell.folder / f"err{self.start}").read_text()

    @property
    def token(self) -> str:
        found = re.search(r"/hooks/africastalking/([^/]+)/ussd", self.greeting)
        assert found
        return found[1]

    def mati(self, *words: object, typed: str | None = None, **variables: Any) -> Run:
        """A command for this gateway."""
        return self.shell.mati(*words, typed=typed, **{"DATA_DIR": self.data, "PORT": self.port} | variables)

    def post(self, number: str, session: str, text: str) -> str:
        """One request of Africa's Talking."""
        answer = requests.post(
            f"http://127.0.0.1:{self.port}/hooks/africastalking/{self.token}/ussd",
            data={"sessionId": session, "phoneNumber": number, "networkCode": "45606", "serviceCode": "*855#",
                  "text": text},
            timeout=20,
        )  # fmt: skip
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
        return answer.text

    def dial(self, number: str, path: str) -> list[str]:
        """A whole session, the path typed one input after the other; every screen."""
        typed = path.split("*")
        session = f"ATUid_journey_{next(_sessions)}"
        return [self.post(number, session, "*".join(typed[:end])) for end in range(len(typed) + 1)]

    def tally(self, *more: object, commune: str = "010806") -> Any:
        run = self.mati("tally", "--commune", commune, "--json", *more)
        assert (run.code, run.err) == (0, "")
        return json.loads(run.out)

    def service(self, service: str, *more: object, commune: str = "010806") -> Any:
        return next(each for each in self.tally(*more, commune=commune)["services"] if each["service"] == service)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Any, seconds: float = QUITE_LONG) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "it took too long"
        time.sleep(0.05)


def start(shell: Shell, data: Path, port: int, times: int) -> Gateway:
    """Starts it as in a terminal, and waits for the greeting."""
    with (shell.folder / f"out{times}").open("wb") as out, (shell.folder / f"err{times}").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "up", "--demo", "--data", str(data), "--port", str(port)],
            cwd=shell.folder, env=shell.env(), stdout=out, stderr=err, start_new_session=True,
        )  # fmt: skip
    gateway = Gateway(shell, data, port, process, times)
    until(lambda: "Ctrl-C stops everything." in gateway.greeting or process.poll() is not None)
    assert process.poll() is None, gateway.log
    return gateway


def processes() -> dict[int, tuple[int, str]]:
    """All that run (no zombies): the parent and the command line of each."""
    found = {}
    if sys.platform == "linux":  # where `ps` may be missing
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                argv = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if state != "Z":
                    found[int(folder.name)] = (int(parent), argv)
        return found
    listing = subprocess.run(["ps", "-Awwo", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True)
    for line in listing.stdout.splitlines():
        pid, parent, state, argv = line.split(None, 3)
        if not state.startswith("Z"):
            found[int(pid)] = (int(parent), argv)
    return found


def descendants(pid: int) -> dict[int, str]:
    """All processes below one, with their command lines."""
    running = processes()
    found: dict[int, str] = {}
    parents = {pid}
    while parents:
        below = {child: argv for child, (parent, argv) in running.items() if parent in parents}
        found |= below
        parents = set(below)
    return found


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("journey"))


@pytest.fixture
def here(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Run]:
    """A command in this process: for tables, since a process of its own costs half a second."""

    def mati(*words: str, **variables: object) -> Run:
        for name in set(os.environ) - set(shell.env()):
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["mati", *words])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return Run(int(end.value.code or 0), out, err)

    return mati


@pytest.fixture(scope="module")
def gateway(shell: Shell) -> Iterator[Gateway]:
    running = start(shell, shell.folder / "demo data", free_port(), 1)
    yield running
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(30)


# the running gateway ---------------------------------------------------------------------------------


def test_the_greeting_says_what_is_there_and_that_the_data_are_invented(gateway: Gateway) -> None:
    address = f"http://127.0.0.1:{gateway.port}"
    assert f"Mati is up: {address}\n" in gateway.greeting
    assert "INVENTED" in gateway.greeting
    assert re.search(r"its login +demo, password \S+", gateway.greeting)
    assert len(gateway.token) >= 32
    for path in ("/", "/handset", "/admin/", "/healthz", "/readyz"):
        assert requests.get(address + path, timeout=20).status_code == 200


def test_the_curl_line_that_is_printed_dials(gateway: Gateway) -> None:
    line = re.search(r"^  curl .*?-d text=$", gateway.greeting, re.MULTILINE | re.DOTALL)
    assert line
    sent = line[0].replace("\\\n", " ").replace("%2B85510000001", f"%2B{HALF[1:]}")
    if shutil.which("curl") is None:
        fields = dict(re.findall(r"-d '?(\w+)=([^' ]*)", sent))
        assert set(fields) == {"sessionId", "phoneNumber", "networkCode", "serviceCode", "text"}
        return
    done = subprocess.run(["sh", "-c", sent], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.startswith(f"CON {WELCOME}")


def test_two_closed_rounds_show_a_change_and_the_open_one_is_empty(gateway: Gateway) -> None:
    first, second = (gateway.service("health", "--round", number) for number in (1, 2))
    assert first["n"] >= 10
    assert second["n"] >= 10
    assert first["satisfied"] < second["satisfied"]
    now = gateway.tally()
    assert now["round"] == 3
    assert [service["shown"] for service in now["services"]] == [False] * 4
    assert not gateway.service("school", "--round", 1, commune="010407")["shown"]  # too few rated it


def test_twelve_numbers_that_dial_from_welcome_to_thanks_are_counted(gateway: Gateway) -> None:
    paths = [f"1*3*2*{score}*{who}" for score, who in zip("112233444555", "112233446677", strict=True)]
    with ThreadPoolExecutor(6) as pool:
        for screens in pool.map(gateway.dial, TWELVE, paths):
            assert screens[0].startswith(f"CON {WELCOME}")
            assert all(screen.startswith("CON ") for screen in screens[:-1])
            assert screens[-1] == f"END {THANKS}"
    assert gateway.service("health") == {
        "service": "health", "number": 2, "label": "Health centre", "n": 12, "numbers": 12, "female": 4,
        "counts": [2, 2, 2, 3, 3], "mean": 3.25, "median": 3.5, "satisfied": 0.5, "shown": True,
    }  # fmt: skip


def test_eight_numbers_are_not_shown(gateway: Gateway) -> None:
    for index, number in enumerate(EIGHT):
        assert gateway.dial(number, f"1*1*2*{index % 5 + 1}*1")[-1] == f"END {THANKS}"
    service = gateway.service("health", commune="010303")
    assert service == {
        "service": "health", "number": 2, "label": "Health centre", "n": None, "numbers": None, "female": None,
        "counts": None, "mean": None, "median": None, "satisfied": None, "shown": False,
    }  # fmt: skip
    table = gateway.mati("tally", "--commune", "010303").out
    assert re.search(r"2 Health centre +not shown", table)


def test_a_session_outlives_valkey_killed_in_its_middle(gateway: Gateway) -> None:
    for end in ("", "1", "1*3", "1*3*2"):
        gateway.post(CUT, "ATUid_cut", end)
    below = descendants(gateway.process.pid).items()
    valkeys = [pid for pid, argv in below if "valkey-server" in argv and "leash" not in argv]
    assert len(valkeys) == 1
    os.kill(valkeys[0], signal.SIGKILL)
    assert gateway.post(CUT, "ATUid_cut", "1*3*2*5").startswith("CON ")
    assert gateway.post(CUT, "ATUid_cut", "1*3*2*5*7") == f"END {THANKS}"
    assert gateway.service("health")["counts"] == [2, 2, 2, 3, 4]
    until(lambda: "valkey ended (killed by signal 9)" in gateway.log)
    until(lambda: requests.get(f"http://127.0.0.1:{gateway.port}/readyz", timeout=20).status_code == 200)


def test_the_handset_in_the_terminal_rates(gateway: Gateway) -> None:
    run = gateway.mati("phone", TYPED, "--ussd", "*855#", typed="x\n1\n3\n0\n3\n2\n4\n1\n")
    assert (run.code, run.err) == (0, "")
    assert run.out.count("ឃុំ៖") == 2
    assert run.out.count("┌") == run.out.count("└") == 9
    assert THANKS in run.out
    assert gateway.service("health")["counts"] == [2, 2, 2, 4, 4]


def test_the_handset_dials_a_path_and_may_be_put_down(gateway: Gateway) -> None:
    run = gateway.mati("phone", TYPED, "--ussd", "*855*2*5#", typed="")
    assert run.code == 0
    assert "អ្នកជា៖" in run.out
    assert gateway.service("health")["numbers"] == 14  # her number again, and no who yet


def test_the_handset_says_when_no_gateway_answers(gateway: Gateway) -> None:
    run = gateway.mati("phone", TYPED, "--ussd", "*855#", typed="", PORT=free_port())
    assert run.code == 1
    assert run.line.endswith("start it with: mati up")


def test_check_tells_what_is_there_and_masks_the_tokens(gateway: Gateway) -> None:
    run = gateway.mati("check")
    assert (run.code, run.err) == (0, "")
    assert "data             INVENTED" in run.out
    assert f"PUBLIC_URL       http://127.0.0.1:{gateway.port} answers, here only" in run.out
    assert gateway.token not in run.out
    assert f"{gateway.token[:3]}…{gateway.token[-2:]}/ussd" in run.out
    shown = gateway.mati("check", "--show-tokens").out
    assert f"http://127.0.0.1:{gateway.port}/hooks/africastalking/{gateway.token}/ussd\n" in shown
    gateway.shell.printed.remove(shown)  # asked for


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"PORT": 1}, "!!  PUBLIC_URL       http://127.0.0.1:1 does not answer"),
        ({"PUBLIC_URL": "http://127.0.0.1:1/x"}, "!!  PUBLIC_URL       http://127.0.0.1:1/x does not answer"),
        ({"REDIS_URL": "unix:///nowhere.sock"}, "!!  REDIS_URL        cannot be reached"),
        ({"DATA_DIR": "nowhere"}, "!!  database         none in"),
        ({"MATI_MASTER_KEY": "x"}, "!!  keys             MATI_MASTER_KEY: no key"),
        ({"DATABASE_URL": "sqlite:////nowhere/at/all"}, "!!  database         the database cannot be reached"),
    ],
)
def test_check_ends_with_1_when_something_is_wrong(gateway: Gateway, variables: dict[str, Any], line: str) -> None:
    run = gateway.mati("check", **variables)
    assert (run.code, run.err) == (1, "")
    assert line in run.out


def test_a_second_start_on_the_same_folder_is_refused(gateway: Gateway) -> None:
    run = gateway.shell.mati("up", "--demo", "--data", gateway.data, "--port", free_port())
    assert run.code == 1
    assert "is in use by another `mati up`, process" in run.line
    assert str(gateway.process.pid) in run.line


def test_a_port_in_use_is_refused(gateway: Gateway) -> None:
    run = gateway.shell.mati("up", "--data", "another folder", "--port", gateway.port)
    assert run.code == 1
    assert (
        run.line == f"mati: port {gateway.port} is taken by another program; choose one with: --port {gateway.port + 1}"
    )


# stop, and start again --------------------------------------------------------------------------------


def test_ctrl_c_stops_every_process_and_a_second_start_keeps_the_data(gateway: Gateway) -> None:
    everything = descendants(gateway.process.pid)
    roles = [name for name in ("valkey", "web", "worker", "clock") if any(name in argv for argv in everything.values())]
    assert roles == ["valkey", "web", "worker", "clock"]
    before = gateway.service("health"), gateway.service("health", "--round", 1)
    gateway.process.send_signal(signal.SIGINT)
    assert gateway.process.wait(30) == 0
    assert not {pid: argv for pid, argv in everything.items() if pid in processes()}
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{gateway.port}/healthz", timeout=5)

    token = gateway.token
    again = start(gateway.shell, gateway.data, gateway.port, 2)
    gateway.process, gateway.start = again.process, 2
    assert gateway.token == token
    assert "inventing" not in gateway.log
    assert (gateway.service("health"), gateway.service("health", "--round", 1)) == before
    assert gateway.dial(CUT, "2*1*7")[-1] == f"END {THANKS}"  # still known, and her last answer wins
    assert gateway.service("health")["n"] == before[0]["n"]


def test_a_kill_of_the_whole_is_no_loss_either(gateway: Gateway) -> None:
    """SIGKILL, as when the machine runs out of memory: what was thanked for is kept, nothing is left running."""
    everything = descendants(gateway.process.pid)
    assert len(everything) > 4
    assert gateway.dial(CUT, "3*5*7")[-1] == f"END {THANKS}"
    gateway.process.kill()
    gateway.process.wait(30)
    until(lambda: not everything.keys() & processes().keys(), 30)
    with sqlite3.connect(gateway.data / "mati.sqlite") as db:
        kept = db.execute("SELECT service_id, score FROM answers WHERE round_id = 3 AND service_id = 'school'")
        assert kept.fetchall() == [("school", 5)]


def test_no_number_and_no_token_is_in_anything_that_was_printed_or_kept(gateway: Gateway) -> None:
    logs = [(gateway.shell.folder / f"err{times}").read_text() for times in (1, 2)]
    printed = "\n".join([*gateway.shell.printed, *logs])
    kept = b"".join(file.read_bytes() for file in gateway.data.rglob("*") if file.is_file())
    for number in NUMBERS:
        assert number[4:] not in printed
        assert number[4:].encode() not in kept
    assert gateway.token not in printed
    assert "Traceback" not in printed


# commands without a gateway ----------------------------------------------------------------------------


def test_init_makes_everything_and_a_second_time_nothing(shell: Shell) -> None:
    data = shell.folder / "fresh"
    first = shell.mati("init", DATA_DIR=data)
    assert first.code == 0
    assert re.search(r"First login: admin, password \S+ \(shown this once; change it\)\.", first.out)
    secrets = [data / "master.key", *(data / "keys").iterdir()]
    assert len(secrets) >= 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in secrets} == {0o600}
    before = {file: file.read_bytes() for file in secrets}
    second = shell.mati("init", DATA_DIR=data)
    assert (second.code, second.out) == (0, f"{data} was ready; nothing was changed.\n")
    assert {file: file.read_bytes() for file in secrets} == before
    assert re.fullmatch(r"Schema \d+, as it was\.\n", shell.mati("migrate", DATA_DIR=data).out)
    assert shell.mati("tally", DATA_DIR=data).code == 0  # no round yet: nothing to tell
    assert shell.mati("up", "--demo", DATA_DIR=data).line.startswith(f"mati: {data} holds real data")


@pytest.fixture
def old(shell: Shell) -> Path:
    """A folder whose database is at the first schema."""
    data = shell.folder / f"old {time.monotonic_ns()}"
    data.mkdir()
    store = Store(f"sqlite:///{data / 'mati.sqlite'}")
    with store.write() as db:
        command.upgrade(schema.alembic_config(db), "0001")
    store.close()
    return data


def test_an_older_schema_is_refused_until_it_is_migrated(shell: Shell, old: Path) -> None:
    run = shell.mati("web", DATA_DIR=old, REDIS_URL="redis://127.0.0.1:1")
    assert run.code == 1
    assert re.fullmatch(r"mati: the database is at schema 0001, this program at \d+; run: mati migrate", run.line)


def test_migrate_copies_the_old_data_first(shell: Shell, old: Path) -> None:
    run = shell.mati("migrate", DATA_DIR=old)
    assert run.code == 0
    assert re.search(r"Schema \d+ \(was 0001\)\.", run.out)
    copies = list(old.glob("mati-before-*-from-0001.sqlite"))
    assert len(copies) == 1
    assert str(copies[0]) in run.out
    assert stat.S_IMODE(copies[0].stat().st_mode) == 0o600
    assert shell.mati("migrate", DATA_DIR=old).out.endswith(", as it was.\n")


def test_a_schema_from_the_future_is_refused(shell: Shell, old: Path) -> None:
    shell.mati("migrate", DATA_DIR=old)
    with sqlite3.connect(old / "mati.sqlite") as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "at schema 9999" in shell.mati("tally", DATA_DIR=old).line
    assert shell.mati("migrate", DATA_DIR=old).line.endswith("schema 9999, which this program is too old for")
    (old / "master.key").write_text(base64.b64encode(bytes(32)).decode())
    (old / "master.key").chmod(0o600)
    assert shell.mati("up", DATA_DIR=old, PORT=free_port()).line.endswith("which this program is too old for")


@pytest.mark.parametrize("role", ["web", "worker", "clock"])
def test_a_role_without_redis_or_database_is_refused_and_says_what_to_do(shell: Shell, role: str) -> None:
    run = shell.mati(role, DATA_DIR="nothing here")
    assert run.code == 1
    assert "REDIS_URL is not set; set it to your Redis, or run everything with: mati up" in run.line
    run = shell.mati(role, DATA_DIR="nothing here", REDIS_URL="redis://127.0.0.1:1")
    assert run.code == 1
    assert run.line.startswith("mati: there is no database in ")
    assert run.line.endswith("set DATA_DIR, or run: mati init")


def test_a_role_whose_database_server_is_away_says_so(shell: Shell) -> None:
    run = shell.mati("web", DATABASE_URL="postgresql://nobody@127.0.0.1:1/x", REDIS_URL="redis://127.0.0.1:1")
    assert run.code == 1
    assert run.line.startswith("mati: the database cannot be reached")


def test_an_empty_database_says_so(shell: Shell, here: Callable[..., Run]) -> None:
    empty = shell.folder / "empty"
    empty.mkdir()
    (empty / "mati.sqlite").touch()
    run = shell.mati("web", DATA_DIR=empty, REDIS_URL="redis://127.0.0.1:1")
    assert (run.code, run.line) == (1, "mati: the database is empty; run: mati init")
    (empty / "mati.sqlite").write_bytes(b"no database" * 1000)
    run = here("tally", DATA_DIR=empty)
    assert run.code == 1
    assert "not a database" in run.line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("PORT", "70000"),
        ("MIN_RATERS", "4"),
        ("MIN_RATERS", "ten"),
        ("TIMEZONE", "Mars/Phobos"),
        ("TIMEZONE", "../../etc/passwd"),
        ("DATABASE_URL", "mysql://user:hidden-word@host/db"),
        ("REDIS_URL", "localhost:6379"),
        ("PUBLIC_URL", "mati.example.org"),
        ("PROVIDERS", "pigeon"),
        ("ROUTES", "smart"),
        ("ROUTES", "smart=pigeon"),
        ("COUNTRIES", "+855"),
        ("DEFAULT_LANGUAGE", "fr"),
        ("TRUSTED_PROXIES", "-1"),
        ("PRICE_PER_SEGMENT", "a little"),
        ("AFRICASTALKING_RATE", "0"),
        ("AFRICASTALKING_WEBHOOK_TOKENS", "hidden-word"),
        ("AFRICASTALKING_WEBHOOK_TOKENS", ",".join(letter * 40 for letter in "abc")),
        ("MATI_MASTER_KEY", "hidden-word"),
    ],
)
def test_a_wrong_setting_stops_with_one_line_that_names_it(
    here: Callable[..., Run], name: str, value: str, tmp_path: Path
) -> None:
    run = here("init", DATA_DIR=tmp_path / "data", **{name: value})
    assert run.code == 1
    assert run.line.startswith(f"mati: {name}: ")
    assert "hidden-word" not in run.line


def test_a_wrong_setting_stops_a_start_before_it_makes_anything(shell: Shell) -> None:
    run = shell.mati("up", "--demo", "--data", "not to be made", MIN_RATERS=4)
    assert (run.code, run.line) == (1, "mati: MIN_RATERS: input should be greater than or equal to 5")
    assert not (shell.folder / "not to be made").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["--nonsense"],
        ["up", "--port", "99999"],
        ["up", "--port", "x"],
        ["up", "nowhere"],
        ["tally", "--week", "next"],
        ["tally", "--round", "0"],
        ["tally", "--lang", "fr"],
        ["phone"],
        ["phone", "abc"],
        ["phone", "+855"],
        ["places"],
        ["places", "import"],
        ["places", "import", "no such file"],
        ["staff", "add", "sok", "--role", "king"],
        ["check", "--sms", "MATI"],
    ],
)
def test_a_wrong_use_ends_with_2_and_says_how(here: Callable[..., Run], words: list[str], tmp_path: Path) -> None:
    run = here(*words, DATA_DIR=tmp_path / "data")
    assert run.code == 2
    assert "see: mati" in run.err or "Usage: mati" in run.err
    assert len(run.err.splitlines()) == 1 or words == ["places"], "one line, but for a group without a command"
    assert not (tmp_path / "data").exists()


def test_a_wrong_use_ends_with_2_in_a_process_of_its_own(shell: Shell) -> None:
    run = shell.mati("up", "--port", "99999")
    assert run.code == 2
    range_ = "99999 is not in the range 1<=x<=65535"
    assert run.line == f"mati: Invalid value for '--port': {range_}; see: mati up --help"


def test_what_does_not_exist_is_said(shell: Shell, here: Callable[..., Run], tmp_path: Path) -> None:
    data = tmp_path / "data"
    shell.mati("init", DATA_DIR=data)
    for words, says in (
        (["tally", "--commune", "999999"], "commune '999999' takes no part"),
        (["tally", "--commune", "010806"], "commune 010806 has had no round yet"),
        (["staff", "reset", "nobody"], "there is no login nobody"),
    ):
        run = here(*words, DATA_DIR=data)
        assert run.code == 1
        assert says in run.line


def test_help_is_there_for_every_command(shell: Shell, here: Callable[..., Run]) -> None:
    listed = shell.mati("--help").out
    names = re.findall(r"^  ([a-z]+) +\w", listed.partition("Commands:")[2], re.MULTILINE)
    assert {"up", "web", "worker", "clock", "init", "migrate", "check", "phone", "tally", "places"} <= set(names)
    for name in names:
        assert here(name, "-h").out.startswith("Usage: ")


# a role of its own ------------------------------------------------------------------------------------


def test_web_runs_alone_against_a_redis_and_stops_when_told(shell: Shell) -> None:
    data, port = shell.folder / "fresh web", free_port()
    shell.mati("init", DATA_DIR=data)
    with socket_path() as path:
        server = subprocess.Popen(valkey_child(path, {}).argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until_ready(path, 20)
            assert Redis.from_url(redis_url(path)).ping()
            env = shell.env(DATA_DIR=data, PORT=port, REDIS_URL=redis_url(path))
            with (shell.folder / "web").open("wb") as log:
                web = subprocess.Popen(
                    [sys.executable, "-m", "gateway.cli", "web"], cwd=shell.folder, env=env, stdout=log, stderr=log
                )
            try:
                until(lambda: answers(port))
                assert requests.get(f"http://127.0.0.1:{port}/readyz", timeout=20).json() == {
                    "database": "ok", "queue": "ok",
                }  # fmt: skip
                assert (
                    requests.post(f"http://127.0.0.1:{port}/hooks/africastalking/x/ussd", timeout=20).status_code == 403
                )
            finally:
                web.terminate()
                assert web.wait(30) in (0, -signal.SIGTERM)
        finally:
            server.terminate()
            server.wait(30)
    assert "Traceback" not in (shell.folder / "web").read_text()


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).ok
    except requests.ConnectionError:
        return False
