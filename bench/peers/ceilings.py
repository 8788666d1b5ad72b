"""What no gateway on these servers can be faster than: a request answered without doing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response

BODY = b"CON Service:\n1 Commune office\n2 Health centre\n3 Primary school\n4 One-window office\n8 Menu\n0 Leave"
flask_app = Flask(__name__)


@flask_app.post("/ussd")
def ussd() -> Response:
    """Always the same screen."""
    return Response(BODY, content_type="text/plain")


def bare(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The same without Flask."""
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))])
    return [BODY]
