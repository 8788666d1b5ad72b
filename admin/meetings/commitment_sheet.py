"""A list of commitments as a sheet."""

from __future__ import annotations

from collections.abc import Iterable

from admin.meetings.commitment_words import STANDINGS
from admin.wording import Wording
from gateway import spreadsheets
from gateway.menus.phrases import Words
from gateway.promises.facts import Commitment
from gateway.promises.money import written
from gateway.spreadsheets import Cell

_ = Words

HEAD = (
    _("Commune code"), _("Commune"), _("Round"), _("Activity"), _("Who is responsible"), _("Proposed by"), _("Place"),
    _("Quantity"), _("Starts"), _("Due"), _("State"), _("Beneficiaries"), _("Women among them"), _("Currency"),
    _("Cost"), _("Who pays"), _("Shown to villagers"),
)  # fmt: skip


def as_csv(lines: Iterable[Commitment], words: Wording) -> bytes:
    """A line a commitment."""
    return spreadsheets.as_csv([words(one) for one in HEAD], (_cells(one, words) for one in lines))


def _cells(one: Commitment, words: Wording) -> list[Cell]:
    paying = "; ".join(f"{source.name}: {written(source.amount)}" for source in one.sources)
    return [
        one.commune, words(one.commune_name), _or_empty(one.round_number), words(one.label), one.responsible,
        one.proposed_by, one.place, one.quantity, one.starts.isoformat() if one.starts else "", one.due.isoformat(),
        words(STANDINGS[one.standing]), _or_empty(one.beneficiaries), _or_empty(one.female), one.currency or "",
        _amount(one.cost), paying, words(_("Yes") if one.shown else _("No")),
    ]  # fmt: skip


def _or_empty(number: int | None) -> Cell:
    return "" if number is None else number


def _amount(hundredths: int | None) -> Cell:
    if hundredths is None:
        return ""
    return hundredths / 100 if hundredths % 100 else hundredths // 100
