"""What a flow may know: the frozen facts of a conversation and the edition of the programme it began with."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import cached_property
from typing import Any, Literal

from gateway.config import Language
from gateway.menus.phrases import Name
from gateway.menus.promised import Promise, Promised
from gateway.menus.shelf import InfoPage, Shelf
from gateway.text import in_gsm7


@dataclass(frozen=True)
class Service:
    """Something that is rated; `number` is what posters print."""

    id: str
    number: int
    name: Name


@dataclass(frozen=True)
class Indicator:
    """An extra question about a service, answered on the same scale."""

    id: str
    text: Name


@dataclass(frozen=True)
class Commune:
    """A commune of the programme; `number` is what posters print, `round_id` its open round."""

    code: str
    number: int
    name: Name
    round_id: int | None


@dataclass(frozen=True)
class Forum:
    """A public forum that is planned; `starts` in the programme's local time."""

    id: int
    revision: int
    commune: str
    title: Name
    starts: datetime
    venue: Name
    note: Name
    """On travel and cost; may be empty, as the call-back number may."""
    callback: str


class Programme:
    """An edition of the programme, as models/editions.py wrote it."""

    def __init__(self, edition: int, body: Mapping[str, Any], zone: tzinfo = UTC) -> None:
        self.edition = edition
        self.communes: dict[str, Commune] = {
            code: Commune(code, number, _place(km, en), round_id) for code, number, km, en, round_id in body["communes"]
        }
        self.above: dict[str, Name] = {code: _place(km, en) for code, (km, en) in body["above"].items()}
        self._services = {id_: Service(id_, n, _named(km, latn, en)) for id_, n, km, latn, en in body["services"]}
        self._rated = {
            int(round_id): tuple(sorted((self._services[id_] for id_ in ids), key=lambda service: service.number))
            for round_id, ids in body["rounds"].items()
        }
        # editions written before there were extra questions, or forums, have none
        self._indicators: dict[tuple[str, str], list[Indicator]] = {}
        for round_id, asked in body.get("indicators", {}).items():
            for id_, service, km, latn, en in asked:
                self._indicators.setdefault((round_id, service), []).append(Indicator(id_, _named(km, latn, en)))
        self._forums: dict[str, list[Forum]] = {}
        for row in body.get("forums", ()):
            self._forums.setdefault(row["commune"], []).append(_forum(row, zone))
        self.comments = frozenset[str](body.get("comments", ()))
        """The services on which comments are taken."""
        self._zone = zone
        self.shelf = Shelf(body.get("information", {}), body.get("words", ()))
        self._promised = Promised(body.get("promises", ()), body.get("pause") or ())

    @cached_property
    def has_round(self) -> bool:
        """Whether a round is open anywhere."""
        return any(commune.round_id is not None for commune in self.communes.values())

    def service(self, service: str) -> Service | None:
        """A service by its id, rated now or not."""
        return self._services.get(service)

    def services(self, commune: Commune) -> tuple[Service, ...]:
        """What may be rated in a commune now, by number."""
        return self._rated.get(commune.round_id or 0, ())

    def indicators(self, commune: Commune, service: Service) -> list[Indicator]:
        """The extra questions about a service in a commune's round, in the order of staff's list."""
        return self._indicators.get((str(commune.round_id), service.id), [])

    def forums(self, commune: str, after: datetime) -> list[Forum]:
        """What is planned in a commune and begins after a moment; the next one first."""
        return [forum for forum in self._forums.get(commune, ()) if forum.starts > after]

    def information(self, commune: str, at: datetime) -> list[InfoPage]:
        """The information pages that hold for a commune at a moment: its own first, then those for all."""
        return self.shelf.pages(commune, at.astimezone(self._zone).date())

    def promises(self, commune: str, at: datetime) -> list[Promise]:
        """What was promised to a commune, as it is told at a moment."""
        return self._promised.to(commune, self.day(at))

    def asked(self, check: int, at: datetime) -> Promise | None:
        """The promise that a question is about, while it is asked."""
        return self._promised.asked(check, self.day(at))

    def day(self, at: datetime) -> date:
        """The day of a moment where the programme is."""
        return at.astimezone(self._zone).date()


def _forum(row: Mapping[str, Any], zone: tzinfo) -> Forum:
    title, venue, note = (_named(*row[what]) for what in ("title", "venue", "note"))
    starts = datetime.fromisoformat(row["starts"]).astimezone(zone)
    return Forum(row["id"], row["revision"], row["commune"], title, starts, venue, note, row["callback"])


def _place(km: str, en: str) -> Name:
    return _named(km, en, en)  # the Latin name of a place is its romanised one


