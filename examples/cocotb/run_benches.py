"""The hand-written design in cocotb: writes its description, builds both benches, runs the tests.

    python examples/cocotb/run_benches.py build/cocotb_example

The tests are in ``layer_tests.py`` and ``network_tests.py`` beside this file.
"""

import argparse
import runpy
import sys
from pathlib import Path

import numpy as np

from hwgen.module_names import ModuleNames
from hwgen.program import compile_mapped
from sim import golden
from sim.model import predict_mapped
from sim.realizability import map_realizable
from sim.spec.design import Design, load
from sim.timing import calibration
from testbench.cosimulation.bench_top import BENCH_MODULE, memory_size
from testbench.cosimulation.builds import build_fast_bench, build_port_bench
from testbench.cosimulation.cases import run_module
from testbench.cosimulation.export import write_description

FOLDER = Path(__file__).parent
RUNS = 2


def main() -> int:
    """Run both modules of tests; return 0 if all of them pass."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where descriptions, logs and results go")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    runpy.run_path(str(FOLDER.parent / "handwritten" / "make_weights.py"))["main"](folder)
    design = load(folder / "design.json")
    size = describe(design, folder)
    config = design.accelerator
    benches = {
        "layer_tests": (build_port_bench(config), ModuleNames.of(config).top),
        "network_tests": (build_fast_bench(config, size_bytes=size), BENCH_MODULE),
    }
    passed = True
    sys.path.insert(0, str(FOLDER))
    for module, (executable, top) in benches.items():
        place = folder / module
        place.mkdir(exist_ok=True)
        variables = {"DESCRIPTION": str(folder.absolute())}
        results = run_module(executable, top, module, place, variables=variables)
        print(f"{module}: {results.run} tests, {results.failed} failed; log in {place / 'log'}")
        passed &= results.passed
    return int(not passed)


def describe(design: Design, folder: Path) -> int:
    """Write the description of a design with random inputs; return the memory that it needs."""
    mapped = map_realizable(design.accelerator, design.network)
    program, constants = compile_mapped(mapped), calibration.default()
    shape = (RUNS, *design.network.image_shape)
    inputs = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    write_description(
        folder,
        design.accelerator,
        program,
        design.network,
        predict_mapped(mapped, constants),
        inputs,
        golden.run(design.network, inputs),
        memory_latency=constants.constants["memory_latency"],
    )
    return memory_size(program.memory_bytes)


if __name__ == "__main__":
    sys.exit(main())
