"""Commands that set an installation up and look after it: schema, checks, logins, backups, keys, retention."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.commands.opening import noted, number_of, ready_store, store_of
from gateway.config import ROLES, load
from gateway.errors import Told


@click.command()
def init() -> None:
    """Make keys and schema, the standard places and services, and the first admin login."""
    from gateway import schema

    settings = load()
    store = store_of(settings)
    password = schema.initialise(settings, store, datetime.now(UTC))
    if password:
        click.echo(
            f"Ready in {settings.data_dir}.\nFirst login: admin, password {password} (shown this once; change it)."
        )
    else:
        click.echo(f"{settings.data_dir} was ready; nothing was changed.")


@click.command()
def migrate() -> None:
    """Bring the schema up to date; an SQLite file is copied first."""
    from gateway import schema

    store = store_of(load())
    before = store.revision()
    copy = schema.migrate(store)
    if copy:
        click.echo(f"The old data were copied to {copy}.")
    click.echo(f"Schema {store.revision()}" + (", as it was." if before == store.revision() else f" (was {before})."))


@click.command()
@click.option("--show-tokens", is_flag=True, help="Print the webhook tokens in full.")
@click.option("--sms", metavar="NUMBER", help="Send one test message to this number.")
def check(show_tokens: bool, sms: str | None) -> None:
    """Tell what is configured, reachable, missing; print the webhook addresses to paste."""
    from gateway import checks, demo

    settings = demo.with_its_token(load())
    well = checks.run(settings, show_tokens, click.echo)
    if sms:
        well = checks.send_test(settings, number_of(sms, settings), click.echo) and well
    sys.exit(0 if well else 1)


@click.group()
def staff() -> None:
    """People who log in to the panel."""


@staff.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--commune", "codes", multiple=True, metavar="CODE",
              help="Of a council, a volunteer or staff: a commune of theirs; may be given several times.")  # fmt: skip
def add_staff(name: str, role: str, codes: tuple[str, ...]) -> None:
    """Add a login and print its one-time password."""
    from gateway import logins

    wanted = [code.strip() for listed in codes for code in listed.split(",") if code.strip()]
    try:
        with ready_store(load()).write() as db:
            password = logins.add(db, name, role, wanted)
            noted(db, "staff add", name=name.strip(), role=role, communes=wanted)
    except logins.Refused as refusal:
        if refusal.flaw in logins.USAGE:
            raise click.UsageError(str(refusal)) from None
        raise
    of = f" of {', '.join(wanted)}" if wanted else ""
    click.echo(f"{name.strip()} ({role}{of}), one-time password {password} (shown this once)")


@staff.command("reset")
@click.argument("name")
def reset_staff(name: str) -> None:
    """Print a new one-time password for a login; its second factor is to be set up anew."""
    from gateway.models.staff import new_password, reset_password

    password = new_password()
    with ready_store(load()).write() as db:
        if not reset_password(db, name, password):
            raise Told(f"there is no login {name}; add it with: mati staff add {name} --role staff")
        noted(db, "staff reset", name=name)
    click.echo(f"{name}, one-time password {password} (shown this once); if there was one, the second factor is gone")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Write the database into one file that only the master key opens; nothing in it links a rating to a person."""
    from gateway import backup as safe
    from gateway.privacy import Keys

    settings = load()
    count = safe.backup(ready_store(settings), Keys(settings), file, datetime.now(UTC))
    click.echo(f"{file}: {count} rows, {file.stat().st_size / 1e6:.1f} MB. It takes this installation's master key.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(file: Path) -> None:
    """Fill an empty database from a backup; what was closed since stays closed, what waited is not sent."""
    from gateway import backup as safe
    from gateway.privacy import Keys

    settings = load()
    store = store_of(settings)
    done = safe.restore(settings, store, Keys(settings), file, datetime.now(UTC))
    with store.write() as db:
        noted(db, "restore", changed=done.rows)
    click.echo(f"{done.rows} rows as of {done.made.astimezone(settings.zone):%Y-%m-%d %H:%M}.")
    click.echo(f"Closed again, their keys are gone: {done.closed}. Messages that waited, cancelled: {done.cancelled}.")
    click.echo("Who stopped since then is not known here: look through the provider's list before you send.")


@click.group("keys")
def keys_group() -> None:
    """The keys of this installation (docs/keys.md)."""


@keys_group.command("rotate")
def rotate_keys() -> None:
    """Seal every number with a new key and destroy the old ones, while the service runs."""
    from gateway import keyring
    from gateway.privacy import Keys

    settings = load()
    click.echo(f"sealing anew; it takes at least {keyring.GRACE_SECONDS:.0f} seconds", err=True)
    store = ready_store(settings)
    done = keyring.rotate(store, Keys(settings))
    with store.write() as db:
        noted(db, "keys rotate", changed=done.resealed)
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
    store = ready_store(settings)
    if not yes:
        click.confirm(
            "All contacts and all known callers are removed for good. Is the old key really lost?", abort=True
        )
    make_keys(settings)
    gone = keyring.start_anew(store, Keys(settings), datetime.now(UTC))
    with store.write() as db:
        noted(db, "keys new-master", removed=sum(gone.values()))
    click.echo("Removed: " + ", ".join(f"{count} {what}" for what, count in gone.items()) + ".")


@click.command()
@click.option("--dry-run", is_flag=True, help="Count what is due, and change nothing.")
def purge(dry_run: bool) -> None:
    """Apply retention now: remove what is no longer needed. The clock does so every hour (docs/privacy.md)."""
    from gateway.workers import housekeeping

    settings, now = load(), datetime.now(UTC)
    store = ready_store(settings)
    counts = housekeeping.due(store, settings, now)
    if not dry_run:
        counts = dict.fromkeys(counts, 0) | housekeeping.purge(store, settings, now)
        with store.write() as db:
            noted(db, "purge", removed=sum(counts.values()))
    width = max(len(f"{count:,}") for count in counts.values())
    for what, count in counts.items():
        click.echo(f"{count:{width},}  {what}")
    if dry_run:
        click.echo("Nothing was changed: this was a dry run.")
