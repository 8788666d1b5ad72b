"""Villagers' checks: was it done what was promised? Asked in the menu and by SMS, counted as a rating is.

A number and a who have one answer, the last one. It lies under the check's own key, as a rating under its round's.
`asking` opens checks and closes them; then what stands are counts, as far as they may be shown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import structlog
from sqlalchemy import ColumnElement, Connection, delete, distinct, func, select, update

from gateway.config import Settings
from gateway.forums.facts import named
from gateway.menus.phrases import Name, Words
from gateway.menus.promises import STANDINGS, share
from gateway.menus.promises import standing_words as told
from gateway.models.editions import publish
from gateway.models.installation import is_paused
from gateway.models.promises import COUNCIL_FIRST, Standing, check_answers, checks, commitments
from gateway.models.rollups import WOMEN
from gateway.models.store import insert
from gateway.privacy import Cell, Keys, may_show

_ = Words
log = structlog.get_logger()

YES, PARTLY, NO, UNKNOWN = range(1, 5)
KNOW = 3
"""So many of the answers, the first ones, are of who knows."""
DEFINITION = _(
    "Villagers' share: of those who said that it was done, partly or not, how many said that it was done. Who does not"
    " know is not counted in it. A figure is shown from {n} different phones on, and when not all said the same."
)


class CheckClosed(Exception):
    """The check closed before the answer came; nothing was stored."""


@dataclass(frozen=True)
class CheckFigures:
    """What villagers say, where it may be shown. n are those who know: who said that it was done, partly or not."""

    yes: int
    partly: int
    no: int
    unknown: int
    """Beside them, who does not know."""
    female: int
    """Among the n."""
    is_open: bool = False
    """Whether they are still asked: then it is for staff only."""

    @property
    def counts(self) -> tuple[int, int, int]:
        """Of who knows."""
        return self.yes, self.partly, self.no

    @property
    def n(self) -> int:
        """Those who know."""
        return sum(self.counts)

    @property
    def percent(self) -> int:
        """The share of n who saw it done, whole."""
        return share(self.yes, self.n)


# answers ------------------------------------------------------------------------------------------


def answer(db: Connection, keys: Keys, check: int, number: str, who: str | None, choice: int) -> None:
    """Stores an answer in place of the one before of the same number and who. Raises CheckClosed."""
    key = _key_of(db, keys, check)
    rater, phone = keys.rater(key, number, who), keys.phone(key, number)
    values = {"check_id": check, "rater": rater, "phone": phone, "who": who, "choice": choice}
    statement = insert(check_answers, db.dialect.name).values(values)
    same = list(check_answers.primary_key.columns)
    db.execute(statement.on_conflict_do_update(index_elements=same, set_={"choice": choice}))


def take_over(db: Connection, keys: Keys, check: int, number: str, who: str) -> None:
    """The answer of a number that told no who becomes that of this who, in place of one before. Raises CheckClosed."""
    loose, mine = _answers_of(db, keys, check, number, None, who)
    if _is_there(db, loose):
        db.execute(delete(check_answers).where(mine))
        rater = keys.rater(_key_of(db, keys, check), number, who)
        db.execute(update(check_answers).where(loose).values(rater=rater, who=who))


def let_go(db: Connection, keys: Keys, check: int, number: str, who: str) -> None:
    """The answer of a number and a who belongs to the number alone again; one since then stays. Raises CheckClosed."""
    loose, mine = _answers_of(db, keys, check, number, None, who)
    if _is_there(db, loose):
        db.execute(delete(check_answers).where(mine))
    else:
        rater = keys.rater(_key_of(db, keys, check), number, None)
        db.execute(update(check_answers).where(mine).values(rater=rater, who=None))


def discard(db: Connection, keys: Keys, check: int, number: str) -> None:
    """Removes the answer of a number that told no who. Raises CheckClosed."""
    (loose,) = _answers_of(db, keys, check, number, None)
    db.execute(delete(check_answers).where(loose))


def withdraw(db: Connection, keys: Keys, number: str) -> None:
    """Removes all answers of a number in the checks that are open, whoever gave them."""
    for check, key in db.execute(select(checks.c.id, checks.c.key).where(checks.c.closed.is_(None))).all():
        if keys.has_round(key):
            phone = keys.phone(key, number)
            db.execute(delete(check_answers).where(check_answers.c.check_id == check, check_answers.c.phone == phone))


def has_answered(db: Connection, keys: Keys, check: int, key: str, number: str) -> bool:
    """Whether anybody has answered by this number."""
    if not keys.has_round(key):  # its answers cannot be told from others', and none is taken
        return False
    mine = (check_answers.c.check_id == check) & (check_answers.c.phone == keys.phone(key, number))
    return _is_there(db, mine)


def activity(db: Connection, check: int) -> Name | None:
    """What an open check is about."""
    there = select(commitments.c.activity).join(checks, checks.c.commitment == commitments.c.id)
    text = db.scalar(there.where(checks.c.id == check, checks.c.closed.is_(None)))
    return named(json.loads(text)) if text else None


def _key_of(db: Connection, keys: Keys, check: int) -> str:
    """The name of an open check's key. Raises CheckClosed.

    The row is locked until the commit, so that no answer comes in beside the closing; one that is under way counts as
    done: it waits for our conversation, so we must not wait for it.
    """
    still_open = select(checks.c.key).where(checks.c.id == check, checks.c.closed.is_(None))
    key = db.scalar(still_open.with_for_update(read=True, skip_locked=True))
    if key is None:
        raise CheckClosed
    if not keys.has_round(key):
        log.error("check.key_is_missing", check=check, do="restore KEYS_DIR or close the check")
        raise CheckClosed
    return str(key)


def _answers_of(db: Connection, keys: Keys, check: int, number: str, *whos: str | None) -> list[ColumnElement[bool]]:
    """The answers of a number, each with a who."""
    key = _key_of(db, keys, check)
    c = check_answers.c
    return [(c.check_id == check) & (c.rater == keys.rater(key, number, who)) for who in whos]


def _is_there(db: Connection, which: ColumnElement[bool]) -> bool:
    return db.execute(select(check_answers.c.choice).where(which).limit(1)).first() is not None


# opening ------------------------------------------------------------------------------------------


def open_check(db: Connection, keys: Keys, commitment: int, today: date, until: date, now: datetime) -> int | None:
    """From now on villagers are asked whether it was done, until the last day. Returns the check's id.

    None where it is asked already.
    """
    key = keys.make_round()
    values = {"commitment": commitment, "key": key, "opened": today, "until": until}
    statement = insert(checks, db.dialect.name).values(values).on_conflict_do_nothing()
    made: int | None = db.scalar(statement.returning(checks.c.id))
    if made is None:
        keys.destroy_round(key)
        return None
    publish(db, now)
    return made


def going(db: Connection, commitment: int) -> int | None:
    """The check of a commitment that is open."""
    mine = (checks.c.commitment == commitment) & checks.c.closed.is_(None)
    found: int | None = db.scalar(select(checks.c.id).where(mine))
    return found


# figures ------------------------------------------------------------------------------------------


def figures(db: Connection, commitment: int, settings: Settings, *, inside: bool) -> CheckFigures | None:
    """What villagers say of a commitment; None where nothing may be shown, whatever the cause.

    `inside`: staff see a check that is open, live from so many phones on as every figure. What leaves the programme are
    the counts of the last one that closed, frozen then: so no two figures differ by what somebody said in between.
    """
    mine = select(checks).where(checks.c.commitment == commitment)
    if inside and (going := db.execute(mine.where(checks.c.closed.is_(None))).first()) is not None:
        return live(db, going.id, settings)
    last = db.execute(mine.where(checks.c.closed.is_not(None)).order_by(checks.c.id.desc()).limit(1)).first()
    return frozen(last.counts) if last else None


def public_figures(db: Connection, commitment: int, today: date) -> CheckFigures | None:
    """What everybody may know on a day: councils know it some days before, and in a pause nobody is told."""
    c = checks.c
    mine = select(checks).where(c.commitment == commitment, c.closed.is_not(None)).order_by(c.id.desc()).limit(1)
    last = db.execute(mine).first()
    if last is None or last.closed + COUNCIL_FIRST > today or is_paused(db, today):
        return None
    return frozen(last.counts)


def live(db: Connection, check: int, settings: Settings) -> CheckFigures | None:
    """The figures of a check as they are now."""
    c = check_answers.c
    women = func.count().filter(c.who.in_(WOMEN)).label("women")
    by_choice = select(c.choice, func.count().label("raters"), women).where(c.check_id == check).group_by(c.choice)
    found = {row.choice: row for row in db.execute(by_choice)}
    knowing = (c.check_id == check) & (c.choice <= KNOW)
    numbers = db.scalar(select(func.count(distinct(c.phone))).where(knowing)) or 0
    yes, partly, no, unknown = (found[choice].raters if choice in found else 0 for choice in range(YES, UNKNOWN + 1))
    # of who knows: they are what the share is of, so they must be enough, and must not all have said the same
    if not may_show(Cell((yes, partly, no), numbers), settings.min_raters):
        return None
    female = sum(row.women for row in found.values() if row.choice <= KNOW)
    return CheckFigures(yes, partly, no, unknown, female, is_open=True)


def frozen(counts: str | None) -> CheckFigures | None:
    """The figures of a check that is closed, from its row."""
    if not counts:
        return None
    values = json.loads(counts)
    yes, partly, no, unknown = values["said"]
    return CheckFigures(yes, partly, no, unknown, values["female"])


def as_counts(shown: CheckFigures | None) -> str | None:
    """What is kept of figures."""
    return json.dumps({"said": [*shown.counts, shown.unknown], "female": shown.female}) if shown else None


def standing_words(standing: Standing | str, shown: CheckFigures | None) -> Words:
    """`Council: done; villagers: 61% yes of 34`, for a page, a message or a screen."""
    counts: Sequence[int] | None = shown.counts if shown else None
    return told(STANDINGS[str(standing)], counts)
