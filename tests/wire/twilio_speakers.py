"""What Twilio and Somleng have in common: how the tests sign, and the cases that hold for both."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from twilio.request_validator import RequestValidator

from gateway.config import Settings
from gateway.providers.base import (
    LONGEST_SMS,
    Accepted,
    Delivery,
    Event,
    InboundSms,
    Outcome,
    Outgoing,
    Reason,
    Receipt,
    Refused,
    Unknown,
)
from gateway.providers.one_by_one import THREADS
from gateway.providers.somleng import Somleng, SomlengSender
from gateway.providers.twilio import Twilio
from gateway.providers.twilio_send import TwilioSender
from gateway.providers.wire import Answer, Wire
from tests.wire.harness import In, Out, send_out
from tests.wire.server import Got, Reply

TOKEN = "5d41402abc4b2a76b9719d911017c592"
PUBLIC = "https://mati.example.org"
ONE, TWO = "+85510000001", "+85512000002"
FROM = "+85512345678"
KHMER = "១ ២ ៥ អរគុណ"
LONG_KHMER = "សូមអរគុណ! យើងបានទទួលការវាយតម្លៃរបស់អ្នកហើយ ១–៥\nភូមិ «តាភូ» & 100% + ៛"
OURS = "0123456789abcdef" * 2
SECONDS = 0.6
TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
CANNOT_BE_REACHED = "http://127.0.0.1:1"
HTML = "<html><h1>Welcome to the hotel's network</h1>"


@dataclass(frozen=True)
class Service:
    """One of the two, with what it is told and what it says."""

    provider: type[Twilio]
    sender: type[TwilioSender]
    account: str
    sid: str
    api_errors: int
    """The HTTP status of an answer with an error code."""

    @property
    def name(self) -> str:
        return self.provider.name

    @property
    def secrets(self) -> list[str]:
        return [TOKEN, self.account, ONE, ONE[1:], TWO[1:]]

    @property
    def messages_path(self) -> str:
        return f"/2010-04-01/Accounts/{self.account}/Messages.json"

    def settings(self, changes: Mapping[str, Any]) -> Settings:
        """Set up to take in and to send; names in `changes` that are not of all providers are its own."""
        mine = {"account_sid": self.account, "auth_token": TOKEN, "from": FROM, "messaging_service_sid": ""}
        given: dict[str, Any] = {"public_url": PUBLIC} | {f"{self.name}_{name}": value for name, value in mine.items()}
        of_all = Settings.model_fields
        given |= {name if name in of_all else f"{self.name}_{name}": value for name, value in changes.items()}
        return Settings.model_construct(**given)

    # what it posts ----------------------------------------------------------------------------------

    def sms(self, **change: str | None) -> dict[str, str]:
        """The form of an inbound SMS; fields that are None are left out."""
        form = {
            "MessageSid": self.sid, "AccountSid": self.account, "From": ONE, "To": FROM, "Body": "1 2 5",
            "NumMedia": "0", "ApiVersion": "2010-04-01",
        }  # fmt: skip
        return {name: value for name, value in (form | change).items() if value is not None}

    def status(self, status: str | None, **change: str | None) -> dict[str, str]:
        """The form of a status callback."""
        form = {
            "MessageSid": self.sid, "AccountSid": self.account, "From": FROM, "To": ONE, "MessageStatus": status,
            "ApiVersion": "2010-04-01",
        }  # fmt: skip
        return {name: value for name, value in (form | change).items() if value is not None}

    def sms_case(self, label: str, text: str | None, number: str | None = ONE, **change: str | None) -> In:
        """An SMS that is taken in."""
        event = InboundSms(self.name, self.sid, number, text or "")
        return self.signed(label, "sms", self.sms(**({"Body": text} | change)), (event,))

    def receipt_case(
        self,
        label: str,
        form: Mapping[str, str],
        status: Delivery | None,
        said: str,
        reason: Reason | None = None,
        *,
        query: str = f"?m={OURS}",
        ours: str | None = OURS,
    ) -> In:
        """A status that is taken in."""
        event = Receipt(self.name, self.sid, status, said, reason, ours)
        return self.signed(label, f"receipt{query}", form, (event,))

    def signed(self, label: str, hook: str, form: Mapping[str, str], events: tuple[Event, ...], **more: Any) -> In:
        """A genuine request."""
        given = {"sign": official(), "answer": TWIML if more.get("status", 200) == 200 else None} | more
        return In(label, f"/hooks/{self.name}/{hook}", urlencode(form), events=events, **given)

    # what is sent to it ---------------------------------------------------------------------------

    def send_case(self, case: Out) -> None:
        """Sends; no outcome may repeat a secret or a number either, for it goes to the log."""
        said: list[Outcome] = []
        service = self

        class Listened(self.sender):  # type: ignore[misc, name-defined]
            def send(self, batch: Sequence[Outgoing], seconds: float) -> list[Outcome]:
                said.extend(super().send(batch, seconds))
                return said

        def make(url: str) -> TwilioSender:
            return Listened(service.settings({"base_url": url} | dict(case.settings)))

        send_out(case, make, self.secrets)
        assert not any(secret in repr(said) for secret in self.secrets)

    def where_it_goes(self, patch: pytest.MonkeyPatch, settings: Mapping[str, Any]) -> list[tuple[str, str | None]]:
        """The addresses that a message is posted to, each with that of its callback."""
        asked = []

        def request(wire: Wire, method: str, url: str, seconds: float, **parts: Any) -> Answer:
            asked.append((url, parts["data"].get("StatusCallback")))
            assert parts["auth"] == (self.account, TOKEN)
            return Answer(201, json.dumps(self.record()).encode())

        patch.setattr(Wire, "request", request)
        sender = self.sender(self.settings(settings))
        assert sender.send([Outgoing(OURS, ONE, "Hello")], 5) == [Accepted(self.sid)]
        sender.close()
        return asked

    # what it answers --------------------------------------------------------------------------------

    def record(self, **change: Any) -> dict[str, Any]:
        """A message, as it tells of one."""
        return {
            "sid": self.sid, "account_sid": self.account, "to": ONE, "from": FROM, "body": "Hello", "status": "queued",
            "direction": "outbound-api", "error_code": None, "error_message": None, "num_segments": "1",
            "date_created": "Mon, 23 Nov 2026 05:00:00 +0000", "date_updated": "Mon, 23 Nov 2026 05:00:00 +0000",
            "date_sent": None, "price": None, "uri": f"{self.messages_path}/{self.sid}",
        } | change  # fmt: skip

    def created(self, **change: Any) -> Reply:
        """The answer to a message that it takes."""
        return Reply(201, json.dumps(self.record(**change)))

    def error(self, code: Any, status: int | None = None, message: str = f"Not {ONE} with {TOKEN}") -> Reply:
        """The answer to one that it does not take; its text quotes the number, as theirs do, and worse."""
        status = self.api_errors if status is None else status
        more = f"https://www.twilio.com/docs/errors/{code}"
        return Reply(status, json.dumps({"code": code, "message": message, "more_info": more, "status": status}))

    def error_case(self, code: Any, outcome: Outcome, status: int | None = None) -> Out:
        """An error code, and what we take it for."""
        return Out(f"error {code}", self.error(code, status), (outcome,))


TWILIO = Service(Twilio, TwilioSender, "AC" + "9a" * 16, "SM" + "1b" * 16, api_errors=400)
SOMLENG = Service(
    Somleng,
    SomlengSender,
    "2f8a3c5e-7b10-4d69-9e1f-a0b1c2d3e4f5",
    "6d1f0c2b-93ae-4a57-8c64-0f1e2d3c4b5a",
    api_errors=422,
)


def official(token: str = TOKEN, url: str = "", body: str = "") -> Callable[[In, Settings], dict[str, str]]:
    """Signs with the official SDK; an address and a body of another request where given."""

    def sign(case: In, settings: Settings) -> dict[str, str]:
        assert isinstance(case.body, str)
        return {"X-Twilio-Signature": signature(token, url or settings.address + case.path, body or case.body)}

    return sign


def signature(token: str, url: str, body: str) -> str:
    """The official SDK's."""
    form = dict(parse_qsl(body, keep_blank_values=True))
    return str(RequestValidator(token).compute_signature(url, form))


