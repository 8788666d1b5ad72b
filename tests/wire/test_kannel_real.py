"""The way through a real Kannel and back, with the configuration in `docs/kannel/kannel.conf`.

Kannel's own fakesmsc is the phones, and once a centre that speaks SMPP; the gateway is the real one behind HTTP.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, unquote_to_bytes, urlsplit

import pytest
from sqlalchemy import Row, select
from werkzeug.serving import make_server

from gateway import config, create_app, schema
from gateway.config import Settings
from gateway.models.callers import remember
from gateway.models.messages import Draft, Kind, State, inbound, messages, write
from gateway.models.store import Store
from gateway.privacy import Keys, Sealed, make_keys
from gateway.providers.base import Outgoing, Reason, Refused
from gateway.providers.kannel_send import KannelSender
from gateway.workers.outbox import Outbox
from tests.wire import smpp

PATHS = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/lib/kannel/test"
PROGRAMS = {name: shutil.which(name, path=PATHS) for name in ("bearerbox", "smsbox", "fakesmsc")}
CONF = Path(__file__).parents[2] / "docs" / "kannel" / "kannel.conf"
TOKEN = "k" * 40
PATIENCE = 10.0
ENGLISH, KHMER = "+85510000001", "+85512000002"
"""One phone for each language."""

pytestmark = pytest.mark.skipif(
    not all(PROGRAMS.values()),
    reason="Kannel is not installed: apt-get install kannel kannel-extras (nothing else needs it)",
)


# the house ----------------------------------------------------------------------------------------


@dataclass
class Gateway:
    """The gateway behind a real web server, with its outbox."""

    settings: Settings
    store: Store
    keys: Keys
    sender: KannelSender
    stumbles: int = 0
    """So many of the next requests are taken in, and answered 503."""
    requests: int = 0
    """So many came in."""

    def drain(self) -> None:
        Outbox(self.store, self.keys, self.settings, self.sender).drain()

    def write(self, number: str, text: str) -> str:
        now = datetime.now(UTC)
        with self.store.write() as db:
            return write(db, self.keys, Draft(Kind.ANSWER, number, text, "kannel", now, now + timedelta(hours=1)), now)

    def message(self, message: str) -> Row[Any]:
        with self.store.read() as db:
            return db.execute(select(messages).where(messages.c.id == message)).one()

    def inbound(self, number: str) -> list[str]:
        """The texts that came from a number."""
        mine = inbound.c.phone == self.keys.lookup(number)
        with self.store.read() as db:
            rows = db.execute(select(inbound).where(mine).order_by(inbound.c.received)).all()
        return [self.keys.open(Sealed(row.text_key, row.text), "an SMS") for row in rows]

    def answer(self, number: str) -> str:
        """The newest answer to a number, once it is in the outbox: its id."""
        mine = (messages.c.phone == self.keys.lookup(number)) & (messages.c.state == State.QUEUED)

        def find() -> str | None:
            with self.store.read() as db:
                return db.scalar(select(messages.c.id).where(mine))

        return str(until(find))


def until(true: Callable[[], Any], what: str = "") -> Any:
    """Waits until something is true; returns it."""
    end = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < end, what or "it did not happen in time"
        time.sleep(0.02)
    return found


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        return [stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(count)]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def running(gateway: Gateway, folder: Path, text: str, changes: dict[str, str]) -> Iterator[None]:
    """Kannel, set up as an operator sets it up: the file in the repository with some words exchanged."""
    admin, boxes = free_ports(2)
    send = int(urlsplit(gateway.settings.kannel_send_url or "").port or 0)
    spool = folder / "spool"
    spool.mkdir()
    mine = {
        "admin-port = 13000": f"admin-port = {admin}",
        "= 13001": f"= {boxes}",
        "sendsms-port = 13013": f"sendsms-port = {send}",
        "/var/spool/kannel": str(spool),
        "/var/log/kannel": str(folder),
        "http-queue-delay = 30": "http-queue-delay = 1",
        "ADMIN-PASSWORD": "admin-s3cr3t",
        "MATI-PASSWORD": gateway.settings.kannel_password,
        "MATI-TOKEN": TOKEN,
        "127.0.0.1:8000": f"127.0.0.1:{gateway.settings.port}",
    }
    for old, new in (mine | changes).items():
        assert old in text, old
        text = text.replace(old, new)
    conf = folder / "kannel.conf"
    conf.write_text(text)
    with contextlib.ExitStack() as stack:
        for program, port in (("bearerbox", boxes), ("smsbox", send)):
            argv = [str(PROGRAMS[program]), "-v", "4", str(conf)]
            process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
            stack.callback(stop, process)
            until(partial(listens, port), f"{program} did not start")
        yield


def stop(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Phones:
    """All phones at once: Kannel's fakesmsc."""

    def __init__(self, port: int, folder: Path) -> None:
        self._log = folder / "fakesmsc.log"
        argv = [str(PROGRAMS["fakesmsc"]), "-H", "127.0.0.1", "-r", str(port)]
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._log.open("wb")
        )

    def send(self, number: str, text: str, ucs2: bool) -> None:
        """Sends an SMS from a phone."""
        data = quote_plus(text.encode("utf-16-be")) if ucs2 else text
        assert self._process.stdin
        self._process.stdin.write(f"{number} 8550 {'ucs2' if ucs2 else 'text'} {data}\n".encode())
        self._process.stdin.flush()

    def received(self, number: str) -> list[str]:
        """The texts that a phone got; those of several parts joined."""
        texts: list[str] = []
        for head, last in re.findall(rb"Got message \d+: <8550 (\S+ \S+) ?(.*)>", self._log.read_bytes()):
            receiver, kind = head.decode().split()
            if receiver != number:
                continue
            if kind == "udh":
                header, data = (unquote_to_bytes(part.replace(b"+", b" ")) for part in last.split(b" data "))
                text = data.decode("utf-16-be" if b"\x17" in data else "utf-8")  # fakesmsc does not say
                if header[-1] > 1:  # not the first part
                    text = texts.pop() + text
            elif kind == "ucs-2":
                text = unquote_to_bytes(last.replace(b"+", b" ")).decode("utf-16-be")
            else:
                text = last.decode()
            texts.append(text)
        return texts

    def gets(self, number: str, text: str) -> None:
        until(lambda: text in self.received(number), "the phone did not get it")

    def close(self) -> None:
        stop(self._process)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    web, send = free_ports(2)
    with pytest.MonkeyPatch.context() as patch:
        for name in (*Settings.model_fields, "http_proxy", "https_proxy", "all_proxy"):
            patch.delenv(name.upper(), raising=False)
            patch.delenv(name, raising=False)
        patch.chdir(folder)
        patch.setattr("gateway.logs.set_up", lambda: None)  # it would change the log of all other tests
        settings = config.load(
            data_dir=folder, port=web, providers=("kannel",), sms_number="8550", kannel_username="mati",
            kannel_send_url=f"http://127.0.0.1:{send}/cgi-bin/sendsms", kannel_password="mati-s3cr3t&%",
            kannel_sender="8550", kannel_webhook_tokens=(TOKEN,),
        )  # fmt: skip
        store = Store(settings.database)
        make_keys(settings)
        schema.initialise(settings, store, datetime.now(UTC))
        keys = Keys(settings)
        with store.write() as db:
            remember(db, keys.lookup(ENGLISH), language="en")
            remember(db, keys.lookup(KHMER), language="km")
        house = Gateway(settings, store, keys, KannelSender(settings))
        app = create_app(settings)
        inner = app.wsgi_app

        def stumbling(environ: Any, start_response: Any) -> Any:
            """Now and then the answer is lost, though the request was taken in."""
            if not house.stumbles:
                answer = inner(environ, start_response)
                house.requests += 1
                return answer
            list(inner(environ, lambda *_: lambda _: None))
            house.stumbles -= 1
            start_response("503 Service Unavailable", [("Content-Length", "0")])
            return [b""]

        server = make_server("127.0.0.1", web, stumbling, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield house
        server.shutdown()
        house.sender.close()
        store.close()


@pytest.fixture(scope="module")
def phones(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    """A running Kannel with the phones that its fake centre reaches."""
    folder = tmp_path_factory.mktemp("kannel")
    (centre,) = free_ports(1)
    with running(gateway, folder, CONF.read_text(), {"port = 10000": f"port = {centre}"}):
        made = Phones(centre, folder)
        yield made
        made.close()


# with fakesmsc ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (ENGLISH, "Thank you! 100% + a&b=c @£€[]{}~ é"),
        (KHMER, "សូមអរគុណ! លេខ ១ ដល់ ៥ 👍"),
        (KHMER, "ការប្រជុំនៅសាលាឃុំ ថ្ងៃសៅរ៍ ម៉ោង ៨ ព្រឹក។ " * 6),
        (ENGLISH, "x" * 400),
    ],
    ids=["Latin", "Khmer", "Khmer of several parts", "Latin of several parts"],
)
def test_a_message_reaches_the_phone_and_its_receipt_comes_back(
    gateway: Gateway, phones: Phones, number: str, text: str
) -> None:
    message = gateway.write(number, text)
    gateway.drain()
    phones.gets(number, gateway.message(message).text)
    until(lambda: gateway.message(message).state == State.DELIVERED, "no receipt came")
    assert gateway.message(message).provider_id == message


