"""Speed of the RTL simulation: build time and simulated cycles per second by accelerator.

Run as ``python benchmarks/rtl_speed.py``. Builds go to a fresh folder, so that they are timed.
"""

import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np

from hwgen.program import compile_design
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design, load
from sim.spec.spaces import TINY
from testbench.rtl import harness

IMAGES = 20
CONFIGS = {
    "tiny default, 256 MACs": TINY.default,
    "wide, 1024 MACs": dataclasses.replace(TINY.default, simd_units=32),
}


def main() -> None:
    """Measure the RTL simulation of every accelerator; print a line for each."""
    with tempfile.TemporaryDirectory() as folder:
        design = example(Path(folder))
        for name, config in CONFIGS.items():
            print(f"{name}: {measure(design, config, Path(folder))}")


def measure(design: Design, config: AcceleratorConfig, folder: Path) -> str:
    """Build and run one accelerator; time both."""
    network = design.network
    start = time.perf_counter()
    built = harness.build(config, build_root=folder)
    build_s = time.perf_counter() - start
    program = compile_design(Design(network=network, accelerator=config))
    shape = (IMAGES, *network.image_shape)
    inputs = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    result = built.run(program, inputs)
    return f"built in {build_s:.1f} s, {result.cycles_per_s / 1e3:,.0f} k cycles/s"


def example(folder: Path) -> Design:
    """Load the hand-written design with weights made for it."""
    import runpy

    directory = Path(__file__).parent.parent / "examples" / "handwritten"
    runpy.run_path(str(directory / "make_weights.py"))["main"](folder)
    return load(folder / "design.json")


if __name__ == "__main__":
    main()
