"""Digests of all that the figures on claims follow from, and which results files are behind them.

    python benchmarks/claim_digests.py

prints the results files whose figures were made with other sources, fits or gateware.
"""

import json
from pathlib import Path
from typing import Any

from cosilico.cache import digest
from cosilico.measured_state import measured_state

__all__ = ["EXPERIMENTS", "digests", "stale"]

EXPERIMENTS = ("claims_rhnas", "claims_nahas", "claims_dna", "claims_jiang", "one_for_many")

_BENCHMARKS = Path(__file__).parent

_SHARED = (
    "claim.py",
    "claim_gains.py",
    "claim_searches.py",
    "claim_verdicts.py",
    "joint_searches.py",
    "oneshot_costs.py",
    "proposals.py",
)
"""Scripts that experiments share, beside one another's."""


def main() -> None:
    """Print a line for each results file."""
    for name in EXPERIMENTS:
        results = json.loads((_BENCHMARKS / f"{name}.json").read_text(encoding="utf-8"))
        behind = stale(results, _BENCHMARKS / f"{name}.py")
        if not results.get("digests"):
            print(f"{name}.json: not measured")
        else:
            print(f"{name}.json: {'of other ' + ', '.join(behind) if behind else 'current'}")


def digests(script: Path) -> dict[str, str]:
    """Digests of all that decides an experiment's figures: the project's state, and its scripts.

    Parameters
    ----------
    script : Path
        File of the experiment.
    """
    names = sorted({*_SHARED, *(f"{name}.py" for name in EXPERIMENTS), script.name})
    scripts = [(_BENCHMARKS / name).read_bytes() for name in names]
    return measured_state() | {"scripts": digest(*scripts)}


def stale(results: dict[str, Any], script: Path) -> list[str]:
    """Names of the digests that are not those of today; none where nothing was measured."""
    made = results.get("digests") or {}
    return [name for name, value in digests(script).items() if made and made.get(name) != value]


if __name__ == "__main__":
    main()
