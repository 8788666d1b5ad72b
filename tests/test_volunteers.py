"""Volunteers as staff keep them, on the panel: registered, changed, ended, with a login or without."""

from __future__ import annotations

import re
import threading
from datetime import date

import pytest
from flask import Flask
from sqlalchemy import select

from gateway.models.staff import staff, staff_communes
from gateway.models.volunteers import recorded, volunteer_of, volunteers
from gateway.privacy import Sealed
from gateway.scorecard.volunteers import Details, register_with_login
from tests.conftest import COMMUNES, Installation
from tests.test_panel import NAME, Browser, app, browser, on_one_database, panel, text

__all__ = ["app", "browser", "panel"]

PONLEY, _TEAN_KAM, TA_PHOU, _TREAS = COMMUNES
NUMBER, OTHER = "+85510000001", "+85512000002"
LIST, NEW = "/admin/volunteers", "/admin/volunteers/new"


def rows(at: Installation) -> list[tuple[str, str, bool]]:
    with at.store.read() as db:
        return [(row.name, row.commune, row.active) for row in db.execute(select(volunteers))]


def add(panel: Browser, **fields: str) -> int:
    return panel.send(NEW, **{"name": "Sokha", "commune": TA_PHOU, "number": "010 000 001", **fields}).status_code


def test_an_empty_list_says_what_a_volunteer_does_and_how_to_add_one(panel: Browser) -> None:
    page = panel.read(LIST)
    assert "No volunteer yet" in page
    assert "Add a volunteer" in page
    assert "Volunteers" in panel.read("/admin/rounds")


def test_a_volunteer_is_added_by_name_commune_and_number(panel: Browser, installation: Installation) -> None:
    installation.open_round()
    assert add(panel, name="  Sok   Dara ", number="០១០ ០០០ ០០១") == 302
    page = panel.read(LIST)
    assert "The volunteer was added." in page
    assert "Sok Dara Ta Phou +855 •• ••• •01" in page
    assert "10000001" not in page
    with installation.store.read() as db:
        found = volunteer_of(db, installation.keys.lookup(NUMBER))
        row = db.execute(select(volunteers)).one()
    assert found is not None
    assert found.commune == TA_PHOU
    assert installation.keys.open_number(Sealed(row.number_key, row.number)) == NUMBER


@on_one_database
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": " "}, "This is missing."),
        ({"name": "=1+1"}, "a spreadsheet would take it for a formula"),
        ({"name": "x" * 61}, "Longer than 60 characters."),
        ({"commune": ""}, "Choose the commune in which they record."),
        ({"commune": "999999"}, "Choose the commune in which they record."),
        ({"number": ""}, "A volunteer needs a number, or a login for the panel."),
        ({"number": "12"}, "Too short"),
        ({"number": "023 000 001"}, "Not the number of a mobile phone"),
        ({"number": "+66812345678"}, "Served are numbers with +855."),
        ({"number": "abc"}, "A phone number has digits only."),
        ({"number": "", "login": "sokha"}, "There is a login of this name already."),
        ({"number": "", "login": "x" * 61}, "A login needs a name, of at most 60 characters."),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(
    panel: Browser, installation: Installation, fields: dict[str, str], said: str
) -> None:
    answer = panel.send(NEW, **{"name": "Dara", "commune": TA_PHOU, "number": "010 000 001", **fields})
    assert answer.status_code == 422
    assert said in text(answer)
    assert "Nothing was kept yet." in text(answer)
    typed = {"name": "Dara", "number": "010 000 001", **fields}
    for name in ("name", "number"):
        assert not typed[name].strip() or f'value="{typed[name]}"' in answer.text
    assert rows(installation) == []


def test_a_number_is_one_volunteers(panel: Browser, installation: Installation) -> None:
    assert add(panel) == 302
    answer = panel.send(NEW, name="Dara", commune=PONLEY, number="+855 10 000 001")
    assert answer.status_code == 422
    assert "Another volunteer has this number." in text(answer)
    assert add(panel, name="Dara", number="012 000 002") == 302
    taken = panel.send("/admin/volunteers/2", name="Dara", commune=PONLEY, number="010000001")
    assert taken.status_code == 422
    assert rows(installation) == [("Sokha", TA_PHOU, True), ("Dara", TA_PHOU, True)]


