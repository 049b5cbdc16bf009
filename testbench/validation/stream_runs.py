"""A stream of images in RTL: each is computed while the next image's input comes."""

import numpy as np
from numpy.typing import NDArray

from hwgen.stream_program import StreamPrograms
from sim.spec.network import Network
from testbench.rtl.memory_model import MemoryModel
from testbench.rtl.run_result import Step

__all__ = ["steps_of_stream"]


def steps_of_stream(
    programs: StreamPrograms,
    images: NDArray[np.int8],
    *,
    network: Network,
    memory: MemoryModel | None = None,
) -> list[Step]:
    """Steps of a stream, after a run that has filled the weight store; nothing is reset between.

    Returns
    -------
    list of Step
        The first image is loaded; then each is computed while the next image comes, behind the last image the first. Inputs lie by turns
        in two places, on a DRAM in the first.
        Outputs and activations of the second step are those of ``images``.
    """
    # cycles of a DRAM depend on the place, and are predicted for the first
    stride = programs.input_stride if memory is None or memory.dram is None else 0
    following = np.roll(images, -1, axis=0)
    return [
        Step(program=programs.first, inputs=images[:1], input_stride=stride),
        Step(program=programs.steady, inputs=following, network=network, input_stride=stride),
    ]
