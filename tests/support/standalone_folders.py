"""Generated folders with a testbench, of small networks on small accelerators."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np

from accelerators import SMALLEST, small_accelerator
from cosilico.generation import generate_design
from hwgen import verilator
from hwgen.subprocesses import run_program
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.network import Concatenation, LayerKind, Network, Padding
from testbench.cases.layers import (
    fully_connected,
    mean,
    padded,
    random_tensor,
    window_pool,
    windowed,
)
from testbench.faults.recovery import CONFIGS, small_network
from testbench.standalone.file_names import StandaloneTestbench

__all__ = [
    "DESIGNS",
    "STORED",
    "STREAMED",
    "generated_folder",
    "one_layer",
    "pooled_network",
    "run_in_verilator",
    "several_ends",
]

UNOPTIMIZED = ("OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0")
"""For Verilator's make: these runs are short."""


def pooled_network(seed: int = 6) -> Network:
    """Strided and depthwise convolutions, both pools of windows, a mean and a full connection.

    With the default seed every output depends on the input.
    """
    rng = np.random.default_rng(seed)
    source = random_tensor("input", 9, 8, 3, rng)
    same = Padding.same((9, 8), (3, 3), (2, 2))
    first = padded("conv", LayerKind.CONV, source, (3, 3), (2, 2), same, rng, 12)
    largest = window_pool(
        "max", LayerKind.MAX_POOL, first.output, (2, 2), (1, 1), Padding(right=1), rng
    )
    average = window_pool(
        "average", LayerKind.AVERAGE_POOL, largest.output, (3, 3), (2, 1), Padding(), rng
    )
    means = mean("mean", average.output, rng)
    last = fully_connected("full", means.output, 5, rng)
    return Network(name="pooled", input=source, layers=(first, largest, average, means, last))


@functools.cache
def one_layer() -> Network:
    """A convolution of few cycles."""
    rng = np.random.default_rng(5)
    source = random_tensor("input", 3, 3, 4, rng)
    same = Padding.same((3, 3), (3, 3), (1, 1))
    layer = padded("conv", LayerKind.CONV, source, (3, 3), (1, 1), same, rng, 4)
    return Network(name="one", input=source, layers=(layer,))


@functools.cache
def several_ends() -> Network:
    """A convolution of an input beside another input's, which are outputs together and one of them alone."""
    rng = np.random.default_rng(7)
    sources = [random_tensor(name, 3, 2, channels, rng) for name, channels in (("a", 3), ("b", 5))]
    sources[1] = replace(sources[1], height=3, width=2)
    layers = [
        windowed(f"{source.name}_seen", LayerKind.CONV, source, 1, 1, rng, channels)
        for source, channels in zip(sources, (3, 6), strict=True)
    ]
    layers[1] = replace(
        layers[1],
        output=replace(
            layers[1].output,
            scale=layers[0].output.scale,
            zero_point=layers[0].output.zero_point,
        ),
    )
    both = replace(layers[0].output, name="both", channels=9)
    joint = Concatenation(name="both", parts=("a_seen", "b_seen"), output=both)
    last = mean("mean", both, rng)
    return Network(
        name="several ends",
        input=sources[0],
        layers=(*layers, last),
        outputs=("mean", "b_seen", "both"),
        concatenations=(joint,),
        further_inputs=(sources[1],),
    )


STORED = "1x2, 2 lanes, 1 KiB of weight store"
"""Design with a cold and a warm run."""

DESIGNS = {
    "1x2, 2 lanes, 2-byte bus": (CONFIGS[0], small_network()),
    "2x1, 8 units, paced bus": (CONFIGS[1], small_network()),
    "1x1, 4-byte bus": (SMALLEST, pooled_network()),
    "2x2, 2 lanes of 8, 16-byte bus": (
        small_accelerator(2, 2, simd_units=8, compute_lanes=2, io_bandwidth_gbps=3.2),
        pooled_network(),
    ),
    STORED: (replace(CONFIGS[0], weight_store_kb=1), small_network()),
}
"""Different grids, lanes and buses; between them every kind of layer."""

STREAMED = (
    small_accelerator(1, 1, simd_units=4, compute_lanes=2, weight_store_kb=1),
    pooled_network(),
)
"""Accelerator and network whose images can be a stream, and whose weights stay."""


def generated_folder(
    folder: Path,
    config: AcceleratorConfig,
    network: Network,
    batch: int = 1,
    testbench: StandaloneTestbench = StandaloneTestbench.VERILOG,
    *,
    single_file: bool = True,
) -> Path:
    """Generate a design with a testbench into a folder, and return it; all modules are in one file."""
    folder.mkdir(exist_ok=True)
    design = Design(network=network, accelerator=config)
    generate_design(design, batch, testbench=testbench, single_file=single_file).write(folder)
    return folder


def run_in_verilator(folder: Path) -> str:
    """Run ``make verilator`` in a folder with a Verilog testbench; return the line of PASS or FAIL."""
    command = ["make", "-C", str(folder), "verilator", *UNOPTIMIZED]
    result = run_program(command, environment=verilator.environment())
    lines = [line for line in result.stdout.splitlines() if line.startswith(("PASS", "FAIL"))]
    assert len(lines) == 1, result.stdout + result.stderr
    assert lines[0].startswith("PASS") == (result.returncode == 0)
    return lines[0]
