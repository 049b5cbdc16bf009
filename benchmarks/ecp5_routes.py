"""Modules of the space `tiny`'s default, placed and routed on an ECP5-85: `benchmarks/ecp5_routes.json`.

    python benchmarks/ecp5_routes.py [--seeds N] [--jobs N]

Each of MODULES is routed on its own, with all that is below it. What was routed before comes from the cache, so a run
that was ended goes on where it stopped. Without nextpnr-ecp5 the extra ``fpga`` is needed.
"""

import argparse
import json
from pathlib import Path

from cosilico.accelerators import accelerator_argument
from cosilico.progress import progress_bar
from hwgen.synthesis.routing import report_routing
from sim.spec.files import write_atomic

__all__ = ["MODULES"]

MODULES = (
    *("csr", "life", "fetch", "sequencer", "load", "execute", "store", "distributor"),
    *("requantizer_unit", "simd_unit", "lane"),
)
"""Modules that are routed: the units around the grid, and what a PE is made of."""


def main() -> None:
    """Route the modules and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1, help="placements of each module")
    parser.add_argument("--jobs", type=int)
    arguments = parser.parse_args()
    with progress_bar() as progress:
        report = report_routing(
            accelerator_argument("tiny"),
            MODULES,
            seeds=range(1, arguments.seeds + 1),
            jobs=arguments.jobs,
            progress=progress,
        )
    text = json.dumps(report.to_json(), indent=1) + "\n"
    write_atomic(Path(__file__).with_suffix(".json"), text)


if __name__ == "__main__":
    main()
