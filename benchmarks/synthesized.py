"""Accelerators by ``cosilico synthesize``, each from an empty cache: area, clock, faults, and what it took.

    python benchmarks/synthesized.py [DESIGN...] [--jobs N]

The designs reach from the smallest of `tiny` to the default of `nahas`, the baseline of its experiment. Each is made by the command line
in a process of its own, which writes the report that ``benchmarks/synthesized.json`` has the figures of. With names of designs only these are made again,
and the others kept if the gateware is theirs.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwgen.gateware_hash import gateware_hash
from record import processor
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import write_atomic
from sim.spec.spaces import EDGE, NAHAS, TINY

OUT = Path(__file__).with_suffix(".json")

DESIGNS = {
    "smallest of `tiny`": AcceleratorConfig(
        clock_mhz=TINY.clock_mhz,
        **{name: values[0] for name, values in TINY.values.items()},  # type: ignore[arg-type]  # mixed types
    ),
    "`tiny`": TINY.default,
    "middle of `edge`": AcceleratorConfig(
        pes_x=2,
        pes_y=2,
        simd_units=32,
        compute_lanes=2,
        local_memory_kb=1024,
        register_file_kb=16,
        io_bandwidth_gbps=10.0,
        clock_mhz=EDGE.clock_mhz,
    ),
    "`edge`": EDGE.default,
    "`nahas`": NAHAS.default,
}
"""Accelerators by the names that the page gives them."""


def synthesized(config: AcceleratorConfig, jobs: int) -> dict[str, Any]:
    """Synthesize an accelerator from an empty cache, and return the report's figures and the times."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        accelerator, report = folder / "accelerator.json", folder / "report.json"
        accelerator.write_text(json.dumps(config.to_json()), encoding="utf-8")
        command = [sys.executable, "-m", "cosilico", "synthesize", str(accelerator)]
        options = ["--jobs", str(jobs), "--json", str(report)]
        before, start = _cpu_seconds(), time.monotonic()
        subprocess.run(
            [*command, *options],
            env=os.environ | {"COSILICO_CACHE": str(folder / "cache")},
            check=True,
        )
        wall, cpu = time.monotonic() - start, _cpu_seconds() - before
        document: Mapping[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    slowest = max((path for path in document["timing"]["paths"] if path["judged"]), key=_delay)
    return {
        "accelerator": config.to_json(),
        "area_mm2": document["area_mm2"],
        "logic_mm2": document["logic_mm2"],
        "memory_mm2": document["memory_mm2"],
        "modules": len(document["blocks"]),
        "slowest_module": slowest["module"],
        "fmax_mhz": document["fmax_mhz"],
        "faults": document["faults"],
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
    }


def _delay(path: Mapping[str, Any]) -> float:
    return float(path["delay_ns"])


def _cpu_seconds() -> float:
    """Return what all processes below this that have ended have taken."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Synthesize the designs, and write each as soon as it is there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("designs", nargs="*", metavar="DESIGN", help=", ".join(DESIGNS))
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    if unknown := set(arguments.designs) - set(DESIGNS):
        parser.error(f"DESIGN must be of {', '.join(DESIGNS)}, not {', '.join(sorted(unknown))}")
    gateware = gateware_hash()
    known: dict[str, Any] = {}
    if OUT.is_file():
        kept = json.loads(OUT.read_text(encoding="utf-8"))
        known = kept["designs"] if kept["gateware_hash"] == gateware else {}
    for name in arguments.designs or DESIGNS:
        print(name, flush=True)
        known[name] = synthesized(DESIGNS[name], arguments.jobs)
        document = {
            "command": "python benchmarks/synthesized.py",
            "gateware_hash": gateware,
            "processor": processor(),
            "cores": len(os.sched_getaffinity(0)),
            "designs": {name: known[name] for name in DESIGNS if name in known},
        }
        write_atomic(OUT, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
