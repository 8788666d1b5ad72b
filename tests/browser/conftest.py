"""Chromium against a running `mati up --demo`; left out, with a word, where there is no Chromium."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = {"phone": (360, 740), "desktop": (1280, 900)}


@dataclass(frozen=True)
class Demo:
    """A running demonstration."""

    address: str
    folder: Path
    password: str

    def mati(self, *words: str) -> str:
        """What a command prints."""
        done = subprocess.run(
            [sys.executable, "-m", "gateway.cli", *words],
            env=os.environ | {"DATA_DIR": str(self.folder)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """`mati up --demo` on a folder of its own."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: the tests in a browser are left out (Debian: apt-get install chromium)")
    folder = tmp_path_factory.mktemp("demo")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gateway.cli", "up", "--demo", "--data", str(folder), "--port", str(port)]
    env = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL", "DATA_DIR")}
    process = subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/readyz", process)
        yield Demo(address, folder, json.loads((folder / "demo.json").read_text())["password"])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until and process.poll() is None:
        try:
            if requests.get(address, timeout=1).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.2)
    pytest.fail("the demonstration did not come up")


@pytest.fixture(scope="session")
def browser(demo: Demo) -> Iterator[Browser]:
    """Chromium without a window."""
    with sync_playwright() as player:
        chromium = player.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield chromium
        chromium.close()


def is_wrong(message: ConsoleMessage) -> bool:
    """Whether a page is wrong; that a form was refused, a browser notes as well."""
    return message.type == "error" and not any(f"status of {status}" in message.text for status in (401, 422))


@pytest.fixture(params=list(WIDTHS))
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A page at phone and at desktop width; an error on its console fails the test, but for a form that is refused."""
    width, height = WIDTHS[request.param]
    context = browser.new_context(viewport={"width": width, "height": height})
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda message: problems.append(message.text) if is_wrong(message) else None)
    yield opened
    context.close()
    assert not problems
