"""Speed of the model against another commit's, in one run: ratios of CPU time, and equal figures.

Run as ``python benchmarks/speed.py COMMIT [--rounds N] [--json FILE]``. The commit is checked out into a worktree of
its own. Both trees take turns with every case of ``speed_cases.py``, so that other work beside them slows both; the least time of all
rounds counts. Compilation is measured with an empty cache for each tree. The exit status is 1 if any figure differs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from model_speed import FIRST_RUN
from sim.spec.files import write_atomic

ROOT = Path(__file__).parent.parent
CASES = Path(__file__).with_name("speed_cases.py")
NAMES = (
    "random points",
    "random points, all columns",
    "one by one, all columns",
    "a stretch of edge, all columns",
    "1,024 x 1,024 pixels",
    "4 images, 16 layers",
    "4 images, 32 layers",
)
ROUNDS = 7


class Tree:
    """A checkout whose model answers cases in a process of its own.

    Parameters
    ----------
    root : Path
        The checkout.
    cache : Path
        Folder for its kernels, empty.
    """

    def __init__(self, root: Path, cache: Path) -> None:
        self._environment = os.environ | {"PYTHONPATH": str(root), "COSILICO_CACHE": str(cache)}
        self._cases: subprocess.Popen[str] | None = None

    def compile(self) -> float:
        """CPU seconds of the first evaluation with an empty cache."""
        done = subprocess.run(
            [sys.executable, "-c", FIRST_RUN],
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return float(done.stdout)

    def start(self) -> None:
        """Start the process, and wait until its kernels are compiled."""
        self._cases = subprocess.Popen(
            [sys.executable, str(CASES)],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()

    def measure(self, case: str) -> tuple[float, str]:
        """(CPU seconds of an evaluation, digest of the figures)."""
        assert self._cases is not None
        assert self._cases.stdin is not None
        self._cases.stdin.write(f"{case}\n")
        self._cases.stdin.flush()
        seconds, digest = self._read().split()
        return float(seconds), digest

    def close(self) -> None:
        """End the process."""
        if self._cases is not None:
            assert self._cases.stdin is not None
            self._cases.stdin.close()
            self._cases.wait()

    def _read(self) -> str:
        assert self._cases is not None
        assert self._cases.stdout is not None
        line = self._cases.stdout.readline()
        if not line:
            sys.exit(f"speed: a process ended with {self._cases.wait()}")
        return line.strip()


def main() -> int:
    """Measure both trees, print a line per case, and say whether all figures are equal."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("commit", help="the other commit")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"[{ROUNDS}]")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        other = folder / "other"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(other), arguments.commit], check=True)
        try:
            trees = Tree(other, folder / "before"), Tree(ROOT, folder / "after")
            rows = compare(trees, arguments.rounds)
        finally:
            subprocess.run([*git, "remove", "--force", str(other)], check=True)
    if arguments.json:
        record = {"commit": arguments.commit, "cases": rows}
        write_atomic(arguments.json, f"{json.dumps(record, indent=1)}\n".encode())
    return int(not all(row["equal"] for row in rows))


def compare(trees: tuple[Tree, Tree], rounds: int) -> list[dict[str, object]]:
    """Measure both trees in turns; a row for each case."""
    before, after = (tree.compile() for tree in trees)
    rows = [row_of("first evaluation, kernels compiled", before, after, equal=True)]
    try:
        for tree in trees:
            tree.start()
        for case in NAMES:
            answers = [[tree.measure(case) for tree in trees] for _ in range(rounds)]
            seconds = [min(answer[side][0] for answer in answers) for side in range(2)]
            digests = {digest for answer in answers for _, digest in answer}
            rows.append(row_of(case, *seconds, equal=len(digests) == 1))
    finally:
        for tree in trees:
            tree.close()
    return rows


def row_of(case: str, before: float, after: float, *, equal: bool) -> dict[str, object]:
    """Print a case's times, and give them as a JSON object."""
    same = "" if equal else "; the figures differ"
    print(
        f"{case}: {1e6 * before:,.0f} and {1e6 * after:,.0f} µs of CPU time, "
        f"{before / after:.2f} times as fast{same}",
        flush=True,
    )
    return {
        "case": case,
        "before_s": before,
        "after_s": after,
        "ratio": before / after,
        "equal": equal,
    }


if __name__ == "__main__":
    sys.exit(main())
