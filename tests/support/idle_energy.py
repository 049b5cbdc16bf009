"""Energy of a run beside its layers: cycles in which there is nothing to do, and the header."""

from sim.cost.energy import Activity, energy
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.header import HEADER_BYTES

__all__ = ["idle_energy"]


def idle_energy(config: AcceleratorConfig, cycles: int) -> float:
    """Energy of so many cycles without any work and of a header, pJ: what a run takes beyond its layers."""
    nothing = Activity(
        total_cycles=cycles,
        execute_busy=0,
        read_bytes=0,
        write_bytes=0,
        descriptor_bytes=HEADER_BYTES,
        layers=(),
    )
    return energy(config, nothing).total
