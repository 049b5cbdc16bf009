"""Settings of a workload: other networks that run on the same accelerator."""

from dataclasses import dataclass

from search.sections import Section, integer, required, several
from sim.spec.rules import PathText

__all__ = ["WorkloadNetworkSettings", "WorkloadSettings"]

_MOST_RUNS = 1_000_000
_MOST_IMAGES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadNetworkSettings(Section):
    """A network that runs on the accelerator beside the searched network.

    Parameters
    ----------
    network : str
        A named network, a design file, an imported folder or a network alone as JSON; a path is
        relative to the experiment's file.
    runs : int
        How often it runs in a workload.
    """

    network: str = required(PathText())
    runs: int = integer(1, 1, _MOST_RUNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSettings(Section):
    """A section ``[workload]``: how often the networks run that share the accelerator, and on how much.

    Cycles, energy and traffic of an accelerator are then those of a whole workload, the sum over
    all runs of all networks; an accelerator must run every network.

    Parameters
    ----------
    runs : int
        How often the searched network runs.
    batch : int
        Images that a run computes, of every network: those of a program.
    networks : list of tables
        The other networks.
    """

    runs: int = integer(1, 1, _MOST_RUNS)
    batch: int = integer(1, 1, _MOST_IMAGES)
    networks: tuple[WorkloadNetworkSettings, ...] = several(WorkloadNetworkSettings, 32)
