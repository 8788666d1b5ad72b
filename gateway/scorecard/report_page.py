"""The report as a page of its own: one file, styles and bars in it, no script, no outside address; and as PDF.

It reads on a phone and prints on A4. Colours run from dark to light, so that a grey print tells the scores apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import accumulate
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from gateway.config import Language
from gateway.errors import Told
from gateway.menus.rating import SCORES
from gateway.menus.wording import render
from gateway.scorecard import report_after, report_words, tallies
from gateway.scorecard.report import Report
from gateway.scorecard.results import ServiceResult
from gateway.scorecard.tallies import Change, Figures

TEMPLATES = Path(__file__).parents[1] / "templates"
PALETTE = ("#6e2408", "#b4531c", "#a39e90", "#93cbee", "#e3f3fc")
"""A colour a score, from orange to blue for the eye and from dark to light for a grey print."""
INK = ("#fff", "#fff", "#111", "#111", "#111")
_READABLE = 6
"""A part of a bar as wide as this, in hundredths, carries its score."""


class NoPdf(Told):
    """PDF cannot be made here; the message says what to install."""


@dataclass(frozen=True)
class Page:
    """A page and the style in it: whoever serves it allows that style, and no other."""

    html: str
    style: str


@dataclass(frozen=True)
class Part:
    """A part of a bar, in hundredths of its width."""

    score: int
    start: float
    width: float
    colour: str
    ink: str

    @property
    def middle(self) -> float:
        """Where its score stands."""
        return round(self.start + self.width / 2, 2)

    @property
    def readable(self) -> bool:
        """Whether there is room for its score."""
        return self.width >= _READABLE


def page(report: Report, language: Language) -> Page:
    """The report in a language."""
    say = partial(render, language=language)
    results = report.results
    round_ = report_words.title_of(results.number)
    names = [say(name) for name in results.communes.values()]
    label = {key: say(words) for key, words in (*report_words.LABELS.items(), *report_after.LABELS.items())}
    running = " · ".join((label["title"], ", ".join(names), say(round_)))
    style = _style() + _margins(running)
    html = _templates().get_template("report.html").render(
        language=language,
        style=Markup(style),  # noqa: S704  the names in it are escaped for CSS
        title=running,
        report=report,
        results=results,
        round=round_,
        period=report_words.period(results.first, report.last, language),
        label=label,
        say=say,
        words=report_words,
        scale=[option.label for option in SCORES],
        palette=PALETTE,
        bar=bar,
        shares=shares,
        day=partial(report_words.day, language=language),
        after=report.after,
        compare=compare,
        first_round=results.number == 1,
    )  # fmt: skip
    return Page(html, style)


def pdf(html: str) -> bytes:
    """The page as PDF on A4. Raises NoPdf where the extra or what it draws with is missing."""
    try:
        from weasyprint import HTML
    except (ImportError, OSError):  # OSError: Pango is a library of the system
        raise NoPdf(
            "PDF needs an extra: pip install 'mati[pdf]' (on Debian also: apt-get install libpango-1.0-0"
            " libpangoft2-1.0-0 libharfbuzz-subset0); or write .html and print it from a browser"
        ) from None
    made = HTML(string=html, url_fetcher=_fetch_nothing).write_pdf()
    return bytes(made)


def bar(figures: Figures) -> list[Part]:
    """The parts of a bar: a score each that somebody gave."""
    ends = [100 * end / figures.n for end in accumulate(figures.counts)]
    return [
        Part(score, round(start, 2), round(end - start, 2), colour, ink)
        for score, (start, end, colour, ink) in enumerate(zip([0.0, *ends], ends, PALETTE, INK, strict=False), 1)
        if end > start
    ]


def shares(figures: Figures) -> Sequence[int]:
    """The share of each score in whole percent."""
    return [round(100 * count / figures.n) for count in figures.counts]


def compare(service: ServiceResult, code: str) -> Change | None:
    """The change of one commune of a group."""
    now, before = ((of or {}).get(code) for of in (service.by_commune, service.before_by_commune))
    return tallies.change(now, before) if now and before else None


@cache
def _templates() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)


@cache
def _style() -> str:
    return (TEMPLATES / "report.css").read_text(encoding="utf-8")


def _margins(running: str) -> str:
    """What stands at the top of each printed page but the first, and its number below."""
    top = "".join(f"\\{ord(char):x} " if char in '"\\<>' or not char.isprintable() else char for char in running)
    return (
        f'@page {{ @top-left {{ content: "{top}"; }} }}\n@page :first {{ @top-left {{ content: none; }} }}\n'
        '@page { @bottom-right { content: counter(page) " / " counter(pages); } }\n'
    )


def _fetch_nothing(url: str, *_how: object, **_more: object) -> dict[str, object]:
    raise ValueError(f"the report has everything in it; {url} is not fetched")
