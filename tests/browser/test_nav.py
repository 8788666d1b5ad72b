"""The way from page to page: groups that unfold and fold up again, with a mouse, with keys, and without scripts."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import WIDTHS, Demo
from tests.browser.test_axe import log_in


def unfolded(page: Page) -> list[str]:
    names: list[str] = page.locator(".top details[open] > summary").all_inner_texts()
    return names


@pytest.fixture
def wide(browser: Browser, demo: Demo) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    log_in(page, demo, "en")
    return page


def test_a_group_unfolds_and_folds_up_with_a_click_elsewhere_or_another_group(wide: Page) -> None:
    wide.click("summary:text('Messages')")
    expect(wide.locator(".wide a:text-is('Broadcasts')")).to_be_visible()
    wide.click("summary:text('Figures')")
    assert unfolded(wide) == ["Figures"]
    wide.click("h1")
    assert unfolded(wide) == []
    wide.context.close()


def test_keys_alone_lead_to_a_page_and_escape_folds_up(wide: Page) -> None:
    wide.focus(".wide summary >> nth=0")
    wide.keyboard.press("Enter")
    assert unfolded(wide) == ["Figures"]
    wide.keyboard.press("Tab")
    expect(wide.locator(".wide a:text-is('Tallies')")).to_be_focused()
    wide.keyboard.press("Escape")
    assert unfolded(wide) == []
    expect(wide.locator(".wide summary >> nth=0")).to_be_focused()
    wide.keyboard.press("Enter")
    for _ in range(12):  # past the last page of the group
        wide.keyboard.press("Tab")
    assert "Figures" not in unfolded(wide)
    wide.context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_without_scripts_every_page_is_a_click_away(browser: Browser, demo: Demo, width: str) -> None:
    size, high = WIDTHS[width]
    page = browser.new_context(viewport={"width": size, "height": high}, java_script_enabled=False).new_page()
    log_in(page, demo, "en")
    nav = ".menu" if width == "phone" else ".wide"
    page.click(".menu summary" if width == "phone" else ".wide summary:text('Messages')")
    page.click(f"{nav} a:text-is('Providers')")
    expect(page.locator("h1")).to_have_text("Providers")
    expect(page.locator(f"{nav} a[aria-current=page]")).to_have_text("Providers")
    page.context.close()