def common_in(of: Service) -> list[In]:
    """What both post, and what strangers do."""
    sms, path = of.sms(), f"/hooks/{of.name}/sms"
    queued, undone = of.status("queued"), of.status("failed")
    taken = (InboundSms(of.name, of.sid, ONE, "1 2 5"),)
    body = urlencode(sms)
    return [
        of.sms_case("an SMS", "1 2 5"),
        of.sms_case("in Khmer", KHMER),
        of.sms_case("long, in Khmer, with signs of the form in it", LONG_KHMER),
        of.sms_case("an emoji", "👍🏽"),
        of.sms_case("no text", ""),
        of.sms_case("no Body at all", None),
        of.sms_case("fields that nobody listed", "1 2 5", ReferralNumMedia="0", Brandnew="x", To="8550", Empty=""),
        of.sms_case("a number without +", "1 2 5", From="85510000001"),
        of.sms_case("a number with 00", "1 2 5", From="0085510000001"),
        of.sms_case("a number whose + became a space", "1 2 5", From=" 85510000001"),
        of.sms_case("a number with spaces", "1 2 5", From="+855 10 000 001"),
        of.sms_case("a national number", "1 2 5", From="010000001"),
        of.sms_case("from abroad", "1 2 5", "+66812345678", From="+66812345678"),
        of.sms_case("from a short code", "1 2 5", None, From="8550"),
        of.sms_case("from a name", "Win a phone!", None, From="SmartPromo"),
        of.sms_case("from another channel", "1 2 5", None, From=f"whatsapp:{ONE}"),
        of.sms_case("from nobody", "1 2 5", None, From=""),
        of.receipt_case("queued", queued, Delivery.ON_THE_WAY, "queued"),
        of.receipt_case("sent", of.status("sent"), Delivery.ON_THE_WAY, "sent"),
        of.receipt_case("delivered", of.status("delivered"), Delivery.DELIVERED, "delivered"),
        of.receipt_case("canceled", of.status("canceled"), Delivery.FAILED, "canceled"),
        of.receipt_case("a failure without a reason is asked for later", undone, Delivery.FAILED, "failed"),
        of.receipt_case("a status nobody listed", of.status("pondering"), None, "pondering"),
        of.receipt_case("a status of inbound messages", of.status("received"), None, "received"),
        of.receipt_case("a status in capitals", of.status("DELIVERED"), None, "DELIVERED"),
        of.receipt_case("no id of ours", queued, Delivery.ON_THE_WAY, "queued", query="", ours=None),
        of.receipt_case("an empty id", queued, Delivery.ON_THE_WAY, "queued", query="?m=", ours=None),
        of.receipt_case("an id that is too short", queued, Delivery.ON_THE_WAY, "queued", query="?m=abc", ours=None),
        of.receipt_case("an id of others", queued, Delivery.ON_THE_WAY, "queued", query=f"?m={OURS[1:]}Z", ours=None),
        of.receipt_case("another query", queued, Delivery.ON_THE_WAY, "queued", query="?x=1&y", ours=None),
        of.receipt_case("more in the query", queued, Delivery.ON_THE_WAY, "queued", query=f"?m={OURS}&x=%20"),
        # who calls
        In("no signature", path, body, 403),
        In("an empty signature", path, body, 403, headers={"X-Twilio-Signature": ""}),
        In("no Base64", path, body, 403, headers={"X-Twilio-Signature": "ñ" * 28}),
        of.signed("another account's signature", "sms", sms, (), status=403, sign=official("0" * 32)),
        of.signed("made without a token", "sms", sms, (), status=403, sign=official("")),
        of.signed("of another body", "sms", sms, (), status=403, sign=official(body="Body=1")),
        of.signed("of another hook", "receipt", queued, (), status=403, sign=official(url=PUBLIC + path)),
        of.signed("of another id of ours", f"receipt?m={OURS}", queued, (), status=403,
                  sign=official(url=f"{PUBLIC}/hooks/{of.name}/receipt?m={'f' * 32}")),
        of.signed("with the id taken away", "receipt", queued, (), status=403,
                  sign=official(url=f"{PUBLIC}/hooks/{of.name}/receipt?m={OURS}")),
        of.signed("no token is set", "sms", sms, (), status=403, settings={"auth_token": ""}),
        of.signed("no token is set, signed with none", "sms", sms, (), status=403, settings={"auth_token": ""},
                  sign=official("")),
        # which address: PUBLIC_URL decides
        of.signed("http where https is meant", "sms", sms, (), status=403, sign=official(url=f"http://mati.example.org{path}")),
        of.signed("another host", "sms", sms, (), status=403, sign=official(url=f"https://localhost{path}")),
        of.signed("the host that the proxy forwards", "sms", sms, (), status=403,
                  headers={"X-Forwarded-Proto": "http", "X-Forwarded-Host": "inside"},
                  sign=official(url=f"http://inside{path}")),
        of.signed("a proxy in front", "sms", sms, taken,
                  headers={"X-Forwarded-Proto": "http", "X-Forwarded-Host": "inside", "Host": "inside:8000"}),
        of.signed("the usual port, signed", "sms", sms, taken, sign=official(url=f"{PUBLIC}:443{path}")),
        of.signed("a port", "sms", sms, taken, settings={"public_url": f"{PUBLIC}:8443"}),
        of.signed("a port, not signed", "sms", sms, taken, settings={"public_url": f"{PUBLIC}:8443"},
                  sign=official(url=PUBLIC + path)),
        of.signed("another port", "sms", sms, (), status=403, settings={"public_url": f"{PUBLIC}:8443"},
                  sign=official(url=f"{PUBLIC}:8444{path}")),
        of.signed("below a folder", "sms", sms, taken, settings={"public_url": f"{PUBLIC}/mati"}),
        # what is no proper form
        In("a field twice", path, f"{body}&Body=9", 403, sign=official()),
        In("a field twice with the same", path, f"{body}&Body={sms['Body']}", 403, sign=official(body=body)),
        of.signed("m twice", f"receipt?m={OURS}&m={OURS}", queued, (), status=400, answer="a field comes twice"),
        In("JSON", path, json.dumps(sms), 403, content_type="application/json", sign=official(body=body)),
        In("JSON that says it is a form", path, json.dumps(sms), 403, sign=official(body=body)),
        In("a form that says it is text", path, body, 403, content_type="text/plain", sign=official()),
        In("a file upload", path, body, 403, content_type="multipart/form-data; boundary=x", sign=official()),
        In("no UTF-8", path, b"Body=\xff", 403, headers={"X-Twilio-Signature": signature(TOKEN, PUBLIC + path, "")}),
        In("nothing", path, "", 403),
        In("by GET", path, "", 405, method="GET"),
        of.signed("nothing, signed", "sms", {}, (), status=400),
        of.signed("no id", "sms", of.sms(MessageSid=None), (), status=400, answer="MessageSid is missing"),
        of.signed("no sender", "sms", of.sms(From=None), (), status=400, answer="From is missing"),
        of.signed("an endless text", "sms", of.sms(Body="x" * (LONGEST_SMS + 1)), (), status=400,
                  answer="Body is longer"),
        of.signed("an endless id", "sms", of.sms(MessageSid="x" * 201), (), status=400, answer="MessageSid is longer"),
        of.signed("no status", "receipt", of.status(None), (), status=400, answer="MessageStatus is missing"),
        of.signed("an empty status", "receipt", of.status(" "), (), status=400, answer="MessageStatus is empty"),
        of.signed("a status without an id", "receipt", of.status("sent", MessageSid=None), (), status=400,
                  answer="MessageSid is missing"),
    ]  # fmt: skip


