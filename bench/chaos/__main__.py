"""`python -m bench.chaos`: plays the rows of the table and prints it; exit code 1 when one of them fails."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click
import psutil
from sqlalchemy.exc import DBAPIError

from bench.chaos import table
from bench.chaos.audit import Entry, audit, doubted
from bench.chaos.ground import Ground
from bench.chaos.play import Play, Stuck
from bench.chaos.rows import ROWS, Row
from bench.chaos.servers import Servers, servers
from bench.chaos.table import Figures
from bench.chaos.watch import Watch
from gateway.config import Settings
from gateway.errors import Told

ROOT = Path(__file__).parents[2]
RESULTS, PAGE = ROOT / "bench" / "results" / "chaos.md", ROOT / "docs" / "chaos.md"
MESSAGES = 10_000
FEWEST = 200
NAMES = [row.name for row in ROWS]


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar="[ROW]...")
@click.option("--messages", type=click.IntRange(FEWEST, 100_000), default=MESSAGES, show_default=True)
def main(names: tuple[str, ...], messages: int) -> None:
    """Play the faults and audit what became of each message."""
    wanted = [row for row in ROWS if not names or row.name in names]
    for name in Settings.model_fields:
        os.environ.pop(name.upper(), None)  # a developer's own
    for number in (signal.SIGINT, signal.SIGTERM):  # the first is ignored in what a shell put into the background
        signal.signal(number, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="mati-chaos-"))
    os.chdir(folder)  # away from a developer's .env
    began = time.monotonic()
    played: list[Figures] = []
    try:
        with servers(folder) as both:
            for row in wanted:
                played.append(play(row, both, messages))
                click.echo(table.line(played[-1]))
    except KeyboardInterrupt:
        shutil.rmtree(folder)
        sys.exit("stopped")
    shutil.rmtree(folder / "pg")
    text = table.text(played, messages, time.monotonic() - began)
    click.echo(f"\n{text}")
    if not names and messages == MESSAGES:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(text)
        table.quote(PAGE, text)
    if all(figures.well for figures in played):
        shutil.rmtree(folder)
    else:
        sys.exit(f"what the processes said is kept in {folder}")


def play(row: Row, both: Servers, messages: int) -> Figures:
    """Plays a row; never raises but for a Ctrl-C."""
    say = progress(row.name)
    problems: list[str] = []
    ground = Ground(both, both.folder / row.name, row.provider, row.stub, row.on_sqlite, row.own_clocks)
    watch = Watch(ground.stub_log, ground.store)
    playing = Play(ground, watch, messages, say)
    summary: dict[str, int] = {}
    entries: list[Entry] = []
    try:
        ground.start_stub()
        if not row.writes:
            for group in ground.write_contacts(messages):
                ground.write_letter(group)
        if not row.on_sqlite:
            ground.start_roles()
        row.script(playing)
        playing.settle()
        summary = ground.summary()
    except (Stuck, TimeoutError, OSError, Told) as problem:
        problems.append(str(problem))
    finally:
        watch.stop()
        with suppress(DBAPIError):
            entries = playing.entries()
        ground.stop()
    problems += [f"{pid} still runs" for pid in leftovers(ground.folder)]
    faults = summary.get(row.stub_counts, 0) if row.stub_counts else playing.faults
    if not faults:
        problems.append("no fault was done")
    return Figures(
        row=row,
        faults=faults,
        audit=audit(messages, entries, watch.lines),
        doubted=doubted(ground.logs("worker") + ground.logs("up")),
        pause=watch.pause(),
        rate=watch.rate(),
        problems=tuple(problems),
    )


def leftovers(folder: Path) -> list[int]:
    """Processes that run for an installation in this folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("DATA_DIR", "").startswith(f"{folder}/"):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def progress(name: str) -> Callable[[str], None]:
    """Says how far a row is: on a terminal in a line that changes, else every quarter of a minute."""
    terminal = sys.stderr.isatty()
    began = last = time.monotonic()

    def say(text: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < (0.2 if terminal else 15):
            return
        last = now
        line = f"{datetime.now(UTC):%H:%M:%S} {name}: {text}, {now - began:.0f} s"
        click.echo(f"\r\033[K{line}" if terminal else line, err=True, nl=not terminal)

    return say


if __name__ == "__main__":
    main()
