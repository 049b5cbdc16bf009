"""Folder with a cocotb bench for an accelerator and its program, for whom cocotb is enough."""

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np

from hwgen.program import Program
from hwgen.verilog_files import OWNERSHIP
from sim import golden
from sim.model import predict_mapped
from sim.plan import Mapped
from sim.spec.files import write_atomic
from sim.timing import calibration as calibrations
from testbench.cosimulation.export import write_description
from testbench.standalone.file_names import (
    BENCH,
    BENCH_MODULES,
    DESCRIPTION,
    DESCRIPTION_FILES,
    MAKEFILE,
    RUNNER_FILE,
    TESTS_FILE,
    VISIBLE_FILE,
)

__all__ = ["RUNS", "write_cocotb_folder"]

RUNS = 2
"""Runs of the program that there are inputs for."""

PACKAGE = "testbench.cocotb"


def write_cocotb_folder(mapped: Mapped, program: Program, folder: Path) -> list[Path]:
    """Write tests, the bench that they use, a runner and what is expected; return the paths.

    The folder must hold the accelerator's Verilog as well. Inputs are random activations of seed 0.
    """
    network, calibration = mapped.source, calibrations.default()
    shape = (RUNS * mapped.images, *network.image_shape)
    inputs = np.random.default_rng(0).integers(-128, 128, shape, dtype=np.int8)
    (folder / DESCRIPTION).mkdir(exist_ok=True)
    write_description(
        folder / DESCRIPTION,
        mapped.config,
        program,
        network,
        predict_mapped(mapped, calibration, cold=True),
        inputs,
        golden.run(network, inputs),
        memory_latency=calibration.constants["memory_latency"],
        warm=predict_mapped(mapped, calibration) if mapped.stored else None,
    )
    own, bench = (resources.files(name) for name in ("testbench.standalone", PACKAGE))
    (folder / BENCH).mkdir(exist_ok=True)
    texts = {
        TESTS_FILE: _python(own / "cocotb_tests.py"),
        RUNNER_FILE: _python(own / "cocotb_runner.py"),
        VISIBLE_FILE: f"// {OWNERSHIP}\n\n{_text(own / 'templates' / VISIBLE_FILE)}",
        MAKEFILE: f"# {OWNERSHIP}\n\n{_text(own / 'templates' / 'cocotb.mk')}",
        **{f"{BENCH}/{name}": _python(bench / name) for name in BENCH_MODULES},
    }
    for name, text in texts.items():
        write_atomic(folder / name, text)
    return [
        *(folder / DESCRIPTION / name for name in DESCRIPTION_FILES),
        *map(folder.joinpath, texts),
    ]


def _python(source: Traversable) -> str:
    """Return a module as it stands in the folder, where the bench is a package of its own."""
    return f"# {OWNERSHIP}\n\n{_text(source).replace(f'from {PACKAGE}.', f'from {BENCH}.')}"


def _text(source: Traversable) -> str:
    return source.read_text(encoding="utf-8")
