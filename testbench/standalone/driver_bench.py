"""Testbench of the driver: its C code runs a network on the Verilated accelerator."""

from dataclasses import dataclass

import jinja2
import numpy as np
from numpy.typing import NDArray

from hwgen.driver.program_data import DriverProgram
from hwgen.driver.sources import capability_values
from hwgen.module_names import ModuleNames
from hwgen.verilog_files import OWNERSHIP
from sim import golden
from sim.model import predict_mapped, predict_stream
from sim.plan import Mapped
from sim.spec.bus import DESCRIPTOR_PORT_BYTES, PAGE_BYTES
from sim.stream import stream_of
from sim.timing import calibration as calibrations
from testbench.rtl.harness import HEADERS, template_text
from testbench.rtl.protocol import bound_rules
from testbench.standalone.template_texts import template

__all__ = ["RUNS", "DriverTest"]

RUNS = 3
"""Runs that there are inputs for."""

_HEADERS = tuple(name for name in HEADERS if name != "job.h")
"""The memory behind the ports, which is the harness's."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DriverTest:
    """Inputs and everything that is expected of the driver's runs.

    Parameters
    ----------
    mapped : Mapped
    described : DriverProgram
        Of the same pair.
    inputs : int8[RUNS * images, height, width, channels]
        Of several inputs int8[RUNS * images, values], as :func:`sim.spec.inputs.split` divides them.
    outputs : tuple of int8[RUNS * images, height, width, channels]
        All of the network's, by the integer reference.
    """

    mapped: Mapped
    described: DriverProgram
    inputs: NDArray[np.int8]
    outputs: tuple[NDArray[np.int8], ...]

    @classmethod
    def of(cls, mapped: Mapped, described: DriverProgram) -> "DriverTest":
        """Draw random activations of seed 0, and compute what they must become."""
        network = mapped.source
        shape = (RUNS * mapped.images, *network.image_shape)
        inputs = np.random.default_rng(0).integers(-128, 128, shape, dtype=np.int8)
        values = golden.run(network, inputs)
        outputs = tuple(values[name] for name in network.outputs)
        return cls(mapped=mapped, described=described, inputs=inputs, outputs=outputs)

    @property
    def files(self) -> dict[str, str | bytes]:
        """Files of the testbench by name; it also needs the driver and the accelerator."""
        return {
            "driver_bench.cpp": self._main(),
            "axi_rules.sv": f"// {OWNERSHIP}\n\n{bound_rules(self.mapped.config)}",
            "images.bin": self.inputs.tobytes(),
            "expected_images.bin": b"".join(values.tobytes() for values in self.outputs),
            **{name: f"// {OWNERSHIP}\n\n{template_text(name)}" for name in _HEADERS},
        }

    def _main(self) -> str:
        """Return the testbench's own C++."""
        config, calibration = self.mapped.config, calibrations.default()
        cold = predict_mapped(self.mapped, calibration, cold=True)
        stream = stream_of(self.mapped)
        first = steady = 0
        if stream is not None:
            programs = predict_stream(stream, calibration)
            first, steady = (program.total_cycles for program in programs)
        environment = jinja2.Environment(
            undefined=jinja2.StrictUndefined, keep_trailing_newline=True
        )
        return environment.from_string(template("driver_bench.cpp.j2")).render(
            ownership=OWNERSHIP,
            top=ModuleNames.of(config).top,
            bus_bytes=config.bus_bytes,
            descriptor_bus_bytes=DESCRIPTOR_PORT_BYTES,
            page_bytes=PAGE_BYTES,
            latency=calibration.constants["memory_latency"],
            cold_cycles=cold.total_cycles,
            warm_cycles=predict_mapped(self.mapped, calibration).total_cycles,
            first_cycles=first,
            steady_cycles=steady,
            runs=RUNS,
            symbol=self.described.symbol,
            capabilities=capability_values(config),
        )
