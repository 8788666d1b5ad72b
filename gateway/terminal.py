"""`mati phone`: a handset in the terminal, speaking to the running gateway through the simulator."""

from __future__ import annotations

import secrets

import click
import requests

from gateway import text
from gateway.config import Settings

WAIT_SECONDS = 15
WIDTH = 30


class Handset:
    """A phone with a number and the gateway's address."""

    def __init__(self, settings: Settings, number: str) -> None:
        self._hook = f"http://{settings.host}:{settings.port}/hooks/simulator"
        self._number = number
        self._code = settings.ussd_code.rstrip("#")

    def dial(self, code: str) -> int:
        """A USSD session from dialling to its end. Returns an exit code."""
        session = secrets.token_hex(8)
        dialled = code.rstrip("#").removeprefix(self._code).strip("*")
        position = len(dialled.split("*")) if dialled else 0
        screen = self._send("ussd", session=session, input=None, dialled=dialled)
        while screen is not None:
            self._show(screen)
            if screen["ends"]:
                return 0
            try:
                typed = click.prompt("", prompt_suffix="> ", default="", show_default=False)
            except click.Abort:
                click.echo()
                return 0
            position += 1
            screen = self._send("ussd", session=session, input=typed, position=position)
        return 1

    def _send(self, event: str, **fields: object) -> dict[str, object] | None:
        try:
            answer = requests.post(
                f"{self._hook}/{event}", json={"number": self._number, **fields}, timeout=WAIT_SECONDS
            )
        except requests.RequestException:
            click.echo(f"mati: no gateway answers at {self._hook}; start it with: mati up", err=True)
            return None
        if answer.status_code != 200:
            click.echo(f"mati: the gateway says {answer.status_code}: {answer.text.strip()}", err=True)
            return None
        screen: dict[str, object] = answer.json()
        return screen

    def _show(self, screen: dict[str, object]) -> None:
        shown = str(screen["text"])
        room = text.USSD.septets if text.is_gsm7(shown) else text.USSD.units
        click.echo(f"┌{'─' * WIDTH}┐")
        for line in shown.split("\n"):
            for part in text.pages(line, text.Limit(WIDTH - 2, WIDTH - 2)) or [""]:
                click.echo(f"│ {part}")
        click.echo(f"└{f' {text.size(shown)} of {room} ':─>{WIDTH}}┘")
