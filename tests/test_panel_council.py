"""What a council's login sees, and what staff do to let it: publishing, undoing, the text to paste, replies."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import date

import pytest
import time_machine
from click.testing import CliRunner
from sqlalchemy import select

from gateway import create_app, logins
from gateway.cli import cli
from gateway.models import staff
from gateway.models.releases import council_replies
from gateway.scorecard.publishing import Reader
from tests.conftest import COMMUNES
from tests.test_panel import PASSWORD, Browser, _quick_passwords, add, text  # noqa: F401
from tests.test_publishing import Programme, at, programme  # noqa: F401
from tests.test_weekly import Councils

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """The day after the round of `programme` closed."""
    with time_machine.travel(at("2026-12-01 09:00"), tick=False) as clock:
        yield clock


def let_in(at_: Programme, *names: str) -> list[Browser]:
    """Browsers of members of staff (`sokha`) and of councils, by the names of their communes' codes."""
    app = create_app(at_.house.settings)
    found = []
    for name in names:
        with at_.house.store.write() as db:
            if name[:1].isdigit():
                logins.add(db, name, "council", name.split("+"))
            else:
                logins.add(db, name, "staff", [])
            staff.reset_password(db, name, PASSWORD, one_time=False)
        browser = Browser(app.test_client())
        assert browser.log_in(name, page="/admin/login?lang=en").status_code == 302
        found.append(browser)
    return found


# staff publish ---------------------------------------------------------------------------------------


def test_before_the_deed_staff_see_what_will_be_seen_by_whom_and_when(programme: Programme) -> None:  # noqa: F811
    programme.councillor(TA_PHOU, 1)
    sokha, _council = let_in(programme, "sokha", TA_PHOU)
    at_ = f"/admin/rounds/{programme.round}"
    assert "Not published. Councils see the results first" in sokha.read(at_)
    page = sokha.read(f"{at_}/publish")
    for says in (
        "today, 1 Dec 2026 Councils: each login of a council sees its own communes, with the full results, and can"
        " reply. There are 1 such logins.",
        "By SMS: 1 councillors are told that there are results, not what they are.",
        "from 8 Dec 2026 Everybody, without a login",
        "Ta Phou, round 1 1 of 4 services are shown",
        "Ponley: the results of the round are ready for the council. Everybody sees them from 8/12 on.",
    ):
        assert says in page, says
    assert sokha.send(f"{at_}/publish").status_code == 302
    page = sokha.read(at_)
    assert "Councils see it from 1 Dec 2026 Everybody sees it from 8 Dec 2026 · not public yet" in page
    assert "Published by sokha" in page
    sokha.send(f"{at_}/publish", f"{at_}/publish")  # a second press of the button
    assert len(programme.sent()) == 1


def test_publishing_is_undone_with_a_word_about_what_was_seen(programme: Programme) -> None:  # noqa: F811
    sokha, council = let_in(programme, "sokha", TA_PHOU)
    at_ = f"/admin/rounds/{programme.round}"
    sokha.send(f"{at_}/publish")
    assert council.get(f"/admin/council/{TA_PHOU}/1").status_code == 200
    assert "What councillors have seen they have seen" in sokha.read(f"{at_}/publish")
    sokha.send(f"{at_}/publish", f"{at_}/unpublish")
    assert "Whoever has seen its results has seen them." in sokha.read(at_)
    assert council.get(f"/admin/council/{TA_PHOU}/1").status_code == 404
    assert "No results yet" in council.read("/admin/council")


@on_one_database
def test_an_open_round_and_a_pause_are_told_before_the_deed_and_stop_it(
    programme: Programme,  # noqa: F811
) -> None:
    (sokha,) = let_in(programme, "sokha")
    open_one = programme.house.open_round()
    closed, open_ = f"/admin/rounds/{programme.round}", f"/admin/rounds/{open_one}"
    assert "Once the round is closed" in sokha.read(open_)
    assert "This round is still open: close it first." in sokha.read(f"{open_}/publish")
    sokha.send(f"{closed}/publish", f"{open_}/publish")
    assert "This round is still open: close it first." in sokha.read(f"{open_}/publish")
    programme.pause("2026-12-05", "2026-12-20")
    page = sokha.read(f"{closed}/publish")
    assert "from 21 Dec 2026 Everybody" in page
    assert "A week from now lies in the pause, so it is the day after that." in page
    programme.pause("2026-12-01", "2026-12-20")
    assert "It lasts until 20 Dec 2026. Publish after that." in sokha.read(f"{closed}/publish")
    sokha.send("/admin/password", f"{closed}/publish")
    assert "There is a pause: nothing leaves before its end." in sokha.read("/admin/rounds")
    assert programme.readable(Reader.COUNCIL, "2027-01-01") == []
    for path in ("/admin/rounds/999/publish", "/admin/rounds/999/text", "/admin/rounds/99999999999999999999/publish"):
        assert sokha.get(path).status_code == 404


