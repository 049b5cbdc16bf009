"""A transfer unit, LOAD or STORE, with its descriptors, and their bursts by definition."""

from collections.abc import Sequence
from typing import Any

from accelerators import small_accelerator
from gateware_simulation import simulate
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.stops import StopCause

__all__ = ["ALL_PAGES", "CONFIGS", "TransferRun", "cuts", "four_pes", "tile_bursts"]

ALL_PAGES = (0, 0xFFFFF)
"""First and last 4 KiB page of the whole address space."""

MOST_BURST_BEATS = 256
PAGE_BYTES = 4096
MOST_CYCLES_TO_ACCEPT = 5000
MOST_CYCLES_TO_END = 20_000
MOST_CYCLES_TO_BE_QUIET = 1500


def four_pes(
    simd_units: int = 8,
    compute_lanes: int = 2,
    io_bandwidth_gbps: float = 0.8,
    weight_store_kb: int = 0,
) -> AcceleratorConfig:
    """Return a grid of 2×2 PEs with room for the tiles of these tests."""
    return small_accelerator(
        2,
        2,
        simd_units=simd_units,
        compute_lanes=compute_lanes,
        local_memory_kb=16,
        register_file_kb=4,
        io_bandwidth_gbps=io_bandwidth_gbps,
        weight_store_kb=weight_store_kb,
    )


CONFIGS = {
    "S8B4": (four_pes(), 2),
    "S8B4 half a vector": (four_pes(), 1),
    "S8B8L3": (four_pes(8, 3, 1.6), 1),
    "S16B1": (four_pes(16, 2, 0.2), 16),
    "S16B1, 5 bytes of a vector": (four_pes(16, 2, 0.2), 5),
    "S4B4L1": (four_pes(4, 1, 0.8), 1),
    "S4B16L2": (four_pes(4, 2, 3.2), 1),
    "S8B8, 25/32": (four_pes(8, 2, 1.25), 1),
    "S8B4, 3/4": (four_pes(8, 2, 0.6), 2),
    "S16B16, 601/800": (four_pes(16, 2, 2.404), 1),
    "S8B1, 1/200": (four_pes(8, 2, 0.001), 3),
}
"""Units, bytes of the bus, lanes and pacing, with the beats that a vector has."""


class TransferRun:
    """A run of descriptors on a transfer unit; all cycles count from the first clock edge.

    Attributes
    ----------
    starts, dones : list of int
        Cycles in which a descriptor is taken and done.
    posts : list of int
        Tokens given by each descriptor that is done.
    busy : int
        Cycles in which the unit is busy.
    faults : list of tuple of int
        (cycle, cause, response, address) of every fault; after the first the unit is stopped.
    quiet : list of int
        Cycles in which the unit says that nothing of it is on the bus.
    stopped : int
        Cycle in which the unit is stopped; -1 if it is not.
    calm : int
        Cycles up to now in which the unit has said without a break that nothing of it is on the bus.
    """

    def __init__(self, unit: Any, base: int, pages: tuple[int, int], stop_at: int | None) -> None:
        self.unit = unit
        self.base = base
        self.pages = pages
        self.stop_at = stop_at
        self.starts: list[int] = []
        self.dones: list[int] = []
        self.posts: list[int] = []
        self.busy = 0
        self.faults: list[tuple[int, StopCause, int, int]] = []
        self.quiet: list[int] = []
        self.stopped = -1
        self.calm = 0

    def run(
        self, descriptors: Sequence[dict[str, int]], *processes: Any, settle: int, stopped: int
    ) -> None:
        """Give the unit all descriptors, beside other processes, until all are done or it is stopped.

        It then runs for `settle` cycles more. After a stop it runs until it has been quiet for
        `stopped` cycles in a row, which must come within MOST_CYCLES_TO_BE_QUIET.
        """

        async def drive(ctx: Any) -> None:
            await self._give(ctx, descriptors)
            if self.stopped < 0:
                await ctx.tick().repeat(settle)
            else:
                await self._wait_until_quiet(ctx, stopped)
            self.after(ctx)

        simulate(self.unit, drive, *processes, self._watch)
        assert len(self.dones) == len(descriptors) or self.stopped >= 0

    def after(self, ctx: Any) -> None:
        """Read the unit's state after the run; for subclasses to define."""

    async def _give(self, ctx: Any, descriptors: Sequence[dict[str, int]]) -> None:
        unit = self.unit
        ctx.set(unit.memory_base, self.base)
        ctx.set(unit.pages.first, self.pages[0])
        ctx.set(unit.pages.last, self.pages[1])
        for descriptor in descriptors:
            ctx.set(unit.command.payload, descriptor)
            ctx.set(unit.command.valid, 1)
            for _ in range(MOST_CYCLES_TO_ACCEPT):
                *_, accepted = await ctx.tick().sample(unit.command.ready)
                if accepted or ctx.get(unit.stop):
                    break
            else:
                raise AssertionError("a descriptor is not taken")
        ctx.set(unit.command.valid, 0)
        for _ in range(MOST_CYCLES_TO_END):
            if len(self.dones) == len(descriptors) or self.stopped >= 0:
                break
            await ctx.tick()

    async def _wait_until_quiet(self, ctx: Any, cycles: int) -> None:
        for _ in range(MOST_CYCLES_TO_BE_QUIET + cycles):
            if self.calm >= cycles:
                return
            await ctx.tick()
        raise AssertionError("a stopped unit is not quiet")

    async def _watch(self, ctx: Any) -> None:
        unit, cycle = self.unit, -1
        watched = (
            unit.command.valid & unit.command.ready,
            *(unit.done, unit.done_post, unit.fault, unit.busy, unit.quiet),
        )
        async for _, _, start, done, post, fault, busy, quiet in ctx.tick().sample(*watched):
            cycle += 1
            self.busy += busy
            if fault.valid:
                cause = StopCause(fault.cause)
                self.faults.append((cycle, cause, fault.response, fault.address))
            if self.stopped < 0 and (self.faults or cycle == self.stop_at):
                ctx.set(unit.stop, 1)
                self.stopped = cycle
            self.calm = self.calm + 1 if quiet and self.stopped >= 0 else 0
            if quiet:
                self.quiet.append(cycle)
            if start:
                self.starts.append(cycle)
            if done:
                self.dones.append(cycle)
                self.posts.append(post)


def cuts(address: int, size: int, bus_bytes: int) -> list[tuple[int, int]]:
    """Return the bursts of `size` bytes in a row: (address, beats), cut at pages and 256 beats."""
    bursts = []
    while size:
        taken = min(size, MOST_BURST_BEATS * bus_bytes, PAGE_BYTES - address % PAGE_BYTES)
        bursts.append((address, taken // bus_bytes))
        address, size = address + taken, size - taken
    return bursts


def tile_bursts(
    config: AcceleratorConfig, base: int, tile: dict[str, int]
) -> list[tuple[int, int]]:
    """Return the bursts of a tile's rows, group after group: (address, beats)."""
    size = tile["columns"] * tile["vector_beats"] * config.bus_bytes
    return [
        burst
        for group in range(tile["groups"])
        for row in range(tile["rows"])
        for burst in cuts(
            base + tile["address"] + group * tile["group_stride"] + row * tile["row_stride"],
            size,
            config.bus_bytes,
        )
    ]
