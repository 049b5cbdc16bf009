"""The ``cosilico`` command: files in, files out; bad input is one line and exit status 2."""

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from cosilico import __version__
from cosilico.commands.cache import cache
from cosilico.commands.calibrate import calibrate
from cosilico.commands.check import check
from cosilico.commands.compare import compare
from cosilico.commands.enumerate_space import enumerate_space
from cosilico.commands.generate import generate
from cosilico.commands.import_model import import_model
from cosilico.commands.init import init
from cosilico.commands.joint import joint
from cosilico.commands.predict import predict
from cosilico.commands.report import report
from cosilico.commands.run import run
from cosilico.commands.search import search
from cosilico.commands.simulate import simulate
from cosilico.commands.soc import soc
from cosilico.commands.synthesize import synthesize
from cosilico.commands.timing import timing
from cosilico.commands.validate import validate
from cosilico.exits import ExitStatus, error_line, status_of
from cosilico.extras import missing_extra
from cosilico.process import interrupted, run_process

__all__ = ["app", "main"]

app = typer.Typer(
    name="cosilico",
    help="Search a quantized network and its accelerator, emit the Verilog, and run it in RTL.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cosilico {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="show an error's traceback")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="print the version"),
    ] = False,
) -> None:
    """Options of all commands; :func:`main` reads them."""


app.command()(init)
app.command()(run)
app.command()(search)
app.command(name="import")(import_model)
app.command()(check)
app.command()(predict)
app.command()(generate)
app.command()(soc)
app.command()(synthesize)
app.command()(timing)
app.command()(simulate)
app.command()(validate)
app.command()(calibrate)
app.command(name="enumerate")(enumerate_space)
app.command()(joint)
app.command()(compare)
app.command()(report)
app.command()(cache)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Without arguments those of the process are taken, which then ends as
    :func:`cosilico.process.run_process` says. An error is one line on stderr, or the traceback
    with ``--debug`` anywhere on the line.
    """
    if arguments is None:
        return run_process(lambda: _status(sys.argv[1:]))
    return _status(arguments)


def _status(arguments: Sequence[str]) -> int:
    words = [word for word in arguments if word != "--debug"]
    try:
        status = app(words, prog_name="cosilico", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:
        if interrupted():
            return ExitStatus.INTERRUPTED
        code = status_of(fault := _explained(error, words))
        if code is ExitStatus.INTERRUPTED:
            return code
        if len(words) < len(arguments):
            traceback.print_exception(fault)
        elif line := error_line(fault):
            print(f"cosilico: {line}", file=sys.stderr)
        return code
    return status if isinstance(status, int) else ExitStatus.DONE


def _explained(error: BaseException, words: Sequence[str]) -> BaseException:
    """The extra that is missing, where a package of it is not there; else the error itself."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return error
    command = next((word for word in words if not word.startswith("-")), "")
    missing = missing_extra(f"cosilico {command}".rstrip(), error.name)
    return error if missing is None else missing.with_traceback(error.__traceback__)
