"""Cold and warm runs of a program whose weights stay in the weight store."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwgen.program import Program
from sim.spec.network import Network
from testbench.rtl.memory_model import MemoryModel
from testbench.rtl.run_result import Step
from testbench.validation.comparison import Comparison

__all__ = ["has_warm_run", "joined", "steps_of"]


def has_warm_run(program: Program) -> bool:
    """Whether a program begins in another way once its weights are in the store."""
    return program.warm_address != program.header_address


def steps_of(
    program: Program,
    images: NDArray[np.int8],
    *,
    network: Network | None = None,
    memory: MemoryModel | None = None,
) -> list[Step]:
    """Steps of a program, one after the other without a reset between.

    Returns
    -------
    list of Step
        The warm program on all images; before it, where it reads what a run before has left, the
        cold program on the first images. The first step brings the memory.
    """
    warm = Step(program=program.warm, inputs=images, network=network)
    if not has_warm_run(program):
        return [replace(warm, memory=memory)]
    first = images[: program.images]
    return [Step(program=program, inputs=first, network=network, memory=memory), warm]


def joined(comparisons: Sequence[Comparison]) -> Comparison:
    """Sum of the differences of several runs of a network."""
    first, *others = comparisons
    for other in others:
        first = Comparison(
            activations=first.activations + other.activations,
            layer_bits=tuple(
                a + b for a, b in zip(first.layer_bits, other.layer_bits, strict=True)
            ),
            output_bits=first.output_bits + other.output_bits,
            descriptors=first.descriptors + other.descriptors,
            descriptor_cycles=first.descriptor_cycles + other.descriptor_cycles,
            totals=first.totals + other.totals,
            counters=first.counters + other.counters,
            execute=first.execute + other.execute,
        )
    return first