def test_the_text_to_paste_is_there_once_it_is_published_and_says_until_when_it_is_not_public(
    programme: Programme,  # noqa: F811
    clock: time_machine.Traveller,
) -> None:
    (sokha,) = let_in(programme, "sokha")
    at_ = f"/admin/rounds/{programme.round}"
    assert "Publish the round first." in sokha.read(f"{at_}/text")
    programme.publish("2026-12-01 09:00")

    def texts(query: str = "") -> list[str]:
        return [
            html.unescape(one) for one in re.findall(r"<textarea[^>]*>([^<]*)<", sokha.get(f"{at_}/text{query}").text)
        ]

    khmer, english = texts(f"?commune={TA_PHOU}")
    assert english.startswith("NOT PUBLIC until 8 Dec 2026: for the council only.\nTa Phou, round 1\n")
    assert "2 Health centre: 70% ±31 (n 10, 10 female)" in english
    assert "មណ្ឌលសុខភាព" in khmer
    assert "Not public until 8 Dec 2026 : until then send it to nobody but the council." in sokha.read(f"{at_}/text")
    clock.move_to(at("2026-12-08 00:00"))
    sokha.log_in("sokha", page="/admin/login?lang=en")
    assert texts(f"?commune={TA_PHOU}")[1].startswith("Ta Phou, round 1\n")
    assert "Not public" not in sokha.read(f"{at_}/text")
    assert sokha.get(f"{at_}/text?commune=999999").status_code == 404


# what a council reads -------------------------------------------------------------------------------


def test_a_council_reads_the_full_results_a_week_before_everybody(
    programme: Programme,  # noqa: F811
    clock: time_machine.Traveller,
) -> None:
    (council,) = let_in(programme, TA_PHOU)
    assert "No results yet. After a round has closed, the staff publish its results" in council.read("/admin/council")
    programme.publish("2026-12-01 09:00")
    assert "Round 1 23 Nov 2026 to 30 Nov 2026 · Not public until 8 Dec 2026" in council.read("/admin/council")
    page = council.read(f"/admin/council/{TA_PHOU}/1")
    for says in (
        "Ta Phou, round 1", "2 Health centre 70% ±31 points satisfied First round here, so no change yet",
        "Raters (n) 10 Female 10 Aged 15-30 0 Mean 3.80 Median 4", "1 Commune office not shown",
        "Nobody of the council can see who rated, and no phone number.",
    ):  # fmt: skip
        assert says in page, says
    clock.move_to(at("2026-12-08 00:00"))
    assert council.log_in(TA_PHOU, page="/admin/login?lang=en").status_code == 302
    assert "Public since 8 Dec 2026" in council.read("/admin/council")


@on_one_database
def test_a_login_of_several_communes_chooses_among_them_and_one_of_none_is_told_so(
    programme: Programme,  # noqa: F811
) -> None:
    (council,) = let_in(programme, f"{TA_PHOU}+{TEAN_KAM}")
    page = council.read("/admin/council")
    assert "Tean Kam Ta Phou Tean Kam 010407" in page
    assert "Ta Phou 010806" in council.read(f"/admin/council?commune={TA_PHOU}")
    add(programme.house, "nobody's", "council")
    alone = Browser(council.client.application.test_client())
    alone.log_in("nobody's", page="/admin/login?lang=en")
    assert "Your login has no commune" in alone.read("/admin/council")
    assert alone.get(f"/admin/council?commune={TA_PHOU}").status_code == 404


def test_its_weekly_letters_stand_there_as_they_were_released(
    programme: Programme,  # noqa: F811
    clock: time_machine.Traveller,
) -> None:
    councils = Councils(programme.house, programme.house.open_round())
    councils.councillor(TA_PHOU, 1)
    councils.rate(range(200, 223), "45123", date(2026, 12, 7))
    councils.tick("2026-12-07 08:00")  # tells of the round that closed
    councils.tick("2026-12-14 08:00")
    councils.rate(range(300, 340), "5544", date(2026, 12, 14))  # live since, told to nobody
    clock.move_to(at("2026-12-14 09:00"))
    council, other = let_in(programme, TA_PHOU, TREAS)
    page = council.read("/admin/council")
    assert "7 Dec 2026 to 13 Dec 2026 Service satisfied Raters (n) Female Change in points" in page
    assert "Health 43% ±20 23 23 −27" in page
    assert "Health 70% ±31 10 10 new" in page
    assert "School not shown" in page
    assert "No letter yet" in other.read("/admin/council")
    programme.pause("2026-12-14", "2026-12-20")  # as if it had been set before the letter: that waits
    page = council.read("/admin/council")
    assert "Health 70% ±31 10 10 new" in page
    assert "43%" not in page


