"""The demonstration's information pages: invented fees, hours, papers, a commune's budget, a notice of procurement."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Connection

from gateway.information import pages
from gateway.information.made import Budget, Notice, Texts
from gateway.information.pages import Page
from gateway.menus.phrases import Name
from gateway.models.information import About
from gateway.promises.money import Currency

TA_PHOU = ("010806", Name("តាផូ", "Ta Phou", "Ta Phou"))


def seed(db: Connection, today: date, now: datetime) -> None:
    """Pages for all and for Ta Phou. The Khmer is to be checked by a native speaker."""
    for page in _for_all(today) + _of_a_commune(today):
        pages.add(db, page, None, now)


def _for_all(today: date) -> list[Page]:
    return [
        Page(
            about=About.FEES,
            service="office",
            title={"km": "សំបុត្រកំណើត", "km-Latn": "Sombot kamnaet", "en": "Birth certificate"},
            body={
                "km": "ចុះក្នុង 30 ថ្ងៃក្រោយកើត ឥតគិតថ្លៃ។ ចម្លងថ្មី 1,000 រៀល ពីរថ្ងៃធ្វើការ។",
                "km-Latn": "Choh knong 30 thngai kraoy kaet, ot ket thlai. Chamlong thmey 1,000 riel, 2 thngai.",
                "en": "Free if registered within 30 days of the birth. A new copy: 1,000 riel, two working days.",
            },
            source={"km": "តារាងតម្លៃ (គំរូ)", "km-Latn": "Tareang thlai (kumru)", "en": "Fee list (invented)"},
            words={"km": ("សំបុត្រកំណើត", "កំណើត"), "km-Latn": ("kamnaet",), "en": ("birth", "birth certificate")},
            valid_from=today,
        ),
        Page(
            about=About.PAPERS,
            service="office",
            title={"km": "សៀវភៅគ្រួសារ", "km-Latn": "Sievphov krousar", "en": "Family book"},
            body={
                "km": "យកអត្តសញ្ញាណប័ណ្ណ សំបុត្រកំណើតកូន និងរូបថត 4x6 ពីរសន្លឹក មកសាលាឃុំ។",
                "km-Latn": "Yok at sanhnhean ban, sombot kamnaet kon, nung rup thot 4x6 pi sonlek mok sala khum.",
                "en": "Bring identity cards, the children's birth certificates and two photos 4x6 to the commune hall.",
            },
            source={"km": "សាលាឃុំ (គំរូ)", "km-Latn": "Sala khum (kumru)", "en": "Commune hall (invented)"},
            words={"km": ("គ្រួសារ",), "km-Latn": ("krousar",), "en": ("family", "family book")},
            valid_from=today,
        ),
        Page(
            about=About.HOURS,
            service="health",
            title={"km": "ម៉ោងមណ្ឌលសុខភាព", "km-Latn": "Maong mondol sokhapheap", "en": "Health centre hours"},
            body={
                "km": "ចន្ទ-សុក្រ 7:30-11:30 និង 14:00-17:00។ បន្ទាន់ និងសម្រាលកូន 24 ម៉ោង។",
                "km-Latn": "Chan-Sok 7:30-11:30 nung 14:00-17:00. Bantoan nung samral kon 24 maong.",
                "en": "Monday to Friday 7:30-11:30 and 14:00-17:00. Emergencies and births at any hour.",
            },
            source={"km": "មណ្ឌលសុខភាព (គំរូ)", "km-Latn": "Mondol (kumru)", "en": "Health centre (invented)"},
            words={"km": ("ពេទ្យ",), "km-Latn": ("pet",), "en": ("health", "hours")},
            valid_from=today,
        ),
    ]


def _of_a_commune(today: date) -> list[Page]:
    code, name = TA_PHOU
    year = today.year
    three = Budget(year, Currency.KHR, 450_000_000_00, 180_000_000_00, 270_000_000_00)
    council: Texts = {"km": "ក្រុមប្រឹក្សាឃុំ (គំរូ)", "km-Latn": "Krom prueksa (kumru)", "en": "Commune council (invented)"}
    repair = Notice(
        {"km": "ក្រុមហ៊ុន ចាន់ដារ៉ា", "km-Latn": "Kromhun Chan Dara", "en": "Chan Dara Co."}, 4_250_00, Currency.USD
    )
    return [
        Page(
            about=About.BUDGET,
            commune=code,
            title=three.title,
            body=three.body(name),
            source=council,
            words={"km": ("ថវិកា",), "km-Latn": ("thavika",), "en": ("budget",)},
            figures=three,
            valid_from=date(year, 1, 1),
            valid_until=date(year, 12, 31),
        ),
        Page(
            about=About.NOTICE,
            commune=code,
            title={"km": "ជួសជុលផ្លូវភូមិពង្រ", "km-Latn": "Chuoschul phlov Pongro", "en": "Road repair, Pongro"},
            body=repair.body,
            source=council,
            words={"km": ("ផ្លូវ",), "km-Latn": ("phlov",), "en": ("road",)},
            figures=repair,
            valid_from=today,
        ),
    ]
