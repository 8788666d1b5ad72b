"""axe on every page of the panel: in both languages, narrow and wide, light and dark, nothing serious is found.

Pages are found by their links, one of a kind. Each is loaded once a language; the width and the colours change on it.
Beside axe: whatever is pressed is 44 pixels high, and no page scrolls sideways.
"""

from __future__ import annotations

from collections import Counter
from importlib import resources
from urllib.parse import urldefrag, urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, ViewportSize

from gateway import config, create_app
from tests.browser.conftest import WIDTHS, Demo

AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text()
RUN = """() => axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})
  .then(found => found.violations.filter(one => ['serious', 'critical'].includes(one.impact))
    .map(one => one.id + ': ' + one.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' | ')))"""
CONTRAST = """() => axe.run(document, {resultTypes: ['violations'], runOnly: ['color-contrast']})
  .then(found => found.violations.map(one => one.id + ': '
    + one.nodes.slice(0, 3).map(node => node.html.slice(0, 160) + ' ' + node.any[0]?.message).join(' | ')))"""
SMALL = """() => [...document.querySelectorAll('button, select, input, .top a, summary, .tabs a, .btn')]
  .filter(one => one.getClientRects().length && one.type !== 'hidden' && !one.closest('.visually-hidden'))
  .filter(one => (one.closest('label') ?? one).getBoundingClientRect().height < 43.5)
  .slice(0, 3).map(one => one.outerHTML.slice(0, 160) + ' ' + one.getBoundingClientRect().height)"""
SIDEWAYS = "() => document.documentElement.scrollWidth > innerWidth"
FILES = {"admin.rounds_report_file"}
SIZES: dict[str, ViewportSize] = {name: {"width": wide, "height": high} for name, (wide, high) in WIDTHS.items()}


@pytest.fixture(scope="module")
def app(demo: Demo) -> Flask:
    """The same application, to know which addresses are of one kind."""
    return create_app(config.load(data_dir=demo.folder, database_url="", redis_url=""))


def log_in(page: Page, demo: Demo, language: str) -> None:
    page.goto(f"{demo.address}/admin/login?lang={language}")
    page.fill("input[name=name]", "demo")
    page.fill("input[name=password]", demo.password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/admin/")


def kinds(app: Flask, page: Page, demo: Demo) -> list[str]:
    """An address of each kind of page, by the links from page to page."""
    rules, seen, found = app.url_map.bind("localhost"), set[str](), dict[str, str]()
    ahead = ["/admin/"]
    tries = Counter[str]()
    while ahead:
        path = ahead.pop(0)
        kind = str(rules.match(urlsplit(path).path)[0])
        if path in seen or kind in found or kind in FILES or tries[kind] > 2:
            continue
        seen.add(path)
        tries[kind] += 1
        answer = page.request.get(demo.address + path, max_redirects=0)
        if answer.status != 200 or "text/html" not in answer.headers["content-type"]:
            continue
        found[kind] = path
        page.set_content(answer.text())
        links = page.eval_on_selector_all("a[href^='/admin/']", "all => all.map(one => one.getAttribute('href'))")
        ahead += [urldefrag(link).url for link in links if "/static/" not in link]
    return list(found.values())


def test_axe_finds_nothing_serious_on_any_page(browser: Browser, demo: Demo, app: Flask) -> None:
    # no colour may be on its way to another when it is looked at
    context = browser.new_context(viewport=SIZES["desktop"], reduced_motion="reduce", bypass_csp=True)
    page = context.new_page()
    problems: list[tuple[str, ...]] = []

    def look(*where: str) -> None:
        problems.extend((*where, found) for found in page.evaluate(SMALL))
        if page.evaluate(SIDEWAYS):
            problems.append((*where, "scrolls sideways"))

    page.goto(f"{demo.address}/admin/login?lang=en")
    page.evaluate(AXE)
    problems += [("login", found) for found in page.evaluate(RUN)]
    log_in(page, demo, "en")
    paths = kinds(app, page, demo)
    assert len(paths) > 40
    for language, width, other in (("en", "desktop", "phone"), ("km", "phone", "desktop")):
        page.goto(f"{demo.address}/admin/")
        if page.evaluate("document.documentElement.lang") != language:
            page.click(f"button[name=lang][value={language}]")
        for path in paths:
            page.emulate_media(color_scheme="light")
            page.set_viewport_size(SIZES[width])
            page.goto(demo.address + path)
            page.evaluate(AXE)
            problems += [(language, path, found) for found in page.evaluate(RUN)]
            look(language, width, path)
            page.set_viewport_size(SIZES[other])
            look(language, other, path)
            page.emulate_media(color_scheme="dark")
            problems += [(language, "dark", path, found) for found in page.evaluate(CONTRAST)]
    context.close()
    assert not problems, "\n".join(" ".join(found) for found in problems)