# what a council writes ------------------------------------------------------------------------------


def test_a_council_replies_to_results_once_however_often_it_presses_and_staff_read_it(
    programme: Programme,  # noqa: F811
) -> None:
    programme.publish("2026-12-01 09:00")
    council, sokha = let_in(programme, TA_PHOU, "sokha")
    for _press in range(2):
        sent = council.send(
            f"/admin/council/{TA_PHOU}/1", f"/admin/council/{TA_PHOU}/reply", about="round 1",
            text="  Open until 5. Call 012 345 678.  ",
        )  # fmt: skip
        assert sent.headers["Location"] == f"/admin/council?commune={TA_PHOU}"
    page = council.read("/admin/council")
    assert "Thank you! Your reply is with the staff." in page
    assert page.count("Open until 5.") == 1
    page = sokha.read("/admin/weekly/replies")
    assert f"Ta Phou · about the results of round 1 · 1 Dec 2026, 09:00 · by {TA_PHOU} Open until 5. Call" in page
    assert "012 345 678" not in page
    with programme.house.store.read() as db:
        (reply,) = db.execute(select(council_replies)).all()
    sokha.send("/admin/weekly/replies", f"/admin/weekly/replies/{reply.id}/read")
    assert "The staff have read it." in council.read("/admin/council")


@on_one_database
@pytest.mark.parametrize(
    ("about", "words", "says"),
    [
        ("round 1", "", "Write your reply first."), ("round 1", "  ", "Write your reply first."),
        ("round 1", "x" * 1001, "At most 1000 characters"), ("round 2", "x", "Choose what your reply is about."),
        ("week 2026-11-23", "x", "Choose what"), ("week x", "x", "Choose what"), ("", "x", "Choose what"),
        ("round 99999999999999999999", "x", "Choose what"),
    ],
)  # fmt: skip
def test_a_reply_that_cannot_be_kept_says_why_and_loses_nothing(
    programme: Programme,  # noqa: F811
    about: str,
    words: str,
    says: str,
) -> None:
    programme.publish("2026-12-01 09:00")
    (council,) = let_in(programme, TA_PHOU)
    answer = council.send("/admin/council", f"/admin/council/{TA_PHOU}/reply", about=about, text=words)
    assert answer.status_code == 422
    assert says in text(answer)
    assert words in html.unescape(answer.text)
    with programme.house.store.read() as db:
        assert db.execute(select(council_replies)).first() is None


# logins in the terminal ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "code", "says"),
    [
        (["Sok", "--role", "council", "--commune", TA_PHOU, "--commune", TREAS], 0, "Sok (council of 010806, 010807)"),
        (["Sok", "--role", "council", "--commune", f"{TA_PHOU},{TREAS}"], 0, "Sok (council of 010806, 010807)"),
        (["Sok", "--role", "staff"], 0, "Sok (staff), one-time password "),
        (["Sok", "--role", "council"], 2, "a login of the role council needs a commune: --commune CODE"),
        (["Sok", "--role", "volunteer"], 2, "a login of the role volunteer needs a commune: --commune CODE"),
        (["Sok", "--role", "admin", "--commune", TA_PHOU], 2, "sees all communes; leave --commune away"),
        (["Sok", "--role", "council", "--commune", "999999"], 1, "takes no part in the programme; those that do: 0103"),
        (["admin", "--role", "staff"], 1, "admin has a login already; for a new password: mati staff reset admin"),
        ([" ", "--role", "staff"], 2, "a login needs a name"),
    ],
)
def test_a_login_is_added_in_the_terminal(
    programme: Programme,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    asked: list[str],
    code: int,
    says: str,
) -> None:
    monkeypatch.setenv("DATA_DIR", str(programme.house.settings.data_dir))
    monkeypatch.setenv("DATABASE_URL", programme.house.settings.database)
    done = CliRunner().invoke(cli, ["staff", "add", *asked])
    assert (done.exit_code, says in f"{done.output}{done.exception}") == (code, True), done.output
