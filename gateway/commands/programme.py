"""Commands of the programme's own work: places, contacts, figures, texts to many."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.commands.opening import noted, ready_store
from gateway.config import LANGUAGES, Language, load
from gateway.errors import Told

BREAKDOWNS = ("commune", "district", "province", "who", "week", "channel", "indicator", "round")


@click.group()
def places() -> None:
    """Provinces, districts, communes and villages."""


@places.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--join", is_flag=True, help="The file's communes take part in the programme from now on.")
def import_places(file: Path, join: bool) -> None:
    """Take in a CSV file (code,level,unit,name_km,name_en), whole or not at all."""
    from gateway.models.editions import publish
    from gateway.places import import_places as take_in

    store = ready_store(load())
    with store.write() as db:
        imported = take_in(db, file, join=join)
        publish(db, datetime.now(UTC))
        noted(db, "places import", name=file.name, new=imported.joined, changed=imported.places)
    click.echo(f"{imported.places} places new or changed, {imported.joined} communes joined the programme.")


@click.group()
def contacts() -> None:
    """People who asked for reminders, institutions, councillors."""


@contacts.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Print what would happen, and change nothing.")
@click.option("--group", metavar="NAME", help="Everybody in the file is in this group, too; a new one is made.")
@click.option("--role", type=click.Choice(("person", "institution", "councillor")), help="Where a line says none.")
@click.option("--consent", metavar="TEXT", help="Where and when people agreed, for lines that do not say so.")
def import_contacts(file: Path, dry_run: bool, group: str | None, role: str | None, consent: str | None) -> None:
    """Take in a CSV file with a column `number`, and what else is known; whole or not at all.

    Columns by name, in English or Khmer: number, name, role, language, commune, address, group, consent.
    """
    from gateway.contacts import intake as contact_intake
    from gateway.contacts import lists as contact_lists
    from gateway.contacts import sheets
    from gateway.contacts.contacts import Refused
    from gateway.privacy import Keys

    settings, now = load(), datetime.now(UTC)
    try:
        wholesale = contact_lists.Wholesale.of(role, consent or "", group or "")
    except Refused as refusal:
        raise click.UsageError(f"--group or --consent: {refusal}") from None
    store, keys = ready_store(settings), Keys(settings)
    sheet = contact_lists.sheet(str(file), sheets.read_bytes(file))
    with store.read() as db:
        communes = contact_lists.Communes(db)
    reading = contact_lists.read(sheet, communes, keys, settings, wholesale, _lines_read)
    if dry_run:
        with store.read() as db:
            done = contact_intake.plan(db, reading)
    else:
        with store.write() as db:
            done = contact_intake.take_in(db, keys, reading, settings.day(now), now)
            counts = {fate.name.lower(): done.count(fate) for fate in contact_intake.Fate}
            noted(db, "contacts import", name=file.name, new=counts["new"], changed=counts["changed"])
    click.echo(contact_intake.report(done, dry_run))


def _lines_read(count: int, last: bool) -> None:
    """Progress, for who watches."""
    if sys.stderr.isatty():
        click.echo(f"\r{count:,} lines read", nl=last, err=True)


@click.command()
@click.option("--commune", metavar="CODE", help="One commune, by its code; otherwise all of the programme.")
@click.option("--round", "number", type=click.IntRange(1), metavar="N", help="The commune's N-th round.")
@click.option("--week", metavar="YYYY-Www", help="One week of the round, such as 2026-W47.")
@click.option("--by", type=click.Choice(BREAKDOWNS), help="One breakdown, of the commune or of the whole programme.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", help="The language of names.")
def tally(commune: str | None, number: int | None, week: str | None, by: str | None, as_json: bool, lang: str) -> None:
    """Print the figures as staff see them."""
    from gateway.scorecard import breakdowns, scopes, tallies
    from gateway.tables import as_table, parts_table

    try:
        monday = tallies.monday(week) if week else None
    except ValueError:
        raise click.UsageError(f"--week: {week!r} is no week; write it as 2026-W47") from None
    if week and by:
        raise click.UsageError("--week and --by: one breakdown at a time; --by week tells all weeks")
    settings = load()
    minimum = settings.min_raters
    today = settings.day(datetime.now(UTC))
    with ready_store(settings).read() as db:
        if by:
            if commune is not None:
                tallies.take_part(db, commune)
            scope = scopes.scope_of(db, commune or scopes.WHOLE, number)
            told = breakdowns.breakdown(db, scope, breakdowns.By(by), minimum, today)
        else:
            figures = tallies.tallies(db, commune, number, minimum, today, monday)
    if by and as_json:
        click.echo(json.dumps(breakdowns.as_json(told, lang), ensure_ascii=False, indent=2))
    elif by:
        click.echo(parts_table(told, lang, minimum))
    elif as_json:
        values = [tallies.as_json(one, lang) for one in figures]
        click.echo(json.dumps(values[0] if commune else values, ensure_ascii=False, indent=2))
    else:
        click.echo("\n\n".join(as_table(one, lang, minimum) for one in figures))


@click.command()
@click.option("--commune", "codes", required=True, multiple=True, metavar="CODE",
              help="A commune; several for a group that shared the round.")  # fmt: skip
@click.option("--round", "number", required=True, type=click.IntRange(1), metavar="N",
              help="The N-th round of the first commune; it must be closed.")  # fmt: skip
@click.option("-o", "file", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="What to write: .html, .pdf, .csv or .xlsx.")  # fmt: skip
@click.option("--lang", type=click.Choice(LANGUAGES), help="Its language; otherwise the programme's.")
def report(codes: tuple[str, ...], number: int, file: Path, lang: Language | None) -> None:
    """Write the Citizens' Rating Report of a closed round."""
    from gateway.models.installation import pause
    from gateway.scorecard.report import report_of
    from gateway.scorecard.report_files import KINDS

    if file.suffix.lower() not in KINDS:
        raise click.UsageError(f"-o: {file} is no kind of report; let the name end in {', '.join(KINDS)}")
    settings = load()
    with ready_store(settings).read() as db:
        found = report_of(db, codes, number, settings.min_raters, settings.day(datetime.now(UTC)))
        paused = pause(db)
    _media_type, made = KINDS[file.suffix.lower()]
    content = made(found, lang or settings.default_language)
    try:
        file.write_bytes(content)
    except OSError as error:
        raise Told(f"{file} cannot be written ({error.strerror})") from None
    click.echo(f"Report of round {number}, {', '.join(found.results.communes)}: {file}")
    if paused and paused[0] <= settings.day(datetime.now(UTC)) <= paused[1]:
        click.echo(f"There is a pause until {paused[1]}: hand it to nobody outside before its end.", err=True)


