"""Long lists, a page at a time."""

from __future__ import annotations

from flask import abort, request


def page_of(total: int, size: int) -> tuple[int, int]:
    """The page of a list that is asked for, and the last one, from 1; a page that is not there is not found (404)."""
    number, pages = request.args.get("page", 1, type=int), max(1, -(-total // size))
    if not 1 <= number <= pages:
        abort(404)
    return number, pages
