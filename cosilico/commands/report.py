"""The ``report`` command: a run's page for people, or of several runs side by side."""

from pathlib import Path
from typing import Annotated

import typer

from cosilico.extras import require_extra
from sim.spec.errors import CosilicoError

__all__ = ["report"]


def report(
    directories: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR…", help="folder of a run or of compare, or folders of several runs"
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="with several folders, and only then: page to write",
            show_default="report.html in the folder",
        ),
    ] = None,
) -> None:
    """Write the page of a run, of a comparison, or of several runs side by side."""
    require_extra("cosilico report", "report")
    from cosilico.folder import check_file
    from cosilico.report.folders import report_to_folder
    from cosilico.report.side_by_side import write_side_by_side
    from cosilico.run_folder import RESULTS_FILE

    if len(directories) == 1:
        if out is not None:
            raise CosilicoError("--out must be given with several folders only")
        typer.echo(str(report_to_folder(directories[0])))
        return
    if out is None:
        raise CosilicoError("--out must be given with several folders")
    if out.suffix != ".html":
        raise CosilicoError(f"--out must be an .html file, not {str(out)!r}")
    check_file(out, "--out", [folder / RESULTS_FILE for folder in directories])
    typer.echo(str(write_side_by_side(directories, out)))