@click.command()
@click.option("--group", required=True, metavar="NAME", help="Of contacts: those who get it.")
@click.option("--text", "file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="One text for all, or sections headed [km], [km-Latn], [en].")  # fmt: skip
@click.option("--at", metavar="TIME", help="Local time, such as '2026-12-01 09:00'; otherwise once it is approved.")
@click.option("--dry-run", is_flag=True, help="Print recipients, parts and cost, and change nothing.")
def broadcast(group: str, file: Path, at: str | None, dry_run: bool) -> None:
    """Put a message to a group before staff for approval."""
    from gateway.bulk import dispatch, hours

    settings, now = load(), datetime.now(UTC)
    try:
        start = hours.written(at, settings.zone) if at else None
        texts = dispatch.texts_in(file.read_text(encoding="utf-8"), settings.default_language)
    except UnicodeDecodeError:
        raise Told(f"{file} is not in UTF-8; save it as UTF-8 text") from None
    except ValueError:
        raise click.UsageError(f"--at: {at!r} is no time; write it as '2026-12-01 09:00'") from None
    store = ready_store(settings)
    if dry_run:
        with store.read() as db:
            dispatch.dry_run(db, settings, dispatch.plan(db, group, texts, start), now, click.echo)
        return
    with store.write() as db:
        made = dispatch.put_before_staff(db, settings, dispatch.plan(db, group, texts, start), now)
        noted(db, "broadcast", name=group)
    click.echo(f"Broadcast {made} waits for approval: {settings.address}/admin/broadcasts/{made}")
