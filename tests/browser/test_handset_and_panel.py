"""What a stranger does first: dials, writes an SMS, lets a village rate, reads the figures."""

from __future__ import annotations

import itertools
import json

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Demo

_numbers = itertools.count(1)

TALKS = {
    "km": (["1", "3", "2", "5", "1"], "អរគុណ! បានទទួលហើយ។"),
    "km-Latn": (["2", "1", "3", "2", "5", "1"], "Orkun! Ban totuol haoy."),
    "en": (["3", "1", "3", "2", "5", "1"], "Thank you! Received."),
}
"""What is pressed from the welcome to the thanks, and the thanks."""


def use_new_phone(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.address}/handset")
    page.fill("#number", f"+85510{next(_numbers):06d}")
    page.press("#number", "Enter")


def press(page: Page, keys: str) -> None:
    for key in keys:
        page.click(f'[data-key="{key}"]')


@pytest.mark.parametrize("language", TALKS)
def test_a_villager_dials_and_is_thanked(page: Page, demo: Demo, language: str) -> None:
    inputs, thanks = TALKS[language]
    use_new_phone(page, demo)
    press(page, "*855#")
    page.click("#call")
    for digit in inputs:
        expect(page.locator(".glass")).to_have_attribute("data-view", "ussd")
        before = page.inner_text("#text")
        press(page, digit)
        page.click("#call")
        expect(page.locator("#text")).not_to_have_text(before)
    expect(page.locator(".glass")).to_have_attribute("data-view", "ended")
    expect(page.locator("#text")).to_have_text(thanks)


def test_a_villager_dials_with_the_keyboard(page: Page, demo: Demo) -> None:
    use_new_phone(page, demo)
    page.locator("#display").focus()
    page.keyboard.type("*855#")
    page.keyboard.press("Enter")
    expect(page.locator(".glass")).to_have_attribute("data-view", "ussd")
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_contain_text("1 Go on")


def write_sms(page: Page, words: str) -> None:
    page.click("#right")
    page.fill("#draft", words)
    page.click("#left")


def test_a_villager_rates_by_sms_and_is_thanked(page: Page, demo: Demo) -> None:
    use_new_phone(page, demo)
    for words, answer in (
        ("RATE 2 5", "បន្ត"),
        ("3", "Go on"),
        ("1", "Commune:"),
        ("3", "You are:"),
        ("2", "Thank you!"),
    ):
        expect(page.locator(".glass")).to_have_attribute("data-view", "home")
        write_sms(page, words)
        page.wait_for_function("() => document.querySelector('#unread') && !document.querySelector('#unread').hidden")
        page.click("#end") if page.locator(".glass").get_attribute("data-view") != "home" else None
        page.click("#left")
        page.locator("#messages button[data-message]").nth(1).click()
        expect(page.locator("#text")).to_contain_text(answer)
        while page.locator(".glass").get_attribute("data-view") != "home":
            page.click("#end")


def log_in(page: Page, demo: Demo, language: str) -> None:
    page.goto(f"{demo.address}/admin/login?lang={language}")
    page.fill("input[name=name]", "demo")
    page.fill("input[name=password]", demo.password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/admin/")


def test_twelve_villagers_rate_and_staff_see_it(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.address}/handset")
    page.click("#open-crowd")
    page.select_option("#crowd-commune", "010807")
    page.click("#crowd-start")
    expect(page.locator("#crowd-done")).to_be_visible(timeout=30_000)
    figures = json.loads(demo.mati("tally", "--commune", "010807", "--json"))
    shown = [service for service in figures["services"] if service["shown"]]
    assert shown
    assert all(service["numbers"] >= 10 for service in shown)
    log_in(page, demo, "en")
    page.goto(f"{demo.address}/admin/tallies?commune=010807&round=3&lang=en")
    expect(page.locator("body")).to_contain_text(shown[0]["label"])
    expect(page.locator("body")).to_contain_text(f"{shown[0]['satisfied']:.0%}")


@pytest.mark.parametrize(("language", "words"), [("en", "not shown"), ("km", "មិនបង្ហាញ")])
def test_staff_read_the_figures(page: Page, demo: Demo, language: str, words: str) -> None:
    log_in(page, demo, language)
    page.goto(f"{demo.address}/admin/tallies?commune=010407&round=2&lang={language}")
    expect(page.locator("body")).to_contain_text(words)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"


def test_the_data_are_said_to_be_invented_everywhere(page: Page, demo: Demo) -> None:
    log_in(page, demo, "en")
    for path in ("/", "/handset", "/admin/tallies", "/admin/messages"):
        page.goto(demo.address + path)
        expect(page.locator("body")).to_contain_text("invented")
