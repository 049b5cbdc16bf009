"""Records of the demo and of an example, for the pages: their results without what no page shows.

    make demo && python benchmarks/record.py demo build/digits
    python examples/imagenet/run.py efficientnet_lite0 build/imagenet/efficientnet_lite0
    python examples/imagenet/run.py mobilenet_v2 build/imagenet/mobilenet_v2
    python benchmarks/record.py imagenet build/imagenet
    make bitstream && python benchmarks/record.py bitstream build/ulx3s

Writes ``benchmarks/demo.json``, ``benchmarks/imagenet.json`` or ``benchmarks/bitstream.json``. The demo's search trains in
floating point, so another processor may end at another network: its record names the processor.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cosilico.results import load_results
from hwgen.soc.bitstream import BOARD_FOLDER, IMPLEMENTATION
from sim.spec.files import write_atomic

_LAYER = ("name", "predicted_cycles", "measured_cycles")
_OF_THE_MACHINE = ("cycles_per_s", "seconds_with_build", "wall_s")


def main() -> None:
    """Read a run's folder and write its record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=RECORDS)
    parser.add_argument("run", type=Path, metavar="DIR", help="folder of the run")
    arguments = parser.parse_args()
    out = Path(__file__).parent / f"{arguments.what}.json"
    write_atomic(out, json.dumps(RECORDS[arguments.what](arguments.run), indent=1) + "\n")


def demo(run: Path) -> dict[str, Any]:
    """Return the search's outcome, both sides in RTL, and the processor that this runs on."""
    results = load_results(run)
    return {
        "processor": processor(),
        "name": results["name"],
        "space": results["space"],
        "search": _without(results["search"], _OF_THE_MACHINE),
        **{side: _side(results[side]) for side in ("rtl", "rtl_default")},
    }


def bitstream(system: Path) -> dict[str, Any]:
    """Return what a system takes of a board, and the clock that it reaches."""
    record: dict[str, Any] = json.loads(
        (system / BOARD_FOLDER / IMPLEMENTATION).read_text(encoding="utf-8")
    )
    return record


def imagenet(runs: Path) -> dict[str, Any]:
    """Return of each network both accelerators in RTL, the photographs' classes, the calibration images' score."""
    record = {}
    for file in sorted(runs.glob("*/results.json")):
        results = json.loads(file.read_text(encoding="utf-8"))
        record[results["network"]] = {
            "classes": {
                form: dict(zip(results["photographs"], classes, strict=True))
                for form, classes in results["classes"].items()
            },
            "calibration_right": results["calibration_right"],
            "rtl": {name: _side(side) for name, side in results["rtl"].items()},
        }
    return record


RECORDS = {"demo": demo, "imagenet": imagenet, "bitstream": bitstream}


def processor() -> str:
    """Return the name that Linux gives the processor."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return "unknown"


def _side(figures: Mapping[str, Any]) -> dict[str, Any]:
    layers = [{name: layer[name] for name in _LAYER} for layer in figures["layers"]]
    kept = _without(figures, (*_OF_THE_MACHINE, "counters", "profile", "top5"))
    return kept | {"layers": layers}


def _without(figures: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if name not in names}


if __name__ == "__main__":
    main()
