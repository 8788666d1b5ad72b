"""Takes the pictures of the docs from a demonstration of its own: `make pictures` (needs Chromium)."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

PICTURES = Path(__file__).parent / "pictures"
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PHONE: ViewportSize = {"width": 360, "height": 740}
DESKTOP: ViewportSize = {"width": 1100, "height": 800}
SHEET: ViewportSize = {"width": 794, "height": 1123}
"""A4 at 96 dots an inch."""
PORT = 8765
PANEL: tuple[tuple[str, str, str, str | None], ...] = (
    ("home", "", "", None),
    ("trend", "tallies?commune=010407&by=round", "h1", None),
    ("beside", "tallies?commune=010407&round=2&against=1", "h1", "en"),
    ("composer", "broadcasts/new", "fieldset:has(textarea)", None),
    ("commitments", "commitments", "", "en"),
    ("information", "information", "", "km"),
    ("comments", "comments", "", "en"),
    ("factor", "self/factor", "", "km"),
)
"""Name, address, what stands at the top (the page where empty), and the language where it is one only."""
COMPOSED = {
    "km": "RCEDO៖ មណ្ឌលសុខភាពបើកដល់ម៉ោង 5 ល្ងាច ចាប់ពី 1 មេសា។ សូមប្រាប់អ្នកជិតខាង។",
    "en": "RCEDO: the health centre is open until 5 pm from 1 April. Please tell your neighbours",
}
TO_TOP = "what => document.querySelector(what).scrollIntoView({behavior: 'instant'})"


def main() -> None:
    """Starts a demonstration, takes the pictures, stops it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gateway.cli", "up", "--demo", "--data", folder, "--port", str(PORT)]
        process = subprocess.Popen(command)
        try:
            address = f"http://127.0.0.1:{PORT}"
            while not answers(f"{address}/readyz"):
                time.sleep(0.5)
            take(address, Path(folder))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def answers(address: str) -> bool:
    """Whether the gateway is up."""
    try:
        return requests.get(address, timeout=1).ok
    except requests.RequestException:
        return False


def take(address: str, folder: Path) -> None:
    """Pictures of the handset and the panel, in English and Khmer."""
    PICTURES.mkdir(exist_ok=True)
    password = json.loads((folder / "demo.json").read_text())["password"]
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
        for language, digits in (("km", "13"), ("km-Latn", "213"), ("en", "313")):
            page = browser.new_page(viewport=PHONE)
            page.goto(f"{address}/handset")
            page.fill("#number", f"+85510{900000 + len(digits) * 10 + len(language):06d}")
            page.press("#number", "Enter")
            page.select_option("#lines", "8")
            dial(page, digits + "2")
            page.locator("#phone").screenshot(path=PICTURES / f"handset-{language}.png")
            page.close()
        page = browser.new_page(viewport=PHONE)
        page.goto(f"{address}/handset")
        page.select_option("#lines", "8")
        page.click("#right")
        page.fill("#draft", "RATE 2 5")
        page.click("#left")
        page.wait_for_selector("#unread:not([hidden])")
        while page.locator(".glass").get_attribute("data-view") != "home":
            page.click("#end")
        page.click("#left")
        page.locator("#messages button[data-message]").nth(1).click()
        page.locator("#phone").screenshot(path=PICTURES / "sms-km.png")
        page.close()
        for language, size, name in (("en", DESKTOP, "tallies-en"), ("km", PHONE, "tallies-km-phone")):
            page = browser.new_page(viewport=size)
            log_in(page, address, password, language)
            page.goto(f"{address}/admin/tallies?commune=010407&round=2&lang={language}")
            page.evaluate("document.querySelector('h1').scrollIntoView({behavior: 'instant'})")
            page.screenshot(path=PICTURES / f"{name}.png")
            page.close()
        page = browser.new_page(viewport=PHONE)
        page.goto(f"{address}/results/010806/1?lang=km")
        page.screenshot(path=PICTURES / "results-km-phone.png")
        page.close()
        page = browser.new_page(viewport=SHEET)
        log_in(page, address, password)
        report(page, address)
        page.set_viewport_size(DESKTOP)
        for name in ("forums", "broadcasts"):  # the forum of the demonstration, and its invitation
            page.goto(f"{address}/admin/{name}/1")
            page.screenshot(path=PICTURES / f"{name}-en.png")
        panel(browser, address, password)
        browser.close()
    for picture in PICTURES.glob("*.png"):  # a screen has few colours: a third of the bytes says the same
        with Image.open(picture) as image:
            few = image.convert("RGB").quantize(128, dither=Image.Dither.NONE)
        few.save(picture, optimize=True)


def panel(browser: Browser, address: str, password: str) -> None:
    """The pages of the staff, each as its name says: the language, and `phone` for the narrow ones."""
    for language, size in (("en", DESKTOP), ("km", PHONE)):
        page = browser.new_page(viewport=size)
        log_in(page, address, password, language)
        for name, path, begins, only in PANEL:
            if only not in (None, language):
                continue
            page.goto(f"{address}/admin/{path}")
            if name == "composer":
                for said, text in COMPOSED.items():
                    page.fill(f"#text-{said}", text)
                page.locator("#text-en").press_sequentially(".")
                page.wait_for_selector('[data-counted="en"] .phone')
            if begins:
                page.evaluate(TO_TOP, begins)
            page.screenshot(path=PICTURES / f"{name}-{language}{'-phone' if size is PHONE else ''}.png")
        page.close()


def log_in(page: Page, address: str, password: str, language: str = "en") -> None:
    """Comes in with the demonstration's login."""
    page.goto(f"{address}/admin/login?lang={language}")
    page.fill("input[name=name]", "demo")
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/admin/")


def report(page: Page, address: str) -> None:
    """The report of a commune in Khmer, and of the four together in English, from where their services begin."""
    for language, communes in (("km", "?commune=010806&"), ("en", "?")):
        page.goto(f"{address}/admin/rounds/2/report.html{communes}lang={language}")
        if language == "en":
            page.evaluate("document.querySelector('section.service').previousElementSibling.scrollIntoView()")
        page.screenshot(path=PICTURES / f"report-{language}.png")


def dial(page: Page, digits: str) -> None:
    """Dials and presses digits one after the other."""
    for key in "*855#":
        page.click(f'[data-key="{key}"]')
    page.click("#call")
    page.wait_for_selector('.glass[data-view="ussd"]')
    for digit in digits:
        before = page.inner_text("#text")
        page.click(f'[data-key="{digit}"]')
        page.click("#call")
        page.wait_for_function("before => document.querySelector('#text').innerText !== before", arg=before)


if __name__ == "__main__":
    main()
