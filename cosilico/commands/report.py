"""The ``report`` command: a run's page for people."""

from pathlib import Path
from typing import Annotated

import typer

from cosilico.extras import require_extra

__all__ = ["report"]


def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="folder of a run")],
) -> None:
    """Write report.html from a run's results."""
    require_extra("cosilico report", "report")
    from cosilico.report.page import report_to_folder

    typer.echo(str(report_to_folder(directory)))
