"""Files that are brought to the panel: what is too large or of the wrong kind is refused, and nothing of it is kept."""

# ruff: noqa: F811 -- fixtures are asked for by their names

from __future__ import annotations

import io

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from admin import panel as frame
from gateway.models.uploads import uploads
from tests.conftest import Installation
from tests.test_panel import Browser, _quick_passwords, add, app, browser, on_one_database, text  # noqa: F401

MB = 1024 * 1024


@pytest.fixture
def dara(app: Flask, installation: Installation) -> Browser:
    """An admin, reading English."""
    add(installation, "Dara", "admin")
    browser = Browser(app.test_client())
    assert browser.log_in("Dara", page="/admin/login?lang=en").status_code == 302
    return browser


def pages(app: Flask) -> dict[str, str]:
    """The pages to which files are brought, by their endpoints."""
    return {
        rule.endpoint: rule.rule for rule in app.url_map.iter_rules()
        if rule.endpoint.endswith("_brought") and "POST" in (rule.methods or ())
    }  # fmt: skip


def bring(browser: Browser, path: str, content: bytes, name: str = "list.csv") -> TestResponse:
    fields = {"file": (io.BytesIO(content), name), "consent": "", "group": ""}
    return browser.send(path, **fields)  # type: ignore[arg-type]


def kept(at: Installation) -> int:
    with at.store.read() as db:
        return db.scalar(select(func.count()).select_from(uploads)) or 0


@on_one_database
def test_every_page_for_files_says_how_large_one_may_be(app: Flask) -> None:
    assert set(pages(app)) == set(frame.LARGEST)
    assert len(pages(app)) >= 3


@on_one_database
def test_fifty_megabytes_are_refused_with_a_page_that_leads_back(
    app: Flask, dara: Browser, installation: Installation
) -> None:
    for endpoint, path in pages(app).items():
        answer = bring(dara, path, b"number\n" + b"010000001\n" * (5 * MB))
        assert answer.status_code == 413, endpoint
        assert "This is too large" in text(answer)
        assert "Nothing was taken in." in text(answer)
        assert f'href="{path}"' in answer.text, endpoint
    assert kept(installation) == 0


@on_one_database
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40),
        ("list.xlsx", b"PK\x03\x04" + b"\0" * 400),
        ("list.pdf", b"%PDF-1.7\n" + bytes(range(128, 256)) * 10),
        ("list.csv", b""),
        ("list.csv", b"\0" * 1000),
        ("list.csv", b"a;b;c\n1;2;3\n"),
    ],
    ids=["picture", "workbook", "pdf", "empty", "zeros", "other columns"],
)
def test_a_file_of_the_wrong_kind_is_refused_and_not_kept(
    app: Flask, dara: Browser, installation: Installation, name: str, content: bytes
) -> None:
    for endpoint, path in pages(app).items():
        answer = bring(dara, path, content, name)
        assert answer.status_code == 422, endpoint
        assert 'type="file"' in answer.text, endpoint
    assert kept(installation) == 0


@on_one_database
def test_no_other_form_takes_much(app: Flask, dara: Browser, installation: Installation) -> None:
    answer = dara.send("/admin/contacts/groups", name="x" * 2 * MB)
    assert (answer.status_code, "This is too large" in text(answer)) == (413, True)
