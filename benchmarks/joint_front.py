"""Write the front of a joint enumeration to its place in the project.

    python benchmarks/joint_front.py [--joint DIR]

The file has the numbers of the pairs and their costs; of the accuracies it has a digest. `cosilico compare nas_bench_201` reads it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from cosilico.joint.kept import front_file, write_kept
from cosilico.joint.truth import read_truth
from sim.spec.errors import CosilicoError


def main(words: Sequence[str] | None = None) -> None:
    """Read the enumeration, and write its front."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--joint", type=Path, default=Path("build/evidence/joint"))
    given = parser.parse_args(words)
    try:
        truth = read_truth(given.joint)
        path = front_file(truth.benchmark)
        write_kept(truth, path)
    except CosilicoError as error:
        parser.exit(2, f"joint_front: {error}\n")
    print(f"{path}: {len(truth.front.network):,} of {truth.pairs:,} pairs")


if __name__ == "__main__":
    main()
