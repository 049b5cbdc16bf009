"""A program with its input and everything that is expected of its runs: what a testbench needs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwgen.program import Program, compile_mapped
from sim import golden
from sim.model import predict_mapped
from sim.plan import Mapped
from sim.prediction import Prediction
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import Queue
from sim.spec.network import Network
from sim.timing import calibration as calibrations
from sim.timing.calibration import Calibration

__all__ = ["TRACE_HEADING", "Subject"]

TRACE_HEADING = "queue number layer start issue_end end"
"""First line of a trace; then a line for each descriptor, in program order."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """A program, the images that it computes, and the expected output and times.

    Parameters
    ----------
    config : AcceleratorConfig
    network : Network
    program : Program
    inputs : int8[images, height, width, channels]
    outputs : mapping of str to int8[images, height, width, channels]
        By the integer reference.
    prediction : Prediction
        On the deterministic memory; of the cold run, where weights stay in the weight store.
    warm : Prediction or None
        Of the warm run behind it; None where nothing stays.
    latency : int
        Of that memory, in cycles.
    """

    config: AcceleratorConfig
    network: Network
    program: Program
    inputs: NDArray[np.int8]
    outputs: Mapping[str, NDArray[np.int8]]
    prediction: Prediction
    warm: Prediction | None
    latency: int

    @classmethod
    def of(
        cls,
        mapped: Mapped,
        inputs: NDArray[np.int8] | None = None,
        calibration: Calibration | None = None,
        program: Program | None = None,
    ) -> "Subject":
        """Compile and predict a mapped pair, and compute what its program must leave.

        Parameters
        ----------
        mapped : Mapped
        inputs : int8[images, height, width, channels], optional
            As many as the program computes; random activations of seed 0 if not given.
        calibration : Calibration, optional
            Timing constants; those shipped if not given.
        program : Program, optional
            The pair's, where the caller has it.

        Raises
        ------
        ValueError
            If the inputs do not fit the network or are of another number.
        """
        calibration = calibration or calibrations.default()
        network = mapped.source
        shape = (mapped.images, *network.image_shape)
        if inputs is None:
            inputs = np.random.default_rng(0).integers(-128, 128, shape, dtype=np.int8)
        if inputs.shape != shape or inputs.dtype != np.int8:
            raise ValueError(
                f"inputs must be int8{list(shape)}, not {inputs.dtype}{list(inputs.shape)}"
            )
        expected = golden.run(network, inputs)
        return cls(
            config=mapped.config,
            network=network,
            program=program or compile_mapped(mapped),
            inputs=inputs,
            outputs={name: expected[name] for name in network.outputs},
            prediction=predict_mapped(mapped, calibration, cold=True),
            warm=predict_mapped(mapped, calibration) if mapped.stored else None,
            latency=calibration.constants["memory_latency"],
        )

    @property
    def input_bytes(self) -> bytes:
        """Input tensors as they lie in external memory, one image behind the other."""
        region = self.program.inputs
        return region.pack(region.images_of(self.inputs))

    @property
    def output_bytes(self) -> bytes:
        """Expected outputs likewise; what belongs to no channel is 0."""
        images = [
            {name: values[index] for name, values in self.outputs.items()}
            for index in range(self.program.images)
        ]
        return self.program.outputs.pack(images)

    @property
    def trace(self) -> str:
        """Expected trace: for each descriptor its queue, its number there, its layer and its cycles.

        Cycles count from the first in which the accelerator is busy: start, the cycle from which the
        queue's next descriptor may start, end. Behind the cold run's lines come the warm run's.
        """
        runs = [self.prediction, *([] if self.warm is None else [self.warm])]
        lines = [line for run in runs for line in self._lines(run)]
        return "\n".join([TRACE_HEADING, *lines]) + "\n"

    def _lines(self, run: Prediction) -> list[str]:
        lines = []
        numbers: Counter[int] = Counter()
        times = (run.start, run.issued, run.done)
        for (queue, layer), *cycles in zip(
            self.program.descriptors, *(column.tolist() for column in times), strict=True
        ):
            lines.append(" ".join(map(str, (Queue(queue).name, numbers[queue], layer, *cycles))))
            numbers[queue] += 1
        return lines
