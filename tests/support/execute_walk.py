"""Expected values of EXECUTE's control fields in every cycle, by a plain walk over the descriptors."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TypeAlias

from execute_descriptors import (
    Descriptor,
    bands,
    group_quads,
    pixel_window,
    ring_pitch,
    set_stores,
    source_banks,
    window_sets,
)
from hwgen.gateware.execute.unit import ExecuteUnit
from sim.spec.accelerator import WINDOW_VECTORS, AcceleratorConfig
from sim.spec.descriptor import ExecuteOp

__all__ = ["Events", "Walk", "durations"]

Events: TypeAlias = dict[int, dict[str, int]]
"""Fields that matter, by cycle."""


def durations(config: AcceleratorConfig, d: Descriptor) -> tuple[int, int]:
    """Return cycles from start to issue end and to done, in closed form."""
    sets = list(window_sets(d))
    cycles = len(sets) * d["initiation_interval"] + len(bands(d)) * d["row_lead"]
    if d["op"] == ExecuteOp.POOL:
        cycles += 4 * (config.pes_y - 1 + (0 if d["spread"] else config.pes_x - 1))
    skew = d["pixels"] - 1 if d["op"] == ExecuteOp.CONV else 0
    stores = len(set_stores(d, *sets[-1]))
    done = cycles + skew + ExecuteUnit.DRAIN + stores + d["store_slack"]
    return cycles + d["hold"], done


@dataclass
class _Stores:
    """Stores of a set: the cycle of the first `push`, cycles that they may wait, and the fields of each.

    Fields are those of its `push` and those of its write, in the cycle after it.
    """

    cycle: int
    slack: int | None
    writes: bool
    fields: list[tuple[dict[str, int], dict[str, int]]]
    waited: int = 0


class Walk:
    """The control fields of descriptors that start in given cycles.

    `events` holds, per cycle, the fields that matter in it, once all descriptors are :meth:`settled`. A bank has one port: what
    waits for it is settled cycle by cycle.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create a walk whose ring is empty."""
        self.config = config
        self.events: Events = defaultdict(dict)
        self.waits = 0
        # First position of the ring behind all windows so far, and of the present column of windows
        self.free = self.base = 0
        self._depth = 1 << (config.bank_depth - 1).bit_length()
        # Banks of reads that stores wait for, by cycle; columns of reads that wait for stores, from a cycle on, each with the
        # last cycle in which it may come; sets of stores
        self._fixed: dict[int, int] = defaultdict(int)
        self._columns: list[tuple[int, list[tuple[int, Callable[[int], None]]]]] = []
        self._stores: list[_Stores] = []

    def put(self, cycle: int, **fields: int) -> None:
        """Expect values of control fields in the cycle after that, each field once."""
        assert not self.events[cycle + 1].keys() & fields.keys()
        self.events[cycle + 1].update(fields)

    def settled(self) -> Events:
        """Let stores and reads have the banks' ports, and return all events."""
        sets = list(self._stores)
        columns = [(start, list(reads)) for start, reads in self._columns]
        pending: tuple[dict[str, int], _Stores] | None = None
        present: _Stores | None = None
        cycle = 0
        while sets or columns or pending or (present and present.fields):
            stalled = False
            if columns and columns[0][0] <= cycle:
                latest, read = columns[0][1][0]
                assert cycle <= latest
                if pending and pending[1].writes:
                    self.waits += 1
                else:
                    read(cycle)
                    columns[0][1].pop(0)
                if not columns[0][1]:
                    columns.pop(0)
            if pending:
                stalled = bool(pending[0]["write_enable"] & self._fixed[cycle])
                if stalled:
                    pending[1].waited += 1
                    self.waits += 1
                else:
                    self.put(cycle, **pending[0])
                    pending = None
            if sets and sets[0].cycle <= cycle:
                assert not present or not present.fields
                present = sets.pop(0)
            if present and present.fields and not stalled:
                push, write = present.fields.pop(0)
                self.put(cycle, **push)
                pending = (write, present)
            cycle += 1
        for stores in self._stores:
            assert stores.slack is None or stores.waited <= stores.slack
        return self.events

    def run(self, d: Descriptor, start: int) -> None:
        """Expect the control fields of a whole descriptor."""
        cycle = start + 1
        band_of = {row: band for band in bands(d) for row in band}
        previous: tuple[range | None, int] = (None, 0)
        for index, (row, column, count) in enumerate(window_sets(d)):
            band = band_of[row]
            lead = d["row_lead"] if band != previous[0] else 0
            end = cycle + d["initiation_interval"] + lead - 1
            if d["op"] == ExecuteOp.CONV:
                end_step = self._conv(d, cycle, end, (row, column, index))
            elif d["op"] == ExecuteOp.ADD:
                end_step = self._add(d, end, (row, column))
            else:
                if (band, column) != previous:
                    self._ring_reads(d, (cycle, end), band, column, band != previous[0])
                self._ring_steps(d, end, row - band.start)
                end_step = end
            self._finish(d, end_step, (row, column, count), index)
            cycle, previous = end + 1, (band, column)

    def _lanes(self, d: Descriptor, pixel: int) -> int:
        """Mask of the lanes that work on a pixel."""
        group = self.config.compute_lanes // d["pixels"]
        return ((1 << group) - 1) << (pixel * group)

    def _read(self, d: Descriptor, cycle: int, place: tuple[int, int, int], **lanes: int) -> None:
        """Expect a read of (address, y, x)."""
        address, y, x = place
        inject = d["op"] != ExecuteOp.ADD
        if d["op"] in (ExecuteOp.CONV, ExecuteOp.ADD):
            self._fixed[cycle] |= lanes["enable"]
        self.put(
            cycle,
            read_enable=lanes.pop("enable"),
            read_address=address % self._depth,
            column_stride=d["column_stride"] % self._depth,
            inject=inject,
        )
        if inject:
            bounds = {name: d[name] for name in ("pitch_y", "pitch_x", "bound_y", "bound_x")}
            self.put(cycle, tap_y=y, tap_x=x, **bounds)
            self.put(cycle + 2, pad_value=d["pad_value"])
        self.put(cycle + 2, **lanes)

    def _step(self, d: Descriptor, cycle: int, first: bool, row: int) -> None:
        """Expect what every step that multiplies does."""
        weight_row = d["half"] * self.config.weight_rows + row
        private = d["op"] != ExecuteOp.CONV
        lanes = self.config.compute_lanes
        mask = (1 << (lanes - 1).bit_length()) - 1
        if lanes & (lanes - 1) == 0 and d["op"] != ExecuteOp.POOL:
            mask = lanes // d["pixels"] - 1
        self.put(cycle + 4, weight_enable=1, weight_row=weight_row, weight_mask=mask)
        maximum = d["maximum"] if d["op"] == ExecuteOp.DEPTHWISE else 0
        self.put(cycle + 5, multiply=1, private=private, maximum=maximum)
        self.put(cycle + 8, accumulate=1, restart=first, compare=maximum)
        if first:
            self.put(cycle + 8, restore=d["restore"])

    def _conv(self, d: Descriptor, cycle: int, end: int, place: tuple[int, int, int]) -> int:
        """Expect the reads and steps of a CONV set; return the cycle in which its steps end."""
        row, column, index = place
        lanes, pixels = self.config.compute_lanes, d["pixels"]
        number = 0
        for group, quads in enumerate(group_quads(self.config, d)):
            plane, bank = divmod(d["bank"] + group, lanes)
            for ky in range(d["kernel_rows"]):
                for kx in range(d["kernel_columns"]):
                    y = row * d["stride_y"] + ky
                    for pixel in range(pixels):
                        x = (column + pixel) * d["stride_x"] + kx
                        address = d["in_address"] + plane * d["in_plane"] + y * d["in_row"] + x
                        vector, window = 0, pixel
                        if d["vector_sets"]:
                            vector, window = divmod(column, d["vector_sets"] * pixels)
                            window += pixel
                        shift = window * d["window_bytes"] % self.config.simd_units
                        address += vector
                        self._read(
                            d,
                            cycle + pixel,
                            (address, d["origin_y"] + y, d["origin_x"] + x),
                            enable=1 << bank,
                            incoming=self._lanes(d, pixel),
                            source_mask=0,
                            source_base=bank,
                            shift=shift,
                        )
                    for slot, quad in enumerate(quads):
                        step = cycle + slot + pixels - 1
                        self._step(d, step, number == 0, number)
                        self.put(step + 4, quad=quad)
                        if slot == 0:
                            self.put(step + 3, advance=1)
                        if number == 0 and d["restore"]:
                            saved = d["accumulator_row"] + index
                            self.put(step + 7, restore_enable=1, restore_row=saved)
                        number += 1
                    cycle += max(len(quads), pixels)
        assert cycle <= end + 1
        return end + pixels - 1

    def _add(self, d: Descriptor, end: int, place: tuple[int, int]) -> int:
        """Expect the reads of both operands, and their requantization."""
        row, column = place
        pixels, group = d["pixels"], self.config.compute_lanes // d["pixels"]
        for second, step in ((0, end - max(4, pixels)), (1, end)):
            first = d["in2_address"] if second else d["in_address"]
            pitch = d["in2_row"] if second else d["in_row"]
            for pixel in range(pixels):
                self._read(
                    d,
                    step - (pixels - 1 - pixel),
                    (first + row * pitch + column + pixel, 0, 0),
                    enable=((1 << group) - 1) << d["bank"],
                    incoming=self._lanes(d, pixel),
                    source_mask=(1 << (group - 1).bit_length()) - 1,
                    source_base=d["bank"],
                    shift=0,
                )
            self.put(step + 3, advance=1)
            for phase in range(4):
                self.put(step + 4 + phase, parameter_enable=1, parameter_row=4 * d["half"] + second)
                self.put(step + 4 + phase, slot=1, operand=1, sum=0, phase=phase)
                if not second:
                    self.put(step + 10 + phase, keep=1)
        return end

    def _ring_reads(
        self, d: Descriptor, cycles: tuple[int, int], band: range, column: int, band_start: bool
    ) -> None:
        """Let the reads of a column of DEPTHWISE or POOL windows come, one after another.

        ``cycles`` are the first of the column, and that in which its first set ends. With one tap per cycle reads are also the steps.
        """
        rows, columns = d["kernel_rows"], d["kernel_columns"]
        known = 0 if band_start or not d["window"] else max(0, columns - d["stride_x"])
        pitch = ring_pitch(d)
        self.base = self.free if known == 0 else self.base + (columns - known) * pitch
        self.free = self.base + columns * pitch
        height = rows + (len(band) - 1) * d["stride_y"]
        order = [(y, x) for x in range(known, columns) for y in range(height)]
        if d["band_rows"] > 1:
            order.sort()
        # A read comes before the first step that uses it
        sets, steps = -(-len(band) // d["pixels"]), -(-rows * columns // 4)
        ends = [cycles[1] + number * d["initiation_interval"] for number in range(sets)]
        latest = dict.fromkeys(order, ends[-1])
        if d["window"]:
            for window, kx, ky in product(range(len(band)), range(columns), range(rows)):
                place = (window * d["stride_y"] + ky, kx)
                step = ends[window // d["pixels"]] + 1 - steps + (kx * rows + ky) // 4
                if place in latest:
                    latest[place] = min(latest[place], step)
        reads: list[tuple[int, Callable[[int], None]]] = [
            (
                latest[ky, kx],
                partial(
                    self._tap, d, (band.start, column), (tap, ky, kx), self.base + kx * pitch + ky
                ),
            )
            for tap, (ky, kx) in enumerate(order)
        ]
        self._columns.append((cycles[0], reads))

    def _tap(
        self,
        d: Descriptor,
        window: tuple[int, int],
        tap: tuple[int, int, int],
        position: int,
        cycle: int,
    ) -> None:
        """Expect the read of a tap (number, row, column) of a column of windows in a cycle."""
        lanes, (number, ky, kx) = self.config.compute_lanes, tap
        group = lanes // d["pixels"]
        y, x = window[0] * d["stride_y"] + ky, window[1] * d["stride_x"] + kx
        self._read(
            d,
            cycle,
            (d["in_address"] + y * d["in_row"] + x, d["origin_y"] + y, d["origin_x"] + x),
            enable=((1 << group) - 1) << d["bank"],
            incoming=(1 << lanes) - 1,
            source_mask=(1 << (group - 1).bit_length()) - 1,
            source_base=d["bank"],
            shift=0,
        )
        self.put(cycle + 3, ring_write=1, ring_write_position=position % WINDOW_VECTORS)
        if not d["window"]:
            element = 0 if d["op"] == ExecuteOp.POOL else number % 4
            weight_row = 0 if d["op"] == ExecuteOp.POOL else number // 4
            self._step(d, cycle, number == 0, weight_row)
            self.put(cycle + 5, tap=1 << element)
            self._ring_read(cycle + 4, [position - element] * lanes, beyond=0)

    def _ring_steps(self, d: Descriptor, end: int, row: int) -> None:
        """Expect the steps of a set whose first window is in that row of its band, with ``window``."""
        lanes, rows = self.config.compute_lanes, d["kernel_rows"]
        taps = rows * d["kernel_columns"]
        steps = -(-taps // 4) if d["window"] else 0
        for number in range(steps):
            step = end + 1 - steps + number
            self._step(d, step, number == 0, number)
            self.put(step + 5, tap=(1 << min(4, taps - 4 * number)) - 1)
            kx, ky = divmod(4 * number, rows)
            first = self.base + kx * ring_pitch(d) + ky
            windows = [row + lane // (lanes // d["pixels"]) for lane in range(lanes)]
            positions = [first + window * d["stride_y"] for window in windows]
            self._ring_read(step + 4, positions)
            if d["ring_gap"]:
                beyond = sum((ky + tap >= rows) << tap for tap in range(4))
                self.put(step + 4, ring_beyond=beyond, ring_gap=d["ring_gap"])

    def _ring_read(self, cycle: int, positions: list[int], **fields: int) -> None:
        """Expect a read of the ring, from a position of its own in each lane."""
        word, bits = 0, (WINDOW_VECTORS - 1).bit_length()
        for lane, position in enumerate(positions):
            word |= position % WINDOW_VECTORS << bits * lane
        self.put(cycle, ring_read=1, ring_read_positions=word)
        if fields:
            self.put(cycle, **{f"ring_{name}": value for name, value in fields.items()})

    def _finish(self, d: Descriptor, end: int, place: tuple[int, int, int], index: int) -> None:
        """Expect the end of a set: requantization and stores, or what comes in their place."""
        config = self.config
        if d["op"] != ExecuteOp.ADD:
            self.put(end + 9, capture=1)
        if d["save"]:
            self.put(end + 9, save=1, save_row=d["accumulator_row"] + index)
        if d["op"] == ExecuteOp.POOL:
            hops = [] if d["spread"] else [(0, x) for x in reversed(range(config.pes_x - 1))]
            hops += [(1, y) for y in reversed(range(config.pes_y - 1))]
            for vertical, receiver in hops:
                for cycle in range(end + 10, end + 14):
                    self.put(cycle, reduce=1, vertical=vertical, reduce_index=receiver)
                end += 4
        is_sum = d["op"] == ExecuteOp.ADD
        for phase in range(4):
            row = 4 * d["half"] + (2 if is_sum else phase)
            self.put(end + 10 + phase, parameter_enable=1, parameter_row=row)
            self.put(end + 10 + phase, slot=1, operand=0, sum=is_sum, phase=phase)
            finish = {name: d[name] for name in ("zero_point", "clamp_low", "clamp_high")}
            self.put(end + 16 + phase, finish=1, **finish)
            self.put(end + 17 + phase, assemble=1, commit=phase == 3)

        row, column, _ = place
        group = config.compute_lanes // d["pixels"]
        shares = d["sources"] > 0 and not d["save"]
        fields = []
        for pixel, dy, dx in set_stores(d, *place):
            mask = (1 << (group - 1).bit_length()) - 1
            push = {
                "push": 1,
                "take_mask": mask,
                "take_base": pixel * group,
                "from_row": int(shares),
            }
            further = dx * d["tile_columns"]
            banks = range(d["out_bank"], d["out_bank"] + d["lanes"])
            if shares:
                further, banks = source_banks(config, d, dx)
                push["source"] = dx
            else:
                push |= {"from_east": int(dx == 1), "from_west": int(dx == -1)}
            write = {"write_enable": sum(1 << bank for bank in banks)}
            if write["write_enable"]:
                y, x = pixel_window(d, row, column, pixel)
                y, x = y + dy * d["tile_rows"], x + further
                address = (d["out_address"] + y * d["out_row"] + x) % self.config.bank_depth
                write |= {"write_address": address}
                write |= {"from_south": int(dy == 1), "from_north": int(dy == -1)}
            fields.append((push, write))
        sets = list(window_sets(d))
        slack = d["store_slack"] if index == len(sets) - 1 else None
        writes = d["lanes"] > 0 or d["spread"] > 0
        self._stores.append(_Stores(end + 21, slack, writes, fields))
