"""Microbenchmarks of a DRAM: hand-made programs whose starts and ends its parameters decide."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.arrays.tables import Hw, accelerator_row
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import Queue
from sim.spec.dram import DramSystem
from sim.spec.spaces import TINY
from sim.timing.dram import DramParameter
from sim.timing.dram_organization import structure
from sim.timing.dram_walk import run_on_dram
from testbench.calibration.handmade_programs import Command, Timing, conv, measure, schedule_rows
from testbench.rtl.dram_channel import dram_channel
from testbench.rtl.harness import build
from testbench.rtl.memory_model import MemoryModel

__all__ = ["DramBench", "MeasuredRun", "apart"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRun:
    """One microbenchmark: the schedule that the model walks and what RTL did."""

    rows: NDArray[np.int64]
    hw: Hw
    structure: NDArray[np.int64]
    header: int
    timing: Timing

    def misses(
        self, constants: NDArray[np.int64], p: NDArray[np.int64], *, durations: bool = False
    ) -> int:
        """Sum over descriptors of the cycles by which start and end, or durations, are wrong."""
        place = p.copy()
        place[: DramParameter.START] = self.structure[: DramParameter.START]
        start, _, done, _, _ = run_on_dram(self.rows, self.hw, constants, place, self.header)
        early, late = start - self.timing.start, done - self.timing.done
        if durations:
            return int(np.abs(late - early).sum())
        return int((np.abs(early) + np.abs(late)).sum())


class DramBench:
    """Runs microbenchmarks behind a DRAM, at its clock or at another.

    Parameters
    ----------
    system : DramSystem
    progress : callable
        Told the name of each microbenchmark as it starts.
    """

    def __init__(self, system: DramSystem, progress: Callable[[str], None]) -> None:
        self.system = system
        self.progress = progress
        self.runs = 0
        self.config = replace(
            TINY.default,
            pes_x=1,
            pes_y=1,
            simd_units=4,
            compute_lanes=1,
            local_memory_kb=4,
            register_file_kb=1,
        )
        self.structure = structure(self._at(system.clock_mhz), system)
        self.groups = system.bank_groups
        self.banks_in_group = system.banks // system.bank_groups

    def _at(self, clock_mhz: int) -> AcceleratorConfig:
        """The accelerator at a clock, with a bus beat per cycle."""
        return replace(self.config, clock_mhz=clock_mhz, io_bandwidth_gbps=4 * clock_mhz / 1000)

    @property
    def access(self) -> int:
        """Bytes from an access to the next, which is in the next group."""
        return int(self.structure[DramParameter.ACCESS_BYTES])

    @property
    def turn(self) -> int:
        """Bytes from an access to the next of its group."""
        return self.access * self.groups

    @property
    def stripe(self) -> int:
        """Bytes from a bank to the next of its group."""
        return int(self.structure[DramParameter.PAGE_BYTES]) * self.groups

    @property
    def row(self) -> int:
        """Bytes from a row to the next of its bank."""
        return self.stripe * self.banks_in_group

    def run(self, name: str, *commands: Command, clock_mhz: int | None = None) -> MeasuredRun:
        """Run a program, at the memory's clock or another; descriptors lie in the first banks."""
        self.progress(f"{self.system}: {name}")
        self.runs += 1
        config = self._at(clock_mhz or self.system.clock_mhz)
        # Of all clocks the RTL is the same, but for the fingerprint: only the memory knows them.
        harness = replace(build(self.config), config=config)
        header = 4 * self.row
        memory = MemoryModel(dram=dram_channel(config, self.system))
        return MeasuredRun(
            rows=schedule_rows(commands),
            hw=accelerator_row(config),
            structure=structure(config, self.system),
            header=header,
            timing=measure(harness, commands, memory, header, compiled_for=self.config),
        )


def apart(*transfers: Command) -> list[Command]:
    """LOADs or STOREs that each wait for the last, through an EXECUTE between them."""
    chain: list[Command] = []
    for i, command in enumerate(transfers):
        tokens = {"wait": 1 << Queue.EXECUTE if i else 0, "post": 1 << Queue.EXECUTE}
        if i == len(transfers) - 1:
            tokens["post"] = 0
        chain.append(Command(command.queue, command.fields | tokens))
        if tokens["post"]:
            other = 1 << command.queue
            chain.append(conv(1, 16, wait=other, post=other))
    return chain
