"""`make chaos`: the audit tells good from bad, and a row in miniature. The whole table takes a quarter of an hour."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psutil
import pytest

from bench.chaos import table
from bench.chaos.audit import Audit, Entry, audit, doubted
from bench.chaos.ground import noon, numbers
from bench.chaos.rows import ROWS
from bench.chaos.table import Figures
from bench.chaos.watch import Sample, longest_pause
from gateway.models.messages import State
from gateway.phones import operator

ROOT = Path(__file__).parents[1]


def entry(id_: str, state: State) -> Entry:
    return Entry(id_, f"+85510{int(id_):06d}", state)


def line(id_: str, *, ours: bool = True) -> dict[str, str]:
    return {"ours": id_ if ours else "", "number": entry(id_, State.QUEUED).number}


def found(written: int, taken: int, twice: int = 0, lost: int = 0, of_taken: int = 0, untaken: int = 0) -> Audit:
    return Audit(written, taken, twice, lost, of_taken, untaken)


@pytest.mark.parametrize(
    ("what", "states", "taken", "expected"),
    [
        ("all is well", [State.DELIVERED, State.ACCEPTED, State.UNDELIVERED], "012", found(3, 3)),
        ("sent twice", [State.DELIVERED], "00", found(1, 1, twice=1)),
        ("stuck", [State.QUEUED, State.CLAIMED, State.SENDING, State.HELD], "", found(4, 0, lost=4)),
        ("given up", [State.EXPIRED, State.CANCELLED, State.REFUSED], "", found(3, 0, lost=3)),
        ("taken, and to be sent again", [State.QUEUED], "0", found(1, 1, lost=1)),
        ("said to be sent", [State.DELIVERED, State.ACCEPTED], "0", found(2, 1, lost=1)),
        ("in doubt", [State.UNCONFIRMED, State.UNCONFIRMED], "1", found(2, 1, of_taken=1, untaken=1)),
        ("gone from the database", [State.DELIVERED], "01", found(2, 2, lost=2)),
    ],
)
@pytest.mark.parametrize("ours", [True, False], ids=["by our id", "by the number"])
def test_the_audit_says_what_became_of_each(
    what: str, states: Sequence[State], taken: str, expected: Audit, ours: bool
) -> None:
    entries = [entry(str(n), state) for n, state in enumerate(states)]
    assert audit(expected.written, entries, [line(id_, ours=ours) for id_ in taken]) == expected


def test_doubts_are_counted_from_the_workers_log() -> None:
    log = [
        {"event": "outbox.unconfirmed", "count": 31, "why": "worker lost while sending"},
        {"event": "outbox.unconfirmed", "message": "a" * 32, "why": "connection cut"},
        {"event": "outbox.refused", "message": "a" * 32},
    ]
    assert doubted("\n".join(["not JSON", *map(json.dumps, log)])) == 32


def samples(text: str) -> list[Sample]:
    """A letter a second: w for waiting, n for nothing, ? for a database that does not say."""
    return [Sample(float(at), {"w": True, "n": False, "?": None}[said]) for at, said in enumerate(text)]


@pytest.mark.parametrize(
    ("taken", "seen", "seconds"),
    [
        ([], "wwwwww", 5),
        ([0.5, 1.5, 2.5, 3.5], "wwwww", 1),
        ([0.5, 4.5], "wwwww", 4),
        ([0.5], "wnnnnnnnnn", 0.5),
        ([0.5], "wnnnnwwwnn", 3),
        ([0.5], "w????w", 4.5),
        ([], "n????n", 0),
    ],
)
def test_a_pause_is_the_time_in_which_messages_waited(taken: list[float], seen: str, seconds: float) -> None:
    assert longest_pause(taken, samples(seen)) == pytest.approx(seconds)


@pytest.mark.parametrize("hour", range(24))
def test_messages_never_wait_for_the_morning(hour: int) -> None:
    now = datetime(2026, 11, 22, hour, 30, tzinfo=UTC)
    assert now.astimezone(ZoneInfo(noon(now))).hour == 12


def test_numbers_are_those_that_nobody_has() -> None:
    found = numbers(10_000)
    assert len(set(found)) == 10_000
    assert all(number[-6] == "0" and len(number) == 12 for number in found)
    assert {operator(number) for number in found} == {"smart", "cellcard", "metfone"}


ROW = next(row for row in ROWS if row.name == "kill")
WELL = Figures(ROW, 50, found(1000, 1000), doubted=1600, pause=9.9, rate=100, problems=())


@pytest.mark.parametrize(
    ("figures", "failure"),
    [
        (WELL, None),
        (replace(WELL, audit=found(1000, 999, lost=1)), "1 lost"),
        (replace(WELL, audit=found(1000, 1000, twice=1)), "1 sent twice"),
        (replace(WELL, doubted=1601), "1,601 in doubt, but at most 1,600 may be"),
        (replace(WELL, audit=found(1000, 1000, of_taken=1)), "1 left in doubt (1 of them were taken)"),
        (replace(WELL, audit=found(1000, 999, untaken=1)), "1 left in doubt (0 of them were taken)"),
        (replace(WELL, pause=10.1), "nothing was sent for 10.1 s"),
        (replace(WELL, problems=("ended by itself: web",)), "ended by itself: web"),
    ],
)
def test_a_row_fails_for_what_must_not_be(figures: Figures, failure: str | None) -> None:
    assert figures.failures == ([failure] if failure else [])
    written = table.text([figures], 1000, 60)
    assert ("FAILS" in written) == bool(failure)
    assert failure is None or f"- kill: {failure}" in written


def test_the_table_has_a_row_for_each_fault_of_the_issue() -> None:
    assert {row.name for row in ROWS} >= {
        "kill", "everything", "sigterm", "freeze", "valkey", "flushall", "postgres", "drop", "500", "429", "drip",
        "receipts", "clocks", "hour",
    }  # fmt: skip


def run(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", "-m", "bench.chaos", *words]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def descendants(pid: int) -> Any:
    return psutil.Process(pid).children(recursive=True)


@pytest.mark.slow
def test_a_row_in_miniature() -> None:
    with run("flushall", "--messages", "200") as process:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "| FLUSHALL, 50 times | 50     | 0    | 0          |" in said


@pytest.mark.slow
def test_a_ctrl_c_leaves_nothing_behind() -> None:
    with run("kill", "--messages", "100000") as process:
        end = time.monotonic() + 60
        while len(started := descendants(process.pid)) < 12 and time.monotonic() < end:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 1, said
    assert len(started) >= 12
    assert not [one.pid for one in started if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