def common_out(of: Service) -> list[Out]:
    """What both answer, and what stands in between."""
    sent = {"method": "POST", "path": of.messages_path}
    late, cut = Unknown(Reason.NO_ANSWER, "no answer in time"), Unknown(Reason.CUT_OFF, "connection cut")
    taken = (Accepted(of.sid),)
    auth = {"authorization": f"Basic {b64encode(f'{of.account}:{TOKEN}'.encode()).decode()}"}
    whole = {"To": ONE, "From": FROM, "Body": "Hello", "SmartEncoded": "false", "MessagingServiceSid": None,
             "StatusCallback": f"{PUBLIC}/hooks/{of.name}/receipt?m={OURS}"}  # fmt: skip
    one = (Outgoing(OURS, ONE, "Hello"),)
    ids = tuple(f"{number:032x}" for number in range(THREADS * 3))

    def by_number(got: Got) -> Reply:
        return of.created(sid=of.sid) if got.form["To"] == ONE else of.error(21211)

    def by_body(got: Got) -> Reply:
        return of.created(sid=got.form["Body"], body=got.form["Body"])

    def doubt(status: int, why: str) -> Unknown:
        return Unknown(Reason.UNCLEAR, f"HTTP {status}{why}")

    def down(said: str) -> Refused:
        return Refused(Reason.GATEWAY_DOWN, True, said)

    too_many = (Refused(Reason.THROTTLED, True, "HTTP 429"),)
    problem = {"type": "x", "title": ONE, "status": 201, "code": 21610, "detail": ONE}
    no_id = " without an id"
    return [
        Out("taken", of.created(), taken, one, ({**sent, "form": whole, "headers": auth},)),
        Out("in Khmer", of.created(), taken, (Outgoing(OURS, ONE, LONG_KHMER),), ({"form": {"Body": LONG_KHMER}},)),
        Out("an emoji, a line's end, signs of the form", of.created(), taken,
            (Outgoing(OURS, ONE, "a&b=c%20+\r\n👍🏽"),), ({"form": {"Body": "a&b=c%20+\r\n👍🏽"}},)),
        Out("from a messaging service", of.created(status="accepted"), taken, one,
            ({"form": {"From": None, "MessagingServiceSid": "MG1"}},),
            settings={"from": "", "messaging_service_sid": "MG1"}),
        Out("from a number of a messaging service", of.created(), taken, one,
            ({"form": {"From": FROM, "MessagingServiceSid": "MG1"}},), settings={"messaging_service_sid": "MG1"}),
        Out("callbacks to this machine, for a service on it", of.created(), taken, one,
            ({"form": {"StatusCallback": f"http://127.0.0.1:8000/hooks/{of.name}/receipt?m={OURS}"}},),
            settings={"public_url": None}),
        Out("none", of.created(), (), (), ()),
        Out("two, settled each on its own", by_number,
            (Refused(Reason.BAD_NUMBER, False, f"HTTP {of.api_errors}, 21211"), Accepted(of.sid)),
            (Outgoing(ids[0], TWO, "Hello"), Outgoing(ids[1], ONE, "Hello"))),
        Out("more than there are threads, in their order", by_body, tuple(Accepted(id) for id in ids),
            tuple(Outgoing(id, ONE, id) for id in ids)),
        Out("more than the time allows", Reply(201, of.created().body, delay=0.65),
            (Accepted,) * THREADS + (Unknown,) * THREADS + (down("not sent: the others took the time"),),
            tuple(Outgoing(id, ONE, "Hello") for id in ids[: 2 * THREADS + 1]), seconds=1.2),
        # error codes
        of.error_case(20003, Refused(Reason.SETUP, False, "HTTP 401, 20003"), 401),
        of.error_case(20404, Refused(Reason.SETUP, False, "HTTP 404, 20404"), 404),
        of.error_case(20429, Refused(Reason.THROTTLED, True, "HTTP 429, 20429"), 429),
        of.error_case("21606", Refused(Reason.SETUP, False, f"HTTP {of.api_errors}, 21606")),
        of.error_case(99999, Refused(Reason.SETUP, False, f"HTTP {of.api_errors}, 99999")),
        of.error_case(ONE, Refused(Reason.SETUP, False, f"HTTP {of.api_errors}")),
        of.error_case({"21610": 1}, Refused(Reason.SETUP, False, f"HTTP {of.api_errors}")),
        Out("a code with a 5xx proves nothing", of.error(21610, 500), (doubt(500, ", 21610"),)),
        Out("problem details", Reply(400, json.dumps(problem)), (Refused(Reason.OPTED_OUT, False, "HTTP 400, 21610"),)),
        # the HTTP status
        Out("too many, with a delay", Reply(429, "Slow down", {"Retry-After": "30"}),
            (Refused(Reason.THROTTLED, True, "HTTP 429", after=30),)),
        Out("too many, until a day", Reply(429, "", {"Retry-After": "Wed, 25 Nov 2026 07:28:00 GMT"}), too_many),
        Out("too many, without one", Reply(429), too_many),
        Out("wrong token", Reply(401, "{}"), (Refused(Reason.SETUP, False, "HTTP 401"),)),
        Out("wrong address", Reply(404, HTML), (Refused(Reason.SETUP, False, "HTTP 404"),)),
        Out("too slow for a proxy", Reply(408), (Unknown(Reason.NO_ANSWER, "HTTP 408"),)),
        Out("moved", Reply(301, "", {"Location": "/elsewhere"}), (Refused(Reason.SETUP, False, "HTTP 301"),)),
        Out("found", Reply(302, HTML, {"Location": "http://login.example/"}), (doubt(302, ""),)),
        Out("moved for now", Reply(307, "", {"Location": "/elsewhere"}), (Refused(Reason.SETUP, False, "HTTP 307"),)),
        Out("broken", Reply(500, of.created().body), (doubt(500, ""),)),
        Out("bad gateway", Reply(502, HTML), (doubt(502, ""),)),
        Out("unavailable", Reply(503), (doubt(503, ""),)),
        # the body
        Out("HTML", Reply(200, HTML, {"Content-Type": "text/html"}), (doubt(200, no_id),)),
        Out("empty", Reply(201), (doubt(201, no_id),)),
        Out("no content", Reply(204), (doubt(204, no_id),)),
        Out("no UTF-8", Reply(201, b'{"sid": "\xff"}'), (doubt(201, no_id),)),
        Out("a list", Reply(201, "[1]"), (doubt(201, no_id),)),
        Out("no id", of.created(sid=None), (doubt(201, no_id),)),
        Out("an id that is a number", of.created(sid=7), (doubt(201, no_id),)),
        Out("an id that leads elsewhere", of.created(sid="../../Accounts"), (doubt(201, no_id),)),
        Out("JSON of another type", Reply(201, of.created().body, {"Content-Type": "text/plain"}), (Accepted(of.sid),)),
        Out("nested without end", Reply(201, "[" * 100_000), (doubt(201, no_id),)),
        # the connection
        Out("cut off", Reply(201, of.created().body, cut=20), (cut,)),
        Out("hung up", Reply(hang_up=True), (cut,)),
        Out("slow", Reply(201, of.created().body, delay=60), (late,), seconds=SECONDS),
        Out("dripping head", Reply(201, of.created().body, drip_head=0.1), (late,), seconds=SECONDS),
        Out("dripping body", Reply(201, of.created().body, drip=0.1), (late,), seconds=SECONDS),
        Out("not there", of.created(), (down("not sent: failed at connecting"),), requests=(),
            settings={"base_url": CANNOT_BE_REACHED}),
    ]  # fmt: skip
