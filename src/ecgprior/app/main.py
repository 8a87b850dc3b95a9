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
    """Run the command line; one of our errors, or of the disk's, is one line on stderr and exit status 1."""
    try:
        app()
    except EcgpriorError as error:
        print(f"ecgprior: {describe(error)}", file=sys.stderr)
        raise SystemExit(1) from None
    except OSError as error:  # a read-only folder, a full disk, a folder where a file should be
        place = f" '{error.filename2 or error.filename}'" if error.filename is not None else ""
        print(f"ecgprior: cannot read or write{place}: {error.strerror or error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
