"""The `mati` command (CONTRACT.md, The `mati` command).

Errors are one line on stderr that says what is wrong and how to mend it: exit 2 for usage, 1 for the rest.
The modules behind a command are imported when it is called, so that each starts with what it needs alone.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from gateway.config import LANGUAGES, PROVIDERS, ROLES, Settings, load
from gateway.errors import Told

if TYPE_CHECKING:
    from gateway.models.store import Store


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Mati: villagers rate local services by USSD and SMS; councils get the figures; numbers stay protected."""


@cli.command()
@click.option("--demo", is_flag=True, help="With invented data in the four communes.")
@click.option("--port", type=click.IntRange(1, 65535), help="Instead of PORT.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Instead of DATA_DIR.")
def up(demo: bool, port: int | None, data: Path | None) -> None:
    """Run everything on this machine; an empty folder is initialised."""
    from gateway.up import up as run

    sys.exit(run(load(**_given(port=port, data_dir=data)), demo))


@cli.command()
def web() -> None:
    """Run the web server (webhooks and pages)."""
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    settings = load()
    _must_run(settings)
    Server(
        "gateway:create_app",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        factory=True,
        blocking_threads=4,
        respawn_failed_workers=True,
        websockets=False,
        log_level=LogLevels.warning,
    ).serve()


@cli.command()
@click.option("--burst", is_flag=True, help="Send what is due, then stop.")
def worker(burst: bool) -> None:
    """Run a worker: it sends what stands in the outbox."""
    from gateway import logs
    from gateway.workers import pumps

    settings = load()
    _must_run(settings)
    logs.set_up()
    pumps.run(settings, burst)


@cli.command()
def clock() -> None:
    """Run the clock: what is due by the time of day."""
    from gateway import logs
    from gateway.workers import clock as ticking

    settings = load()
    _must_run(settings)
    logs.set_up()
    ticking.run(settings)


@cli.command()
def purge() -> None:
    """Remove now what is no longer needed (inbound SMS after 7 days, talks after one)."""
    from gateway.workers import housekeeping

    removed = housekeeping.purge(_ready_store(load()), datetime.now(UTC))
    click.echo("removed: " + (", ".join(f"{count} {what}" for what, count in removed.items()) or "nothing was due"))


@cli.command()
def init() -> None:
    """Make keys and schema, the standard places and services, and the first admin login."""
    from gateway import schema

    settings = load()
    store = _store(settings)
    password = schema.initialise(settings, store, datetime.now(UTC))
    if password:
        click.echo(
            f"Ready in {settings.data_dir}.\nFirst login: admin, password {password} (shown this once; change it)."
        )
    else:
        click.echo(f"{settings.data_dir} was ready; nothing was changed.")


@cli.command()
def migrate() -> None:
    """Bring the schema up to date; an SQLite file is copied first."""
    from gateway import schema

    store = _store(load())
    before = store.revision()
    copy = schema.migrate(store)
    if copy:
        click.echo(f"The old data were copied to {copy}.")
    click.echo(f"Schema {store.revision()}" + (", as it was." if before == store.revision() else f" (was {before})."))


