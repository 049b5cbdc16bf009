"""Store sequencer: writes output vectors and exchanges halos."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.control import PeControl
from hwgen.gateware.window import window_layout
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["STORE_MEMBERS", "StoreSequencer"]

STORE_MEMBERS = (
    "push",
    "from_east",
    "from_west",
    "write_enable",
    "write_address",
    "from_south",
    "from_north",
)
"""Members of :class:`~hwgen.gateware.control.PeControl` that the sequencer drives."""


class StoreSequencer(wiring.Component):
    """Stores a window's vectors: one's own, then those of the neighbours that the window names.

    Horizontal neighbours run innermost, in the order own, east, west; rows in the order own, south,
    north. A window comes only after the stores of the one before.

    Latency: 1 cycle from `window` to its first `push`, 2 to its first `write_enable`. `done` pulses one
    cycle after the last write. Throughput: one store per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    window : In(window_layout(config))
        A window to store if ``valid``.
    push … from_north : Out
        See :class:`~hwgen.gateware.control.PeControl`.
    finishing : Out(1)
        The next cycle is `done`.
    finishing_half : Out(1)
        Parameter half of that descriptor.
    done : Out(1)
        The last window of a descriptor is written.
    done_post : Out(3)
        Its `post` bits, with `done`.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the sequencer for `config`."""
        self.config = config
        shapes = PeControl(config).members
        super().__init__(
            {"window": In(window_layout(config))}
            | {name: Out(shapes[name].shape) for name in STORE_MEMBERS}
            | {
                "finishing": Out(1),
                "finishing_half": Out(1),
                "done": Out(1),
                "done_post": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        window = Signal(window_layout(self.config))
        east, west, south, north = Signal(), Signal(), Signal(), Signal()

        # Cycle 1: take. A row is over when no further horizontal neighbour follows.
        to_east = ~east & ~west & window.east
        to_west = ~west & ~to_east & window.west
        row_end = ~to_east & ~to_west
        to_south = ~south & ~north & window.south
        to_north = ~north & ~to_south & window.north
        window_end = row_end & ~to_south & ~to_north
        with m.If(self.window.valid):
            m.d.sync += [
                window.eq(self.window),
                east.eq(0),
                west.eq(0),
                south.eq(0),
                north.eq(0),
            ]
        with m.Elif(window.valid):
            m.d.sync += [east.eq(to_east), west.eq(to_west), window.valid.eq(~window_end)]
            with m.If(row_end):
                m.d.sync += [south.eq(to_south), north.eq(to_north)]
        m.d.comb += [
            self.push.eq(window.valid),
            self.from_east.eq(east),
            self.from_west.eq(west),
        ]

        # Cycle 2: write
        horizontal = Mux(east, window.column_span, Mux(west, -window.column_span, 0))
        vertical = Mux(south, window.row_span, Mux(north, -window.row_span, 0))
        ended, ended_post, ended_half = Signal(), Signal(3), Signal()
        m.d.sync += [
            self.write_enable.eq(Mux(window.valid, window.lanes, 0)),
            self.write_address.eq(window.address + horizontal + vertical),
            self.from_south.eq(south),
            self.from_north.eq(north),
            ended.eq(window.valid & window_end & window.last),
            ended_post.eq(window.post),
            ended_half.eq(window.finish.half),
        ]

        # Cycle 3: the grid's register has passed the write on
        post = Signal(3)
        m.d.sync += [
            self.finishing.eq(ended),
            self.finishing_half.eq(ended_half),
            post.eq(ended_post),
            self.done.eq(self.finishing),
            self.done_post.eq(post),
        ]
        return m
