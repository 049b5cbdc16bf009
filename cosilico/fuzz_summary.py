"""The fuzz suite from the command line: a table of verdicts, and every fault with how to make it again."""

import os
import time
from collections import Counter

from rich.console import Console
from rich.table import Table

from cosilico.console import Column, fitted_table, output_console
from cosilico.fuzzing import FORMATS, Examination, Verdict, examine_inputs
from cosilico.progress import progress_bar
from testbench.judges.onnx_oracle import require_onnxruntime
from testbench.judges.tflite_oracle import require_oracle

__all__ = ["fuzz_files"]

_LISTED = 20
"""Most faults that are printed, and most reasons."""

_REASON = 160
"""Characters of a reason."""


def fuzz_files(count: int, seed: int, *, jobs: int | None = None) -> int:
    """Examine files of a seed and print what became of them; return the number of faults."""
    require_oracle()
    require_onnxruntime()
    begin = time.monotonic()
    examinations = []
    with progress_bar() as report:
        report("files", 0, count)
        for examination in examine_inputs(seed, count, jobs or os.cpu_count() or 1):
            examinations.append(examination)
            report("files", len(examinations), count)
    examinations.sort(key=lambda examination: examination.index)  # processes end in any order
    faults = [examination for examination in examinations if not examination.verdict.right]
    console = output_console()
    for fault in faults[:_LISTED]:
        _print_fault(console, seed, fault)
    console.print(_table(examinations, console.width))
    for reason, times in _unjudged(examinations).most_common(_LISTED):
        console.print(f"unjudged {times} times: {reason}", highlight=False)
    seconds = time.monotonic() - begin
    console.print(
        f"{count:,} files in {seconds:,.0f} s ({count / seconds:,.0f} per second): "
        f"{len(faults)} faults",
        style="red" if faults else "green",
        highlight=False,
    )
    return len(faults)


def _print_fault(console: Console, seed: int, fault: Examination) -> None:
    head = f"fuzz_input({seed}, {fault.index}), {fault.format_name}: {fault.verdict.value}"
    console.print(head, style="red", highlight=False)
    console.print(fault.text, highlight=False)


def _unjudged(examinations: list[Examination]) -> Counter[str]:
    """Count the reasons, shortened, for which judges said nothing."""
    return Counter(
        f"{examination.format_name}, {' '.join(examination.text.split())[:_REASON]}"
        for examination in examinations
        if examination.verdict in (Verdict.UNJUDGED, Verdict.JUDGE_DIED)
    )


def _table(examinations: list[Examination], width: int) -> Table:
    counts = Counter((examination.format_name, examination.verdict) for examination in examinations)
    verdicts = [
        verdict for verdict in Verdict if verdict.right or any(v is verdict for _, v in counts)
    ]
    columns = (Column("format"), *(Column(verdict.value, right=True) for verdict in verdicts))
    rows = [(name, *(f"{counts[name, verdict]:,}" for verdict in verdicts)) for name in FORMATS]
    title = "files from strangers: what became of them"
    return fitted_table(width, columns, rows, title=title, tight=True)
