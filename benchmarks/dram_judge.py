"""Our DRAM against DRAMsim3: the same timing and requests, latencies of the reads.

Run as ``python benchmarks/dram_judge.py --dramsim3 PROGRAM [--json FILE]``, where the program is DRAMsim3's
``dramsim3main``, built by whoever runs this. Requests are single accesses; the accelerator runs at the
memory's clock, and controller and PHY take the single clock that DRAMsim3's queues take.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sim.spec.dram import DRAM_PRESETS, DramPolicy, DramSystem
from testbench.judges import dramsim3
from testbench.judges.dram_driver import build_driver
from testbench.judges.dram_requests import KINDS, REQUESTS, direct, latencies


def main() -> None:
    """Print a line per memory and kind of request."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dramsim3", type=Path, required=True, metavar="PROGRAM")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="cosilico-") as folder:
        driver = build_driver(Path(folder))
        for system in DRAM_PRESETS.values():
            if system.controller.policy is DramPolicy.FR_FCFS:
                rows += [
                    compared(driver, arguments.dramsim3.resolve(), system, kind) for kind in KINDS
                ]
    if arguments.json:
        document = {"requests": REQUESTS, "rows": rows}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


def compared(driver: Path, program: Path, system: DramSystem, kind: str) -> Mapping[str, Any]:
    """Compare the latencies of the reads of a kind of requests."""
    own = direct(system)
    requests = KINDS[kind](own)
    ours = latencies(driver, own, requests)
    theirs = dramsim3.latencies(program, own, requests)
    assert len(ours) == len(theirs), (len(ours), len(theirs))
    a, b = np.array(ours), np.array(theirs)
    row = {
        "memory": own.name,
        "kind": kind,
        "reads": len(ours),
        "mean_ours": round(float(a.mean()), 2),
        "mean_dramsim3": round(float(b.mean()), 2),
        "equal": round(float((a == b).mean()), 4),
        "median_ours": float(np.median(a)),
        "median_dramsim3": float(np.median(b)),
    }
    print(row, flush=True)
    return row


if __name__ == "__main__":
    main()
