"""Messages as Twilio shows them when they are fetched or listed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from email.utils import formatdate
from itertools import islice
from urllib.parse import urlencode

from gateway.stub.provider import Taken, parts
from gateway.stub.wire import Request

USUAL_PAGE, LONGEST_PAGE = 50, 1000


def record(account: str, taken: Taken, status: str, code: str) -> dict[str, object]:
    """A message, with the status it has now and the code of its failure."""
    service, at = taken.sms.more["service"], _rfc2822(int(taken.at))
    uri = f"/2010-04-01/Accounts/{account}/Messages/{taken.id}"
    return {
        "account_sid": account,
        "api_version": "2010-04-01",
        "body": taken.sms.text,
        "date_created": at,
        "date_sent": None if status in ("queued", "accepted") else at,
        "date_updated": at,
        "direction": "outbound-api",
        "error_code": int(code) if code.isdigit() else code or None,
        "error_message": None,
        "from": taken.sms.sender or None,
        "messaging_service_sid": service or None,
        "num_media": "0",
        "num_segments": str(parts(taken.sms.text)),
        "price": None,
        "price_unit": "USD",
        "sid": taken.id,
        "status": status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": taken.sms.number,
        "uri": f"{uri}.json",
    }


def page(request: Request, listed: Iterator[Taken], show: Callable[[Taken], dict[str, object]]) -> dict[str, object]:
    """A page of a list, newest first; the next one begins after its last message, whatever came meanwhile."""
    fields = request.fields
    given, before = fields.get("PageSize", ""), fields.get("PageToken", "").removeprefix("PA")
    size = max(1, min(int(given), LONGEST_PAGE)) if given.isdecimal() else USUAL_PAGE
    older = (taken for taken in listed if not before.isdecimal() or taken.n < int(before))
    found = list(islice(older, size + 1))
    following = None
    if len(found) > size:
        query = {**fields, "PageSize": str(size), "PageToken": f"PA{found[size - 1].n}"}
        following = f"{request.path}?{urlencode(query)}"
    return {
        "messages": [show(taken) for taken in found[:size]],
        "uri": f"{request.path}?{request.query}".rstrip("?"),
        "page": 0,
        "page_size": size,
        "start": 0,
        "end": max(0, min(len(found), size) - 1),
        "first_page_uri": f"{request.path}?PageSize={size}&Page=0",
        "next_page_uri": following,
        "previous_page_uri": None,
    }


@functools.lru_cache(maxsize=4)
def _rfc2822(second: int) -> str:
    return formatdate(second).replace("-0000", "+0000")