@cli.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Write the database into one file that only the master key opens; nothing in it links a rating to a person."""
    from gateway import backup as safe
    from gateway.privacy import Keys

    settings = load()
    count = safe.backup(_ready_store(settings), Keys(settings), file, datetime.now(UTC))
    click.echo(f"{file}: {count} rows, {file.stat().st_size / 1e6:.1f} MB. It takes this installation's master key.")


@cli.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(file: Path) -> None:
    """Fill an empty database from a backup; what was closed since stays closed, what waited is not sent."""
    from gateway import backup as safe
    from gateway.privacy import Keys

    settings = load()
    done = safe.restore(settings, _store(settings), Keys(settings), file, datetime.now(UTC))
    click.echo(f"{done.rows} rows as of {done.made.astimezone(settings.zone):%Y-%m-%d %H:%M}.")
    click.echo(f"Closed again, their keys are gone: {done.closed}. Messages that waited, cancelled: {done.cancelled}.")
    click.echo("Who stopped since then is not known here: look through the provider's list before you send.")


@cli.group("keys")
def keys_group() -> None:
    """The keys of this installation (docs/keys.md)."""


@keys_group.command("rotate")
def rotate_keys() -> None:
    """Seal every number with a new key and destroy the old ones, while the service runs."""
    from gateway import keyring
    from gateway.privacy import Keys

    settings = load()
    click.echo(f"sealing anew; it takes at least {keyring.GRACE_SECONDS:.0f} seconds", err=True)
    done = keyring.rotate(_ready_store(settings), Keys(settings))
    gone = ", ".join(map(str, done.destroyed)) or "none"
    click.echo(f"Sealing key {done.key}: {done.resealed} values sealed anew. Destroyed: {gone}.")
    if done.unreadable:
        click.echo(f"{done.unreadable} values had been sealed with a key that is gone; they stay unreadable.")


@keys_group.command("new-master")
@click.option("--yes", is_flag=True, help="Do not ask.")
def new_master(yes: bool) -> None:
    """Go on after the master key was lost: contacts, opt-outs and known callers are given up, ratings stay."""
    from gateway import keyring
    from gateway.privacy import Keys, make_keys

    settings = load()
    store = _ready_store(settings)
    if not yes:
        click.confirm(
            "All contacts and all known callers are removed for good. Is the old key really lost?", abort=True
        )
    make_keys(settings)
    gone = keyring.start_anew(store, Keys(settings), datetime.now(UTC))
    click.echo("Removed: " + ", ".join(f"{count} {what}" for what, count in gone.items()) + ".")


@cli.command()
@click.option("--show-tokens", is_flag=True, help="Print the webhook tokens in full.")
@click.option("--sms", metavar="NUMBER", help="Send one test message to this number.")
def check(show_tokens: bool, sms: str | None) -> None:
    """Tell what is configured, reachable, missing; print the webhook addresses to paste."""
    from gateway import checks, demo

    settings = demo.with_its_token(load())
    well = checks.run(settings, show_tokens, click.echo)
    if sms:
        well = checks.send_test(settings, _number(sms, settings), click.echo) and well
    sys.exit(0 if well else 1)


@cli.command()
@click.argument("number")
@click.option("--ussd", metavar="CODE", help="Dial this, such as *855# or *855*2*5#, and end with the session.")
def phone(number: str, ussd: str | None) -> None:
    """A handset in the terminal, speaking to the running gateway."""
    from gateway.terminal import Handset

    settings = load()
    sys.exit(Handset(settings, _number(number, settings)).use(ussd))


@cli.group()
def staff() -> None:
    """People who log in to the panel."""


@staff.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True)
def add_staff(name: str, role: str) -> None:
    """Add a login and print its one-time password."""
    from gateway.models.staff import add_member, new_password

    password = new_password()
    with _ready_store(load()).write() as db:
        if not add_member(db, name, role, password):
            raise Told(f"{name} has a login already; for a new password: mati staff reset {name}")
    click.echo(f"{name} ({role}), one-time password {password} (shown this once)")


@staff.command("reset")
@click.argument("name")
def reset_staff(name: str) -> None:
    """Print a new one-time password for a login."""
    from gateway.models.staff import new_password, reset_password

    password = new_password()
    with _ready_store(load()).write() as db:
        if not reset_password(db, name, password):
            raise Told(f"there is no login {name}; add it with: mati staff add {name} --role staff")
    click.echo(f"{name}, one-time password {password} (shown this once)")


@cli.group()
def places() -> None:
    """Provinces, districts, communes and villages."""


@places.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--join", is_flag=True, help="The file's communes take part in the programme from now on.")
def import_places(file: Path, join: bool) -> None:
    """Take in a CSV file (code,level,unit,name_km,name_en), whole or not at all."""
    from gateway.models.editions import publish
    from gateway.places import import_places as take_in

    store = _ready_store(load())
    with store.write() as db:
        imported = take_in(db, file, join=join)
        publish(db, datetime.now(UTC))
    click.echo(f"{imported.places} places new or changed, {imported.joined} communes joined the programme.")


@cli.group()
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
    from gateway import contact_intake, contact_lists, sheets
    from gateway.contacts import Refused
    from gateway.privacy import Keys

    settings, now = load(), datetime.now(UTC)
    try:
        wholesale = contact_lists.Wholesale.of(role, consent or "", group or "")
    except Refused as refusal:
        raise click.UsageError(f"--group or --consent: {refusal}") from None
    store, keys = _ready_store(settings), Keys(settings)
    sheet = sheets.Sheet(str(file), sheets.read_bytes(file), contact_lists.COLUMNS)
    with store.read() as db:
        communes = contact_lists.Communes(db)
    reading = contact_lists.read(sheet, communes, keys, settings, wholesale, _lines_read)
    if dry_run:
        with store.read() as db:
            done = contact_intake.plan(db, reading)
    else:
        with store.write() as db:
            done = contact_intake.take_in(db, keys, reading, now.astimezone(settings.zone).date(), now)
    click.echo(contact_intake.report(done, dry_run))


@cli.command()
@click.option("--commune", metavar="CODE", help="One commune, by its code; otherwise all of the programme.")
@click.option("--round", "number", type=click.IntRange(1), metavar="N", help="The commune's N-th round.")
@click.option("--week", metavar="YYYY-Www", help="One week of the round, such as 2026-W47.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", help="The language of names.")
def tally(commune: str | None, number: int | None, week: str | None, as_json: bool, lang: str) -> None:
    """Print the figures as staff see them."""
    from gateway import tallies
    from gateway.tables import as_table

    try:
        monday = tallies.monday(week) if week else None
    except ValueError:
        raise click.UsageError(f"--week: {week!r} is no week; write it as 2026-W47") from None
    settings = load()
    today = datetime.now(UTC).astimezone(settings.zone).date()
    with _ready_store(settings).read() as db:
        figures = tallies.tallies(db, commune, number, settings.min_raters, today, monday)
    if as_json:
        values = [tallies.as_json(one, lang) for one in figures]
        click.echo(json.dumps(values[0] if commune else values, ensure_ascii=False, indent=2))
    else:
        click.echo("\n\n".join(as_table(one, lang, settings.min_raters) for one in figures))


@cli.command()
@click.option("--group", required=True, metavar="NAME", help="Of contacts: those who get it.")
@click.option("--text", "file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="One text for all, or sections headed [km], [km-Latn], [en].")  # fmt: skip
@click.option("--at", metavar="TIME", help="Local time, such as '2026-12-01 09:00'; otherwise once it is approved.")
@click.option("--dry-run", is_flag=True, help="Print recipients, parts and cost, and change nothing.")
def broadcast(group: str, file: Path, at: str | None, dry_run: bool) -> None:
    """Put a message to a group before staff for approval."""
    from gateway import dispatch, hours

    settings, now = load(), datetime.now(UTC)
    try:
        start = hours.written(at, settings.zone) if at else None
        texts = dispatch.texts_in(file.read_text(encoding="utf-8"), settings.default_language)
    except UnicodeDecodeError:
        raise Told(f"{file} is not in UTF-8; save it as UTF-8 text") from None
    except ValueError:
        raise click.UsageError(f"--at: {at!r} is no time; write it as '2026-12-01 09:00'") from None
    store = _ready_store(settings)
    if dry_run:
        with store.read() as db:
            dispatch.dry_run(db, settings, dispatch.plan(db, group, texts, start), now, click.echo)
        return
    with store.write() as db:
        made = dispatch.put_before_staff(db, settings, dispatch.plan(db, group, texts, start), now)
    click.echo(f"Broadcast {made} waits for approval: {settings.address}/admin/broadcasts/{made}")


@cli.command()
@click.argument("provider", type=click.Choice([name for name in PROVIDERS if name != "simulator"]))
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="To listen on; 0 is any that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="To listen on.")
@click.option("--latency", type=click.FloatRange(0), default=0, metavar="MS", help="Before each answer.")
@click.option("--fail", type=click.FloatRange(0, 1), default=0, metavar="SHARE", help="Refuse so many for now.")
@click.option("--drop-reply", type=click.FloatRange(0, 1), default=0, metavar="SHARE", help="Take, but do not answer.")
@click.option("--error-after", type=click.FloatRange(0, 1), default=0, metavar="SHARE", help="Take, but answer 500.")
@click.option("--drip", type=click.FloatRange(0, 1), default=0, metavar="SHARE", help="Take, answer byte by byte.")
@click.option("--throttle", type=click.FloatRange(0, min_open=True), metavar="PER_SECOND", help="Refuse more for now.")
@click.option("--duplicate-receipts", is_flag=True, help="Send each receipt twice, as --receipt-copies 2.")
@click.option("--receipt-copies", type=click.IntRange(1, 9), default=1, metavar="N", help="Send each receipt N times.")
@click.option("--reorder", is_flag=True, help="Send receipts out of order, and late.")
@click.option("--receipt-delay", type=click.FloatRange(0), default=100, show_default=True, metavar="MS")
@click.option("--hooks", metavar="URL", default="", help="The gateway, such as http://127.0.0.1:8000.")
@click.option("--token", default="", envvar="MATI_STUB_TOKEN", help="Of its webhooks; Android: the password.")
@click.option("--secret", default="", envvar="MATI_STUB_SECRET", help="API key, auth token, password or signing key.")
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), help="A JSON line for each message taken.")
@click.option("--show-numbers", is_flag=True, help="In the log: for invented numbers only.")
@click.option("--seed", type=int, help="The same faults again.")
@click.option("--allow-remote", is_flag=True, help="Let --hooks and --host be other machines.")
def stub(
    provider: str, latency: float, receipt_delay: float, duplicate_receipts: bool, receipt_copies: int, **options: Any
) -> None:
    """Play a provider: answer and call back as it does (docs/providers/stub.md)."""
    from gateway.stub import Setup, WrongSetup, play

    settings = load() if provider == "http" else None  # it is played as the settings describe it
    options |= {"latency": latency / 1000, "receipt_delay": receipt_delay / 1000}
    options["receipt_copies"] = max(receipt_copies, 2 if duplicate_receipts else 1)
    try:
        setup = Setup(provider, settings=settings, **options)
    except WrongSetup as problem:
        raise click.UsageError(str(problem)) from None
    play(setup)


def _lines_read(count: int, last: bool) -> None:
    """Progress, for who watches."""
    if sys.stderr.isatty():
        click.echo(f"\r{count:,} lines read", nl=last, err=True)


def _number(text: str, settings: Settings) -> str:
    from gateway.phones import NotANumber, e164

    try:
        return e164(text, settings.countries[0])
    except NotANumber as error:
        raise click.UsageError(f"the number: {error}, such as +85510000001") from None


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _store(settings: Settings) -> Store:
    from gateway.models.store import Store

    if not settings.database_url:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    return Store(settings.database)


def _ready_store(settings: Settings) -> Store:
    from gateway.models.store import StoreProblem

    if not settings.database_url and not (settings.data_dir / "mati.sqlite").exists():
        raise StoreProblem(f"there is no database in {settings.data_dir}; set DATA_DIR, or run: mati init")
    store = _store(settings)
    store.must_be_current()
    return store


def _must_run(settings: Settings) -> None:
    """A role on its own needs what `mati up` would bring."""
    from gateway import keyring
    from gateway.privacy import Keys

    if not settings.redis_url:
        raise Told("REDIS_URL is not set; set it to your Redis, or run everything with: mati up")
    store = _ready_store(settings)
    keyring.must_fit(store, Keys(settings))
    store.close()


def _fail(message: str) -> NoReturn:
    click.echo(f"mati: {message}", err=True)
    sys.exit(1)


def main() -> None:
    """The entry point: turns what is expected to go wrong into one line."""
    try:
        sys.exit(cli(prog_name="mati", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "mati"
        click.echo(f"mati: {error.format_message().rstrip('.')}; see: {command} --help", err=True)
        sys.exit(2)
    except click.ClickException as error:
        _fail(error.format_message())
    except click.Abort:
        sys.exit(130)
    except Told as error:
        _fail(str(error))
    except Exception as error:
        if "sqlalchemy" not in sys.modules:
            raise
        from gateway.models.store import DatabaseDown, reason

        if not isinstance(error, DatabaseDown):
            raise
        _fail(f"the database cannot be used: {reason(error)}")


if __name__ == "__main__":
    main()
