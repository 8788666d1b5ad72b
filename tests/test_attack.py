"""Whoever keeps everything that ever left the programme finds nobody; with a rule switched off, the same one does."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import Connection, Row, select

from gateway.config import FLOOR
from gateway.models import answers
from gateway.models.answers import OVERALL
from gateway.scorecard import closing, releases, results, rounds
from gateway.scorecard.releases import Block
from gateway.scorecard.tallies import Figures
from tests.attacker import FEW, PART_OF_SCORE, Claim, attack, solve, surplus, systems
from tests.conftest import Installation
from tests.country import EXTRA, WOMEN, Answer, Country

on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
Witnesses = list[Country]


@pytest.fixture
def witnesses(monkeypatch: pytest.MonkeyPatch) -> Witnesses:
    """Whose answers a block has is noted by the truth of the country that there is."""
    there: Witnesses = []
    freeze = releases._freeze

    def noted(db: Connection, new: Sequence[tuple[Block, Collection[bytes]]]) -> None:
        freeze(db, new)
        for country in there:
            for block, phones in new:
                country.truth.freeze(block, phones)

    monkeypatch.setattr(releases, "_freeze", noted)
    return there


# the judge ----------------------------------------------------------------------------------------


def left_over(country: Country, of: Any) -> list[Answer]:
    """Whose answers are left when figures are added and subtracted."""
    left: dict[Answer, Fraction] = {}
    for figure, times in of.items():
        for answer in country.truth.figures[figure]:
            left[answer] = left.get(answer, Fraction(0)) + times
    return [answer for answer, times in left.items() if times]


def is_right(country: Country, claim: Claim) -> bool:
    """Whether a claim has found somebody."""
    kept_back = claim.kind == "kept back"
    found = country.truth.kept_back.get(claim.where, []) if kept_back else left_over(country, claim.of)
    if claim.kind == "few":
        return 0 < len(phones(found)) < FEW
    return len(phones(found)) >= FEW and len({score for _, _, score in found}) == 1


def phones(found: Iterable[Answer]) -> set[bytes]:
    return {phone for phone, _, _ in found}


# all rules hold -----------------------------------------------------------------------------------


def insiders(country: Country) -> list[int]:
    """In how many blocks one, two or three who tell each other what they gave know that all the others gave one score.

    The worst three: no others in the block are of another mind. They never find a smaller group than of seven others.
    """
    known = [0, 0, 0]
    for found in (block for blocks in country.truth.blocks.values() for block in blocks):
        assert len(phones(found)) - len(known) >= FEW - len(known)
        most = Counter(score for _, _, score in found).most_common(1)[0][0]
        others = len(phones(answer for answer in found if answer[2] != most))
        assert others, "that block is unanimous"
        for k in range(others, len(known) + 1):
            known[k - 1] += 1
    return known


def ten_weeks(house: Installation, witnesses: Witnesses, **options: Any) -> Country:
    """Twelve communes in three rounds."""
    country = Country(house, 12, random.Random(20), **options)
    witnesses.append(country)
    codes = country.codes
    country.play(10, [(codes[:6], 0, 3), (codes[6:], 1, 8), (codes[:6], 5, 9)])
    return country


def nobody_is_found(country: Country) -> None:
    claims = attack(country.kept)
    assert [claim for claim in claims if is_right(country, claim)] == []
    assert surplus(country.kept) == [], "shares and changes tell more than the counts beside them"
    sizes = [
        len(phones(left_over(country, derived.of)))
        for figures in systems(country.kept).values()
        for derived in solve(figures)
    ]
    assert min(size for size in sizes if size) >= FEW, "fewer numbers than anybody would guess from the counts"
    parts = [block for blocks in country.truth.blocks.values() for block in blocks]
    print(
        f"{len(country.kept.letters)} letters, {len(country.kept.pages)} pages, {len(parts)} blocks;"
        f" {len(sizes)} figures solved for, {len(claims)} claims, all wrong; all of another mind are one/two/three"
        f" numbers in {insiders(country)} blocks"
    )


def test_nobody_is_found(installation: Installation, witnesses: Witnesses) -> None:
    country = ten_weeks(installation, witnesses, each_page=True)
    assert len(country.truth.blocks) > 40
    nobody_is_found(country)


@pytest.mark.slow
@on_one_database
def test_nobody_is_found_in_half_a_year_of_the_whole_country(
    installation: Installation, witnesses: Witnesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "write_anew", lambda *_: None)  # tests/test_after_closing.py; nothing of it leaves
    country = Country(installation, 1652, random.Random(26), busy=(1, 5, 14))
    witnesses.append(country)
    regions = [country.codes[i::5] for i in range(5)]
    plan = [(codes, 2 * i + first, 2 * i + first + 3) for i, codes in enumerate(regions) for first in (0, 14)]
    country.play(26, plan)
    assert len(country.truth.blocks) > 1000
    nobody_is_found(country)


# one rule does not --------------------------------------------------------------------------------


def no_threshold(patch: pytest.MonkeyPatch, house: Installation) -> dict[str, Any]:
    patch.setattr(releases, "may_show", lambda cell, minimum: max(cell.counts) < cell.n)
    return {}


def no_unanimity(patch: pytest.MonkeyPatch, house: Installation) -> dict[str, Any]:
    patch.setattr(releases, "may_show", lambda cell, minimum: cell.numbers >= minimum)
    return {"alike": 0.9}


def a_number_twice(patch: pytest.MonkeyPatch, house: Installation) -> dict[str, Any]:
    patch.setattr(releases, "_mark", lambda db, new: None)
    return {}


def the_last_block_too(patch: pytest.MonkeyPatch, house: Installation) -> dict[str, Any]:
    release = releases.release

    def at_closing(db: Connection, round_id: int, commune: str, last: date, minimum: int) -> list[Block]:
        return release(db, round_id, commune, last, FLOOR)

    patch.setattr(rounds, "release", at_closing)
    return {}


def live_totals(patch: pytest.MonkeyPatch, house: Installation) -> dict[str, Any]:
    def live(db: Connection, round_id: int, communes: Collection[str], **_: Any) -> list[Block]:
        c = answers.answers.c
        mine = select(answers.answers).where(c.round_id == round_id, c.commune.in_(communes))
        rows = db.execute(mine.order_by(c.commune, c.service_id, c.indicator)).all()
        found: dict[tuple[str, str, str], list[Row[Any]]] = {}
        for row in rows:
            found.setdefault((row.commune, row.service_id, row.indicator), []).append(row)
        return [
            Block(commune, round_id, service, date.max, figures, indicator)
            for (commune, service, indicator), ones in found.items()
            if (figures := releases._figures(ones, 10))
        ]

    patch.setattr(results, "blocks_of", live)
    return {"pages_of": "now", "sums_of": "now", "each_page": True}


def another_breakdown(patch: pytest.MonkeyPatch, house: Installation) -> dict[str, Any]:
    by_question = releases._by_question

    def of_women_too(rows: Sequence[Row[Any]]) -> Iterator[tuple[str, str, list[Row[Any]]]]:
        for service, indicator, found in by_question(rows):
            yield service, indicator, found
            if (service, indicator) == ("office", OVERALL):
                yield service, PART_OF_SCORE, [row for row in found if row.who in WOMEN]

    patch.setattr(releases, "_by_question", of_women_too)
    return {"extra": {**EXTRA, "office": (PART_OF_SCORE,)}, "each_page": True}


def extra_questions_first(patch: pytest.MonkeyPatch, house: Installation) -> dict[str, Any]:
    patch.setattr(releases, "_follows", lambda row, scored: True)
    return {"alike": 0.9, "each_page": True}


def sums_of_all(patch: pytest.MonkeyPatch, house: Installation) -> dict[str, Any]:
    total = releases.total

    def of_all(parts: Iterable[Block]) -> Figures | None:
        there = list(parts)
        if len({block.commune for block in there}) < 2:
            return total(there)
        c, one = answers.answers.c, there[0]
        mine = (c.round_id == one.round_id, c.service_id == one.service, c.indicator == one.indicator)
        with house.store.read() as db:
            return releases._figures(db.execute(select(answers.answers).where(*mine)).all(), 10)

    patch.setattr(results, "total", of_all)
    return {"sums_of": "now"}


RULES = (
    no_threshold, no_unanimity, a_number_twice, the_last_block_too, live_totals, another_breakdown,
    extra_questions_first, sums_of_all,
)  # fmt: skip


@on_one_database
@pytest.mark.parametrize("off", RULES, ids=lambda off: off.__name__)
def test_without_one_rule_the_same_attack_finds_somebody(
    installation: Installation,
    witnesses: Witnesses,
    monkeypatch: pytest.MonkeyPatch,
    off: Callable[[pytest.MonkeyPatch, Installation], dict[str, Any]],
) -> None:
    country = ten_weeks(installation, witnesses, dialling=3, **off(monkeypatch, installation))
    claims = attack(country.kept)
    right = [claim for claim in claims if is_right(country, claim)]
    alone = sum(len(phones(left_over(country, claim.of))) == 1 for claim in right if claim.of)
    kinds = dict(Counter(claim.kind for claim in right))
    print(f"{off.__name__}: {len(right)} of {len(claims)} claims are right, {alone} of one number alone; {kinds}")
    assert right
