"""Timing tables: an accelerator's modules in standard cells, printed or written."""

from pathlib import Path

from cosilico.accelerators import accelerator_argument
from cosilico.console import Column, fitted_table, output_console
from cosilico.predictions import write_json
from cosilico.progress import progress_bar
from hwgen.synthesis.liberty import default_liberty, read_liberty
from hwgen.synthesis.report import TimingReport, report_timing

__all__ = ["opensta_line", "print_timing", "time_accelerator"]

_COLUMNS = (
    Column("Module"),
    Column("Path", rank=2),
    Column("Delay [ns]", right=True),
    Column("Slack [ns]", right=True),
    Column("MHz", right=True),
    Column("With wires [ns]", right=True, rank=3),
    Column("From", rank=1),
    Column("To", rank=1),
)


def time_accelerator(
    accelerator: str,
    clock_mhz: float | None,
    liberty: Path | None,
    *,
    json: Path | None,
    every: bool,
) -> bool:
    """Time an accelerator's modules, print or write the table, and tell whether all hold the clock.

    Raises
    ------
    CosilicoError
        If the accelerator or the liberty file cannot be read, or the accelerator not be generated.
    """
    config = accelerator_argument(accelerator)
    library = read_liberty(default_liberty() if liberty is None else liberty)
    with progress_bar() as progress:
        report = report_timing(config, library, clock_mhz, progress)
    if json is not None:
        write_json(json, report.to_json())
    if json != Path("-"):
        print_timing(report, every=every)
    return not report.misses


def print_timing(report: TimingReport, *, every: bool = False) -> None:
    """Print the slowest paths of all modules, the slowest module last.

    Parameters
    ----------
    report : TimingReport
    every : bool
        Whether to print the parts of paths, too, that lie in a module.
    """
    rows = sorted(
        (row for row in report.rows if every or row.judged),
        key=lambda row: (-row.slack_ns, row.module),
    )
    texts = [
        (
            row.module,
            str(row.kind),
            f"{row.path.delay_ns:.3f}",
            f"{row.slack_ns:.3f}",
            f"{row.clock_mhz:.0f}",
            f"{row.wired_slack_ns:.3f}",
            row.path.start,
            row.path.end,
        )
        for row in rows
    ]
    console = output_console()
    title = f"{report.library}, {report.clock_mhz:g} MHz"
    console.print(fitted_table(console.width, _COLUMNS, texts, title=title))
    if report.opensta_ns:
        console.print(opensta_line(report))
    console.print(f"logic: {report.logic_um2 / 1e6:.3f} mm², without memories")
    missed = sorted({row.module for row in report.misses})
    console.print(f"too slow: {', '.join(missed)}" if missed else "all modules hold the clock")
    wired = sorted({row.module for row in report.wired_misses})
    if wired:
        console.print(f"too slow with the wires between macros: {', '.join(wired)}")


def opensta_line(report: TimingReport) -> str:
    """Line on the delays that OpenSTA gives beside ours: the range of ratios, and the slowest module."""
    ratios = report.opensta_ratios
    slowest = max(report.opensta_ns, key=report.opensta_ns.__getitem__)
    delay = report.opensta_ns[slowest]
    return (
        f"OpenSTA, {len(ratios)} modules between registers: {min(ratios.values()):.2f} to "
        f"{max(ratios.values()):.2f} of these delays; slowest {slowest}, {delay:.3f} ns, "
        f"here {delay / ratios[slowest]:.3f} ns"
    )
