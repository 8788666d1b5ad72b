"""Every page of the panel, as the demonstration has it: what it weighs, and what each must have (issue 8, Looks)."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from importlib import resources
from urllib.parse import urldefrag, urljoin

import pytest
from flask import Flask

from admin import assets, leaner
from gateway import config, create_app, demo, schema
from gateway.models.store import Store
from tests.test_panel import Browser

PACKED = {"headers": {"Accept-Encoding": "gzip"}}
MOST_BYTES = 40_000
EACH = 4
"""So many pages of a kind are looked at."""
FILES = {"admin.rounds_report_file"}
"""To be taken away: it has all in itself."""
BOOTSTRAP = (resources.files("flask_bootstrap") / "static/bootstrap5/css/bootstrap.min.css").read_text()


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, path: str, packed: bytes) -> None:
        super().__init__()
        self.path, self.packed = path, packed
        self.text = gzip.decompress(packed).decode()
        self.tags = Counter[str]()
        self.links: list[str] = []
        self.assets: list[str] = []
        self.classes = set[str]()
        self.language: str | None = None
        self.unnamed: list[str] = []
        self._fields: list[tuple[str, str]] = []
        self._labelled, self._within = set[str](), 0
        self.feed(self.text)
        self.unnamed += [line for name, line in self._fields if name not in self._labelled]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        self.tags[tag] += 1
        self.classes |= set(has.get("class", "").split())
        if tag == "html":
            self.language = has.get("lang")
        if tag == "a" and "href" in has:
            self.links.append(has["href"])
        if (tag == "link" and has.get("rel") == "stylesheet") or tag == "script":
            self.assets.append(has.get("href", has.get("src", "")))
        if tag == "label":
            self._within += 1
            self._labelled.add(has.get("for", ""))
        named_itself = self._within or {"aria-label", "aria-labelledby"} & set(has)
        unseen = has.get("type") in ("hidden", "submit") or "hidden" in has
        if tag in ("input", "select", "textarea") and not (named_itself or unseen):
            self._fields.append((has.get("id", "no id"), self.get_starttag_text() or tag))

    def handle_endtag(self, tag: str) -> None:
        self._within -= tag == "label"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    folder = tmp_path_factory.mktemp("demo")
    settings = config.load(data_dir=folder, database_url="", second_factor=False)
    store = Store(settings.database)
    schema.initialise(settings, store, datetime.now(UTC))
    demo.prepare(settings, store)
    store.close()
    app = create_app(settings)
    app.config["DEMO"] = demo._handed(settings).password
    return app


def walk(app: Flask, browser: Browser) -> Iterator[Page]:
    """From page to page by their links, at most so many of a kind."""
    rules, seen, kinds = app.url_map.bind("localhost"), set[str](), Counter[str]()
    ahead = ["/admin/"]
    while ahead:
        path = urldefrag(ahead.pop(0)).url
        if path in seen or not path.startswith("/admin/"):
            continue
        seen.add(path)
        kind = str(rules.match(path.partition("?")[0])[0])
        kinds[kind] += 1
        if kinds[kind] > EACH or kind in FILES:
            continue
        answer = browser.get(path, **PACKED)
        if answer.mimetype != "text/html" or answer.status_code == 302:
            continue
        assert answer.status_code == 200, path
        page = Page(path, answer.data)
        yield page
        ahead += [urljoin(path, link) for link in page.links if "logout" not in link]


@pytest.fixture(scope="module", params=["en", "km"])
def pages(request: pytest.FixtureRequest, app: Flask) -> list[Page]:
    browser = Browser(app.test_client())
    answer = browser.log_in(demo.LOGIN, app.config["DEMO"], page=f"/admin/login?lang={request.param}")
    assert answer.status_code == 302
    found = list(walk(app, browser))
    assert {page.language for page in found} == {request.param}
    return found


def test_the_walk_comes_to_every_page_that_is_not_asked_for_by_a_form(app: Flask, pages: list[Page]) -> None:
    rules = app.url_map.bind("localhost")
    came_to = {rules.match(page.path.partition("?")[0])[0] for page in pages}
    assert {
        "admin.home", "admin.tallies", "admin.rounds", "admin.rounds_one", "admin.weekly", "admin.forums",
        "admin.forums_one", "admin.broadcasts", "admin.broadcasts_one", "admin.polls", "admin.messages",
        "admin.contacts", "admin.contacts_one", "admin.providers", "admin.places", "admin.places_one", "admin.logins",
    } <= came_to  # fmt: skip
    assert len(came_to) > 40


def test_a_page_weighs_less_than_40_kb_also_at_the_first_visit(app: Flask, pages: list[Page]) -> None:
    client = app.test_client()
    files = {name: len(client.get(name, **PACKED).data) for page in pages for name in page.assets}
    heavy = {page.path: len(page.packed) for page in pages if len(page.packed) >= MOST_BYTES}
    assert not heavy
    first = {page.path: len(page.packed) + sum(files[name] for name in page.assets) for page in pages}
    assert {path: size for path, size in first.items() if size >= MOST_BYTES} == {}
    print(max((len(page.packed), page.path) for page in pages), max((size, path) for path, size in first.items()))


def test_a_page_loads_nothing_but_our_own_files_and_has_nothing_inline(pages: list[Page]) -> None:
    known = {f"/admin/static/{asset.name}" for asset in assets.load().values()}
    for page in pages:
        assert set(page.assets) <= known, page.path
        assert not re.search(r"<style|<script(?![^>]* src=)|\sstyle=|\son[a-z]+=|<img|<iframe", page.text), page.path


def test_a_page_has_one_heading_its_language_and_a_name_for_each_field(pages: list[Page]) -> None:
    for page in pages:
        assert page.tags["h1"] == 1, page.path
        assert page.tags["main"] == 1, page.path
        assert page.tags["title"] == 1, page.path
        assert not page.unnamed, page.path


def test_what_pages_use_of_bootstrap_is_not_left_out(pages: list[Page]) -> None:
    kept = assets.load()["bootstrap.min.css"].plain.decode()
    for name in {name for page in pages for name in page.classes}:
        mentioned = re.compile(rf"\.{re.escape(name)}(?![\w-])")
        assert bool(mentioned.search(kept)) == bool(mentioned.search(BOOTSTRAP)), name


def test_of_bootstrap_only_what_the_words_name_is_left_with_its_licence() -> None:
    style = (
        '@charset "UTF-8";/*! Bootstrap, MIT */:root,[data-bs-theme=light]{--a:1}[data-bs-theme=dark]{--a:2}'
        "a:not(.gone){color:red}.btn,.card{b:1}.btn-outline-danger{c:1}.card:hover{d:1}"
        "@media (min-width:1px){.card{e:1}.btn{f:1}}@media print{.card{g:1}}@keyframes turn{0%{h:1}to{h:2}}"
    )
    assert leaner.of(style, {"btn", "btn-", "outline-danger"}) == (
        '@charset "UTF-8";/*! Bootstrap, MIT */:root{--a:1}a:not(.gone){color:red}.btn{b:1}.btn-outline-danger{c:1}'
        "@media (min-width:1px){.btn{f:1}}"
    )
