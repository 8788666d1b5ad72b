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
_WORTH_IT = 600
"""Bytes from which on a page is compressed: below, it fits one packet in any case."""


def protect(app: Flask) -> None:
    """Sets the headers on every HTML answer of the application, and compresses it for who takes gzip.

    Compression beside a secret in the page (the form's token) is known as BREACH: it needs a page that repeats
    what a stranger sends in the reader's name. No page does, and cookies are SameSite=Lax.
    """

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        if response.mimetype == "text/html":
            response.headers.setdefault("Content-Security-Policy", POLICY)
            response.headers.setdefault("Referrer-Policy", "no-referrer")
            _compress(response)
        return response


def takes_gzip() -> bool:
    """Whether whoever asks takes gzip."""
    return request.accept_encodings["gzip"] > 0


def _compress(response: Response) -> None:
    if response.direct_passthrough or response.is_streamed or "Content-Encoding" in response.headers:
        return
    response.vary.add("Accept-Encoding")
    if takes_gzip() and len(response.data) >= _WORTH_IT:
        response.data = gzip.compress(response.data, 6, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
