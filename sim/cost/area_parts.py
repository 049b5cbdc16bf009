"""Parts of an accelerator's area."""

from dataclasses import dataclass, fields

__all__ = ["AreaBreakdown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaBreakdown:
    """Area by part, mm² in 45 nm.

    Parameters
    ----------
    multiply_accumulate : float
        int8 multipliers, adder trees and accumulating adders, comparators, and the choice of their
        operands.
    accumulators : float
        Accumulators and drain registers.
    requantizers : float
        32-bit multipliers, both shifters, the adders, the pipeline registers, and the registers in
        which output vectors are put together; activation tables.
    parameter_memory : float
        Requantization records.
    register_files : float
        Weights and saved accumulators of all lanes.
    window_rings : float
        The vectors from which lanes take four taps at once.
    local_memory : float
        Activation memories of all PEs.
    weight_store : float
        Weights that stay from run to run, and the choice between them and the bus.
    interconnect : float
        Inside a PE the choice of a bank for every lane and of a lane for every bank, and the
        vector registers of both; between PEs halo links and row sums.
    bus : float
        Buffers of the memory port, and the registers between beats, vectors and rows.
    control : float
        Descriptors: fetch buffer, queues, and those that the engines hold.
    external_interface : float
        Pads, PHY and controller of the external memory (:mod:`sim.cost.external_interface`).
    """

    multiply_accumulate: float
    accumulators: float
    requantizers: float
    parameter_memory: float
    register_files: float
    window_rings: float
    local_memory: float
    weight_store: float
    interconnect: float
    bus: float
    control: float
    external_interface: float

    @property
    def total(self) -> float:
        """Sum of all parts, mm², added one after another as those of many accelerators are."""
        total = 0.0
        for part in fields(self):
            total += getattr(self, part.name)
        return total
