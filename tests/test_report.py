"""The Citizens' Rating Report: from what people pressed to what a forum reads, on every way out."""

from __future__ import annotations

import csv
import html
import io
import itertools
import re
import sys
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from flask import Flask
from sqlalchemy import update

from admin.figures import reports
from gateway import cli, create_app
from gateway.config import LANGUAGES, Language
from gateway.menus.phrases import Name
from gateway.menus.wording import render
from gateway.models.answers import Given, save
from gateway.models.installation import mark_demo, set_pause
from gateway.models.promises import Standing
from gateway.models.services import indicators, services
from gateway.promises import commitments, money
from gateway.promises.commitments import Commitment, Source
from gateway.providers.base import UssdStep
from gateway.scorecard import report_page
from gateway.scorecard.report import Report, of_round, report_of
from gateway.scorecard.report_files import KINDS, as_csv, as_html, as_pdf, as_xlsx
from gateway.scorecard.report_points import points_of
from gateway.scorecard.report_words import LABELS
from gateway.scorecard.results import IndicatorResult, Results, ServiceResult
from gateway.scorecard.tallies import Figures
from tests.conftest import COMMUNES, Installation
from tests.test_panel import NAME, Browser, add, text

PONLEY, TEAN_KAM, TA_PHOU, TREAS = COMMUNES
WHO = {"1": "woman-15-30", "2": "woman-31", "3": "man-15-30", "4": "man-31"}
Mati = Callable[..., tuple[int, str]]
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what does not depend on the kind of database."""


def number(i: int) -> str:
    """Numbers that are not assigned (DOMAIN.md, Phones)."""
    return f"+85510{i:06d}"


def read(house: Installation, *codes: str, round_: int = 1) -> Report:
    with house.store.read() as db:
        return report_of(db, codes or [TA_PHOU], round_, house.settings.min_raters, house.clock.now.date())


def words_of(content: bytes) -> str:
    """What is read on a page, on one line."""
    shown = re.sub(r"<(style|svg).*?</\1>", " ", content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", shown))).strip()


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def cells_of(content: bytes, sheet: int = 1) -> list[list[str | None]]:
    """A sheet's cells as they are shown; None where one is empty."""
    book = zipfile.ZipFile(io.BytesIO(content))
    strings = ["".join(one.itertext()) for one in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))]
    found: list[list[str | None]] = []
    for row in ElementTree.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml")).iter(f"{SHEET}row"):
        cells: list[str | None] = []
        for cell in row.iter(f"{SHEET}c"):
            assert cell.find(f"{SHEET}f") is None, "a formula"
            value, column = cell.findtext(f"{SHEET}v"), ord(cell.get("r", "A")[0]) - ord("A")
            cells += [None] * (column - len(cells))  # an empty cell is not written; no sheet goes beyond Z
            cells.append(strings[int(value)] if value is not None and cell.get("t") == "s" else value)
        found.append(cells)
    return found


# the figures of the documents ----------------------------------------------------------------------


