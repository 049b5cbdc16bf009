"""Runs of one unit in Amaranth's simulator."""

from typing import Any

from amaranth.sim import Simulator

__all__ = ["simulate"]


def simulate(unit: Any, testbench: Any, *processes: Any) -> None:
    """Clock a unit until its testbench ends.

    Parameters
    ----------
    unit : wiring.Component
        The device under test.
    testbench : coroutine function
        Takes the simulator's context; drives the unit.
    *processes : coroutine function
        What else runs beside the unit, clocked with it: memories, monitors.
    """
    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    for process in processes:
        simulator.add_process(process)
    simulator.add_testbench(testbench)
    simulator.run()
