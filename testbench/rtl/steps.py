"""From a step to the job that a simulation runs, and from its raw results to measurements."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.views import View
from testbench.rtl.activations import assemble_activations
from testbench.rtl.job import ProgramJob, RawRuns
from testbench.rtl.run_result import RunResult, Step, read_stops
from testbench.rtl.watchdog import program_descriptors, watchdog_cycles

__all__ = ["job_of_step", "result_of_step"]


def job_of_step(step: Step) -> ProgramJob:
    """Return the job of a step; the last run gets the last image again where images are missing."""
    program = step.program
    images = program.inputs.images_of(step.inputs)
    images += images[-1:] * (-len(images) % program.images)
    return ProgramJob(
        program=program,
        inputs=[
            program.inputs.pack(images[i : i + program.images])
            for i in range(0, len(images), program.images)
        ],
        probes=program.probes if step.network is not None else (),
        host=step.host,
        watchdog=watchdog_cycles(program_descriptors(program)),
        memory=step.memory,
        input_stride=step.input_stride,
        window=step.window,
    )


def result_of_step(
    config: AcceleratorConfig,
    step: Step,
    raw: RawRuns,
    *,
    view: View,
    wall_s: float,
    cycles: int,
) -> RunResult:
    """Return what a step's runs measured.

    Parameters
    ----------
    config : AcceleratorConfig
    step : Step
    raw : RawRuns
    view : View
        View of the PE grid that ran.
    wall_s : float
    cycles : int
        All cycles simulated.
    """
    images = len(step.inputs)
    activations: Mapping[int, NDArray[np.int8]] = {}
    if step.network is not None:
        tensors = assemble_activations(config, step.network, step.program.probes, raw.probes)
        activations = {layer: x[:images] for layer, x in tensors.items()}
    return RunResult(
        outputs=next(iter(raw.outputs.values()))[:images],
        named_outputs={name: x[:images] for name, x in raw.outputs.items()},
        activations=activations,
        cycles=raw.counters["cycles"],
        start=raw.start,
        end=raw.end,
        issue_end=raw.issue_end,
        counters=raw.counters,
        status=raw.counters["status"],
        stops=read_stops(raw.counters),
        view=view,
        wall_s=wall_s,
        simulated_cycles=cycles,
    )
