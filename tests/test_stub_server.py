"""The stub as a process: its command, its limits, and the HTTP beneath it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner

from gateway.cli import cli
from tests.playing import TOKEN, playing

ONE = "+85510000001"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hooks", "http://mati.example.org", "--token", TOKEN], "--hooks is not on this machine"),
        (["--host", "0.0.0.0"], "--host is not this machine alone"),
        (["--hooks", "http://127.0.0.1:8000"], "it takes --token"),
        (["--fail", "2"], "--fail"),
    ],
)
def test_it_stays_on_this_machine_and_says_what_it_needs(options: list[str], message: str) -> None:
    result = CliRunner().invoke(cli, ["stub", "africastalking", "--port", "0", *options])
    assert result.exit_code == 2
    assert message in result.output


def test_the_command_plays_until_it_is_stopped_and_then_sums_up(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("mati")), "stub", "http", "--port", "0"]
    logged = [*command, "--log", str(tmp_path / "log")]
    with subprocess.Popen(logged, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        port = int(first.split("127.0.0.1:")[1].split(";")[0])
        print(f"\n{measured(port, 4, 800):,.0f} requests/s taken by the stub, four connections")
        taken = subprocess.run([*command[:-1], str(port)], capture_output=True, text=True, check=False)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 0
    assert "3,200  accepted" in rest
    assert len((tmp_path / "log").read_text().splitlines()) == 3200
    assert taken.returncode == 1
    assert "cannot be used" in taken.stderr


def measured(port: int, connections: int, each: int) -> float:
    """Requests a second over connections that stay open, from this process."""

    def ask(number: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as line, line.makefile("rb") as answers:
            for i in range(each):
                body = f"to=%2B8551{number}{i:06d}&text=hello"
                head = f"POST /send HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nContent-Type: {form}\r\n\r\n"
                line.sendall((head + body).encode())
                length = next(
                    int(line[15:]) for line in iter(answers.readline, b"\r\n") if line.startswith(b"Content-L")
                )
                while answers.readline() != b"\r\n":
                    pass
                answers.read(length)

    form = "application/x-www-form-urlencoded"
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return connections * each / (time.perf_counter() - began)


BODY = urlencode({"to": ONE, "text": "hi"})
CHUNKED = f"5;x=y\r\n{BODY[:5]}\r\n{len(BODY) - 5:x}\r\n{BODY[5:]}\r\n0\r\nTrailer: x\r\n\r\n"
POST = f"POST /send HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n"
WHOLE = f"{POST}Content-Length: {len(BODY)}\r\n\r\n{BODY}"


def exchange(*pieces: str, end: str = "GET /_summary HTTP/1.0\r\n\r\n") -> str:
    """All that the stub says to these bytes, until it closes."""
    with playing("http") as stub, socket.create_connection(("127.0.0.1", int(stub.url.rpartition(":")[2]))) as line:
        line.settimeout(5)
        for piece in (*pieces, end):
            line.sendall(piece.encode())
            time.sleep(0.002)
        return b"".join(iter(lambda: line.recv(65536), b"")).decode()


@pytest.mark.parametrize(
    ("pieces", "answers"),
    [
        ([WHOLE], 1),
        ([WHOLE + WHOLE], 2),
        (list(WHOLE), 1),
        ([f"{POST}Transfer-Encoding: chunked\r\n\r\n{CHUNKED}"], 1),
        ([f"{POST}Transfer-Encoding: chunked\r\n\r\n", *CHUNKED], 1),
        ([f"{POST}Transfer-Encoding: chunked\r\n\r\n{CHUNKED}{WHOLE}"], 2),
        ([f"{POST}Expect: 100-continue\r\nContent-Length: {len(BODY)}\r\n\r\n", BODY], 1),
    ],
    ids=["whole", "two at once", "byte by byte", "chunks", "chunks byte by byte", "chunks and another", "continue"],
)
def test_requests_are_read_however_they_come(pieces: list[str], answers: int) -> None:
    said = exchange(*pieces)
    assert said.count('"id"') == answers
    assert f'"accepted": {answers}' in said
    assert ("100 Continue" in said) == ("Expect" in pieces[0])


@pytest.mark.parametrize(
    ("bytes_", "status"),
    [
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/2\r\n\r\n", 505),
        ("GET / HTTP/1.1\r\n folded\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (f"{POST}Content-Length: -1\r\n\r\n", 400),
        (f"{POST}Content-Length: 2000000\r\n\r\n", 413),
        (f"{POST}Transfer-Encoding: gzip\r\n\r\n", 400),
        (f"{POST}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400),
        (f"{POST}Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (f"{POST}Transfer-Encoding: chunked\r\n\r\nffffffff\r\n", 413),
        (f"GET / HTTP/1.1\r\nX: {'x' * 70_000}", 431),
    ],
)
def test_what_is_no_http_is_refused_and_closed(bytes_: str, status: int) -> None:
    assert exchange(bytes_, end="").startswith(f"HTTP/1.1 {status} ")
