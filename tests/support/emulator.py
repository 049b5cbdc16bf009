"""Functional emulator: a program's descriptors, one after another, as docs/explanation/hardware.md says.

It knows the memory image and nothing of the network or the mapper, so a difference between the
integer reference and the emulator is a compiler bug, a difference between the emulator and RTL a gateware
bug.
"""

import itertools
import zlib

import numpy as np
from numpy.typing import NDArray

from hwgen.program import Probe, Program
from hwgen.weights import RECORD
from sim import golden
from sim.spec.accelerator import (
    DOT_WIDTH,
    REQUANTIZER_PHASES,
    TABLE_ROW_ENTRIES,
    TABLE_ROWS,
    AcceleratorConfig,
)
from sim.spec.descriptor import (
    DESCRIPTOR_BYTES,
    ExecuteOp,
    LoadKind,
    LoadStore,
    LoadTable,
    Queue,
    decode,
)
from sim.spec.header import CHECK_OFFSET, HEADER_BYTES, read_header

__all__ = ["Emulator"]

PASSES = range(3)
"""ADD's requantizations: operand a, operand b, their sum."""


class Emulator:
    """One accelerator's memories and the program that runs on them.

    Parameters
    ----------
    config : AcceleratorConfig
    program : Program

    Attributes
    ----------
    memory : uint8[program.memory_bytes]
        External memory; write the input tensor into it before :meth:`run`.
    local : int8[pes_y, pes_x, L, bank_depth, S]
    """

    def __init__(self, config: AcceleratorConfig, program: Program) -> None:
        """Power up with garbage in every memory."""
        self.config = config
        self.program = program
        self.memory = np.frombuffer(program.image, np.uint8).copy()
        rng = np.random.default_rng(0)
        simd, lanes = config.simd_units, config.compute_lanes
        shape = (config.pes_y, config.pes_x, lanes, config.bank_depth, simd)
        self.local = rng.integers(-128, 128, shape, np.int8)
        self.weights = rng.integers(
            -128, 128, (2, config.pes_x, lanes, config.weight_rows, simd, DOT_WIDTH), np.int8
        )
        saved = (config.pes_y, config.pes_x, lanes, config.accumulator_rows, simd)
        self.accumulators = rng.integers(-(1 << 31), 1 << 31, saved)
        self.store = rng.integers(0, 256, (config.store_rows, config.row_bytes), np.uint8)
        shape = (2, config.pes_x, lanes, REQUANTIZER_PHASES, simd // REQUANTIZER_PHASES)
        self.records = np.zeros(shape, RECORD)
        self.table = rng.integers(-128, 128, TABLE_ROWS * TABLE_ROW_ENTRIES, np.int8)
        self.through_table = [False, False]

    def run(self, inputs: NDArray[np.int8]) -> tuple[NDArray[np.int8], dict[int, list[bytes]]]:
        """Run the program once.

        Parameters
        ----------
        inputs : int8[images, height, width, channels]
            Of several inputs int8[images, values].

        Returns
        -------
        outputs : int8[images, height, width, channels]
        probes : dict
            Index of each EXECUTE descriptor to the raw dumps of its probes, laid out as
            ``[pe_y][pe_x][group][row][column][S]``.
        """
        region = self.program.inputs
        packed = np.frombuffer(region.pack(region.images_of(inputs)), np.uint8)
        self.memory[region.address : region.address + len(packed)] = packed
        at = self.program.header_address
        header = read_header(self.memory[at : at + HEADER_BYTES].tobytes())
        if header.fingerprint != self.config.fingerprint:
            raise ValueError("the program is not for this configuration")
        dumps: dict[int, list[bytes]] = {}
        executed = 0
        announced = header.checksum
        for number in range(header.count):
            at += DESCRIPTOR_BYTES
            encoded = self.memory[at : at + DESCRIPTOR_BYTES].tobytes()
            if zlib.crc32(encoded) != announced:
                raise ValueError(f"descriptor {number} must have the CRC-32 {announced:#010x}")
            announced = int.from_bytes(encoded[CHECK_OFFSET:], "little")
            fields = decode(encoded)
            if fields["queue"] == Queue.LOAD and fields["kind"] == LoadKind.WEIGHTS:
                self._load_weights(fields)
            elif fields["queue"] == Queue.LOAD and fields["gather"]:
                self._gather(fields)
            elif fields["queue"] == Queue.LOAD:
                columns = range(self.config.pes_x if fields["all_columns"] else 1)
                for x in columns:
                    own = fields | {"pe_x": fields["pe_x"] + x}
                    for address, vector, used in self._transfer(own):
                        vector[:used] = self.memory[address : address + used].view(np.int8)
                        vector[used:] = 0
            elif fields["queue"] == Queue.STORE:
                for address, vector, used in self._transfer(fields):
                    size = fields["vector_beats"] * self.config.bus_bytes
                    self.memory[address : address + size] = 0
                    self.memory[address : address + used] = vector[:used].view(np.uint8)
            else:
                self._execute(fields)
                dumps[executed] = [
                    self._dump(probe)
                    for probe in self.program.probes
                    if probe.execute_index == executed
                ]
                executed += 1
        place = self.program.output
        ends = place.address + place.size_bytes * np.arange(self.program.images + 1)
        outputs = [place.unpack(self.memory[a:b].tobytes()) for a, b in itertools.pairwise(ends)]
        return np.array(outputs), dumps

    def _load_weights(self, d: dict[str, int]) -> None:
        simd = self.config.simd_units
        order = _row_order(d)
        if d["store"] == LoadStore.READ:
            stream = self.store[d["store_row"] : d["store_row"] + len(order)]
        else:
            stream = self._stream(d, order)
        assert len(stream) == len(order)
        if d["table"] == LoadTable.FILL:
            self.table = np.ravel(stream[:, :TABLE_ROW_ENTRIES]).view(np.int8)
            return
        if d["parameter_rows"]:
            self.through_table[d["half"]] = d["table"] == LoadTable.USE
        if d["store"] == LoadStore.FILL:
            self.store[d["store_row"] : d["store_row"] + len(stream)] = stream
        width, by_columns = self.config.requantizer_width, d["column_lanes"]
        for (block, row), data in zip(order, stream, strict=True):
            columns, mask = slice(None), d["lane_mask"] << block
            if by_columns:
                column, lane = divmod(block, by_columns)
                columns, mask = slice(column, column + 1), d["lane_mask"] << lane
            lanes = [lane for lane in range(self.config.compute_lanes) if mask >> lane & 1]
            for lane in lanes:
                if row < d["parameter_rows"]:
                    records = data[: width * RECORD.itemsize].view(RECORD)
                    self.records[d["half"], columns, lane, row] = records
                else:
                    weights = data.view(np.int8).reshape(simd, DOT_WIDTH)
                    self.weights[d["half"], columns, lane, row - d["parameter_rows"]] = weights

    def _stream(self, d: dict[str, int], order: list[tuple[int, int]]) -> NDArray[np.uint8]:
        """Rows of a weight stream in external memory, filled up with zeros: uint8[rows, 4 * S]."""
        bus, at = self.config.bus_bytes, d["address"]
        records = -(-RECORD.itemsize * self.config.requantizer_width // bus)
        rows = []
        for block, index in order:
            tail = block == d["lanes"] - 1
            if index >= d["parameter_rows"]:
                count = d["tail_beats"] if tail else self.config.row_bytes // bus
            else:
                count = 1 if tail and index >= d["tail_rows"] else records
            row = np.zeros(self.config.row_bytes, np.uint8)
            row[: count * bus] = self.memory[at : at + count * bus]
            rows.append(row)
            at += count * bus
        assert at == d["address"] + d["stream_beats"] * bus
        return np.array(rows)

    def _gather(self, d: dict[str, int]) -> None:
        """Cut rows of bytes into vectors; what lies outside of a row is padding."""
        share = d["pe_vectors"] or d["columns"]
        pe, own = np.divmod(np.arange(d["columns"]), share)
        first_bytes = pe * ((share - 1) * d["step"] + d["pe_step"]) + own * d["step"] - d["lead"]
        places = first_bytes[:, None] + np.arange(d["length"])
        inside = (places >= 0) & (places < d["row_bytes"])
        columns = np.arange(self.config.pes_x)[:, None] if d["all_columns"] else d["pe_x"] + pe
        for row in range(d["rows"]):
            start = d["address"] + row * d["row_stride"]
            data = self.memory[start : start + d["row_bytes"]].view(np.int8)
            first = d["local_address"] + row * d["local_row"]
            vectors = np.zeros((d["columns"], self.config.simd_units), np.int8)
            vectors[:, : d["length"]] = np.where(
                inside, data[np.clip(places, 0, d["row_bytes"] - 1)], d["pad_value"]
            )
            self.local[d["pe_y"], columns, d["bank"], (first + own) & 0x3FFFF] = vectors

    def _transfer(self, d: dict[str, int]):  # type: ignore[no-untyped-def]  # a generator of views
        lanes = self.config.compute_lanes
        size = d["vector_beats"] * self.config.bus_bytes
        used = min(size, self.config.simd_units)
        local = self.local[d["pe_y"], d["pe_x"]]
        for group in range(d["groups"]):
            for row in range(d["rows"]):
                external = d["address"] + group * d["group_stride"] + row * d["row_stride"]
                plane, bank = divmod(group + d.get("bank", 0), lanes)
                start = d["local_address"] + plane * d["local_plane"]
                for column in range(d["columns"]):
                    address = (start + row * d["local_row"] + column) & 0x3FFFF
                    yield external + column * size, local[bank, address], used

    def _read(
        self, banks: NDArray[np.int64], address: NDArray[np.int64], stride: int
    ) -> NDArray[np.int32]:
        """Read n addresses of all banks: int32[pes_y, pes_x, n, banks, S]; garbage outside of them.

        A PE column reads ``stride`` vectors further than its western neighbour.
        """
        depth, columns = self.config.bank_depth, []
        for x in range(self.config.pes_x):
            own = (address + x * stride) & 0x3FFFF
            vectors = self.local[:, x, banks, np.minimum(own, depth - 1)[:, None]].astype(np.int32)
            vectors[:, own >= depth] = 99
            columns.append(vectors)
        return np.stack(columns, axis=1)

    def _tap(
        self, d: dict[str, int], banks: NDArray[np.int64], plane: int, y: int, x: NDArray[np.int64]
    ) -> NDArray[np.int32]:
        """Read the vectors of n taps, (y, x) from the first, padding injected."""
        rows = d["origin_y"] + np.arange(self.config.pes_y) * d["pitch_y"] + y
        columns = d["origin_x"] + np.arange(self.config.pes_x)[:, None] * d["pitch_x"] + x
        inside = ((rows >= 0) & (rows < d["bound_y"]))[:, None, None] & (
            (columns >= 0) & (columns < d["bound_x"])
        )
        address = d["in_address"] + plane * d["in_plane"] + y * d["in_row"] + x
        vectors = self._read(banks, address, d["column_stride"])
        return np.where(inside[..., None, None], vectors, d["pad_value"])

    def _windows(self, d: dict[str, int], y: int, ox: NDArray[np.int64]) -> NDArray[np.int32]:
        """Read a row of the input of n windows, where vectors hold that of several: int32[pes_y, pes_x, n, S]."""
        vectors, places = np.divmod(ox, d["vector_sets"] * d["pixels"])
        taken = np.stack(
            [
                self._tap(
                    d | {"in_address": d["in_address"] + vector},
                    np.array([d["bank"]]), 0, y, np.array([0]),
                )[:, :, 0, 0]
                for vector in vectors
            ],
            axis=2,
        )  # fmt: skip
        rows = d["origin_y"] + np.arange(self.config.pes_y) * d["pitch_y"] + y
        outside = (rows < 0) | (rows >= d["bound_y"])
        for n, place in enumerate(places):
            shift = place * d["window_bytes"]
            if shift == 0:
                continue
            kept = taken[:, :, n, shift:].copy()
            taken[:, :, n, : kept.shape[-1]] = kept
            taken[:, :, n, kept.shape[-1] :] = 0
        taken[outside] = d["pad_value"]
        return taken

    def _execute(self, d: dict[str, int]) -> None:
        """Run an EXECUTE row by row; of a row, first the windows that are pixel 0 of a set.

        DEPTHWISE's pixels are in a column: those of a row are all the same pixel of their sets.

        All arrays are [pes_y, pes_x, n, groups, S] : n windows, output groups of the round.
        """
        per_pixel = self.config.compute_lanes // d["pixels"]
        sets = -(-d["window_columns"] // d["pixels"])
        groups = np.arange(per_pixel)
        quads = d["groups"] * (self.config.simd_units // DOT_WIDTH)
        steps = d["kernel_rows"] * d["kernel_columns"] * max(1, quads)
        # [pe_x, row, element, lane, S]
        weights = self.weights[d["half"], :, :, :steps].transpose(0, 2, 4, 1, 3).astype(np.float64)
        upright = d["op"] == ExecuteOp.DEPTHWISE
        for oy in range(d["window_rows"]):
            across = 1 if upright else d["pixels"]
            for first in range(min(across, d["window_columns"])):
                ox = np.arange(first, d["window_columns"], across)
                pixel = oy % d["band_rows"] % d["pixels"] if upright else first
                lanes = pixel * per_pixel + groups
                records = self.records[d["half"]][:, lanes]
                if d["op"] == ExecuteOp.ADD:
                    self._store(d, oy, ox, self._add(d, oy, ox, d["bank"] + groups, records))
                    continue
                # all pixels have the rows of pixel 0's lanes
                total = self._accumulate(d, oy, ox, weights[:, :, :, groups])
                row = d["accumulator_row"] + oy * sets + ox // d["pixels"]
                saved = np.s_[:, :, lanes, row[:, None]]
                if d["restore"]:
                    total = total + self.accumulators[saved]
                if d["save"]:
                    self.accumulators[saved] = total
                    continue
                if d["op"] == ExecuteOp.POOL:
                    axes = 0 if d["spread"] else (0, 1)
                    total = np.broadcast_to(total.sum(axis=axes, keepdims=True), total.shape)
                own = records.reshape(len(records), 1, per_pixel, -1)
                values = _requantize(total.astype(np.int32), own)
                self._store(d, oy, ox, self._finish(d, values))

    def _add(
        self,
        d: dict[str, int],
        oy: int,
        ox: NDArray[np.int64],
        banks: NDArray[np.int64],
        records: NDArray[np.void],
    ) -> NDArray[np.int8]:
        a = self._read(banks, d["in_address"] + oy * d["in_row"] + ox, d["column_stride"])
        b = self._read(banks, d["in2_address"] + oy * d["in2_row"] + ox, d["column_stride"])
        records = records[:, None]
        scaled = [
            _requantize(value, records[..., number, :1])
            for number, value in zip(PASSES, (a, b), strict=False)
        ]
        total = (scaled[0].astype(np.int64) + scaled[1]).astype(np.int32)
        return self._finish(d, _requantize(total, records[..., 2, :1]))

    def _accumulate(
        self, d: dict[str, int], oy: int, ox: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> NDArray[np.int32]:
        """Accumulators of windows: dot products or maxima; float64 holds every sum exactly.

        Parameters
        ----------
        weights : float64[pes_x, weight_rows, 4, groups, S]
        """
        simd = self.config.simd_units
        banks, quads = self.config.compute_lanes, simd // DOT_WIDTH
        groups = weights.shape[3]
        total = np.zeros((*self.local.shape[:2], len(ox), groups, simd))
        y, x = oy * d["stride_y"], ox * d["stride_x"]
        step = 0
        largest = d["op"] == ExecuteOp.DEPTHWISE and d["maximum"]
        if largest:
            total -= 128
        if d["op"] != ExecuteOp.CONV:
            for kx in range(d["kernel_columns"]):
                for ky in range(d["kernel_rows"]):
                    row, slot = (0, 0) if d["op"] == ExecuteOp.POOL else divmod(step, DOT_WIDTH)
                    own = self._tap(d, d["bank"] + np.arange(groups), 0, y + ky, x + kx)
                    if largest:
                        np.maximum(total, own, out=total)
                    else:
                        total += own * weights[:, row, slot][:, None]
                    step += 1
            return total.astype(np.int64).astype(np.int32)
        matrix = weights.reshape(len(weights), weights.shape[1] * DOT_WIDTH, -1)
        for group in range(d["groups"]):
            first = d["first_quad"] if group == 0 else 0
            last = d["last_quads"] if group == d["groups"] - 1 else quads
            plane, bank = divmod(d["bank"] + group, banks)
            for ky in range(d["kernel_rows"]):
                for kx in range(d["kernel_columns"]):
                    if d["vector_sets"]:
                        shared = self._windows(d, y + ky, ox)
                    else:
                        shared = self._tap(d, np.array([bank]), plane, y + ky, x + kx)[:, :, :, 0]
                    rows = matrix[:, DOT_WIDTH * step : DOT_WIDTH * (step + last - first)]
                    part = shared[..., DOT_WIDTH * first : DOT_WIDTH * last] @ rows
                    total += part.reshape(total.shape)
                    step += last - first
        return total.astype(np.int64).astype(np.int32)

    def _store(
        self, d: dict[str, int], oy: int, ox: NDArray[np.int64], out: NDArray[np.int8]
    ) -> None:
        """Write windows' vectors to their tiles and to the neighbours' halos."""
        everywhere = np.ones(len(ox), np.bool_)
        rows, columns = [0], {0: everywhere}
        ty, tx = d["first_row"] + oy, d["first_column"] + ox
        if d["op"] != ExecuteOp.POOL:
            rows += [1] * (ty < d["halo_bottom"])
            rows += [-1] * (ty >= d["tile_rows"] - d["halo_top"])
            columns[1] = tx < d["halo_right"]
            columns[-1] = tx >= d["tile_columns"] - d["halo_left"]
        if d["sources"]:
            self._store_row(d, oy, ox, out, rows)
            return
        banks = d["out_bank"] + np.arange(d["lanes"])
        for dy in rows:
            for dx, served in columns.items():
                start = d["out_address"] + (oy + dy * d["tile_rows"]) * d["out_row"]
                address = (start + ox[served] + dx * d["tile_columns"]) & 0x3FFFF
                taken = _from_neighbour(out[:, :, served], dy, dx)
                self.local[:, :, banks, address[:, None]] = taken[:, :, :, banks % out.shape[3]]

    def _store_row(
        self,
        d: dict[str, int],
        oy: int,
        ox: NDArray[np.int64],
        out: NDArray[np.int8],
        rows: list[int],
    ) -> None:
        """Write the vectors of the first PEs of a row to all PEs of the row, and of those beside it."""
        all_lanes = self.config.compute_lanes
        per_pixel = out.shape[3]
        for x, dy in itertools.product(range(d["sources"]), rows):
            taken = _from_neighbour(out[:, x : x + 1], dy, 0)
            start = d["out_address"] + (oy + dy * d["tile_rows"]) * d["out_row"]
            for lane in range(min(per_pixel, d["lanes"] - x * per_pixel * d["spread"])):
                turns, bank = x, d["out_bank"] + lane
                if d["spread"]:
                    turns, bank = divmod(d["out_bank"] + x * per_pixel + lane, all_lanes)
                address = (start + ox + turns * d["source_stride"]) & 0x3FFFF
                self.local[:, :, bank, address] = taken[:, :, :, bank % per_pixel]

    def _finish(self, d: dict[str, int], values: NDArray[np.int32]) -> NDArray[np.int8]:
        shifted = values.astype(np.int64) + d["zero_point"]
        clamped = shifted.clip(d["clamp_low"], d["clamp_high"]).astype(np.int8)
        return self.table[clamped.view(np.uint8)] if self.through_table[d["half"]] else clamped

    def _dump(self, probe: Probe) -> bytes:
        lanes = self.config.compute_lanes
        parts = np.empty(
            (
                self.config.pes_y,
                self.config.pes_x,
                probe.groups,
                probe.rows,
                probe.columns,
                self.config.simd_units,
            ),
            np.int8,
        )
        for group in range(probe.groups):
            for row in range(probe.rows):
                start = probe.local_address + group // lanes * probe.local_plane
                start += row * probe.local_row
                block = self.local[:, :, group % lanes, start : start + probe.columns]
                parts[:, :, group, row] = block
        return parts.tobytes()


def _row_order(d: dict[str, int]) -> list[tuple[int, int]]:
    """(block, row of the block) of a weight stream's rows, in its order."""
    blocks, rows = range(d["lanes"]), range(d["parameter_rows"] + d["weight_rows"])
    if not d["column_lanes"]:
        return [(block, row) for block in blocks for row in rows]
    turns = [blocks[lane :: d["column_lanes"]] for lane in range(d["column_lanes"])]
    return [(block, row) for turn in turns for row in rows for block in turn]


def _from_neighbour(out: NDArray[np.int8], dy: int, dx: int) -> NDArray[np.int8]:
    """Shift an array by PEs: every PE takes that of PE (+ dy, + dx); zeros where there is none."""
    pes_y, pes_x = out.shape[:2]
    taken = np.zeros_like(out)
    to_y, to_x = slice(max(0, -dy), pes_y - max(0, dy)), slice(max(0, -dx), pes_x - max(0, dx))
    from_y, from_x = slice(max(0, dy), pes_y - max(0, -dy)), slice(max(0, dx), pes_x - max(0, -dx))
    taken[to_y, to_x] = out[from_y, from_x]
    return taken


def _requantize(values: NDArray[np.int32], records: NDArray[np.void]) -> NDArray[np.int32]:
    """Requantize int32[…, L, S] with records[L, S or 1]."""
    biased = (values.astype(np.int64) + records["bias"]).astype(np.int32)
    shifted = (biased.astype(np.int64) << records["left"]).astype(np.int32)
    shift = -records["right"].astype(np.int32)
    return golden.requantize(shifted, records["multiplier"].astype(np.int32), shift)
