"""LOAD unit: external memory to local memories, register files and parameters."""

from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.axi import read_manager
from hwgen.gateware.bursts import BurstGenerator
from hwgen.gateware.control import row_write_layout, tile_write_layout
from hwgen.gateware.grid import Grid
from hwgen.gateware.layout import load_layout
from hwgen.gateware.rows import RowWalker
from hwgen.gateware.transfer import (
    MOST_COLUMNS,
    beats_per_vector,
    connect_region,
    connect_tile,
    is_empty,
)
from hwgen.gateware.unique import unique
from hwgen.gateware.walker import TileWalker
from sim.spec.accelerator import DOT_WIDTH, REQUANTIZER_PHASES, AcceleratorConfig
from sim.spec.descriptor import LoadKind

__all__ = ["LoadUnit"]


class LoadUnit(wiring.Component):
    """Runs LOAD descriptors one at a time, reading ahead by up to OUTSTANDING bursts.

    The descriptor's bursts are those of :class:`BurstGenerator`; weights are one segment. Data
    is taken whenever the memory gives it. With the command transferred in cycle s, bursts
    k = 0 … n - 1 are requested (AR handshake, on an always ready memory) in cycle ::

        ar[k] = max(s + FIRST_REQUEST if k == 0 else ar[k-1] + 1, last_beat[k-OUTSTANDING] + 1)

    and done is given in cycle ``last_beat[n-1] + DONE_DELAY``; n = 0 gives done in cycle
    s + 2. The next command is accepted from the cycle after done. A memory that gives the first
    beat ``latency`` cycles after the AR handshake and then a beat per cycle has ::

        last_beat[k] = max(ar[k] + latency, last_beat[k-1] + 1) + beats[k] - 1

    Latency: as above. Throughput: 1 beat per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator; the bus must not be wider than a vector.

    Members
    -------
    command : In(stream.Signature(load_layout()))
        Descriptors.
    memory_base : In(32)
        Added to the descriptor's address.
    row_write : Out(row_write_layout(config))
        Weights and parameters.
    row_half : Out(1)
        Half that `row_write` goes to.
    tile_write : Out(tile_write_layout(config))
        Activations.
    done : Out(1)
        Pulse: the last vector is written and can be read.
    done_post : Out(3)
        The descriptor's ``post``, with `done`.
    busy : Out(1)
        From the cycle after the command's transfer to `done`.
    waiting : Out(1)
        A read is outstanding and there is no data.
    error : Out(1)
        Pulse: a beat came with an error response.
    araddr … rready
        AXI4 read channels (:func:`read_manager`).
    """

    OUTSTANDING: ClassVar[int] = 4
    FIRST_REQUEST: ClassVar[int] = 1 + BurstGenerator.LATENCY
    DONE_DELAY: ClassVar[int] = 1 + Grid.WRITE_LATENCY

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create an idle unit."""
        self.config = config
        self.beats = beats_per_vector(config)
        super().__init__(
            {
                "command": In(stream.Signature(load_layout())),
                "memory_base": In(32),
                "row_write": Out(row_write_layout(config)),
                "row_half": Out(1),
                "tile_write": Out(tile_write_layout(config)),
                "done": Out(1),
                "done_post": Out(3),
                "busy": Out(1),
                "waiting": Out(1),
                "error": Out(1),
                **read_manager(config.bus_bytes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build control, the request side and the data side."""
        m = Module()
        row_beats = DOT_WIDTH * self.beats
        most_rows = self.config.compute_lanes * (REQUANTIZER_PHASES + self.config.weight_rows)
        longest = max(most_rows * row_beats, MOST_COLUMNS * self.beats)
        generator = BurstGenerator(self.config.bus_bytes, longest.bit_length())
        tile_walker = TileWalker(self.config.compute_lanes)
        row_walker = RowWalker(self.config)
        m.submodules.generator = unique(generator, "load_bursts")
        m.submodules.tile_walker = unique(tile_walker, "tile_walker")
        m.submodules.row_walker = unique(row_walker, "row_walker")

        # Cycle 0: the command
        descriptor = Signal(load_layout(), reset_less=True)
        weights = Signal()
        begin = Signal()
        empty = Signal()
        finished = Signal()
        m.d.comb += self.command.ready.eq(~self.busy)
        m.d.sync += begin.eq(self.command.valid & self.command.ready)
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += [descriptor.eq(self.command.payload), self.busy.eq(1)]
        with m.If(self.done):
            m.d.sync += self.busy.eq(0)
        m.d.comb += [self.done.eq(finished), self.done_post.eq(descriptor.post)]

        # Cycle 1: the external region and the destination
        lanes = Signal(4)
        lane_rows = Signal(17)
        m.d.comb += [
            weights.eq(descriptor.kind == LoadKind.WEIGHTS),
            lanes.eq(Mux(descriptor.broadcast, 1, descriptor.lanes)),
            lane_rows.eq(descriptor.parameter_rows + descriptor.weight_rows),
            empty.eq(Mux(weights, (lanes == 0) | (lane_rows == 0), is_empty(descriptor))),
            connect_region(generator, descriptor, self.memory_base, self.beats),
            connect_tile(tile_walker, descriptor),
            [
                row_walker.block[name].eq(descriptor[name])
                for name in ("half", "lanes", "broadcast", "parameter_rows", "weight_rows")
            ],
            generator.start.eq(begin & ~empty),
            tile_walker.start.eq(begin),
            row_walker.start.eq(begin),
        ]
        with m.If(weights):
            m.d.comb += [
                generator.region.beats.eq(lanes * lane_rows * row_beats),
                generator.region.rows.eq(1),
                generator.region.groups.eq(1),
            ]

        # Cycle 4: requests, while fewer than OUTSTANDING bursts are in flight
        in_flight = Signal(range(self.OUTSTANDING + 1))
        room = Signal()
        beat = Signal()
        m.d.comb += [
            room.eq(in_flight != self.OUTSTANDING),
            self.araddr.eq(generator.bursts.payload.address),
            self.arlen.eq(generator.bursts.payload.length),
            self.arvalid.eq(generator.bursts.valid & room),
            generator.bursts.ready.eq(self.arready & room),
            self.rready.eq(self.busy),
            beat.eq(self.rvalid & self.rready),
            self.waiting.eq((in_flight != 0) & ~self.rvalid),
            self.error.eq(beat & self.rresp[1]),
        ]
        m.d.sync += in_flight.eq(in_flight + (self.arvalid & self.arready) - (beat & self.rlast))

        # Data cycle 0: beats shift into a row; a vector is the newest quarter of it
        row = Signal(8 * self.config.row_bytes, reset_less=True)
        vector_end = self._every(m, beat, self.beats, begin)
        row_end = self._every(m, vector_end, DOT_WIDTH, begin)
        with m.If(beat):
            m.d.sync += row.eq(Cat(row, self.rdata)[8 * self.config.bus_bytes :])
        m.d.sync += [
            self.tile_write.enable.eq(vector_end & ~weights),
            self.row_write.enable.eq(row_end & weights),
        ]

        # Data cycle 1: write
        last_write = Signal()
        m.d.comb += [
            self.tile_write.pe_y.eq(descriptor.pe_y),
            self.tile_write.pe_x.eq(descriptor.pe_x),
            self.tile_write.bank.eq(tile_walker.bank),
            self.tile_write.address.eq(tile_walker.address),
            self.tile_write.data.eq(row[-8 * self.config.vector_bytes :]),
            tile_walker.advance.eq(self.tile_write.enable),
            self.row_half.eq(descriptor.half),
            self.row_write.lanes.eq(row_walker.lanes),
            self.row_write.parameter.eq(row_walker.parameter),
            self.row_write.address.eq(row_walker.address),
            self.row_write.data.eq(row),
            row_walker.advance.eq(self.row_write.enable),
            last_write.eq(
                (self.tile_write.enable & tile_walker.last)
                | (self.row_write.enable & row_walker.last)
            ),
        ]

        # Data cycle DONE_DELAY: what was written can be read
        settling = Signal(Grid.WRITE_LATENCY)
        m.d.sync += settling.eq(Cat(last_write, settling))
        nothing = Signal()
        m.d.sync += nothing.eq(begin & empty)
        m.d.comb += finished.eq(settling[-1] | nothing)
        return m

    @staticmethod
    def _every(m: Module, event: Signal, count: int, clear: Signal) -> Signal:
        """Return a signal that is high with every `count`-th `event` since `clear`."""
        if count == 1:
            return event
        seen = Signal(range(count))
        end = Signal()
        m.d.comb += end.eq(event & (seen == count - 1))
        with m.If(event):
            m.d.sync += seen.eq(seen + 1)
        with m.If(clear):
            m.d.sync += seen.eq(0)
        return end