def test_the_phone_of_a_volunteer_who_ended_is_handed_on(panel: Browser, installation: Installation) -> None:
    add(panel)
    panel.send("/admin/volunteers/1", "/admin/volunteers/1/switch", to="off")
    assert add(panel, name="Dara") == 302
    with installation.store.read() as db:
        found = volunteer_of(db, installation.keys.lookup(NUMBER))
    assert found is not None
    assert found.id == 2


def test_a_change_keeps_the_number_unless_a_new_one_is_given(panel: Browser, installation: Installation) -> None:
    add(panel)
    one = "/admin/volunteers/1"
    assert panel.send(one, name="Sok", commune=PONLEY, number="").status_code == 302
    keys = installation.keys
    with installation.store.read() as db:
        found = volunteer_of(db, keys.lookup(NUMBER))
    assert found is not None
    assert found.commune == PONLEY
    assert panel.send(one, name="Sok", commune=PONLEY, number="012000002").status_code == 302
    with installation.store.read() as db:
        assert volunteer_of(db, keys.lookup(NUMBER)) is None
        assert volunteer_of(db, keys.lookup(OTHER)) is not None
    assert panel.send(one, name="", commune=PONLEY).status_code == 422
    assert panel.get("/admin/volunteers/9").status_code == 404
    assert panel.get(f"/admin/volunteers/{2**40}").status_code == 404


def test_a_commune_without_a_round_is_told(panel: Browser, installation: Installation) -> None:
    installation.open_round(PONLEY)
    add(panel)
    assert "Ta Phou · no round is open" in panel.read(LIST)
    assert "nothing can be recorded there until one is opened" in panel.read("/admin/volunteers/1")


def test_who_is_ended_records_no_more_and_may_be_taken_up_again(panel: Browser, installation: Installation) -> None:
    add(panel)
    switch = "/admin/volunteers/1/switch"
    for _twice in range(2):
        assert panel.send("/admin/volunteers/1", switch, to="off").status_code == 302
    with installation.store.read() as db:
        assert volunteer_of(db, installation.keys.lookup(NUMBER)) is None
    page = panel.read(LIST)
    assert "They record no more. What they recorded stays." in page
    assert "Sokha · ended" in page
    panel.send("/admin/volunteers/1", switch, to="on")
    with installation.store.read() as db:
        assert volunteer_of(db, installation.keys.lookup(NUMBER)) is not None


def test_the_list_tells_how_many_each_recorded_on_each_day_of_the_open_round(
    panel: Browser, installation: Installation
) -> None:
    round_id = installation.open_round()
    add(panel)
    day = installation.clock.now.date()
    with installation.store.write() as db:
        for n, respondents in ((0, 12), (1, 9)):
            db.execute(
                recorded.insert().values(
                    round_id=round_id, volunteer_id=1, day=day.replace(day=day.day - n), respondents=respondents
                )
            )
    assert "21 · 23 Nov 2026: 12, 22 Nov 2026: 9" in panel.read(LIST)
    installation.close_round(round_id)
    assert "12" not in panel.read(LIST).replace("R 2 5 1", "")


# logins -------------------------------------------------------------------------------------------


def one_time(page: str) -> str:
    found = re.search(r"<code>([a-z0-9-]{14})</code>", page)
    assert found, page
    return found[1]


