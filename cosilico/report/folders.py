"""Reports of folders: of a run, or of a comparison of searches."""

from pathlib import Path

from cosilico.folder import locked, marked_files
from cosilico.report.compared import COMPARISON_FILE
from cosilico.report.page import write_report
from cosilico.report.side_by_side import write_comparison_report
from cosilico.results import load_results
from cosilico.run_folder import REPORT_FILE
from sim.spec.errors import CosilicoError

__all__ = ["report_to_folder"]


def report_to_folder(directory: Path) -> Path:
    """Write the report of a run or a comparison that no process is at work on; return its path.

    Raises
    ------
    DesignFileError
        If a record is missing or damaged.
    CosilicoError
        If another process uses the folder, or another than cosilico made the report there.
    """
    compared = (directory / COMPARISON_FILE).exists()
    if not compared:
        load_results(directory)  # else the lock would be the first file of a folder without a run
    with locked(directory):
        if (directory / REPORT_FILE).exists() and REPORT_FILE not in marked_files(directory):
            raise CosilicoError(f"{directory / REPORT_FILE} must be absent or a report of cosilico")
        if compared:
            return write_comparison_report(directory, directory / REPORT_FILE)
        return write_report(directory)