def respond(house: Installation, people: int, female: int, satisfied: int, known: int) -> None:
    """People of the four communes dial, from the welcome on if they are new, and rate the commune office."""
    talks = house.conversations()
    for i in range(people):
        happy = (i + 1) * satisfied // people > i * satisfied // people  # evenly, in every commune
        woman = (i + 1) * female // people > i * female // people
        score = "45"[i // 4 % 2] if happy else "123"[i // 4 % 3]
        who = "12"[i // 4 % 2] if woman else "34"[i // 4 % 2]
        rating, session = ("1", score, who), f"{house.clock.now.date()}-{i}"
        paths = [rating] if i < known else [(), ("1", str(i % 4 + 1), *rating)]
        for path in paths:
            screen = talks.ussd(UssdStep("africastalking", session, number(i), path=path))
        assert "Thank you" in screen.text or "អរគុណ" in screen.text, screen.text


@pytest.mark.slow
def test_the_sentence_of_the_documents_comes_out_of_what_people_pressed(installation: Installation) -> None:
    """DOMAIN.md, table, row 4: 1,019 respondents (599 female), then 1,211 (695 female), in the four communes of S0."""
    house, known = installation, 0
    for people, female, satisfied in ((1019, 599, 408), (1211, 695, 727)):
        round_id = house.open_round()
        respond(house, people, female, satisfied, known)
        house.clock.forward(days=20)
        house.close_round(round_id)
        known = people
        house.clock.forward(days=300)
    report = read(house, *COMMUNES, round_=2)
    office = report.results.services[0]
    assert office.figures is not None
    assert office.before is not None
    assert (office.figures.n, office.figures.female, office.figures.counts[3] + office.figures.counts[4]) == (
        1211, 695, 727,
    )  # fmt: skip
    assert (office.before.n, office.before.female, office.before.percent) == (1019, 599, 40)
    page = words_of(as_html(report, "en"))
    assert "60% of 1211 respondents (695 female) were satisfied; 40% of 1019 (599 female) in the round before." in page
    assert "+20 points since the round before: more than the margin of 4 points." in page
    assert ("60% ក្នុងចំណោមអ្នកឆ្លើយ 1211 នាក់ (ស្រី 695 នាក់) ពេញចិត្ត ហើយជុំមុន 40% ក្នុងចំណោម 1019 នាក់ (ស្រី 599 នាក់)។") in words_of(
        as_html(report, "km")
    )
    beside = office.by_commune or {}
    assert list(beside) == list(COMMUNES)
    assert sum(one.n for one in beside.values()) == 1211
    alone = [read(house, code, round_=2).results.services[0] for code in COMMUNES]
    assert [one.figures for one in alone] == list(beside.values())
    assert sum(one.before.n for one in alone if one.before) == 1019
    lines = [row for row in rows_of(as_csv(report, "en")) if row["Service"] == "Commune office"]
    together = [row for row in lines if row["Commune"] == "all communes together"]
    assert [int(row["Count"]) for row in together] == list(office.figures.counts)
    assert {(row["Respondents (n)"], row["Women"], row["% satisfied (4 or 5)"], row["Change in points"])
            for row in together} == {("1211", "695", "60", "20")}  # fmt: skip


# a small round -------------------------------------------------------------------------------------


def rate(house: Installation, round_id: int, service: str, scores: str, commune: str = TA_PHOU, **how: Any) -> None:
    """Each score from a number of its own; the same numbers for every service."""
    first = how.pop("first", 0)
    with house.store.write() as db:
        for i, score in enumerate(scores, first):
            who = list(WHO.values())[i % 4]
            rater, phone = f"r{commune}{i:09}".encode(), f"p{commune}{i:09}".encode()
            day = house.clock.now.date()
            save(db, Given(round_id, rater, phone, commune, service, int(score), day, "ussd", who=who, **how))


def ask(house: Installation, *texts: str, service: str = "office") -> list[str]:
    """Extra questions about a service, asked in every round that opens from now on; returns their ids."""
    made = []
    with house.store.write() as db:
        for place, words in enumerate(texts, 1):
            made.append(f"{service}-{place}")
            db.execute(
                indicators.insert().values(
                    id=made[-1], service_id=service, place=place, text_km=words, text_latn=words, text_en=words
                )
            )
    return made


@pytest.fixture
def house(installation: Installation) -> Installation:
    """A closed round: the office is told of, and one question; not health (9 numbers) nor school (all alike)."""
    fee, _open = ask(installation, "The fees are posted", "It is open")
    round_id = installation.open_round(TA_PHOU, TREAS)
    rate(installation, round_id, "office", "1223334445")
    rate(installation, round_id, "office", "1111111115", indicator=fee)
    rate(installation, round_id, "health", "123451234")
    rate(installation, round_id, "school", "444444444444")
    installation.clock.forward(days=6)
    installation.close_round(round_id)
    return installation


def test_a_page_tells_what_was_asked_who_answered_and_what_came_out(house: Installation) -> None:
    said = words_of(as_html(read(house), "en"))
    for part in (
        "Citizens' Rating Report Ta Phou Ta Phou commune, Svay Chek district, Banteay Meanchey province",
        "Round 1 · From 23 Nov 2026 to 29 Nov 2026",
        "from 1 to 5: 1 Very dissatisfied 2 Dissatisfied 3 Acceptable 4 Satisfied 5 Very satisfied",
        "on a phone by USSD or SMS, or a trained volunteer entered what they said (assisted)",
        "Some were also asked extra questions about a service",
        "Service Respondents (n) Phone numbers Women Aged 15-30 1 Commune office 10 10 6 5 2 Health centre not shown",
        "40% ±31 satisfied 40% of 10 respondents (6 female) were satisfied.",
        "This was the first round, so there is no change yet.",
        "Score 1 2 3 4 5 Count 1 2 3 3 1 Share 10% 20% 30% 30% 10% Mean 3.10 · Median 3",
        "The fees are posted 10 10% ±31",
        "It is open not shown",
        "Satisfied: a score of 4 or 5.",
        "at least 10 different phone numbers and the answers are not all the same",
        "Not shown in this round: Health centre and Primary school and One-window office.",
        "They stay inside for good",
    ):
        assert part in said, part


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_not_shown_leaves_no_trace_on_any_way_out(installation: Installation, language: Language) -> None:
    """A round with answers that stay inside, and one in which nobody gave any, read the same to the last byte."""

    (question,) = ask(installation, "The fees are posted")

    def files(commune: str, *hidden: str) -> list[object]:
        round_id = installation.open_round(commune)
        rate(installation, round_id, "office", "1223334445", commune)
        for service, scores in zip(("health", "school", "window"), hidden, strict=False):
            rate(installation, round_id, service, scores, commune)
        if hidden:
            rate(installation, round_id, "office", "123454321", commune, indicator=question)
        installation.close_round(round_id)
        report = read(installation, commune)
        book = as_xlsx(report, language)
        made = (as_html(report, language), as_csv(report, language), repr([cells_of(book, n) for n in (1, 2, 3)]))
        named = (content.decode() if isinstance(content, bytes) else content for content in made)
        places = {"km": ("ទ្រាស", "តាផូ")}.get(language, ("Treas", "Ta Phou"))
        return [each.replace(places[0], places[1]).replace(TREAS, TA_PHOU) for each in named]

    full = files(TA_PHOU, "123451234", "444444444444", "555555555")
    assert full == files(TREAS)
    assert all(render(LABELS["hidden"], language) in str(each) for each in full)


@pytest.mark.parametrize("minimum", [9, 10])
def test_it_is_the_rule_that_keeps_nine_answers_inside(installation: Installation, minimum: int) -> None:
    """Where the programme asks for nine numbers, the same answers are shown."""
    installation.settings = installation.settings.model_copy(update={"min_raters": minimum})
    round_id = installation.open_round(TA_PHOU)
    rate(installation, round_id, "health", "123451234")
    installation.close_round(round_id)
    health = read(installation).results.services[1]
    assert (health.figures is not None) == (minimum == 9)


def test_the_figures_of_the_files_are_those_of_the_page(house: Installation) -> None:
    report = read(house, TA_PHOU, TREAS)
    page, rows = words_of(as_html(report, "en")), rows_of(as_csv(report, "en"))
    office = [row for row in rows if row["Service"] == "Commune office" and row["Question"] == "the service as a whole"]
    together = [row for row in office if not row["Commune code"]]
    assert [(row["Score"], row["Count"], row["Share in %"]) for row in together] == [
        ("1", "1", "10"), ("2", "2", "20"), ("3", "3", "30"), ("4", "3", "30"), ("5", "1", "10"),
    ]  # fmt: skip
    first = together[0]
    assert (first["Mean"], first["Median"], first["% satisfied (4 or 5)"], first["Margin in points"]) == (
        "3.1", "3.0", "40", "31",
    )  # fmt: skip
    assert f"{first['% satisfied (4 or 5)']}% ±{first['Margin in points']} satisfied" in page
    assert [row["Respondents (n)"] for row in office if row["Commune"] == "Treas"] == ["not shown"]
    head, *whole = cells_of(as_xlsx(report, "en"))
    assert head[:9] == [*list(rows[0])[:8], "Respondents (n)"]
    sheet = [dict(zip(head, row, strict=False)) for row in whole]
    line = next(row for row in sheet if row["Service"] == "Commune office" and row["Commune"] == "Ta Phou")
    assert [line[f"Score {score}"] for score in range(1, 6)] == ["1", "2", "3", "3", "1"]
    assert (line["% satisfied (4 or 5)"], line["Women"], line["Aged 15-30"]) == ("40", "6", "5")
    scores = cells_of(as_xlsx(report, "en"), 2)[1:]
    assert [row[8:11] for row in scores if row[7] == "the service as a whole" and row[0] is None][:5] == [
        [row["Score"], row["Count"], row["Share in %"]] for row in together
    ]
    notes = [row[0] for row in cells_of(as_xlsx(report, "en"), 3)]
    assert any("Satisfied: a score of 4 or 5." in str(note) for note in notes)


@pytest.mark.parametrize("sign", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_name_becomes_a_formula(house: Installation, sign: str) -> None:
    with house.store.write() as db:
        db.execute(update(services).where(services.c.id == "office").values(name_en=sign))
    report = read(house)
    content = as_csv(report, "en")
    assert content.startswith(b"\xef\xbb\xbf")
    assert {row["Service"] for row in rows_of(content)} >= {f"'{sign}"}
    assert sign in {row[6] for row in cells_of(as_xlsx(report, "en"))}  # a string cell; cells_of looks for formulas


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_has_everything_in_it_and_asks_for_nothing(house: Installation, language: Language) -> None:
    with house.store.write() as db:
        db.execute(update(services).where(services.c.id == "office").values(name_en="<b>&\"'", name_km="<b>&\"'"))
    made = report_page.page(read(house, TA_PHOU, TREAS), language)
    assert made.html.startswith("<!doctype html>")
    assert f'<html lang="{language}">' in made.html
    assert "<b>&" not in made.html
    assert made.html.count(made.style) == 1
    assert not re.search(r"<script|<img|<iframe|\sstyle=|@import|url\(", made.html)
    assert set(re.findall(r'(?:href|src)="([^"]*)"', made.html)) == {"data:,"}
    assert "://" not in made.html
    if language != "km":
        assert not re.search("[\u1780-\u17ff]", made.html)


def test_a_name_stays_inside_the_margin_of_the_printed_page(house: Installation) -> None:
    report = read(house)
    report.results.communes[TA_PHOU] = Name("", "", '"; } </style><script>')  # type: ignore[index]
    made = report_page.page(report, "en")
    assert "<script" not in made.html
    assert made.html.count("</style>") == 1


def test_the_bars_are_told_apart_in_a_grey_print() -> None:
    """Each score is lighter than the one before by more than an eighth, and what stands in it can be read."""

    def light(colour: str) -> float:
        """Relative luminance (WCAG 2)."""
        full = colour[1:] if len(colour) == 7 else "".join(2 * sign for sign in colour[1:])
        parts = (int(full[i : i + 2], 16) / 255 for i in (0, 2, 4))
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    greys = [116 * light(colour) ** (1 / 3) - 16 for colour in report_page.PALETTE]
    assert all(after - before > 12.5 for before, after in itertools.pairwise(greys)), greys
    for paper, ink in zip(report_page.PALETTE, report_page.INK, strict=True):
        low, high = sorted((light(paper), light(ink)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, paper


def test_a_demonstration_says_that_its_figures_are_invented(house: Installation) -> None:
    assert "invented" not in words_of(as_html(read(house), "en"))
    with house.store.write() as db:
        mark_demo(db)
    assert "Demonstration: all figures are invented." in words_of(as_html(read(house), "en"))


# points for the forum -------------------------------------------------------------------------------


def some(*counts: int) -> Figures:
    return Figures(sum(counts), sum(counts), 0, counts)


def service(name: str, now: Figures | None, before: Figures | None = None, **more: Any) -> ServiceResult:
    return ServiceResult(name, 1, Name(name, name, name), now, before, **more)


LOW, HIGH, MIDDLE = some(60, 0, 0, 40, 0), some(20, 0, 0, 80, 0), some(45, 0, 0, 55, 0)
POINTS: list[tuple[str, Sequence[ServiceResult], list[str]]] = [
    ("nothing", [service("Office", None)], ["No service can be shown in this round, so the figures give no points."]),
    ("one service", [service("Office", LOW), service("School", None)], [
        "Office: 40% of 100 respondents were satisfied."]),
    ("lowest and highest", [service("Office", LOW), service("School", HIGH), service("Health", MIDDLE)], [
        "Office is lowest: 40% of 100 respondents were satisfied.",
        "School is highest: 80% of 100 respondents were satisfied."]),
    ("within the margin", [service("Office", MIDDLE), service("School", some(40, 0, 0, 60, 0))], [
        "From 55% satisfied (Office) to 60% (School): the difference is within the margin, so it may be chance."]),
    ("changes, the largest first", [service("Office", HIGH, MIDDLE), service("School", LOW, HIGH)], [
        "School is lowest: 40% of 100 respondents were satisfied.",
        "Office is highest: 80% of 100 respondents were satisfied.",
        "School: 40 points worse than in the round before, more than the margin of 14. What happened?",
        "Office: 25 points better than in the round before, more than the margin of 14. What helped?"]),
    ("no change beyond", [service("Office", MIDDLE, some(50, 0, 0, 50, 0))], [
        "Office: 55% of 100 respondents were satisfied.",
        "Since the round before no service changed by more than its margin."]),
    ("a question that stands out", [service("Office", HIGH, indicators=(
        IndicatorResult("a", Name("", "", "Fees are posted"), LOW), IndicatorResult("b", Name("", "", "Open"), HIGH),
        IndicatorResult("c", Name("", "", "Polite"), None)))], [
        "Office: 80% of 100 respondents were satisfied.",
        'Office, "Fees are posted": 40% of 100 respondents were satisfied, 80% with the service as a whole.']),
    ("communes apart", [service("Office", some(80, 0, 0, 120, 0), by_commune={PONLEY: LOW, TREAS: HIGH}),
                        service("School", some(120, 0, 0, 80, 0), by_commune={PONLEY: LOW, TREAS: LOW})], [
        "School is lowest: 40% of 200 respondents were satisfied.",
        "Office is highest: 60% of 200 respondents were satisfied.",
        "Office: 40% satisfied in Ponley, 80% in Treas. What do they do otherwise?"]),
]  # fmt: skip


@pytest.mark.parametrize(("rated", "points"), [row[1:] for row in POINTS], ids=[row[0] for row in POINTS])
def test_points_for_the_forum_can_be_read_aloud(rated: Sequence[ServiceResult], points: list[str]) -> None:
    names = {PONLEY: Name("", "", "Ponley"), TREAS: Name("", "", "Treas")}
    results = Results(1, names, 2, date(2026, 1, 1), date(2026, 2, 1), None, None, tuple(rated))
    assert [render(point, "en") for point in points_of(results)] == points


# the command ---------------------------------------------------------------------------------------


@pytest.fixture
def mati(house: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mati:
    """Runs the command; the exit code, and what is said."""
    monkeypatch.setenv("DATA_DIR", str(house.settings.data_dir))
    monkeypatch.setenv("DATABASE_URL", house.settings.database_url or "")

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["mati", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    return run


@pytest.mark.parametrize("suffix", KINDS)
def test_the_command_writes_each_kind_of_file(mati: Mati, tmp_path: Path, suffix: str) -> None:
    if suffix == ".pdf":
        _needs_pdf()
    file = tmp_path / f"report{suffix.upper()}"
    code, said = mati("report", "--commune", TA_PHOU, "--round", "1", "-o", str(file))
    assert (code, said) == (0, f"Report of round 1, {TA_PHOU}: {file}\n")
    begins = {".html": b"<!doctype html>", ".pdf": b"%PDF-", ".csv": b"\xef\xbb\xbf", ".xlsx": b"PK"}
    assert file.read_bytes().startswith(begins[suffix])
    if suffix == ".html":
        assert 'lang="km"' in file.read_text()  # the programme's language


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--commune", TA_PHOU, "--round", "1", "-o", "r.docx"], 2,
         "r.docx is no kind of report; let the name end in .html, .pdf, .csv, .xlsx"),
        (["--commune", TA_PHOU, "--round", "7", "-o", "r.html"], 1, f"commune {TA_PHOU} has no round 7; there are: 1"),
        (["--commune", "999999", "--round", "1", "-o", "r.html"], 1,
         "commune 999999 has no round 1; there are: none"),
        (["--commune", TA_PHOU, "--commune", PONLEY, "--round", "1", "-o", "r.html"], 1,
         f"commune {PONLEY} took no part in round 1 of commune {TA_PHOU}; those that did: {TA_PHOU}, {TREAS}"),
        (["--commune", PONLEY, "--round", "1", "-o", "r.html"], 1,
         f"round 1 of commune {PONLEY} is open; close it first"),
        (["--commune", TA_PHOU, "--round", "1", "-o", "no/such/r.csv"], 1, "no/such/r.csv cannot be written"),
        (["--round", "1", "-o", "r.html"], 2, "--commune"),
    ],
)  # fmt: skip
def test_the_command_says_what_is_wrong(
    house: Installation, mati: Mati, words: list[str], code: int, said: str
) -> None:
    house.open_round(PONLEY)
    ended, output = mati("report", *words)
    assert ended == code
    assert said in output
    assert len(output.splitlines()) == 1
    assert not Path("r.html").exists()


def _needs_pdf() -> None:
    try:
        import weasyprint  # noqa: F401
    except (ImportError, OSError) as missing:
        pytest.skip(f"no PDF here ({missing}): pip install 'mati[pdf]', on Debian: apt-get install libpango-1.0-0")


@pytest.mark.parametrize("language", ["km", "en"])
def test_the_pdf_is_on_a4_with_its_fonts_in_it(house: Installation, language: Language) -> None:
    _needs_pdf()
    content = as_pdf(read(house), language)
    assert content.startswith(b"%PDF-")
    assert re.search(rb"/MediaBox \[0 0 595\.\d+ 841\.\d+\]", _inflated(content))


def _inflated(content: bytes) -> bytes:
    import zlib

    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)
    found = [content]
    for stream in streams:
        try:
            found.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return b"\n".join(found)


@on_one_database
def test_without_the_extra_it_says_how_to_get_pdf(mati: Mati, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    code, said = mati("report", "--commune", TA_PHOU, "--round", "1", "-o", str(tmp_path / "r.pdf"))
    assert code == 1
    assert "pip install 'mati[pdf]'" in said
    assert not (tmp_path / "r.pdf").exists()


@on_one_database
def test_in_a_pause_the_command_says_that_the_report_is_not_for_outside(
    house: Installation, mati: Mati, tmp_path: Path
) -> None:
    today = datetime.now(UTC).date()
    with house.store.write() as db:
        set_pause(db, (today - timedelta(days=2), today + timedelta(days=2)))
    code, said = mati("report", "--commune", TA_PHOU, "--round", "1", "-o", str(tmp_path / "r.html"))
    assert code == 0
    assert f"There is a pause until {today + timedelta(days=2)}" in said


# the panel -----------------------------------------------------------------------------------------


@pytest.fixture
def panel(house: Installation) -> Browser:
    """A member of staff, reading English."""
    add(house, NAME)
    app: Flask = create_app(house.settings)
    browser = Browser(app.test_client())
    assert browser.log_in(page="/admin/login?lang=en").status_code == 302
    return browser


def test_staff_read_and_take_the_report_of_a_round(panel: Browser, house: Installation) -> None:
    page = panel.get("/admin/rounds/1/report")
    assert page.status_code == 200
    for part in ("Ta Phou, Treas · 23 Nov 2026 to 29 Nov 2026", "40% of 10 respondents (6 female) were satisfied"):
        assert part in text(page).replace(" · ", " · ")
    links = re.findall(r'href="(/admin/rounds/1/report\.[^"]+)"', page.text)
    kinds = {".html": "text/html", ".csv": "text/csv", ".xlsx": "application/vnd", ".pdf": "application/pdf"}
    for link in map(html.unescape, links):
        if ".pdf" in link:
            _needs_pdf()
        answer = panel.get(link)
        assert answer.status_code == 200
        kind = next(kind for kind in KINDS if f"report{kind}" in link)
        assert answer.headers["Content-Type"].startswith(kinds[kind])
        assert answer.headers["Cache-Control"] == "no-store"
        assert ("attachment" in answer.headers.get("Content-Disposition", "")) == (kind != ".html")
    assert len(links) in (3, 4)
    with house.store.read() as db:
        whole = of_round(db, 1, None, house.settings.min_raters, house.clock.now.date())
    assert panel.get("/admin/rounds/1/report.html?lang=en").data == as_html(whole, "en")
    one = panel.read(f"/admin/rounds/1/report?commune={TREAS}")
    assert "No service can be shown in this round" in one
    assert 'lang="km-Latn"' in panel.get(f"/admin/rounds/1/report.html?commune={TA_PHOU}&lang=km-Latn").text


@on_one_database
def test_the_page_by_itself_may_use_its_own_style_and_load_nothing(panel: Browser) -> None:
    policy = panel.get("/admin/rounds/1/report.html?lang=en").headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


@on_one_database
@pytest.mark.parametrize(
    "path",
    ["/admin/rounds/9/report", "/admin/rounds/1/report.docx", "/admin/rounds/1/report.html?commune=999999",
     f"/admin/rounds/1/report?commune={PONLEY}"],
)  # fmt: skip
def test_what_is_not_there_is_not_found(panel: Browser, path: str) -> None:
    assert panel.get(path).status_code == 404


@on_one_database
def test_a_round_that_is_open_has_no_report_yet(panel: Browser, house: Installation) -> None:
    round_id = house.open_round(PONLEY)
    rate(house, round_id, "office", "1223334445", PONLEY)
    page = panel.read(f"/admin/rounds/{round_id}/report")
    assert "This round is open" in page
    assert "respondents" not in page
    answer = panel.get(f"/admin/rounds/{round_id}/report.csv?commune={PONLEY}")
    assert answer.headers["Location"] == f"/admin/rounds/{round_id}/report?commune={PONLEY}"


@on_one_database
def test_very_many_communes_are_chosen_from_a_list(panel: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MOST", 1)
    page = panel.get("/admin/rounds/1/report")
    assert '<select class="form-select" id="commune" name="commune" multiple' in page.text
    assert "40% of 10 respondents" in text(page)  # the first of them
    both = panel.get(f"/admin/rounds/1/report?commune={TA_PHOU}&commune={TREAS}")
    assert both.status_code == 422
    assert "Choose up to 1." in text(both)


@on_one_database
def test_without_the_extra_the_panel_offers_no_pdf(panel: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "find_spec", lambda _name: None)
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    page = panel.get("/admin/rounds/1/report")
    assert "report.pdf" not in page.text
    assert "open the report and print it" in text(page)
    answer = panel.get("/admin/rounds/1/report.pdf")
    assert answer.status_code == 302
    assert "PDF needs an extra on the server" in panel.read(answer.headers["Location"])


# what was promised since ----------------------------------------------------------------------------


def test_a_report_says_what_was_promised_what_it_costs_and_what_became_of_it(house: Installation) -> None:
    """DOMAIN.md, table, row 7: 16 priority actions in 4 plans, all done; 4,257.33 USD local + 8,000 USD UNDEF."""
    round_id = house.open_round()
    house.close_round(round_id)
    day, usd = house.clock.now.date(), money.Currency.USD
    with house.store.write() as db:
        for n in range(16):
            paid = [("Local", 425733, usd)] if n == 0 else [("UNDEF", 400000, usd)] if n in (5, 9) else []
            given = Commitment(
                id=0, commune=COMMUNES[n % 4], activity={"km": f"អណ្តូង {n}", "en": f"Well {n}"}, round_id=round_id,
                responsible="the council", due=day + timedelta(days=30), beneficiaries=10, female=6,
                currency=usd if paid else None, cost=sum(amount for _name, amount, _of in paid) or None,
                sources=tuple(Source(*one) for one in paid),
            )  # fmt: skip
            made = commitments.add(db, house.settings, given, None, house.clock.now)
            commitments.set_standing(db, made, Standing.DONE, day, "", None, house.clock.now)
    whole = words_of(as_html(read(house, *COMMUNES), "en"))
    for line in (
        "16 priority actions in 4 plans, all done.",
        "Cost: 12,257.33 USD.",
        "Paid by: 4,257.33 USD Local + 8,000 USD UNDEF.",
        "For 160 people, 96 of them female.",
        "Well 0 (Ponley) the council",
        "Council: done",
    ):
        assert line in whole
    assert "សកម្មភាពអាទិភាព 16 ក្នុងផែនការ 4 បានធ្វើរួចទាំងអស់។" in words_of(as_html(read(house, *COMMUNES), "km"))
    one = words_of(as_html(read(house, PONLEY), "en"))
    assert "Priority actions: 4, all done." in one
    assert "Well 1 " not in one  # another commune's
    with zipfile.ZipFile(io.BytesIO(as_xlsx(read(house, *COMMUNES), "en"))) as book:
        assert "Well 15" in book.read("xl/sharedStrings.xml").decode()
