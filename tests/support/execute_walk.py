"""Expected values of EXECUTE's control fields in every cycle, by a plain walk over the descriptors."""

from collections import defaultdict
from typing import TypeAlias

from execute_descriptors import Descriptor, group_quads, set_stores, window_sets
from hwgen.gateware.execute.unit import ExecuteUnit
from sim.spec.accelerator import WINDOW_VECTORS, AcceleratorConfig
from sim.spec.descriptor import ExecuteOp

__all__ = ["Events", "Walk", "durations"]

Events: TypeAlias = dict[int, dict[str, int]]
"""Fields that matter, by cycle."""


def durations(config: AcceleratorConfig, d: Descriptor) -> tuple[int, int]:
    """Return cycles from start to issue end and to done, in closed form."""
    per_row = -(-d["window_columns"] // d["pixels"])
    cycles = d["window_rows"] * (per_row * d["initiation_interval"] + d["row_lead"])
    if d["op"] == ExecuteOp.POOL:
        cycles += 4 * (config.pes_x + config.pes_y - 2)
    skew = d["pixels"] - 1 if d["op"] == ExecuteOp.CONV else 0
    stores = len(set_stores(d, *list(window_sets(d))[-1]))
    return cycles + d["hold"], cycles + skew + ExecuteUnit.DRAIN + stores


class Walk:
    """The control fields of descriptors that start in given cycles.

    `events` holds, per cycle, the fields that matter in it.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create a walk whose ring is empty."""
        self.config = config
        self.events: Events = defaultdict(dict)
        self.position = 0

    def put(self, cycle: int, **fields: int) -> None:
        """Expect values of control fields in a cycle, each field once."""
        assert not self.events[cycle].keys() & fields.keys()
        self.events[cycle].update(fields)

    def run(self, d: Descriptor, start: int) -> None:
        """Expect the control fields of a whole descriptor."""
        cycle = start + 1
        previous_row = -1
        for index, (row, column, count) in enumerate(window_sets(d)):
            lead = d["row_lead"] if row != previous_row else 0
            end = cycle + d["initiation_interval"] + lead - 1
            if d["op"] == ExecuteOp.CONV:
                end_step = self._conv(d, cycle, end, (row, column, index))
            elif d["op"] == ExecuteOp.ADD:
                end_step = self._add(d, end, (row, column))
            else:
                end_step = self._ring(d, cycle, end, (row, column), row != previous_row)
            self._finish(d, end_step, (row, column, count), index)
            cycle, previous_row = end + 1, row

    def _lanes(self, d: Descriptor, pixel: int) -> int:
        """Mask of the lanes that work on a pixel."""
        group = self.config.compute_lanes // d["pixels"]
        return ((1 << group) - 1) << (pixel * group)

    def _read(self, d: Descriptor, cycle: int, place: tuple[int, int, int], **lanes: int) -> None:
        """Expect a read of (address, y, x)."""
        address, y, x = place
        inject = d["op"] != ExecuteOp.ADD
        self.put(
            cycle,
            read_enable=lanes.pop("enable"),
            read_address=address % (1 << (self.config.bank_depth - 1).bit_length()),
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
        self.put(cycle + 4, weight_enable=1, weight_row=weight_row)
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
                        self._read(
                            d,
                            cycle + pixel,
                            (address, d["origin_y"] + y, d["origin_x"] + x),
                            enable=1 << bank,
                            incoming=self._lanes(d, pixel),
                            source_mask=0,
                            source_base=bank,
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
                )
            self.put(step + 3, advance=1)
            for phase in range(4):
                self.put(step + 4 + phase, parameter_enable=1, parameter_row=4 * d["half"] + second)
                self.put(step + 4 + phase, slot=1, operand=1, sum=0, phase=phase)
                if not second:
                    self.put(step + 10 + phase, keep=1)
        return end

    def _ring(
        self, d: Descriptor, cycle: int, end: int, place: tuple[int, int], row_start: bool
    ) -> int:
        """Expect the reads and steps of a DEPTHWISE or POOL window."""
        row, column = place
        lanes, rows, columns = self.config.compute_lanes, d["kernel_rows"], d["kernel_columns"]
        known = 0 if row_start or not d["window"] else max(0, columns - d["stride_x"])
        for tap in range(known * rows, columns * rows):
            kx, ky = divmod(tap, rows)
            y, x = row * d["stride_y"] + ky, column * d["stride_x"] + kx
            self._read(
                d,
                cycle,
                (d["in_address"] + y * d["in_row"] + x, d["origin_y"] + y, d["origin_x"] + x),
                enable=(1 << lanes) - 1,
                incoming=(1 << lanes) - 1,
                source_mask=(1 << (lanes - 1).bit_length()) - 1,
                source_base=0,
            )
            position = self.position % WINDOW_VECTORS
            self.put(cycle + 3, ring_write=1, ring_write_position=position)
            if not d["window"]:
                element = 0 if d["op"] == ExecuteOp.POOL else tap % 4
                weight_row = 0 if d["op"] == ExecuteOp.POOL else tap // 4
                self._step(d, cycle, tap == 0, weight_row)
                self.put(cycle + 5, tap=1 << element)
                position = (position - element) % WINDOW_VECTORS
                self.put(cycle + 4, ring_read=1, ring_read_position=position)
            self.position += 1
            cycle += 1
        assert cycle <= end + 1
        if d["window"]:
            steps = -(-rows * columns // 4)
            for number in range(steps):
                step = end + 1 - steps + number
                self._step(d, step, number == 0, number)
                used = min(4, rows * columns - 4 * number)
                self.put(step + 5, tap=(1 << used) - 1)
                # All of the window's taps are the ring's newest vectors
                position = (self.position - rows * columns + 4 * number) % WINDOW_VECTORS
                self.put(step + 4, ring_read=1, ring_read_position=position)
        return end

    def _finish(self, d: Descriptor, end: int, place: tuple[int, int, int], index: int) -> None:
        """Expect the end of a set: requantization and stores, or what comes in their place."""
        config = self.config
        if d["op"] != ExecuteOp.ADD:
            self.put(end + 9, capture=1)
        if d["save"]:
            self.put(end + 9, save=1, save_row=d["accumulator_row"] + index)
        if d["op"] == ExecuteOp.POOL:
            hops = [(0, x) for x in reversed(range(config.pes_x - 1))]
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
        written = ((1 << d["lanes"]) - 1) << d["out_bank"]
        for number, (pixel, dy, dx) in enumerate(set_stores(d, *place)):
            push = end + 21 + number
            mask = (1 << (group - 1).bit_length()) - 1
            self.put(push, push=1, take_mask=mask, take_base=pixel * group)
            self.put(push, from_east=dx == 1, from_west=dx == -1)
            self.put(push + 1, write_enable=written)
            if written:
                y, x = row + dy * d["tile_rows"], column + pixel + dx * d["tile_columns"]
                address = (d["out_address"] + y * d["out_row"] + x) % self.config.bank_depth
                self.put(push + 1, write_address=address, from_south=dy == 1, from_north=dy == -1)
