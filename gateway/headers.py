"""What goes out with every page: headers that narrow what a browser may do with it, and less weight.

Pages have no inline script or style, so the policy needs no exception but Bootstrap's own small pictures (data:).
"""

from __future__ import annotations

import gzip

from flask import Flask, Response, request

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_TEXT = frozenset({"text/html", "text/css", "text/javascript", "text/csv", "application/json", "image/svg+xml"})
_WORTH_IT = 600
"""Bytes from which on a page is compressed: below, it fits one packet in any case."""
_NO_WHOLE = (204, 206, 304)
"""Nothing, a part, or what the browser has already."""
_MOST = 8 * 1024 * 1024
"""What is larger goes out as it comes."""


def protect(app: Flask) -> None:
    """Sets the headers on every HTML answer, and compresses what is text for who takes gzip, files among it.

    Compression beside a secret in the page (the form's token) is known as BREACH: it needs a page that repeats
    what a stranger sends in the reader's name. No page does, and cookies are SameSite=Lax.
    """

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        if response.mimetype == "text/html":
            response.headers.setdefault("Content-Security-Policy", POLICY)
            response.headers.setdefault("Referrer-Policy", "no-referrer")
        if response.mimetype in _TEXT:
            _compress(response)
        return response


def takes_gzip() -> bool:
    """Whether whoever asks takes gzip."""
    return request.accept_encodings["gzip"] > 0


def _compress(response: Response) -> None:
    if "Content-Encoding" in response.headers or response.status_code in _NO_WHOLE or request.method == "HEAD":
        return
    response.vary.add("Accept-Encoding")
    length = response.content_length
    if not takes_gzip() or length is None or not _WORTH_IT <= length <= _MOST:
        return
    response.direct_passthrough = False  # a file of ours is small enough to be read
    response.data = gzip.compress(response.data, 6, mtime=0)
    response.headers["Content-Encoding"] = "gzip"
    if tag := response.get_etag()[0]:
        response.set_etag(tag, weak=True)  # compressed or not
