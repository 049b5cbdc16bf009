"""Seeded faults: which of them the tests notice.

Run as ``python benchmarks/mutants.py [--only NAME …] [--jobs N] [--out DIR]``. Every fault of ``tests/mutants``
is edited into a private copy of the project, where only the tests named with it run; those are first
seen to pass without it. Killed and started again, it goes on. Writes ``mutants.json`` and
``mutants.md``; the exit status is 1 if less than 95 % of the faults are noticed.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from cosilico.progress import progress_bar
from mutant_runs import Verdict, caught_share, run_mutants, table
from seeded_faults import AREAS, Fault, FaultError, read_faults
from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic

ROOT = Path(__file__).parent.parent
ENOUGH = 0.95


def main() -> int:
    """Run the faults that are not on record, write the verdicts and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="faults, or areas, to run")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks", help="[benchmarks]")
    parser.add_argument(
        "--journal", type=Path, default=ROOT / "build" / "mutants.jsonl", help="record of verdicts"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="[one per core]")
    arguments = parser.parse_args()
    # So that the tests that run are stopped, however this is ended.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        faults = read_faults(ROOT / "tests" / "mutants")
        chosen = _chosen(faults, arguments.only)
        with progress_bar() as progress:
            verdicts = run_mutants(
                ROOT, chosen, arguments.journal, progress, jobs=max(1, arguments.jobs)
            )
    except (CosilicoError, FaultError) as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    share = caught_share(verdicts)
    print(summary(verdicts))
    if chosen == faults:
        write(arguments.out, faults, verdicts)
    else:
        print(table(chosen, verdicts), end="")
    return int(share < ENOUGH)


def _chosen(faults: Sequence[Fault], only: Sequence[str] | None) -> tuple[Fault, ...]:
    for name in only or ():
        if name not in AREAS and name not in [fault.name for fault in faults]:
            raise FaultError(f"--only must name faults or areas, not {name!r}")
    return tuple(fault for fault in faults if not only or {fault.name, fault.area} & set(only))


def summary(verdicts: Sequence[Verdict]) -> str:
    """Line that says how many faults there are, and what became of them."""
    kinds = [verdict.verdict for verdict in verdicts]
    noticed = kinds.count("caught") + kinds.count("timeout")
    line = f"{len(kinds)} faults: {noticed} caught"
    if "timeout" in kinds:
        line += f" ({kinds.count('timeout')} by a timeout)"
    line += f", {kinds.count('survived')} survived, {kinds.count('equivalent')} equivalent: "
    return line + f"{caught_share(verdicts):.1%} of those that can be"


def write(
    folder: Path, faults: Sequence[Fault], verdicts: Sequence[Verdict], *, earlier: int = 0
) -> None:
    """Write the verdicts as JSON and as a page; so many are of an earlier text of files or tests."""
    page = (
        "# Seeded faults\n\n"
        "`make mutants` edits each into a private copy of the project and runs the tests named with "
        "it in `tests/mutants/`;\nwithout it they pass.\n\n"
        f"{summary(verdicts)}.{_of_earlier(earlier)}\n\n{table(faults, verdicts)}"
    )
    write_atomic(folder / "mutants.md", page)
    content = {"schema": 1, "earlier": earlier, "faults": [asdict(verdict) for verdict in verdicts]}
    write_atomic(folder / "mutants.json", json.dumps(content, indent=1) + "\n")


def _of_earlier(count: int) -> str:
    if not count:
        return ""
    return f" Of these verdicts {count} are of an earlier text of the edited file or of its tests."


if __name__ == "__main__":
    sys.exit(main())