@pytest.mark.parametrize(
    ("number", "text", "ucs2", "part"),
    [(ENGLISH, "help! 100% + a&b?", False, "RATE: rate"), (KHMER, "ជំនួយ 🙏", True, "ភាសា")],
    ids=["Latin", "Khmer"],
)
def test_an_sms_is_stored_and_answered(
    gateway: Gateway, phones: Phones, number: str, text: str, ucs2: bool, part: str
) -> None:
    phones.send(number, text, ucs2)
    answer = gateway.answer(number)
    assert gateway.inbound(number)[-1] == text
    assert part in gateway.message(answer).text
    gateway.drain()
    phones.gets(number, gateway.message(answer).text)
    until(lambda: gateway.message(answer).state == State.DELIVERED, "no receipt came")


def test_an_sms_that_kannel_brings_twice_is_stored_and_answered_once(gateway: Gateway, phones: Phones) -> None:
    number = "+85515000003"
    before, gateway.stumbles = gateway.requests, 1
    phones.send(number, "ជំនួយ", True)
    until(lambda: gateway.requests > before, "Kannel did not come again")
    assert gateway.stumbles == 0
    assert gateway.inbound(number) == ["ជំនួយ"]
    answer = gateway.answer(number)
    gateway.drain()
    phones.gets(number, gateway.message(answer).text)
    assert len(phones.received(number)) == 1


