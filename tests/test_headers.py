"""What goes out with public pages and files: compressed for who takes it, and not sent twice."""

from __future__ import annotations

import gzip
import re

import pytest
from flask.testing import FlaskClient

from gateway import create_app
from tests.conftest import Installation

PACKED = {"Accept-Encoding": "gzip"}
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def client(installation: Installation) -> FlaskClient:
    return create_app(installation.settings).test_client()


@on_one_database
@pytest.mark.parametrize(
    "path",
    ["/", "/handset", "/results/", "/results/010806/9", "/static/handset.css", "/static/handset-words.js",
     "/static/results.css", "/admin/login"],
)  # fmt: skip
def test_text_is_compressed_for_who_takes_that_and_is_the_same(client: FlaskClient, path: str) -> None:
    plain, packed = client.get(path), client.get(path, headers=PACKED)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert {plain.headers["Vary"], packed.headers["Vary"]} <= {"Accept-Encoding", "Accept-Encoding, Cookie"}
    unpacked = gzip.decompress(packed.data)
    token = re.compile(rb'value="[^"]{80,}"')  # a form's is another each time
    assert token.sub(b"", unpacked) == token.sub(b"", plain.data)
    assert len(packed.data) < len(plain.data) * 0.7
    assert int(packed.headers["Content-Length"]) == len(packed.data)


@on_one_database
def test_what_is_small_empty_or_asked_for_by_its_head_goes_as_it_is(client: FlaskClient) -> None:
    for path, method in (("/healthz", "GET"), ("/static/mati.svg", "GET"), ("/static/handset.css", "HEAD")):
        answer = client.open(path, method=method, headers=PACKED)
        assert answer.status_code == 200
        assert "Content-Encoding" not in answer.headers


@on_one_database
@pytest.mark.parametrize("path", ["/static/handset.css", "/results/"])
def test_what_a_browser_has_is_not_sent_again(client: FlaskClient, path: str) -> None:
    for headers in (PACKED, {}):
        tag = client.get(path, headers=headers).headers["ETag"]
        again = client.get(path, headers=headers | {"If-None-Match": tag})
        assert (again.status_code, again.data) == (304, b"")


@on_one_database
def test_a_part_of_a_file_is_that_part(client: FlaskClient) -> None:
    part = client.get("/static/handset.css", headers=PACKED | {"Range": "bytes=0-9"})
    assert part.status_code == 206
    assert part.data == client.get("/static/handset.css").data[:10]


@on_one_database
def test_public_pages_weigh_little_at_the_first_visit(client: FlaskClient) -> None:
    for path in ("/", "/handset", "/results/"):
        page = client.get(path, headers=PACKED)
        text = gzip.decompress(page.data).decode()
        files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', text))
        if path == "/handset":  # its modules load one another
            names = re.findall(r'from "\./([^"]+)"', client.get("/static/handset.js").text)
            files |= {f"/static/{name}" for name in names}
        weight = len(page.data) + sum(len(client.get(one, headers=PACKED).data) for one in files)
        assert weight < 40_000, path
        print(path, weight)
