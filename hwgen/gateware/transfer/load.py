"""LOAD unit: external memory to local memories, register files and parameters."""

from typing import ClassVar

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.bus.axi import read_manager
from hwgen.gateware.bus.bursts import BurstGenerator
from hwgen.gateware.bus.faults import fault_layout
from hwgen.gateware.bus.pages import pages_layout
from hwgen.gateware.grid.control import row_write_layout, tile_write_layout
from hwgen.gateware.grid.grid import Grid
from hwgen.gateware.primitives.layout import load_layout
from hwgen.gateware.primitives.unique import unique
from hwgen.gateware.transfer.gather import gather_sums
from hwgen.gateware.transfer.load_data import take_beats
from hwgen.gateware.transfer.load_requests import request_bursts
from hwgen.gateware.transfer.row_beats import row_beats
from hwgen.gateware.transfer.tile_transfer import HELD, accept_commands, most_vector_beats
from hwgen.gateware.transfer.weight_store import WeightStore
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import LoadKind, LoadStore

__all__ = ["LoadUnit"]


class LoadUnit(wiring.Component):
    """Runs LOAD descriptors, up to HELD at a time, reading ahead by up to OUTSTANDING bursts.

    The request side asks for a descriptor's bursts, those of :class:`BurstGenerator` (weights are one
    segment), and then takes the next command; the data side follows in the same order. Data is
    taken whenever the memory gives it and, on a paced bus, there is credit (:class:`Pacer`).
    Descriptor i, whose command is transferred in cycle s[i], requests its bursts k, numbered on
    over all descriptors, (AR handshake, on an always ready memory) in cycle ::

        ar[k] = max(s[i] + FIRST_REQUEST if k is its first burst else ar[k-1] + 1,
                    last_beat[k-OUTSTANDING] + 1)

    The next command is transferred, and done given, in cycle ::

        s[i+1] >= max(ar[its last burst] + 1, done[i+1-HELD] + 1)
        done[i] = last_beat[its last burst] + DONE_DELAY

    A memory that gives the first beat ``latency`` cycles after the AR handshake and then a beat per
    cycle has, without pacing, ::

        last_beat[k] = max(ar[k] + latency, last_beat[k-1] + 1) + beats[k] - 1

    A sequence of descriptors keeps such a bus busy if any OUTSTANDING - 1 bursts in a row have at least
    ``latency`` beats, any HELD - 1 descriptors ``latency + FIRST_REQUEST + DONE_DELAY``, and any
    descriptor ``FIRST_REQUEST + 1``.

    With a weight store (:class:`WeightStore`) a weights descriptor may FILL it: every row that is written
    goes to the store as well, which takes no cycle. A descriptor that READs it requests no burst. Its r rows
    are read, a row per cycle, when the descriptor is first in line; with ``column_lanes`` a row of every PE
    column's block of a lane at once, which counts as a single row. With the last beat or row before them in cycle e ::

        s[i+1] >= s[i] + GRANT + 1
        last_row = max(s[i] + GRANT + 1, e + TURN) + r - 1
        done[i] = last_row + DONE_DELAY

    Bursts of later descriptors are requested meanwhile, and their beats wait; credit goes on to grow.

    A descriptor with counts that the configuration does not have, or rows beyond the store, is not begun, a burst that is not
    aligned or outside of the window not requested: `fault` says so, and the unit waits for its reset.

    Latency: as above. Throughput: 1 beat per cycle, or the bus's pace.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator; the bus must not be wider than a register-file row.

    Members
    -------
    command : In(stream.Signature(load_layout()))
        Descriptors.
    memory_base : In(32)
        Added to the descriptor's address.
    input_offset : In(32)
        Added as well to that of a descriptor that gathers; a multiple of a beat. Constant for two cycles before a command.
    pages : In(pages_layout())
        The window.
    stop : In(1)
        No further burst is requested, but for a burst that is offered already.
    drop : In(1)
        No program runs: beats are taken and have no effect.
    row_write : Out(row_write_layout(config))
        Weights and parameters; bytes that a row does not have in external memory are 0.
    row_half : Out(1)
        Half that `row_write` goes to.
    tile_write : Out(tile_write_layout(config))
        Activations; bytes that a vector does not have in external memory are 0.
    done : Out(1)
        Pulse: the oldest descriptor's last vector is written and can be read.
    done_post : Out(3)
        The descriptor's ``post``, with `done`.
    busy : Out(1)
        From the cycle after a command's transfer to its `done`.
    waiting : Out(1)
        A read is outstanding and there is no data.
    quiet : Out(1)
        No request is offered or unanswered.
    fault : Out(fault_layout())
        Pulse: a beat came with an error response, with the address of its burst. Until reset: a burst
        may not be requested, with its address.
    araddr … rready
        AXI4 read channels (:func:`read_manager`).

    Notes
    -----
    With activation tables there is `table_halves`, Out(2): results of half h's parameters go through the table if bit h is
    set. Parameter rows set or clear it, as their descriptor says; reset clears it.
    """

    OUTSTANDING: ClassVar[int] = 8
    HELD: ClassVar[int] = HELD
    FIRST_REQUEST: ClassVar[int] = 1 + BurstGenerator.LATENCY
    DONE_DELAY: ClassVar[int] = 1 + Grid.WRITE_LATENCY
    GRANT: ClassVar[int] = 3
    TURN: ClassVar[int] = 2

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create an idle unit."""
        self.config = config
        self.row_beats = row_beats(config)
        self.vector_beats = most_vector_beats(config)
        super().__init__(
            {
                "command": In(stream.Signature(self.layout())),
                "memory_base": In(32),
                "input_offset": In(32),
                "pages": In(pages_layout()),
                "stop": In(1),
                "drop": In(1),
                "row_write": Out(row_write_layout(config)),
                "row_half": Out(1),
                **({"table_halves": Out(2)} if config.activation_table else {}),
                "tile_write": Out(tile_write_layout(config)),
                "done": Out(1),
                "done_post": Out(3),
                "busy": Out(1),
                "waiting": Out(1),
                "quiet": Out(1),
                "fault": Out(fault_layout()),
                **read_manager(config.bus_bytes),
            }
        )

    def layout(self) -> data.StructLayout:
        """Layout of the descriptors."""
        return load_layout(tables=bool(self.config.activation_table))

    def elaborate(self, platform: object) -> Module:
        """Build the command side, the request side and the data side."""
        m = Module()
        last_requested = Signal()
        store = None
        if self.config.store_rows:
            store = WeightStore(self.config)
            m.submodules.weight_store = unique(store)

        # Cycle 0: the command, to the request side and in line for the data side
        descriptor, begin, descriptors = accept_commands(
            m,
            self,
            self.layout(),
            last_requested,
            {
                "reads_store": (self.command.payload.kind == LoadKind.WEIGHTS)
                & (self.command.payload.store == LoadStore.READ),
                **gather_sums(self.command.payload, self.config.bus_bytes),
            },
        )
        beat, awaited = Signal(), Signal()
        last_beat = request_bursts(m, self, store, descriptor, begin, last_requested, beat, awaited)
        take_beats(m, self, store, descriptors, beat, awaited, last_beat)
        return m
