"""One network on many accelerators, in one process or in several."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim import model
from sim.cost import area, energy
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network
from testbench.validation.workers import worker_pool

__all__ = ["Chunk", "evaluate_chunks"]

CHUNK = 480
"""Accelerators evaluated between two movements of the progress bar."""

_in_worker: list[Network] = []
"""The network of a worker process, given once and not with every chunk."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """Figures of some accelerators; 0 where not realizable, except for the area.

    Parameters
    ----------
    violations : list of tuple of str
    cycles, execute_busy, read_bytes, write_bytes : int64[n]
    area, energy : float64[n]
        mm² and pJ.
    """

    violations: list[tuple[str, ...]]
    cycles: NDArray[np.int64]
    execute_busy: NDArray[np.int64]
    read_bytes: NDArray[np.int64]
    write_bytes: NDArray[np.int64]
    area: NDArray[np.float64]
    energy: NDArray[np.float64]


def evaluate_chunks(
    network: Network, configs: Sequence[AcceleratorConfig], jobs: int = 1
) -> Iterator[Chunk]:
    """Evaluate all accelerators, in their order, chunk by chunk.

    Parameters
    ----------
    network : Network
    configs : sequence of AcceleratorConfig
    jobs : int
        Processes; with one, the work is done here.
    """
    chunks = [configs[start : start + CHUNK] for start in range(0, len(configs), CHUNK)]
    if jobs == 1:
        for chunk in chunks:
            yield _evaluate(network, chunk)
        return
    # The first chunk is evaluated here: where the model's kernels are not compiled yet, that is done
    # once, and every worker loads them.
    for chunk in chunks[:1]:
        yield _evaluate(network, chunk)
    if len(chunks) < 2:
        return
    with worker_pool(min(jobs, len(chunks) - 1), _keep, (network,)) as workers:
        yield from workers.map(_evaluate_in_worker, chunks[1:])


def _evaluate(network: Network, configs: Sequence[AcceleratorConfig]) -> Chunk:
    table = model.evaluate_many(configs, network)
    return Chunk(
        violations=table.violations,
        cycles=table.cycles,
        execute_busy=table.execute_busy,
        read_bytes=table.read_bytes,
        write_bytes=table.write_bytes,
        area=np.array([area.area(config).total for config in configs]),
        energy=energy.energies(configs, table, network),
    )


def _keep(network: Network) -> None:
    _in_worker.append(network)


def _evaluate_in_worker(configs: Sequence[AcceleratorConfig]) -> Chunk:
    return _evaluate(_in_worker[0], configs)
