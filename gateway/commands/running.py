"""Commands that run the gateway: all of it, or one role."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from gateway.commands.opening import given, must_run
from gateway.config import load

AFTER_CALLERS = 5
"""How much a worker steps back where processors are few: who is on the line goes first."""
THREADS = 64
"""Requests that are answered at the same time: as many steps of USSD may share a transaction (together.py)."""


@click.command()
@click.option("--demo", is_flag=True, help="With invented data in the four communes.")
@click.option("--port", type=click.IntRange(1, 65535), help="Instead of PORT.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Instead of DATA_DIR.")
def up(demo: bool, port: int | None, data: Path | None) -> None:
    """Run everything on this machine; an empty folder is initialised."""
    from gateway.up import up as run

    sys.exit(run(load(**given(port=port, data_dir=data)), demo))


@click.command()
def web() -> None:
    """Run the web server (webhooks and pages)."""
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    settings = load()
    must_run(settings)
    Server(
        "gateway:served",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=settings.web_processes,
        blocking_threads=THREADS,
        respawn_failed_workers=True,
        websockets=False,
        log_level=LogLevels.error,  # of so many threads it would warn each time
    ).serve()


@click.command()
@click.option("--burst", is_flag=True, help="Send what is due, then stop.")
def worker(burst: bool) -> None:
    """Run a worker: it sends what stands in the outbox."""
    from gateway import logs
    from gateway.workers import pumps

    settings = load()
    must_run(settings)
    logs.set_up()
    os.nice(AFTER_CALLERS)
    pumps.run(settings, burst)


@click.command()
def clock() -> None:
    """Run the clock: what is due by the time of day."""
    from gateway import logs
    from gateway.workers import clock as ticking

    settings = load()
    must_run(settings)
    logs.set_up()
    ticking.run(settings)
