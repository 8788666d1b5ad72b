"""The report in Chromium: at phone and desktop width, and on paper."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Demo

TITLES = {"km": "របាយការណ៍វាយតម្លៃរបស់ពលរដ្ឋ", "en": "Citizens' Rating Report"}


@pytest.mark.parametrize("language", TITLES)
def test_staff_find_the_report_and_it_fits_the_width_and_the_paper(page: Page, demo: Demo, language: str) -> None:
    page.goto(f"{demo.address}/admin/login?lang={language}")
    page.fill("input[name=name]", "demo")
    page.fill("input[name=password]", demo.password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/admin/")
    page.goto(f"{demo.address}/admin/rounds/2")
    page.get_by_role("link", name=TITLES[language]).click()
    expect(page.locator("h1")).to_have_text(TITLES[language])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator('a[href*="report.html"]').click()
    expect(page.locator(".kind")).to_have_text(TITLES[language])
    expect(page.locator("section.service")).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.sentence')).fontWeight") == "600"
    )  # its style is let in
    pages = re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))
    assert 3 <= len(pages) <= 5
