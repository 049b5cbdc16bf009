"""Functional emulator: a program's descriptors, one after another, as docs/hardware.md says.

It knows the memory image and nothing of the network or the mapper, so a difference between the
integer reference and the emulator is a compiler bug, one between the emulator and RTL a gateware
bug.
"""

import struct

import numpy as np
from numpy.typing import NDArray

from hwgen.program import Probe, Program
from hwgen.weights import RECORD
from sim import golden
from sim.spec.accelerator import DOT_WIDTH, REQUANTIZER_PHASES, AcceleratorConfig
from sim.spec.descriptor import DESCRIPTOR_BYTES, HEADER_MAGIC, ExecuteOp, LoadKind, Queue, decode

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
        self.local = rng.integers(-128, 128, shape).astype(np.int8)
        self.weights = rng.integers(
            -128, 128, (2, lanes, config.weight_rows, simd, DOT_WIDTH)
        ).astype(np.int8)
        self.records = np.zeros((2, lanes, REQUANTIZER_PHASES, simd // REQUANTIZER_PHASES), RECORD)

    def run(self, inputs: NDArray[np.int8]) -> tuple[NDArray[np.int8], dict[int, list[bytes]]]:
        """Run one image.

        Parameters
        ----------
        inputs : int8[height, width, channels]

        Returns
        -------
        output : int8[height, width, channels]
        probes : dict
            Index of each EXECUTE descriptor to the raw dumps of its probes, laid out as
            ``[pe_y][pe_x][group][row][column][S]``.
        """
        place = self.program.input
        packed = np.frombuffer(place.pack(inputs), np.uint8)
        self.memory[place.address : place.address + place.size_bytes] = packed
        at = self.program.header_address
        magic, fingerprint, count = struct.unpack("<3I", self.memory[at : at + 12].tobytes())
        if magic != HEADER_MAGIC or fingerprint != self.config.fingerprint:
            raise ValueError("the program is not for this configuration")
        dumps: dict[int, list[bytes]] = {}
        executed = 0
        for _ in range(count):
            at += DESCRIPTOR_BYTES
            fields = decode(self.memory[at : at + DESCRIPTOR_BYTES].tobytes())
            if fields["queue"] == Queue.LOAD and fields["kind"] == LoadKind.WEIGHTS:
                self._load_weights(fields)
            elif fields["queue"] == Queue.LOAD:
                for address, vector in self._transfer(fields):
                    vector[...] = self.memory[address : address + vector.size].view(np.int8)
            elif fields["queue"] == Queue.STORE:
                for address, vector in self._transfer(fields):
                    self.memory[address : address + vector.size] = vector.view(np.uint8)
            else:
                self._execute(fields)
                dumps[executed] = [
                    self._dump(probe)
                    for probe in self.program.probes
                    if probe.execute_index == executed
                ]
                executed += 1
        place = self.program.output
        data = self.memory[place.address : place.address + place.size_bytes]
        return place.unpack(data.tobytes()), dumps

    def _load_weights(self, d: dict[str, int]) -> None:
        simd = self.config.simd_units
        at = d["address"]
        lanes = 1 if d["broadcast"] else d["lanes"]
        for lane in range(lanes):
            targets = range(self.config.compute_lanes) if d["broadcast"] else [lane]
            size = d["parameter_rows"] * 4 * simd
            records = self.memory[at : at + size].view(RECORD).reshape(d["parameter_rows"], -1)
            at += size
            size = d["weight_rows"] * 4 * simd
            rows = self.memory[at : at + size].view(np.int8).reshape(-1, simd, DOT_WIDTH)
            at += size
            for target in targets:
                self.records[d["half"], target, : d["parameter_rows"]] = records
                self.weights[d["half"], target, : d["weight_rows"]] = rows

    def _transfer(self, d: dict[str, int]):  # type: ignore[no-untyped-def]  # a generator of views
        lanes, simd = self.config.compute_lanes, self.config.simd_units
        local = self.local[d["pe_y"], d["pe_x"]]
        for group in range(d["groups"]):
            for row in range(d["rows"]):
                external = d["address"] + group * d["group_stride"] + row * d["row_stride"]
                start = d["local_address"] + group // lanes * d["local_plane"]
                for column in range(d["columns"]):
                    address = (start + row * d["local_row"] + column) & 0xFFFF
                    yield external + column * simd, local[group % lanes, address]

    def _read(self, address: int) -> NDArray[np.int32]:
        """int32[pes_y, pes_x, L, S] of one address; what lies outside the banks is garbage."""
        address &= 0xFFFF
        if address >= self.config.bank_depth:
            return np.full(self.local.shape[:3] + self.local.shape[4:], 99, np.int32)
        return self.local[:, :, :, address].astype(np.int32)

    def _tap(self, d: dict[str, int], plane: int, y: int, x: int) -> NDArray[np.int32]:
        """The banks' vectors for the tap at (y, x) from the first one, padding injected."""
        rows = d["origin_y"] + np.arange(self.config.pes_y) * d["pitch_y"] + y
        columns = d["origin_x"] + np.arange(self.config.pes_x) * d["pitch_x"] + x
        inside = ((rows >= 0) & (rows < d["bound_y"]))[:, None] & (
            (columns >= 0) & (columns < d["bound_x"])
        )
        address = d["in_address"] + plane * d["in_plane"] + y * d["in_row"] + x
        return np.where(inside[:, :, None, None], self._read(address), d["pad_value"])

    def _execute(self, d: dict[str, int]) -> None:
        for oy in range(d["tile_rows"]):
            for ox in range(d["tile_columns"]):
                self._store(d, oy, ox, self._window(d, oy, ox))

    def _window(self, d: dict[str, int], oy: int, ox: int) -> NDArray[np.int8]:
        """int8[pes_y, pes_x, L, S] of one output pixel."""
        records = self.records[d["half"]]
        if d["op"] == ExecuteOp.ADD:
            a = self._read(d["in_address"] + oy * d["in_row"] + ox)
            b = self._read(d["in2_address"] + oy * d["in2_row"] + ox)
            scaled = [
                _requantize(value, records[:, number, :1])
                for number, value in zip(PASSES, (a, b), strict=False)
            ]
            total = (scaled[0].astype(np.int64) + scaled[1]).astype(np.int32)
            return _finish(d, _requantize(total, records[:, 2, :1]))
        total = self._accumulate(d, oy, ox)
        if d["op"] == ExecuteOp.POOL:
            total = np.broadcast_to(total.sum(axis=(0, 1)), total.shape).astype(np.int32)
        lanes = self.config.compute_lanes
        return _finish(d, _requantize(total, records.reshape(lanes, -1)))

    def _accumulate(self, d: dict[str, int], oy: int, ox: int) -> NDArray[np.int32]:
        lanes, quads = self.config.compute_lanes, self.config.simd_units // DOT_WIDTH
        weights = self.weights[d["half"]].astype(np.int32)
        total = np.zeros(self.local.shape[:3] + self.local.shape[4:], np.int64)
        step = 0
        groups = d["groups"] if d["op"] == ExecuteOp.CONV else 1
        for group in range(groups):
            last = d["last_quads"] if group == groups - 1 else quads
            for ky in range(d["kernel_rows"]):
                for kx in range(d["kernel_columns"]):
                    y, x = oy * d["stride_y"] + ky, ox * d["stride_x"] + kx
                    vectors = self._tap(d, group // lanes, y, x)
                    if d["op"] == ExecuteOp.CONV:
                        shared = vectors[:, :, group % lanes]
                        for quad in range(last):
                            part = shared[:, :, quad * DOT_WIDTH : (quad + 1) * DOT_WIDTH]
                            total += np.einsum("yxe,lse->yxls", part, weights[:, step])
                            step += 1
                        continue
                    row, slot = divmod(step, DOT_WIDTH)
                    if d["op"] == ExecuteOp.POOL:
                        row = slot = 0
                    total += vectors * weights[:, row, :, slot]
                    step += 1
        return total.astype(np.int32)

    def _store(self, d: dict[str, int], oy: int, ox: int, out: NDArray[np.int8]) -> None:
        """Write a window's vectors to their tile and to the neighbours' halos."""
        rows, columns = [0], [0]
        if d["op"] != ExecuteOp.POOL:
            rows += [1] * (oy < d["halo_bottom"])
            rows += [-1] * (oy >= d["tile_rows"] - d["halo_top"])
            columns += [1] * (ox < d["halo_right"])
            columns += [-1] * (ox >= d["tile_columns"] - d["halo_left"])
        for dy in rows:
            for dx in columns:
                address = d["out_address"] + (oy + dy * d["tile_rows"]) * d["out_row"]
                address = (address + ox + dx * d["tile_columns"]) & 0xFFFF
                shifted = np.zeros_like(out)
                pes_y, pes_x = self.config.pes_y, self.config.pes_x
                ys, xs = (
                    slice(max(0, -dy), pes_y - max(0, dy)),
                    slice(max(0, -dx), pes_x - max(0, dx)),
                )
                yd, xd = (
                    slice(max(0, dy), pes_y - max(0, -dy)),
                    slice(max(0, dx), pes_x - max(0, -dx)),
                )
                shifted[ys, xs] = out[yd, xd]
                self.local[:, :, : d["lanes"], address] = shifted[:, :, : d["lanes"]]

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


def _requantize(values: NDArray[np.int32], records: NDArray[np.void]) -> NDArray[np.int32]:
    """Requantize int32[…, L, S] with records[L, S or 1]."""
    biased = (values.astype(np.int64) + records["bias"]).astype(np.int32)
    shifted = (biased.astype(np.int64) << records["left"]).astype(np.int32)
    shift = -records["right"].astype(np.int32)
    return golden.requantize(shifted, records["multiplier"].astype(np.int32), shift)


def _finish(d: dict[str, int], values: NDArray[np.int32]) -> NDArray[np.int8]:
    shifted = values.astype(np.int64) + d["zero_point"]
    return shifted.clip(d["clamp_low"], d["clamp_high"]).astype(np.int8)
