"""Speed of the model against another commit's, in one run: ratios of CPU time, and equal figures.

Run as ``python benchmarks/speed.py COMMIT [--rounds N] [--share S] [--caches BEFORE AFTER] [--json FILE]``. The commit is checked out into a worktree of its
own. Both trees take turns with every timed case of ``speed_cases.py``, so that other work beside them slows both; the least time of all
rounds counts. Compilation is measured with an empty cache for each tree, or not at all with ``--caches``, two folders for the kernels of
both. Then the figures of both are compared on a share of more
than 50,000 points. The exit status is 1 if any differs. ``benchmarks/pages.py`` writes the page from the results file.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from model_speed import FIRST_RUN
from sim.spec.files import write_atomic
from speed_cases import CASES, JOINT, has_joint

ROOT = Path(__file__).parent.parent
SCRIPT = Path(__file__).with_name("speed_cases.py")
ROUNDS = 7


class Tree:
    """A checkout whose model answers in processes of its own.

    Parameters
    ----------
    root : Path
        The checkout.
    cache : Path
        Folder for its kernels.
    """

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = root
        self._environment = os.environ | {"PYTHONPATH": str(root), "COSILICO_CACHE": str(cache)}
        self._timed: subprocess.Popen[str] | None = None

    def _output(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self._environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def compile(self) -> float:
        """CPU seconds of the first evaluation, children included."""
        return float(self._output("-c", FIRST_RUN))

    def figures(self, share: float) -> dict[str, tuple[int, str]]:
        """(points, digest) of every part of a share of the compared points."""
        lines = self._output(str(SCRIPT), "figures", str(share)).splitlines()
        rows = [line.split("\t") for line in lines]
        return {part: (int(points), digest) for part, points, digest in rows}

    def start(self) -> None:
        """Start the process that is timed, and wait until its kernels are compiled."""
        self._timed = subprocess.Popen(
            [sys.executable, str(SCRIPT), "time"],
            env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._read()

    def measure(self, case: str) -> tuple[float, str]:
        """(CPU seconds of an evaluation, digest of the figures)."""
        assert self._timed is not None
        assert self._timed.stdin is not None
        self._timed.stdin.write(f"{case}\n")
        self._timed.stdin.flush()
        seconds, digest = self._read().split()
        return float(seconds), digest

    def close(self) -> None:
        """End the process."""
        if self._timed is not None:
            assert self._timed.stdin is not None
            self._timed.stdin.close()
            self._timed.wait()

    def _read(self) -> str:
        assert self._timed is not None
        assert self._timed.stdout is not None
        line = self._timed.stdout.readline()
        if not line:
            sys.exit(f"speed: a process ended with {self._timed.wait()}")
        return line.strip()


def main() -> int:
    """Measure both trees, print a line per case, and say whether all figures are equal."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("commit", help="the other commit")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"[{ROUNDS}]")
    parser.add_argument("--share", type=float, default=1.0, help="of the compared points [1]")
    parser.add_argument("--caches", type=Path, nargs=2, metavar=("BEFORE", "AFTER"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="results, for the page")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        other = folder / "other"
        git = ["git", "-C", str(ROOT)]
        commit = subprocess.run(
            [*git, "rev-parse", "--short", arguments.commit],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        subprocess.run([*git, "worktree", "add", "--detach", str(other), commit], check=True)
        try:
            caches = arguments.caches or (folder / "before", folder / "after")
            trees = Tree(other, caches[0]), Tree(ROOT, caches[1])
            record: dict[str, Any] = {
                "commit": commit,
                "cases": ([] if arguments.caches else [compiled(trees)])
                + timed(trees, arguments.rounds),
                "compared": compared(trees, arguments.share),
            }
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", str(other)], check=True)
    if arguments.json:
        write_atomic(arguments.json, f"{json.dumps(record, indent=1)}\n".encode())
    alike = all(row["equal"] for row in record["cases"])
    return int(not (alike and record["compared"]["different"] == 0))


def compiled(trees: tuple[Tree, Tree]) -> dict[str, Any]:
    """Time the first evaluation of both trees, whose caches are empty."""
    before, after = (tree.compile() for tree in trees)
    return row_of("first evaluation, empty cache", before, after, equal=True)


def timed(trees: tuple[Tree, Tree], rounds: int) -> list[dict[str, Any]]:
    """Time both trees in turns; a row for each case."""
    rows = []
    try:
        for tree in trees:
            tree.start()
        for case in CASES:
            if case == JOINT and not all(has_joint(tree.root) for tree in trees):
                continue
            answers = [[tree.measure(case) for tree in trees] for _ in range(rounds)]
            seconds = [min(answer[side][0] for answer in answers) for side in range(2)]
            digests = {digest for answer in answers for _, digest in answer}
            rows.append(row_of(case, *seconds, equal=len(digests) == 1))
    finally:
        for tree in trees:
            tree.close()
    return rows


def row_of(case: str, before: float, after: float, *, equal: bool) -> dict[str, Any]:
    """Print a case's times, and give them as a JSON object."""
    same = "" if equal else "; the figures differ"
    print(
        f"{case}: {1e6 * before:,.0f} and {1e6 * after:,.0f} µs of CPU time, "
        f"{before / after:.2f} times as fast{same}",
        flush=True,
    )
    return {"case": case, "before_s": before, "after_s": after, "equal": equal}


def compared(trees: tuple[Tree, Tree], share: float) -> dict[str, int]:
    """Compare the figures of both trees; print the parts that differ."""
    before, after = (tree.figures(share) for tree in trees)
    different = [part for part in before | after if before.get(part) != after.get(part)]
    for part in different:
        print(f"{part}: the figures differ")
    points = sum(count for count, _ in after.values())
    print(f"{points:,} points compared, {len(different)} of {len(after)} parts differ", flush=True)
    return {"points": points, "parts": len(after), "different": len(different)}


if __name__ == "__main__":
    sys.exit(main())
