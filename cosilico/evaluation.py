"""A network on many accelerators, in this process or in several."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from cosilico.cluster import cluster_pool
from sim.cost.costs import evaluate_many
from sim.cost.table import CostTable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.limits import NO_LIMITS, Limits
from sim.spec.memories import DETERMINISTIC, MemorySystem
from sim.spec.network import Network
from testbench.validation.workers import worker_pool

__all__ = ["evaluate_chunks"]

CHUNK = 480
"""Accelerators evaluated between two movements of the progress bar."""

_in_worker: list[tuple[Network, MemorySystem, int, Limits]] = []
"""Network, memory, images and limits of a worker process, given once and not with every chunk."""


def evaluate_chunks(
    network: Network,
    configs: Sequence[AcceleratorConfig],
    jobs: int = 1,
    *,
    memory: MemorySystem = DETERMINISTIC,
    images: int = 1,
    limits: Limits = NO_LIMITS,
    scheduler: str | None = None,
) -> Iterator[CostTable]:
    """Evaluate all accelerators, in their order, chunk by chunk.

    Parameters
    ----------
    network : Network
    configs : sequence of AcceleratorConfig
    jobs : int
        Processes; with 1, the work is done here.
    memory : MemorySystem
        What lies behind the ports.
    images : int
        Images of a program.
    limits : Limits
        Budgets that accelerators have to keep.
    scheduler : str, optional
        Address of the Dask scheduler whose workers are to evaluate the chunks, in place of processes.
    """
    chunks = [configs[start : start + CHUNK] for start in range(0, len(configs), CHUNK)]
    if scheduler is not None:
        with cluster_pool(scheduler, "chunks") as (pool, _):
            kept = pool.submit(_kept, (network, memory, images, limits))
            for future in [pool.submit(_evaluate_kept, kept, chunk) for chunk in chunks]:
                yield future.result()
        return
    if jobs == 1:
        for chunk in chunks:
            yield evaluate_many(chunk, network, memory=memory, images=images, limits=limits)
        return
    # The first chunk is evaluated here: where the model's kernels are not compiled yet, that is done
    # once, and every worker loads them.
    for chunk in chunks[:1]:
        yield evaluate_many(chunk, network, memory=memory, images=images, limits=limits)
    if len(chunks) < 2:
        return
    with worker_pool(
        min(jobs, len(chunks) - 1), _keep, (network, memory, images, limits)
    ) as workers:
        yield from workers.map(_evaluate_in_worker, chunks[1:])


def _keep(network: Network, memory: MemorySystem, images: int, limits: Limits) -> None:
    _in_worker.append((network, memory, images, limits))


_Work: TypeAlias = tuple[Network, MemorySystem, int, Limits]


def _kept(work: _Work) -> _Work:
    return work


def _evaluate_kept(work: _Work, configs: Sequence[AcceleratorConfig]) -> CostTable:
    """Evaluate a chunk in a worker of a cluster, to which the network comes once."""
    network, memory, images, limits = work
    return evaluate_many(configs, network, memory=memory, images=images, limits=limits)


def _evaluate_in_worker(configs: Sequence[AcceleratorConfig]) -> CostTable:
    network, memory, images, limits = _in_worker[0]
    return evaluate_many(configs, network, memory=memory, images=images, limits=limits)
