"""Store sequencer: writes output vectors and exchanges halos."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.execute.bundles import window_layout
from hwgen.gateware.grid.control import ExecuteControl
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["STORE_MEMBERS", "StoreSequencer"]

STORE_MEMBERS = (
    "push",
    "take_mask",
    "take_base",
    "from_east",
    "from_west",
    "from_row",
    "source",
    "write_enable",
    "write_address",
    "from_south",
    "from_north",
)
"""Members of :class:`~hwgen.gateware.grid.control.ExecuteControl` that the sequencer drives."""


class StoreSequencer(wiring.Component):
    """Stores a set's vectors: each window's own, then the neighbours' that it names.

    Horizontal neighbours run innermost, in the order own, east, west; rows in the order own, south,
    north; windows outermost. A set comes only after the stores of the set before. Where PEs of a row
    share their vectors, these take the place of horizontal neighbours, from column 0 on.

    A bank has a single port. While `reading` names a bank that is to be written, the write waits, and with it what follows. A set may
    wait ``slack`` cycles in all: its descriptor is `done` as if it had.

    Latency: 1 cycle from `window` to its first `push`, 2 to its first `write_enable`. `done` pulses one
    cycle after the last write without waits, and ``slack`` later. Throughput: one store per cycle without a read of its banks.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    window : In(window_layout(config))
        A set of windows to store if ``valid``.
    reading : In(L)
        Banks whose ports are taken when a `write_enable` of this cycle would use them.
    storing : Out(1)
        There may be a `write_enable` in the next cycle. Known from registers.
    push … from_north : Out
        See :class:`~hwgen.gateware.grid.control.ExecuteControl`.
    finishing : Out(1)
        The next cycle is `done`.
    finishing_half : Out(1)
        Parameter half of that descriptor.
    finishing_banks : Out(L)
        Banks that it used, of its ``used``.
    done : Out(1)
        The last set of a descriptor is written.
    done_post : Out(3)
        Its `post` bits, with `done`.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the sequencer for `config`."""
        self.config = config
        shapes = ExecuteControl(config).members
        super().__init__(
            {
                "window": In(window_layout(config)),
                "reading": In(config.compute_lanes),
                "storing": Out(1),
            }
            | {name: Out(shapes[name].shape) for name in STORE_MEMBERS}
            | {
                "finishing": Out(1),
                "finishing_half": Out(1),
                "finishing_banks": Out(self.config.compute_lanes),
                "done": Out(1),
                "done_post": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        window = Signal(window_layout(self.config))
        take_base = Signal.like(self.take_base)
        east, west, south, north = Signal(), Signal(), Signal(), Signal()
        source = Signal.like(self.source)
        source_offset = Signal.like(window.address)
        groups, bank = Signal.like(window.groups), Signal.like(window.bank)
        pending, wait, writes = Signal.like(self.write_enable), Signal(), Signal()
        m.d.comb += [
            wait.eq((pending & self.reading).any()),
            self.storing.eq((window.valid & writes) | wait),
        ]

        # Cycle 1: take. A row is over when no further horizontal neighbour follows. Bit 0 of
        # `pixels` and of the neighbours is for the present window.
        to_east = ~east & ~west & window.east[0]
        to_west = ~west & ~to_east & window.west[0]
        row_end = ~to_east & ~to_west & (~window.broadcast | (source == window.last_source))
        to_south = ~south & ~north & window.south[0]
        to_north = ~north & ~to_south & window.north[0]
        pixel_end = row_end & ~to_south & ~to_north
        set_end = pixel_end & ~window.pixels[1:].any()
        with m.If(self.window.valid):
            m.d.sync += [
                window.eq(self.window),
                writes.eq(self.window.banks.any()),
                groups.eq(self.window.groups),
                bank.eq(self.window.bank),
                source.eq(0),
                source_offset.eq(0),
                take_base.eq(0),
                east.eq(0),
                west.eq(0),
                south.eq(0),
                north.eq(0),
            ]
        with m.Elif(window.valid & ~wait):
            m.d.sync += [east.eq(to_east), west.eq(to_west), window.valid.eq(~set_end)]
            with m.If(row_end):
                m.d.sync += [
                    south.eq(to_south),
                    north.eq(to_north),
                    source.eq(0),
                    source_offset.eq(0),
                    groups.eq(window.groups),
                    bank.eq(window.bank),
                ]
            with m.Elif(window.broadcast):
                lanes = self.config.compute_lanes
                following = Signal(range(2 * lanes))
                beyond = Signal()
                m.d.comb += [
                    following.eq(bank + window.lane_mask + 1),
                    beyond.eq(~window.spread | (following >= lanes)),
                ]
                m.d.sync += source.eq(source + 1)
                with m.If(beyond):
                    m.d.sync += source_offset.eq(source_offset + window.source_span)
                with m.If(window.spread):
                    m.d.sync += [
                        groups.eq(groups - window.lane_mask - 1),
                        # a source's lanes are a part of the banks, or all of them
                        bank.eq(Mux(beyond, 0, following)),
                    ]
            with m.If(pixel_end):
                m.d.sync += [
                    window.address.eq(window.address + window.pixel_span),
                    take_base.eq(take_base + window.lane_mask + 1),
                    window.pixels.eq(window.pixels >> 1),
                    window.east.eq(window.east >> 1),
                    window.west.eq(window.west >> 1),
                    window.south.eq(window.south >> 1),
                    window.north.eq(window.north >> 1),
                ]
        m.d.comb += [
            self.push.eq(window.valid & ~wait),
            self.take_mask.eq(window.lane_mask),
            self.take_base.eq(take_base),
            self.from_east.eq(east),
            self.from_west.eq(west),
            self.from_row.eq(window.broadcast),
            self.source.eq(source),
        ]

        # Cycle 2: write
        horizontal = Mux(east, window.column_span, Mux(west, -window.column_span, 0))
        own = Cat(
            groups > 0,
            *(
                (window.lane_mask >= lane) & (groups > lane)
                for lane in range(1, self.config.compute_lanes)
            ),
        )
        banks = Mux(window.spread, own << bank, window.banks)
        vertical = Mux(south, window.row_span, Mux(north, -window.row_span, 0))
        m.d.comb += self.write_enable.eq(Mux(wait, 0, pending))
        with m.If(~wait):
            m.d.sync += [
                pending.eq(Mux(window.valid, banks, 0)),
                self.write_address.eq(window.address + horizontal + source_offset + vertical),
                self.from_south.eq(south),
                self.from_north.eq(north),
            ]
        self._finish(m, window, wait, window.valid & set_end & window.last)
        return m

    def _finish(self, m: Any, window: Any, wait: Any, last_push: Any) -> None:
        """Give `done` after a descriptor's last write and what is left of its slack."""
        # Of the set that is pushed, and of a descriptor whose last write is pending or done
        slack, left = Signal.like(window.slack), Signal.like(window.slack)
        ending, ended = Signal(), Signal()
        m.d.comb += ended.eq(ending & ~wait & (left == 0))
        with m.If(self.window.valid):
            m.d.sync += slack.eq(self.window.slack)
        with m.Elif(wait & slack.any()):
            m.d.sync += slack.eq(slack - 1)
        post, half, used = Signal(3), Signal(), Signal.like(window.used)
        with m.If(last_push & ~wait):
            m.d.sync += [
                ending.eq(1),
                left.eq(slack),
                post.eq(window.post),
                half.eq(window.finish.half),
                used.eq(window.used),
            ]
        with m.Else():
            m.d.sync += ending.eq(ending & ~ended)
            with m.If(left.any()):
                m.d.sync += left.eq(left - 1)

        # Cycle 3: the grid's register has passed the write on
        finishing_post = Signal(3)
        m.d.sync += [
            self.finishing.eq(ended),
            self.finishing_half.eq(half),
            self.finishing_banks.eq(used),
            finishing_post.eq(post),
            self.done.eq(self.finishing),
            self.done_post.eq(finishing_post),
        ]
