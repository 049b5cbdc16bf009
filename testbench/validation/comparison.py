"""Counting where an RTL run differs from the integer reference and from the prediction."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.prediction import Prediction
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network
from testbench.rtl.harness import RunResult

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Differences of a run from reference and prediction, over all images and runs.

    Parameters
    ----------
    activations : int
        Values compared: every layer's tensor.
    layer_bits : tuple of int
        Of each layer, how many values differ from the reference.
    output_bits : int
        The same of the network's outputs as they lie in external memory.
    descriptors : int
        Descriptors compared.
    descriptor_cycles : int
        Descriptors whose start, end of issue or end differs from the prediction.
    totals : int
        Runs whose cycles from doorbell to done differ.
    counters : int
        Performance counters that differ.
    execute : int
        EXECUTE descriptors whose issue or whole duration differs; 0 on any memory.
    """

    activations: int
    layer_bits: tuple[int, ...]
    output_bits: int
    descriptors: int
    descriptor_cycles: int
    totals: int
    counters: int
    execute: int

    @property
    def bit_differences(self) -> int:
        """Values that differ from the reference."""
        return sum(self.layer_bits) + self.output_bits

    @property
    def timing_differences(self) -> int:
        """Descriptors, totals and counters that differ from the prediction."""
        return self.descriptor_cycles + self.totals + self.counters + self.execute


def compare(
    config: AcceleratorConfig,
    network: Network,
    prediction: Prediction,
    run: RunResult,
    expected: Mapping[str, NDArray[np.int8]],
    *,
    deterministic: bool,
) -> Comparison:
    """Compare a run with everything that is known of it.

    Parameters
    ----------
    config, network
    prediction : Prediction
    run : RunResult
        With activations.
    expected : mapping of str to int8[N, height, width, channels]
        As :func:`sim.golden.run` gives them; empty for a program that computes nothing.
    deterministic : bool
        Whether the memory was T1; on others only the durations of EXECUTE are compared.
    """
    layer_bits = tuple(
        int(np.count_nonzero(run.activations[index] != expected[layer.name])) if expected else 0
        for index, layer in enumerate(network.layers)
    )
    outputs = sum(
        int(np.count_nonzero(run.named_outputs[name] != expected[name]))
        for name in network.outputs
        if expected
    )
    executes = run.issue_end >= 0
    wrong = (run.start != prediction.start) | (run.end != prediction.done)
    wrong |= executes & (run.issue_end != prediction.issued)
    issue = run.issue_end - run.start != prediction.issued - prediction.start
    duration = run.end - run.start != prediction.done - prediction.start
    counters = sum(
        int((run.counters[name] != value).sum())
        for name, value in prediction.counters(config).items()
    )
    return Comparison(
        activations=sum(expected[layer.name].size for layer in network.layers if expected),
        layer_bits=layer_bits,
        output_bits=outputs,
        descriptors=int(wrong.size),
        descriptor_cycles=int(wrong.sum()) if deterministic else 0,
        totals=int((run.cycles != prediction.total_cycles).sum()) if deterministic else 0,
        counters=counters if deterministic else 0,
        execute=int((executes & (issue | duration)).sum()),
    )