def test_a_login_is_given_with_a_password_shown_once(panel: Browser, installation: Installation, app: Flask) -> None:
    answer = panel.send(NEW, name="Dara", commune=TA_PHOU, number="", login="dara")
    assert answer.status_code == 200
    assert "One-time password of dara" in text(answer)
    password = one_time(answer.text)
    assert password not in panel.get("/admin/volunteers/1").text
    assert password not in panel.get(LIST).text
    with installation.store.read() as db:
        row = db.execute(select(staff).where(staff.c.name == "dara")).one()
        assert (row.role, row.one_time, row.active) == ("volunteer", True, True)
        assert list(db.scalars(select(staff_communes.c.commune).where(staff_communes.c.staff_id == row.id))) == [
            TA_PHOU
        ]
    theirs = Browser(app.test_client())
    assert theirs.log_in("dara", password).headers["Location"].startswith("/admin/password")


@pytest.mark.parametrize("number", ["", "010 000 001"])
def test_two_clicks_on_add_make_one_and_show_a_password_that_works(
    panel: Browser, installation: Installation, app: Flask, number: str
) -> None:
    """The answer to the first click never reaches the screen."""
    once = re.search(r'name="once" value="([^"]+)"', panel.get(NEW).text)
    assert once
    form = {"name": "Dara", "commune": TA_PHOU, "number": number, "login": "dara", "once": once[1]}
    first, second = panel.send(NEW, **form), panel.send(NEW, **form)
    assert second.status_code == 200
    assert one_time(second.text) == (password := one_time(first.text))
    assert rows(installation) == [("Dara", TA_PHOU, True)]
    for other in ({"once": "another form"}, {"commune": PONLEY}):  # not the same: the name is taken
        assert panel.send(NEW, **form | other).status_code == 422
    theirs = Browser(app.test_client())
    assert theirs.log_in("dara", password).headers["Location"].startswith("/admin/password")
    theirs.send("/admin/password", new="my own words", again="my own words")
    assert panel.send(NEW, **form).status_code == 422  # "back", later
    assert rows(installation) == [("Dara", TA_PHOU, True)]


def test_two_clicks_at_the_same_moment(panel: Browser, installation: Installation) -> None:
    with installation.store.read() as db:
        by = db.execute(select(staff.c.id).where(staff.c.name == NAME)).scalar_one()
    given, found, barrier = Details("Dara", TA_PHOU, NUMBER), list[object](), threading.Barrier(2)

    def click() -> None:
        barrier.wait()
        with installation.store.write() as db:
            found.append(
                register_with_login(
                    db, installation.keys, installation.settings, given, "dara", date(2026, 11, 23), by, "form"
                )
            )

    threads = [threading.Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert found[0] == found[1]
    assert rows(installation) == [("Dara", TA_PHOU, True)]


def test_a_login_gets_a_new_password_and_ends_with_its_volunteer(
    panel: Browser, installation: Installation, app: Flask
) -> None:
    add(panel)
    one = "/admin/volunteers/1"
    first = one_time(panel.send(one, f"{one}/login", login="dara").text)
    second = one_time(panel.send(one, f"{one}/login").text)
    assert first != second
    assert Browser(app.test_client()).log_in("dara", first).status_code == 401
    assert Browser(app.test_client()).log_in("dara", second).status_code == 302
    panel.send(one, f"{one}/switch", to="off")
    assert Browser(app.test_client()).log_in("dara", second).status_code == 401
    page = panel.read(one)
    assert "New one-time password" not in page
    panel.send(one, f"{one}/switch", to="on")
    third = one_time(panel.send(one, f"{one}/login").text)
    assert Browser(app.test_client()).log_in("dara", third).status_code == 302


def test_a_volunteer_who_moves_keeps_recording_where_they_did(panel: Browser, installation: Installation) -> None:
    panel.send(NEW, name="Dara", commune=TA_PHOU, login="dara")
    panel.send("/admin/volunteers/1", name="Dara", commune=PONLEY)
    with installation.store.read() as db:
        assert set(db.scalars(select(staff_communes.c.commune))) == {TA_PHOU, PONLEY}


def test_the_name_of_a_taken_login_is_asked_for_again(panel: Browser) -> None:
    add(panel)
    answer = panel.send("/admin/volunteers/1", "/admin/volunteers/1/login", login="sokha")
    assert answer.status_code == 422
    assert "There is a login of this name already." in text(answer)
