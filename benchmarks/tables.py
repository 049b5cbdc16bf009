"""Enumerated spaces of named networks, kept in a folder: the truth that searches are judged by."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosilico.enumeration import enumerate_network
from cosilico.progress import progress_bar
from search.tabulated import arrays_of, table_of
from sim.cost.area import area
from sim.cost.objective import Metric, Objective
from sim.cost.table import CostTable
from sim.networks.named import named_network
from sim.spec.files import write_atomic
from sim.spec.network import Network
from sim.spec.npz import npz_bytes, read_arrays
from sim.spec.spaces import HARDWARE_SPACES, HardwareSpace

__all__ = ["NETWORKS", "Case", "cases", "enumerated"]

NETWORKS = ("mobilenet_v2", "efficientnet_lite0", "resnet8", "mobilenet_v1_025", "ds_cnn")
METRICS: tuple[Metric, ...] = ("latency", "edp")
SHARES = (1.0, 0.5)
"""Area budgets, as shares of the area of the space's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A network, a space, a metric and an area budget.

    Parameters
    ----------
    network, space : str
    metric : "latency" or "edp"
    share : float
        Area budget over the area of the space's default.
    """

    network: str
    space: str
    metric: Metric
    share: float

    @property
    def key(self) -> str:
        """Name in files of results."""
        return f"{self.network}:{self.space}:{self.metric}:{self.share:g}"

    @property
    def hardware(self) -> HardwareSpace:
        """The space itself."""
        return HARDWARE_SPACES[self.space]

    @property
    def objective(self) -> Objective:
        """Metric and area budget."""
        budget = self.share * area(self.hardware.default).total
        return Objective(metric=self.metric, area_budget=budget)


def cases(networks: tuple[str, ...] = NETWORKS) -> Iterator[Case]:
    """All cases, those that share an enumeration in a row."""
    for space in HARDWARE_SPACES:
        for network in networks:
            for metric in METRICS:
                for share in SHARES:
                    yield Case(network=network, space=space, metric=metric, share=share)


def enumerated(name: str, space_name: str, folder: Path) -> tuple[Network, CostTable]:
    """Return a network and its table of all points, from the folder or enumerated and kept there."""
    network, space = named_network(name), HARDWARE_SPACES[space_name]
    path = folder / f"{space_name}-{name}.npz"
    if not path.exists():
        with progress_bar() as report:
            table = enumerate_network(network, space, report, jobs=os.cpu_count() or 1)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, npz_bytes(arrays_of(table)))
    return network, table_of(space, read_arrays(path, "table", finite=True))
