"""A joint space: networks with known accuracies, accelerators, and the pairs that no other pair beats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from cosilico.joint.accuracy_kind import AccuracyKind
from cosilico.joint.known_pairs import KnownPairs
from search.networks.cells import CLASSES, CellNetworks
from search.networks.family_record import FamilyRecord, family_of
from search.networks.known import KnownNetworks
from search.networks.trained import TrainedNetworks
from sim.cost.costs import evaluate_many
from sim.cost.objective import Objective
from sim.cost.table import CostTable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.accelerator_record import accelerator_of
from sim.spec.documents import Record
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.fpga_devices import FpgaBudget
from sim.spec.limits import Limits
from sim.spec.network import Network
from sim.spec.rules import Integer, Name
from sim.spec.spaces import HardwareSpace

__all__ = ["COLUMNS", "JointSpace", "SpaceRecord", "known_networks", "space_of"]

COLUMNS = ("cycles", "energy", "area")
"""Costs of a pair."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JointSpace:
    """Pairs of n networks and accelerators, whose best are known.

    Parameters
    ----------
    benchmark : str
    accuracy : AccuracyKind
    space : HardwareSpace
    networks : KnownNetworks
    family : mapping or None
        Family of the networks as JSON; None for cells.
    classes : int
        Classes of the benchmark's images.
    numbers : dict of str to int
        Numbers of the networks by their names, in order.
    accuracies : float64[n]
    pairs : int
        How many were enumerated.
    front : KnownPairs
        Those that no other beats in accuracy, cycles, energy and area. The best pair by any objective that grows with costs and falls
        with accuracy, within any budgets of costs, is among them.
    sample : KnownPairs
        Drawn from all that are realizable, with a seed that is always the same, in the order of their numbers.
    """

    benchmark: str
    accuracy: AccuracyKind
    space: HardwareSpace
    networks: KnownNetworks
    family: Mapping[str, Any] | None
    classes: int
    numbers: dict[str, int]
    accuracies: NDArray[np.float64]
    pairs: int
    front: KnownPairs
    sample: KnownPairs

    @property
    def names(self) -> tuple[str, ...]:
        """Networks by their numbers."""
        return tuple(self.numbers)

    def costs(self, configs: Sequence[AcceleratorConfig], network: Network) -> CostTable:
        """Predict accelerators on a network: a :data:`search.evaluator.CostModel` of cycles, energy and area."""
        return evaluate_many(configs, network, columns=COLUMNS, limits=self.space.limits)

    def least_pairs(
        self, objective: Objective, points: NDArray[np.int64] | None = None
    ) -> KnownPairs:
        """Feasible pairs that hold, for every accuracy, the least cost of all feasible pairs that are as accurate.

        Parameters
        ----------
        objective : Objective
        points : int64[k], optional
            Flat indices of the accelerators that are allowed; all if not given.

        Raises
        ------
        CosilicoError
            If accelerators are left out: a pair that is best without them need not be on the front.
        """
        if points is not None:
            raise CosilicoError(
                f"pins must be judged by all pairs, a folder of cosilico joint, not by the front of {self.benchmark}"
            )
        return self.front.select(np.flatnonzero(objective.feasible(self.front)))


class _FpgaRecord(Record):
    """Budget of an FPGA in a file."""

    name: Annotated[str, Name()]
    family: str
    luts: int
    ffs: int
    dsps: int
    brams: float


class SpaceRecord(Record):
    """Accelerators of a joint space in a file."""

    name: Annotated[str, Name()]
    clock_mhz: Annotated[int, Integer(1, 10_000)]
    values: dict[str, list[int | float]]
    default: dict[str, Any]
    area_budget: float | None = None
    power_budget_mw: float | None = None
    fpga: _FpgaRecord | None = None


def space_of(record: SpaceRecord, what: str) -> HardwareSpace:
    """Accelerators that a file describes; ``what`` names the file.

    Raises
    ------
    DesignFileError
        If there is no such space.
    """
    fpga = None if record.fpga is None else FpgaBudget(**record.fpga.model_dump())
    try:
        return HardwareSpace(
            name=record.name,
            clock_mhz=record.clock_mhz,
            values={name: tuple(values) for name, values in record.values.items()},
            default=accelerator_of(record.default),
            area_budget=record.area_budget,
            limits=Limits(fpga=fpga, power_mw=record.power_budget_mw),
        )
    except (TypeError, ValueError) as error:
        raise DesignFileError(f"{what}: space.{error}") from None


def known_networks(
    family: FamilyRecord | None, known: Mapping[str, float], what: str
) -> tuple[KnownNetworks, int]:
    """Networks of a family, or of NAS-Bench-201's cells, by their accuracies, and the classes of their images.

    Raises
    ------
    DesignFileError
        If they are not all networks of their operations or family; ``what`` names the file.
    """
    try:
        if family is None:
            return CellNetworks(known), CLASSES
        return TrainedNetworks(family_of(family, f"{what}: family"), known), family.classes
    except ValueError as error:
        raise DesignFileError(f"{what}: {error}") from None
