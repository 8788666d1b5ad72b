"""`python -m bench`: the gateway beside what people would use instead, row by row; writes the table of a whole run."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from bench import table
from bench.chaos.servers import servers
from gateway.config import Settings

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "bench" / "results" / "bench.md", ROOT / "docs" / "performance.md"
ROWS = ("ussd", "latency", "bulk", "receipts", "queueing", "figures", "footprint")
"""Modules of this folder; each has a `measure` (table.Measure)."""
ROUNDS = 5


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(ROWS), metavar="[ROW]...")
@click.option("--rounds", type=click.IntRange(1, 50), default=ROUNDS, show_default=True)
@click.option("--share", type=click.FloatRange(0.01, 1), default=1.0, help="Of a whole run's load, for a look.")
def main(names: tuple[str, ...], rounds: int, share: float) -> None:
    """Measure the rows, all or these, in turns with their peers."""
    for name in Settings.model_fields:
        os.environ.pop(name.upper(), None)  # a developer's own
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results, failed = [], list[str]()
    with tempfile.TemporaryDirectory(prefix="mati-bench-") as folder:
        os.chdir(folder)  # away from a developer's .env
        for name in names or ROWS:
            here = Path(folder) / name
            here.mkdir()
            measure: table.Measure = importlib.import_module(f"bench.{name}").measure
            try:
                with servers(here) as both:
                    results.append(measure(table.Ground(both, here, rounds, share, _say(name))))
            except Exception as problem:  # the other rows are worth their time all the same
                failed.append(name)
                click.echo(f"{name}: {type(problem).__name__}: {problem}", err=True)
                continue
            click.echo(table.text(results[-1:], rounds))
        os.chdir(ROOT)
    if not names and rounds == ROUNDS and share == 1 and not failed:
        written = table.text(results, rounds)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(written)
        table.quote(PAGE, written)
    short = [goal for result in results for goal in result.goals if not goal.reached]
    click.echo(f"{len(short)} of {sum(len(result.goals) for result in results)} goals fall short", err=True)
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


def _say(name: str) -> Callable[[str], None]:
    began = time.monotonic()

    def say(text: str) -> None:
        line = f"{name}, {time.monotonic() - began:.0f} s: {text}"
        click.echo(f"\r\033[K{line}" if sys.stderr.isatty() else line, err=True, nl=not sys.stderr.isatty())

    return say


if __name__ == "__main__":
    main()
