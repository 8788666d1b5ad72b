"""The panel's style sheets and scripts: read and compressed once a process, named by their content, kept for a year."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from flask import Response, request

from admin import leaner
from gateway.headers import takes_gzip

YEAR = 365 * 24 * 60 * 60
TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True)
class Asset:
    """A file as it goes out. `name` changes with the content, so that it may be kept for ever."""

    name: str
    plain: bytes
    zipped: bytes

    def answer(self) -> Response:
        """The file, compressed for who takes that; 304 for who has it."""
        zipped = takes_gzip()
        kind = TYPES[self.name.rpartition(".")[2]]
        response = Response(self.zipped if zipped else self.plain, content_type=kind)
        if zipped:
            response.headers["Content-Encoding"] = "gzip"
        response.vary.add("Accept-Encoding")
        response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
        response.set_etag(self.name + ("-gz" if zipped else ""))
        response.make_conditional(request)
        return response


def load() -> Mapping[str, Asset]:
    """The files by their bare names: of Bootstrap's style sheet (of Bootstrap-Flask) what pages use; our own."""
    bootstrap = resources.files("flask_bootstrap") / "static/bootstrap5/css/bootstrap.min.css"
    style = leaner.of(bootstrap.read_text(), leaner.words(Path(__file__).parent))
    own = [path for path in (Path(__file__).parent / "static").iterdir() if path.suffix[1:] in TYPES]
    ours = {path.name: path.read_bytes() for path in own}
    lean = {name: _lean(content) if name.endswith(".css") else content for name, content in ours.items()}
    return {name: _asset(name, content) for name, content in ({bootstrap.name: style.encode()} | lean).items()}


def _lean(content: bytes) -> bytes:
    """A style sheet of ours without the comments and the spaces that are for who writes it: half a kilobyte less."""
    return re.sub(rb"\s*([{};,])\s*", rb"\1", re.sub(rb"/\*.*?\*/", b"", content, flags=re.DOTALL))


def _asset(name: str, content: bytes) -> Asset:
    stem, _, ending = name.rpartition(".")
    mark = hashlib.sha256(content).hexdigest()[:12]
    return Asset(f"{stem}.{mark}.{ending}", content, gzip.compress(content, 9, mtime=0))
