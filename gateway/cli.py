"""The `mati` command (CONTRACT.md, The `mati` command).

Errors are one line on stderr that says what is wrong and how to mend it: exit 2 for usage, 1 for the rest.
The modules behind a command are imported when it is called, so that each starts with what it needs alone.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from gateway.commands import playing, programme, running, upkeep
from gateway.errors import Told
from gateway.garbage import look_seldom


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Mati: villagers rate local services by USSD and SMS; councils get the figures; numbers stay protected."""


for _command in (
    *(running.up, running.web, running.worker, running.clock),
    *(upkeep.init, upkeep.migrate, upkeep.check, upkeep.staff, upkeep.backup, upkeep.restore, upkeep.keys_group),
    upkeep.purge,
    *(programme.places, programme.contacts, programme.tally, programme.report, programme.broadcast),
    *(playing.phone, playing.stub),
):
    cli.add_command(_command)


def _fail(message: str) -> NoReturn:
    click.echo(f"mati: {message}", err=True)
    sys.exit(1)


def main() -> None:
    """The entry point: turns what is expected to go wrong into one line."""
    look_seldom()
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
