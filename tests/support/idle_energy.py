"""Energy of an accelerator that has nothing to do."""

from sim.cost.energy import Activity, energy
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["idle_energy"]


def idle_energy(config: AcceleratorConfig, cycles: int) -> float:
    """Energy of so many cycles without any work, pJ: what a run takes beyond its layers."""
    nothing = Activity(total_cycles=cycles, execute_busy=0, read_bytes=0, write_bytes=0, layers=())
    return energy(config, nothing).total
