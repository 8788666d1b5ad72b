"""Kannel's smsbox, played: what version 1.4.5 of Debian answers and calls, word by word. Source: WIRE.md, Kannel."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import parse_qs, parse_qsl, quote_plus, urlencode, urlsplit
from uuid import uuid4

from gateway.stub.hooks import Callback
from gateway.stub.provider import SERVICE, UNDELIVERED, Played, Sms, Taken, code_of
from gateway.stub.wire import Answer, Request
from gateway.text import is_gsm7

PATH = "/cgi-bin/sendsms"
ANSWERS: dict[str, tuple[int, str]] = {
    "0": (202, "0: Accepted for delivery"),
    "3": (202, "3: Queued for later delivery"),
    "400": (400, "Number(s) has/have been denied by white- and/or black-lists."),
    "403": (403, "Not routable. Rejected"),
    "503": (503, "Temporal failure, try again later."),
}
"""What is said of a message, by its code."""
HEADERS = {"Server": "Kannel/1.4.5", "Pragma": "no-cache", "Cache-Control": "no-cache"}


class Dlr(NamedTuple):
    """One delivery report: its bit, and what the operator's centre wrote."""

    bit: int
    said: str


TAKEN = Dlr(8, "ACK/")
DELIVERED = Dlr(1, "id:{id} sub:001 dlvrd:001 submit date:{at} done date:{at} stat:DELIVRD err:000 text:")
FAILED = Dlr(2, "id:{id} sub:001 dlvrd:000 submit date:{at} done date:{at} stat:UNDELIV err:001 text:")
FATES: dict[str, tuple[Dlr, ...]] = {
    "": (TAKEN, DELIVERED),
    UNDELIVERED: (TAKEN, FAILED),
    "3": (Dlr(4, "queued"), TAKEN, DELIVERED),
    "16": (Dlr(16, "NACK/0x0000000b/Invalid Destination Address"),),
    "34": (TAKEN, Dlr(34, "id:{id} sub:001 dlvrd:000 submit date:{at} done date:{at} stat:EXPIRED err:000 text:")),
    "66": (TAKEN, Dlr(66, "id:{id} sub:001 dlvrd:000 submit date:{at} done date:{at} stat:UNKNOWN err:000 text:")),
}
"""The reports of a message, by the code that its number asks for."""
CODES = {code: code for code in FATES if code}


class Kannel(Played):
    """A GET a message; reports to the address that came with it, with values put in."""

    settings = "KANNEL_SEND_URL={url}" + PATH
    failing = "503"
    fates = CODES
    repeats = 5

    def read(self, request: Request) -> Sequence[Sms] | Answer:
        """The receivers of a message, in the order in which Kannel looks at the fields."""
        if request.path != PATH:
            return _said(404, "Unknown request.")
        if request.method != "GET":
            return _said(400, "Invalid content-type")
        fields = dict(parse_qsl(request.query, keep_blank_values=True, encoding="latin-1"))
        known = fields.get("username") and fields.get("password")
        if not known or (self.setup.secret and fields["password"] != self.setup.secret):
            return _said(403, "Authorization failed for sendsms")
        if "to" not in fields:
            return _said(400, "Missing receiver number, rejected")
        numbers = fields["to"].split()
        if not numbers:
            return _said(400, "Empty receiver number not allowed, rejected")
        if not fields.get("from"):
            return _said(400, "Sender missing and no global set, rejected")
        if fields.get("coding", "0") not in ("0", "1", "2"):
            return _said(400, "Coding field misformed, rejected")
        url = fields.get("dlr-url", "")
        more = {"url": url, "mask": fields.get("dlr-mask", "0")}
        ours = parse_qs(urlsplit(url).query).get("m", [""])[0]
        return [Sms(number, _text(fields), fields["from"], ours, more) for number in numbers]

    def refusal(self, sms: Sms) -> str:
        """For signs that no number has, or by its code."""
        code = code_of(sms.number)
        return "400" if re.search(r"[^0-9+-]", sms.number) else code if code in ("403", "503") else ""

    def new_id(self, sms: Sms) -> str:
        """A UUID; the gateway sees it in reports alone."""
        return str(uuid4())

    def said(self, request: Request, wanted: Sequence[Sms], results: Sequence[Taken | str]) -> Answer:
        """One word for all receivers: it is refused when all of them are."""
        codes = [("3" if result.code == "3" else "0") if isinstance(result, Taken) else result for result in results]
        return _said(*ANSWERS[min(codes)])

    def throttled(self, request: Request) -> Answer:
        """As when its queue is full."""
        return _said(*ANSWERS["503"])

    def receipts(self, taken: Taken) -> list[Callback]:
        """Those that the mask asks for."""
        mask = int(taken.sms.more["mask"]) if taken.sms.more["mask"].isdigit() else 0
        if not taken.sms.more["url"]:
            return []
        return [self._report(taken, dlr) for dlr in FATES[taken.code] if dlr.bit & mask]

    def sms(self, sender: str, text: str) -> Callback:
        """With the fields that the configuration in docs/kannel writes into the address."""
        gsm = is_gsm7(text)
        fields: dict[str, str | bytes] = {
            "id": str(uuid4()),
            "from": sender,
            "to": SERVICE,
            "text": text if gsm else text.encode("utf-16-be"),
            "coding": "0" if gsm else "2",
            "charset": "UTF-8" if gsm else "UTF-16BE",
            "time": str(int(time.time())),
            "smsc": "STUB",
        }
        return Callback(f"/hooks/kannel/{self.setup.token}/sms?{urlencode(fields)}", method="GET")

    def _report(self, taken: Taken, dlr: Dlr) -> Callback:
        now = time.gmtime()
        values = {
            "%": "%",
            "d": str(dlr.bit),
            "A": quote_plus(dlr.said.format(id=taken.n, at=time.strftime("%y%m%d%H%M", now))),
            "i": "STUB",
            "I": str(uuid4()),
            "p": quote_plus(taken.sms.number),
            "P": quote_plus(taken.sms.sender),
            "T": str(int(time.time())),
            "t": quote_plus(time.strftime("%Y-%m-%d %H:%M:%S", now)),
        }
        url = re.sub("%(.)", lambda found: values.get(found[1], found[0]), taken.sms.more["url"])
        parsed = urlsplit(url)
        return Callback(f"{parsed.path}?{parsed.query}".rstrip("?"), method="GET", url=url)


def _text(fields: dict[str, str]) -> str:
    """The text of a message, whose bytes have the alphabet that `charset` or `coding` says."""
    charset = fields.get("charset") or ("UTF-16BE" if fields.get("coding") == "2" else "UTF-8")
    try:
        return fields.get("text", "").encode("latin-1").decode(charset, "replace")
    except LookupError:
        return fields.get("text", "")


def _said(status: int, text: str) -> Answer:
    return Answer(status, text.encode(), "text/html", HEADERS)
