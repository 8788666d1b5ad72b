"""`mati phone`: a handset in the terminal, speaking to the running gateway through the simulator."""

from __future__ import annotations

import secrets
import time
from typing import Any

import click
import requests

from gateway import text
from gateway.config import Settings

WAIT_SECONDS = 15
ANSWER_SECONDS = 6.0
"""So long an SMS is waited for after one was sent: a worker looks into the outbox every 5 seconds at the latest."""
WIDTH = 30


class GatewaySilent(Exception):
    """The gateway did not answer, or refused; the message says what to do."""


class Handset:
    """A phone with a number and the gateway's address."""

    def __init__(self, settings: Settings, number: str) -> None:
        self._hook = f"http://{settings.host}:{settings.port}/hooks/simulator"
        self._number = number
        self._code = settings.ussd_code
        self._service = settings.sms_number
        self._shown: set[str] = set()

    def use(self, code: str | None) -> int:
        """Dials a code and ends with the session; without one, dials and writes SMS until told to stop."""
        try:
            if code:
                self._dial(code)
            else:
                self._home()
        except GatewaySilent as error:
            click.echo(f"mati: {error}", err=True)
            return 1
        except click.Abort:
            click.echo()
        return 0

    def _home(self) -> None:
        self._read_inbox(0)
        click.echo(f"{self._number}. {self._code} dials; other words are an SMS to {self._service};")
        click.echo("Enter alone looks for messages; Ctrl-D hangs up for good.")
        while True:
            typed = _asked("phone> ")
            if typed.startswith("*"):
                self._dial(typed)
            elif typed:
                self._write(typed)
                self._read_inbox(ANSWER_SECONDS)
            else:
                self._read_inbox(0)

    def _dial(self, code: str) -> None:
        session = secrets.token_hex(8)
        dialled = code.rstrip("#").removeprefix(self._code.rstrip("#")).strip("*")
        position = len(dialled.split("*")) if dialled else 0
        screen = self._send("ussd", session=session, input=None, dialled=dialled)
        while True:
            self._show(screen["text"], text.USSD)
            if screen["ends"]:
                return
            position += 1
            screen = self._send("ussd", session=session, input=_asked("> "), position=position)

    def _write(self, words: str) -> None:
        counted = text.segments(text.plain(words))
        click.echo(f"sent: {counted.length} characters, {counted.encoding}, {counted.parts} part(s)")
        self._send("sms", id=secrets.token_hex(8), to=self._service, text=words, **{"from": self._number})

    def _read_inbox(self, seconds: float) -> None:
        """Shows what is new; waits so long for the first."""
        until = time.monotonic() + seconds
        while True:
            found = self._send("inbox", shown=[])["messages"]
            new = [message for message in found if message["id"] not in self._shown]
            for message in new:
                self._show(message["text"], text.SMS)
                self._shown.add(message["id"])
            if new:
                self._send("inbox", shown=[message["id"] for message in new])
            if new or time.monotonic() >= until:
                return
            time.sleep(0.2)

    def _send(self, event: str, **fields: object) -> dict[str, Any]:
        try:
            answer = requests.post(
                f"{self._hook}/{event}", json={"number": self._number, **fields}, timeout=WAIT_SECONDS
            )
        except requests.RequestException:
            raise GatewaySilent(f"no gateway answers at {self._hook}; start it with: mati up") from None
        if answer.status_code != 200:
            raise GatewaySilent(f"the gateway says {answer.status_code}: {answer.text.strip()}")
        return dict(answer.json()) if answer.content else {}

    def _show(self, shown: str, limit: text.Limit) -> None:
        room = limit.septets if text.is_gsm7(shown) else limit.units
        click.echo(f"┌{'─' * WIDTH}┐")
        for line in shown.split("\n"):
            for part in text.pages(line, text.Limit(WIDTH - 2, WIDTH - 2)):
                click.echo(f"│ {part}")
        click.echo(f"└{f' {text.size(shown)} of {room} ':─>{WIDTH}}┘")


def _asked(prompt: str) -> str:
    typed: str = click.prompt("", prompt_suffix=prompt, default="", show_default=False)
    return typed.strip()
