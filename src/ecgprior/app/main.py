"""The command ``ecgprior``: its subcommands are the files of ``app/commands``."""

from __future__ import annotations

import inspect
import sys

import typer

from .. import lookup
from ..errors import EcgpriorError, describe

app = typer.Typer(
    name="ecgprior",
    help="ECG encoders that know physiology and medicine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root() -> None:
    """ECG encoders that know physiology and medicine."""


for _name in lookup.names("app.commands"):
    _command = lookup.module("app.commands", _name).command
    app.command(_name.replace("_", "-"), help=inspect.cleandoc(_command.__doc__ or ""))(_command)


def main() -> None:
    """Run the command line; one of our errors is one line on stderr and exit status 1, without a traceback."""
    try:
        app()
    except EcgpriorError as error:
        print(f"ecgprior: {describe(error)}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
