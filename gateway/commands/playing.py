"""Commands that play a part for trying out: a phone, a provider."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from gateway.commands.opening import number_of
from gateway.config import PROVIDERS, load


@click.command()
@click.argument("number")
@click.option("--ussd", metavar="CODE", help="Dial this, such as *855# or *855*2*5#, and end with the session.")
def phone(number: str, ussd: str | None) -> None:
    """A handset in the terminal, speaking to the running gateway."""
    from gateway.terminal import Handset

    settings = load()
    sys.exit(Handset(settings, number_of(number, settings)).use(ussd))


@click.command()
@click.argument("provider", type=click.Choice([name for name in PROVIDERS if name != "simulator"]))
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="To listen on; 0 is any that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="To listen on.")
@click.option("--latency", type=click.FloatRange(0), default=0, metavar="MS", help="Before each answer.")
@click.option("--fail", type=click.FloatRange(0, 1), default=0, metavar="SHARE", help="Refuse so many for now.")
@click.option("--drop-reply", type=click.FloatRange(0, 1), default=0, metavar="SHARE", help="Take, but do not answer.")
@click.option("--error-after", type=click.FloatRange(0, 1), default=0, metavar="SHARE", help="Take, but answer 500.")
@click.option("--drip", type=click.FloatRange(0, 1), default=0, metavar="SHARE", help="Take, answer byte by byte.")
@click.option("--throttle", type=click.FloatRange(0, min_open=True), metavar="PER_SECOND", help="Refuse more for now.")
@click.option("--duplicate-receipts", is_flag=True, help="Send each receipt twice, as --receipt-copies 2.")
@click.option("--receipt-copies", type=click.IntRange(1, 9), default=1, metavar="N", help="Send each receipt N times.")
@click.option("--reorder", is_flag=True, help="Send receipts out of order, and late.")
@click.option("--receipt-delay", type=click.FloatRange(0), default=100, show_default=True, metavar="MS")
@click.option("--hooks", metavar="URL", default="", help="The gateway, such as http://127.0.0.1:8000.")
@click.option("--token", default="", envvar="MATI_STUB_TOKEN", help="Of its webhooks; Android: the password.")
@click.option("--secret", default="", envvar="MATI_STUB_SECRET", help="API key, auth token, password or signing key.")
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), help="A JSON line for each message taken.")
@click.option("--show-numbers", is_flag=True, help="In the log: for invented numbers only.")
@click.option("--seed", type=int, help="The same faults again.")
@click.option("--allow-remote", is_flag=True, help="Let --hooks and --host be other machines.")
def stub(
    provider: str, latency: float, receipt_delay: float, duplicate_receipts: bool, receipt_copies: int, **options: Any
) -> None:
    """Play a provider: answer and call back as it does (docs/providers/stub.md)."""
    from gateway.stub import Setup, WrongSetup, play

    settings = load() if provider == "http" else None  # it is played as the settings describe it
    options |= {"latency": latency / 1000, "receipt_delay": receipt_delay / 1000}
    options["receipt_copies"] = max(receipt_copies, 2 if duplicate_receipts else 1)
    try:
        setup = Setup(provider, settings=settings, **options)
    except WrongSetup as problem:
        raise click.UsageError(str(problem)) from None
    play(setup)
