"""`mati stub`: a played provider until Ctrl-C, and then what it did."""

from __future__ import annotations

import asyncio
import signal

import click

from gateway.errors import Told
from gateway.stub.ledger import COUNTS
from gateway.stub.server import Stub
from gateway.stub.setup import Setup


def play(setup: Setup) -> None:
    """Plays until SIGINT or SIGTERM, then prints the counts. Raises Told when it cannot begin."""
    asyncio.run(_play(setup))


async def _play(setup: Setup) -> None:
    try:
        stub = Stub(setup)
    except OSError as problem:
        raise Told(f"{setup.log}: the log cannot be written ({problem.strerror})") from None
    try:
        await stub.start()
    except OSError as problem:
        raise Told(
            f"port {setup.port} of {setup.host} cannot be used ({problem.strerror}); try another --port"
        ) from None
    stopped = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
    click.echo(f"{setup.provider} is played at {stub.url}; Ctrl-C ends it")
    click.echo(f"for the gateway: {stub.provider.settings.format(url=stub.url)}")
    click.echo(f"calls back to: {setup.hooks or 'nobody (no --hooks)'}")
    await stopped.wait()
    stub.stop()
    click.echo()
    for name, count in stub.ledger.summary().items():
        click.echo(f"{count:>9,}  {name:<18} {COUNTS[name]}")
