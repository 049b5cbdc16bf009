"""Images of a simulation, shared among accelerators that run at the same time."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from testbench.rtl.run_result import RunResult, Step

__all__ = ["joined_shares", "shared"]


def shared(steps: Sequence[Step], index: int, jobs: int) -> list[list[Step]]:
    """Share the images of a step among several accelerators.

    Each runs the steps before it, which say what it finds, and a share of its images: whole programs, in their order, of
    which no two shares differ by more than a program. The first accelerator runs the steps behind it, too.

    Parameters
    ----------
    steps : sequence of Step
    index : int
        Of the step.
    jobs : int
        Accelerators; there are no more of them than programs.
    """
    step = steps[index]
    programs = -(-len(step.inputs) // step.program.images)
    accelerators = min(jobs, programs)
    borders = [programs * share // accelerators for share in range(accelerators + 1)]
    sequences = []
    for first, last in pairwise(borders):
        images = step.inputs[first * step.program.images : last * step.program.images]
        behind = steps[index + 1 :] if first == 0 else ()
        sequences.append([*steps[:index], replace(step, inputs=images), *behind])
    return sequences


def joined_shares(sequences: Sequence[Sequence[RunResult]], index: int) -> list[RunResult]:
    """Results of all steps; those before the shared step are the same on every accelerator, and the first's are kept.

    Parameters
    ----------
    sequences : sequence of sequence of RunResult
        Of what :func:`shared` returns.
    index : int
        Of the shared step.
    """
    first = sequences[0]
    return [*first[:index], _joined([runs[index] for runs in sequences]), *first[index + 1 :]]


def _joined(runs: Sequence[RunResult]) -> RunResult:
    first = runs[0]
    return RunResult(
        outputs=np.concatenate([run.outputs for run in runs]),
        named_outputs={
            name: np.concatenate([run.named_outputs[name] for run in runs])
            for name in first.named_outputs
        },
        activations={
            layer: np.concatenate([run.activations[layer] for run in runs])
            for layer in first.activations
        },
        cycles=np.concatenate([run.cycles for run in runs]),
        start=np.concatenate([run.start for run in runs]),
        end=np.concatenate([run.end for run in runs]),
        issue_end=np.concatenate([run.issue_end for run in runs]),
        counters={
            name: np.concatenate([run.counters[name] for run in runs]) for name in first.counters
        },
        status=np.concatenate([run.status for run in runs]),
        stops=tuple(stop for run in runs for stop in run.stops),
        view=first.view,
        wall_s=first.wall_s,
        simulated_cycles=sum(run.simulated_cycles for run in runs),
    )
