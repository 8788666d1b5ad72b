"""How a provider is to be played, and the faults that are asked of it."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gateway.config import Settings, is_loopback

DROPPED, ERRORED, DRIPPED = "dropped", "errored", "dripped"
"""What can go wrong with an answer: none comes, a 500 comes, it comes byte by byte."""
TOKEN_IN_PATH = ("africastalking", "kannel", "http")
"""Who knows the gateway by a token in the path; the others sign."""


class WrongSetup(ValueError):
    """Options that do not go together; the message says which and what to do."""


@dataclass(frozen=True)
class Setup:
    """The options of `mati stub`. Raises WrongSetup."""

    provider: str
    port: int = 0
    """0: any that is free."""
    host: str = "127.0.0.1"
    latency: float = 0.0
    """Seconds before each answer."""
    fail: float = 0.0
    """The share of messages refused for now."""
    drop_reply: float = 0.0
    """The share of requests that are taken, but cut off without an answer."""
    error_after: float = 0.0
    """The share of requests that are taken, but answered with a 500."""
    drip: float = 0.0
    """The share of requests that are taken, and answered byte by byte."""
    throttle: float | None = None
    """Messages a second; what is more is refused for now."""
    receipt_copies: int = 1
    """So often each receipt is sent."""
    reorder: bool = False
    hooks: str = ""
    """The gateway's address, such as http://127.0.0.1:8000; without it nothing is called back."""
    token: str = ""
    """What stands in the paths of the gateway's webhooks; Android's password."""
    secret: str = ""
    """What gateway and provider share: a key, a password, an auth token, a signing key."""
    log: Path | None = None
    seed: int | None = None
    receipt_delay: float = 0.1
    """Seconds before the first receipt, and between one and the next."""
    show_numbers: bool = False
    allow_remote: bool = False
    settings: Settings | None = None
    """The gateway's: what they say of the generic provider is how that one is played."""

    def __post_init__(self) -> None:
        hooks = urlsplit(self.hooks)
        if self.hooks and (hooks.scheme not in ("http", "https") or not hooks.hostname):
            raise WrongSetup("--hooks must be a web address such as http://127.0.0.1:8000")
        if not self.allow_remote:
            if self.hooks and not is_loopback(self.hooks):
                raise WrongSetup("--hooks is not on this machine; add --allow-remote if you mean it")
            if not is_loopback(f"//[{self.host}]" if ":" in self.host else f"//{self.host}"):
                raise WrongSetup("--host is not this machine alone; add --allow-remote if you mean it")
        if self.hooks and self.provider in TOKEN_IN_PATH and not self.token:
            raise WrongSetup("with --hooks it takes --token, one of the gateway's webhook tokens")
        if self.hooks and self.provider not in TOKEN_IN_PATH and not self.secret:
            raise WrongSetup("with --hooks it takes --secret, to sign what it calls back")


class Faults:
    """Which requests go wrong; the same ones for the same seed and the same order of requests."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self.random = random.Random(setup.seed)  # noqa: S311  # no secret
        self._left = max(setup.throttle or 0.0, 1.0)
        self._seen = time.monotonic()

    def fails(self) -> bool:
        """Whether this message is refused for now."""
        return bool(self._setup.fail) and self.random.random() < self._setup.fail

    def of_the_answer(self) -> str:
        """What goes wrong with the answer to this request; empty: nothing."""
        for fault, share in (
            (DROPPED, self._setup.drop_reply), (ERRORED, self._setup.error_after), (DRIPPED, self._setup.drip),
        ):  # fmt: skip
            if share and self.random.random() < share:
                return fault
        return ""

    def throttles(self, messages: int) -> bool:
        """Whether so many messages are too many now; a request that begins within the rate passes whole."""
        rate = self._setup.throttle
        if rate is None:
            return False
        now = time.monotonic()
        self._left = min(self._left + (now - self._seen) * rate, max(rate, 1.0))
        self._seen = now
        if self._left < 1:
            return True
        self._left -= messages
        return False
