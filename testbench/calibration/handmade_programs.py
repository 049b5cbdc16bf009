"""Hand-made programs: descriptors without a network behind them, run for their timing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwgen.placement import TensorPlacement
from hwgen.program import Program
from hwgen.tensor_region import TensorRegion
from sim.arrays.tables import COLUMNS, accelerator_row
from sim.arrays.weight_stream import stream_beats, tail_beats
from sim.spec.accelerator import ADD_HOLD, REQUANTIZER_PHASES, AcceleratorConfig
from sim.spec.descriptor import ExecuteOp, LoadKind, Queue, encode
from sim.spec.header import seal
from testbench.rtl.harness import Harness
from testbench.rtl.memory_model import MemoryModel

__all__ = [
    "Command",
    "Timing",
    "add",
    "conv",
    "handmade_program",
    "load",
    "measure",
    "schedule_rows",
    "store",
    "weights",
    "windowed",
]

DATA_BYTES = 1 << 16
"""External memory below the header that LOAD and STORE may touch."""


@dataclass(frozen=True, slots=True)
class Command:
    """One descriptor: its queue and its fields' values."""

    queue: Queue
    fields: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Measured cycles after the doorbell, in program order, and the CYCLES counter."""

    start: list[int]
    issued: list[int]
    done: list[int]
    total: int

    def duration(self, index: int) -> int:
        """Cycles from start to done."""
        return self.done[index] - self.start[index]


def load(rows: int, columns: int, row_stride: int, **fields: int) -> Command:
    """A tile LOAD of one group into PE (0, 0)."""
    values = {"kind": LoadKind.TILE, "groups": 1, "rows": rows, "columns": columns}
    values |= {"row_stride": row_stride, "local_row": 1, "vector_beats": 1}
    return Command(Queue.LOAD, values | fields)


def weights(config: AcceleratorConfig, rows: int, **fields: int) -> Command:
    """A weights LOAD of one lane, with all channels."""
    hw, parameters = accelerator_row(config), REQUANTIZER_PHASES
    values = {"kind": LoadKind.WEIGHTS, "lanes": 1, "lane_mask": 1}
    values |= {"parameter_rows": parameters, "weight_rows": rows, "tail_rows": parameters}
    values["tail_beats"] = tail_beats(hw.simd, hw)
    values["stream_beats"] = stream_beats(1, parameters, rows, hw.simd, hw)
    return Command(Queue.LOAD, values | fields)


def store(rows: int, columns: int, row_stride: int, **fields: int) -> Command:
    """A tile STORE of one group from PE (0, 0)."""
    values = {"groups": 1, "rows": rows, "columns": columns, "row_stride": row_stride}
    return Command(Queue.STORE, values | {"local_row": 1, "vector_beats": 1} | fields)


def conv(windows: int, interval: int, **fields: int) -> Command:
    """An EXECUTE of a 1×1 CONV with one quad."""
    return windowed(ExecuteOp.CONV, windows, interval, groups=1, last_quads=1, **fields)


def add(windows: int, interval: int, **fields: int) -> Command:
    """An EXECUTE of a residual add."""
    return windowed(ExecuteOp.ADD, windows, interval, **fields)


def windowed(op: ExecuteOp, windows: int, interval: int, **fields: int) -> Command:
    """An EXECUTE with ``windows`` output columns."""
    hold = ADD_HOLD if op is ExecuteOp.ADD else 0
    values = {"op": op, "lanes": 1, "pixels": 1, "hold": hold, "initiation_interval": interval}
    values |= {"tile_rows": 1, "tile_columns": windows, "window_rows": 1}
    values |= {"window_columns": windows, "kernel_rows": 1, "kernel_columns": 1}
    values |= {"stride_y": 1, "stride_x": 1, "bound_y": 1, "bound_x": 1, "clamp_high": 1}
    return Command(Queue.EXECUTE, values | fields)


def measure(
    harness: Harness,
    commands: Sequence[Command],
    memory: MemoryModel,
    data_bytes: int = DATA_BYTES,
    *,
    compiled_for: AcceleratorConfig | None = None,
) -> Timing:
    """Run one program, whose header comes after the data, and read its trace.

    It is compiled for the harness's configuration, or for another whose fingerprint the RTL has.
    """
    program = handmade_program(compiled_for or harness.config, commands, data_bytes)
    image = np.zeros((1, 1, 1, 1), np.int8)
    result = harness.run(program, image, memory=memory)
    queues = [command.queue for command in commands]
    done = result.end[0].tolist()
    issued = [
        issue if queue == Queue.EXECUTE else end
        for queue, issue, end in zip(queues, result.issue_end[0].tolist(), done, strict=True)
    ]
    return Timing(
        start=result.start[0].tolist(), issued=issued, done=done, total=int(result.cycles[0])
    )


def handmade_program(
    config: AcceleratorConfig, commands: Sequence[Command], data_bytes: int
) -> Program:
    """Program of the commands, whose header comes after the data."""
    image = bytearray(data_bytes)
    descriptors = b"".join(encode(command.queue, command.fields) for command in commands)
    image += seal(config.fingerprint, descriptors)
    place = TensorPlacement(
        address=0,
        height=1,
        width=1,
        channels=1,
        vector_bytes=config.vector_bytes,
        pixel_bytes=config.vector_bytes,
    )
    region = TensorRegion(places={"tensor": place}, images=1)
    return Program(
        images=1,
        image=bytes(image),
        header_address=data_bytes,
        warm_address=data_bytes,
        inputs=region,
        outputs=region,
        descriptors=tuple((int(command.queue), 0) for command in commands),
        probes=(),
    )


def schedule_rows(commands: Sequence[Command]) -> NDArray[np.int64]:
    """Schedule of hand-made descriptors: int64[n, len(COLUMNS)].

    A wait is for the latest descriptor of the queue before.
    """
    rows = np.zeros((len(commands), len(COLUMNS)), np.int64)
    after = COLUMNS["after_load"]
    last = [-1, -1, -1]
    for i, (row, command) in enumerate(zip(rows, commands, strict=True)):
        row[after : after + 3] = -1
        row[COLUMNS["queue"]] = command.queue
        for name, value in command.fields.items():
            row[COLUMNS[name]] = value
        for queue in Queue:
            if command.fields.get("wait", 0) >> queue & 1:
                row[after + queue] = last[queue]
        last[command.queue] = i
    return rows
