"""The command ``tradebaas``: which commands there are, and how they end.

Each command is imported only when it is run, because the time from exec to trading counts. What a
command cannot do ends as one message on stderr (what, where, what to do) and an exit code:

    0   ok                              70  restart budget spent
    1   refused, or nobody answered     75  the store or the disk cannot be used
    2   wrong usage                     78  the configuration, or something only a person can mend
"""

import importlib
import sys
from typing import ClassVar, NoReturn

import click

from tradebaas import __version__
from tradebaas.errors import Fatal


class Commands(click.Group):
    """Imports a command when it is asked for; turns a ``Fatal`` into its message and exit code."""

    known: ClassVar[dict[str, str]] = {
        "run": "tradebaas.commands.serve:run",
        "exchange": "tradebaas.commands.serve:exchange",
        "check": "tradebaas.commands.check:check",
        "trial": "tradebaas.commands.trial:trial",
        "status": "tradebaas.commands.operate:status",
        "start": "tradebaas.commands.operate:start",
        "stop": "tradebaas.commands.operate:stop",
        "halt": "tradebaas.commands.halting:halt",
        "resume": "tradebaas.commands.halting:resume",
        "close": "tradebaas.commands.operate:close",
        "move-stop": "tradebaas.commands.operate:move_stop",
        "state": "tradebaas.commands.inspect:state",
        "log": "tradebaas.commands.inspect:log",
        "verify": "tradebaas.commands.verify:verify",
        "audit": "tradebaas.commands.audit:audit",
        "backup": "tradebaas.commands.backup:backup",
        "notify": "tradebaas.commands.notify:notify",
        "import": "tradebaas.commands.importing:import_",
        "service": "tradebaas.commands.service:service",
    }

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(self.known)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = self.known.get(cmd_name)
        if target is None:
            return None
        module, _, name = target.partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except Fatal as fatal:
            _end(fatal)
        except PermissionError as error:
            from tradebaas.commands.common import unreadable

            _end(unreadable(error))


def _end(fatal: Fatal) -> NoReturn:
    from tradebaas.commands.common import shown

    click.echo(shown(f"tradebaas: {fatal}"), err=True)
    sys.exit(fatal.exit_code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tradebaas")
def main() -> None:
    """Trade one Deribit account unattended, and survive being killed.

    `tradebaas run` with nothing configured starts an exchange of its own and trades on it.
    """
