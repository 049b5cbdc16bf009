"""Progress of long stages, on stderr."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

__all__ = ["Report", "progress_bar", "within"]

PLAIN_INTERVAL_S = 10.0
"""Seconds between two lines of one step where stderr is not a terminal."""

Report = Callable[[str, int, int], None]
"""Called with the name of a step, how much of it is done and how much there is."""


@contextmanager
def progress_bar() -> Iterator[Report]:
    """Show one bar per step while the block runs; it may be reported to from several threads.

    A step shows what is done, what is expected and the rate. Where stderr is not a terminal, it is
    a line when it begins and every ten seconds.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        _AmountColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield report


def within(name: str, report: Report) -> Report:
    """Wrap a report of progress: a name comes before every step."""
    return lambda step, done, total: report(f"{name}: {step}", done, total)


class _AmountColumn(ProgressColumn):
    """Done, expected and rate, as in "1,200/9,000 340/s"."""

    def render(self, task: Task) -> Text:
        """Text of one step."""
        return Text(_amount(int(task.completed), int(task.total or 0), task.speed))


def _amount(done: int, total: int, rate: float | None) -> str:
    text = f"{done:,}/{total:,}"
    if total < 2 or not rate:
        return text
    return f"{text} {rate:,.0f}/s" if rate >= 10 else f"{text} {rate:.2f}/s"


def _plain(console: Console) -> Report:
    begun: dict[str, tuple[float, int]] = {}
    shown: dict[str, float] = {}

    def report(step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if step not in begun:
            begun[step], shown[step] = (now, done), now
            console.print(step, highlight=False, soft_wrap=True)
        elif now - shown[step] >= PLAIN_INTERVAL_S:
            shown[step] = now
            start, before = begun[step]
            line = f"{step} {_amount(done, total, (done - before) / (now - start))}"
            console.print(line, highlight=False, soft_wrap=True)

    return report
