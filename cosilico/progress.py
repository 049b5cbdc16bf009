"""Progress of long stages, on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

__all__ = ["Report", "progress_bar", "within"]

Report = Callable[[str, int, int], None]
"""Called with the name of a step, how much of it is done and how much there is."""


@contextmanager
def progress_bar() -> Iterator[Report]:
    """Show one bar per step while the block runs; it may be reported to from several threads.

    Where stderr is not a terminal, a step is one line when it begins.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield report


def within(name: str, report: Report) -> Report:
    """Put a name before every step."""
    return lambda step, done, total: report(f"{name}: {step}", done, total)


def _plain(console: Console) -> Report:
    seen = set()

    def report(step: str, done: int, total: int) -> None:
        if step not in seen:
            seen.add(step)
            console.print(step, highlight=False, soft_wrap=True)

    return report
