"""Digests of all that the figures on claims follow from, and which results files are behind them.

    python benchmarks/claim_digests.py

prints the results files whose figures were made with other sources, fits or gateware.
"""

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import sim.cost
import sim.timing
from cosilico.cache import digest, source_digest
from hwgen.gateware_hash import gateware_hash
from sim.cost import energy_fit, silicon_fit

__all__ = ["EXPERIMENTS", "digests", "stale"]

EXPERIMENTS = ("claims_rhnas", "claims_nahas", "claims_dna", "claims_jiang", "one_for_many")

_BENCHMARKS = Path(__file__).parent

_SHARED = (
    "claim.py",
    "claim_gains.py",
    "claim_searches.py",
    "claim_verdicts.py",
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
    """Digests of gateware, fits, sources and scripts of an experiment.

    Parameters
    ----------
    script : Path
        File of the experiment.
    """
    scripts = [(_BENCHMARKS / file).read_bytes() for file in (*_SHARED, script.name)]
    return _of_the_project() | {"scripts": digest(*scripts)}


@cache
def _of_the_project() -> dict[str, str]:
    fits = [
        files(sim.cost) / silicon_fit.DEFAULT_FILE,
        files(sim.cost) / energy_fit.DEFAULT_FILE,
        files(sim.timing) / "calibration.json",
    ]
    return {
        "gateware": gateware_hash(),
        "fits": digest(*(file.read_bytes() for file in fits)),
        "sources": source_digest("search", "sim"),
    }


def stale(results: dict[str, Any], script: Path) -> list[str]:
    """Names of the digests that are not those of today; none where nothing was measured."""
    made = results.get("digests") or {}
    return [name for name, value in digests(script).items() if made and made.get(name) != value]


if __name__ == "__main__":
    main()