def _named(km: str, latn: str, en: str) -> Name:
    return Name(km, in_gsm7(latn), in_gsm7(en))  # one â on a screen would cost it more than half its room


@dataclass(frozen=True)
class Facts:
    """What was so when the conversation began. Written once, as JSON, and never changed."""

    edition: int
    language: Language
    commune: str | None
    """The caller's commune; None for a number that has not chosen one: it is welcomed first."""
    cost: str
    """What a call costs the caller, in words; empty when not told."""
    menus: str
    """The version of the flows (`flows.VERSION`)."""
    channel: Literal["ussd", "sms"] = "ussd"
    sms: str = ""
    """The number to which SMS are sent."""
    place: str = ""
    """The number of the commune that a one-message rating names, as on the poster."""
    entry: Literal["", "language", "forums", "news", "information", "check"] = ""
    """Where the talk begins, when not at the beginning."""
    check: int | None = None
    """The question about a promise that an SMS answers."""
    word: str = ""
    """The word of an information page that was asked for, folded."""
    began: str = ""
    """When the conversation began, ISO with its zone; empty in one from before there were forums."""
    draw: int = 0
    """Drawn at random when the conversation began: which extra questions it asks. None of it hangs on the caller."""
    volunteer: int | None = None
    """The volunteer that the caller is registered as; None for everybody else."""
    records: str = ""
    """The commune in which a volunteer records."""
    series: str = ""
    """Tells a volunteer's talk from all others, also when it is taken up again: respondents are counted in it."""
    dialled: tuple[str, ...] = ()
    """What was dialled or sent at once, such as `2*5` as ("2", "5")."""
    earlier: tuple[str, ...] = ()
    """The transcript of a talk that is taken up again."""
    taken_up: Literal["", "ask", "quietly"] = ""
    """Whether `earlier` is used, and whether the caller is asked first."""

    def to_json(self) -> str:
        """As kept in the conversation's row."""
        return json.dumps(vars(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    @functools.lru_cache(maxsize=1024)
    def from_json(cls, text: str) -> Facts:
        """Back from the row."""
        values = json.loads(text)
        return cls(**values | {"dialled": tuple(values["dialled"]), "earlier": tuple(values["earlier"])})


@dataclass(frozen=True)
class Visit:
    """One conversation's view of the programme."""

    facts: Facts
    programme: Programme

    @property
    def commune(self) -> Commune | None:
        """The caller's commune, when it is known and still takes part."""
        return self.programme.communes.get(self.facts.commune or "")

    @property
    def records(self) -> Commune | None:
        """The commune in which the caller may record respondents now; None who is no volunteer."""
        commune = self.programme.communes.get(self.facts.records)
        return commune if commune and self.programme.services(commune) else None

    @property
    def place(self) -> Commune | None:
        """The commune that a one-message rating names."""
        found = (c for c in self.programme.communes.values() if str(c.number) == self.facts.place)
        return next(found, None) if self.facts.place else None

    def drawn(self, commune: Commune, service: Service) -> list[Indicator]:
        """The extra questions to ask about a service: at most two, each of them and each pair as often as any other.

        A whole rating sent as one SMS is answered with thanks alone: each question more would cost another SMS.
        """
        there = self.programme.indicators(commune, service)
        if self.facts.channel == "sms" and self.facts.dialled:
            return []
        if len(there) < 2:
            return there
        first, rest = self.facts.draw % len(there), self.facts.draw // len(there)
        second = (first + 1 + rest % (len(there) - 1)) % len(there)
        return [there[first], there[second]]

    def forums(self, commune: Commune) -> list[Forum]:
        """What was still to come in a commune when the conversation began; the next one first."""
        if not self.facts.began:
            return []
        return self.programme.forums(commune.code, datetime.fromisoformat(self.facts.began))

    def information(self, commune: str) -> list[InfoPage]:
        """The information pages that held for a commune when the conversation began."""
        if not self.facts.began:
            return []
        return self.programme.information(commune, datetime.fromisoformat(self.facts.began))

    def promises(self, commune: Commune) -> list[Promise]:
        """What was promised to a commune, as it was told when the conversation began."""
        if not self.facts.began:
            return []
        return self.programme.promises(commune.code, datetime.fromisoformat(self.facts.began))

    @property
    def asked(self) -> Promise | None:
        """The promise that an SMS asked about, while it is asked."""
        if self.facts.check is None:
            return None
        return self.programme.asked(self.facts.check, datetime.fromisoformat(self.facts.began))

    @property
    def today(self) -> date:
        """The day on which the conversation began."""
        return self.programme.day(datetime.fromisoformat(self.facts.began))