def test_an_advert_is_not_answered(gateway: Gateway, phones: Phones) -> None:
    before = gateway.requests
    phones.send("SmartPromo", "Buy one, get one", False)
    until(lambda: gateway.requests > before)
    phones.send(ENGLISH, "help", False)
    answer = gateway.answer(ENGLISH)
    gateway.drain()
    phones.gets(ENGLISH, gateway.message(answer).text)
    assert phones.received("SmartPromo") == []


def test_a_wrong_password_is_a_matter_of_setup(gateway: Gateway, phones: Phones) -> None:
    stranger = KannelSender(gateway.settings.model_copy(update={"kannel_password": "guessed"}))
    outcomes = stranger.send([Outgoing("m", ENGLISH, "Hello")], PATIENCE)
    stranger.close()
    assert outcomes == [Refused(Reason.SETUP, False, "HTTP 403 Authorization failed")]


# with an operator's SMPP --------------------------------------------------------------------------

Operator = tuple[Gateway, smpp.Centre]


@pytest.fixture(scope="module")
def centre(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """A second Kannel with the template of an operator, and that operator's centre."""
    head, fake, rest = re.split(r"(?m)(^group = smsc\n(?:.+\n)+)", CONF.read_text())
    assert "smsc = fake" in fake
    text = head + re.sub(r"(?m)^#(?=[a-z])", "", rest)
    (send,) = free_ports(1)
    with smpp.Centre() as operator:
        changes = {"OPERATOR-HOST": "127.0.0.1", "port = 2775": f"port = {operator.port}"}
        there = gateway.settings.model_copy(update={"kannel_send_url": f"http://127.0.0.1:{send}/cgi-bin/sendsms"})
        by_smpp = replace(gateway, settings=there, sender=KannelSender(there))
        with running(by_smpp, tmp_path_factory.mktemp("operator"), text, changes):
            yield by_smpp, operator
        by_smpp.sender.close()


def submitted(operator: smpp.Centre) -> tuple[smpp.Submitted, str]:
    """The next message that the operator got, its parts joined: its first part, and its text."""
    first = part = operator.submitted.get(timeout=PATIENCE)
    data = b""
    while part.esm_class & smpp.PART:
        data += part.text[6:]
        if part.text[4] == part.text[5]:  # so many parts, and this one
            break
        part = operator.submitted.get(timeout=PATIENCE)
    data = data or first.text
    return first, data.decode("utf-16-be") if first.coding == smpp.UCS2 else data.decode("ascii")


def test_khmer_in_parts_over_smpp(centre: Operator) -> None:
    gateway, operator = centre
    text = "ជំនួយ " + "សូមអរគុណ " * 10 + "🙏"
    data = text.encode("utf-16-be")
    for number, part in enumerate((data[:134], data[134:]), 1):
        operator.deliver(KHMER.lstrip("+"), bytes([5, 0, 3, 7, 2, number]) + part, smpp.UCS2, smpp.PART)
    answer = gateway.answer(KHMER)
    assert gateway.inbound(KHMER)[-1] == text
    gateway.drain()
    first, said = submitted(operator)
    assert (first.receiver, first.sender, said) == (KHMER.lstrip("+"), "8550", gateway.message(answer).text)
    operator.receipt(first, "DELIVRD")
    until(lambda: gateway.message(answer).state == State.DELIVERED, "no receipt came")


def test_gsm_over_smpp(centre: Operator) -> None:
    gateway, operator = centre
    operator.deliver("010000001", b"help \x00 \x1be \x02", kind=2)  # a national number; @, € and $ in GSM 03.38
    answer = gateway.answer(ENGLISH)
    assert gateway.inbound(ENGLISH)[-1] == "help @ € $"
    gateway.drain()
    first, said = submitted(operator)
    assert (first.coding, said) == (smpp.GSM, gateway.message(answer).text)
    operator.receipt(first, "DELIVRD")
    until(lambda: gateway.message(answer).state == State.DELIVERED, "no receipt came")


@pytest.mark.parametrize(
    ("word", "status", "state", "reason"),
    [
        ("UNDELIV", 0, State.UNDELIVERED, Reason.UNREACHABLE),
        ("EXPIRED", 0, State.UNDELIVERED, Reason.EXPIRED),
        ("REJECTD", 0, State.UNDELIVERED, Reason.FILTERED),
        ("UNKNOWN", 0, State.UNDELIVERED, Reason.UNCLEAR),
        ("", 0x0B, State.UNDELIVERED, Reason.BAD_NUMBER),
        ("", 0x0A, State.UNDELIVERED, Reason.SETUP),
    ],
)
def test_what_an_operator_says_of_a_message(
    centre: Operator, word: str, status: int, state: State, reason: Reason
) -> None:
    gateway, operator = centre
    operator.status = status
    message = gateway.write(KHMER, "សូមអរគុណ")
    gateway.drain()
    first, _ = submitted(operator)
    if word:
        operator.receipt(first, word)
    until(lambda: gateway.message(message).state == state, "no receipt came")
    assert gateway.message(message).reason == reason
    operator.status = 0


def test_what_kannel_queues_while_its_operator_is_gone_is_accepted(centre: Operator) -> None:
    gateway, operator = centre
    operator.close()
    queued = gateway.write(KHMER, "សូមអរគុណ")
    gateway.drain()
    assert gateway.message(queued).state == State.ACCEPTED
