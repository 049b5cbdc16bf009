"""Gathering: rows of packed bytes from the bus become vectors that may overlap."""

from typing import Any, NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.layout import field_shapes
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import Queue

__all__ = ["Gather", "gather_layout", "gather_sums"]

_SUMS = {
    "lacks": signed(13),
    "after_lacks": signed(14),
    "first_lacks": signed(13),
    "first_after_lacks": signed(14),
    "first_left": 21,
}


def gather_layout() -> data.StructLayout:
    """Layout of a gathered tile's shape; the fields are those of the descriptor, and its :func:`gather_sums`.

    ``address`` and ``row_stride`` may be any number of bytes.
    """
    return data.StructLayout(
        {
            **field_shapes(
                Queue.LOAD,
                *("address", "columns", "row_stride", "row_bytes", "lead", "step"),
                *("length", "pad_value", "pe_vectors", "pe_step"),
            ),
            **_SUMS,
        }
    )


def gather_sums(shape: Any, bus_bytes: int) -> dict[str, Any]:
    """Return sums of a shape's fields that are to be there with its first beat, too early to be worked out then.

    Of a row whose first byte comes first in its beat: ``lacks``, the bytes to come until its first vector is complete,
    less 1, and ``after_lacks``, those until its second is. Of the first row, wherever its first byte is, ``first_lacks``,
    ``first_after_lacks`` and the bytes from its first beat on, less 1: ``first_left``.
    """
    offset = shape.address[: bus_bytes.bit_length() - 1]
    step = Mux(shape.pe_vectors == 1, shape.pe_step, shape.step)
    without_lead = ~Cat(shape.lead, Const(0, 1)).as_signed()  # -lead - 1
    lacks = shape.length + without_lead
    first_lacks = (offset + shape.length) + without_lead
    sums = {
        "lacks": lacks,
        "after_lacks": lacks + step,
        "first_lacks": first_lacks,
        "first_after_lacks": first_lacks + step,
        "first_left": offset + shape.row_bytes - 1,
    }
    return {
        name: Value.cast(sums[name])[: Shape.cast(shape).width] for name, shape in _SUMS.items()
    }


class _Choice(NamedTuple):
    """Choice of what counts now: a value at a row's first vector, after a vector, or as it was before."""

    restarted: Any
    idle: Any

    def __call__(self, row: Any, vector: Any, kept: Any) -> Any:
        """Return one of the three."""
        return Mux(self.restarted, row, Mux(self.idle, kept, vector))


class Gather(wiring.Component):
    """Cuts rows of bytes into vectors of `length` bytes, each `step` bytes after the vector before.

    A row is `row_bytes` bytes from ``address`` + r · `row_stride` on, in as many aligned beats as they touch. Its first vector
    begins `lead` bytes before the first of them. After every `pe_vectors` vectors, which are for one PE, the next one begins not `step` but
    `pe_step` bytes further, which may be less than 0. Bytes before and behind the row are `pad_value`; the
    bytes of a vector beyond `length` are 0. Vectors of a row may overlap.

    A vector is complete with the beat of its last byte in the row, the vectors before it and a beat of the row, and is given in the
    cycle after that; of m vectors that a beat completes, one per cycle. Meanwhile `hold` keeps the next beat away: it comes max(1, m)
    cycles after that beat at the earliest.

    Latency: 1 cycle from `beat` to the first vector that it completes. Throughput: a beat or a vector per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Bytes of a vector and of a beat.

    Members
    -------
    enable : In(1)
        `shape` is that of the descriptor whose beats come.
    shape : In(gather_layout())
        `length` - `pe_step` is S at most: the bytes of a vector that begins before the last vector are still there.
    offered : In(1)
        `data` is a beat, which may move.
    beat, last_beat : In(1)
        A beat of it moves; it is the last. Not during `hold`.
    data : In(8 * B)
        The beat.
    hold : Out(1)
        No beat may move. It depends on registers only.
    last : Out(1)
        With the descriptor's last vector to be given in the next cycle: `shape` may be the next descriptor's then.
    valid : Out(1)
        There is a vector.
    vector : Out(8 * S)
        The vector.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create a component before the first row."""
        self.config = config
        super().__init__(
            {
                "enable": In(1),
                "shape": In(gather_layout()),
                "offered": In(1),
                "beat": In(1),
                "last_beat": In(1),
                "data": In(8 * config.bus_bytes),
                "hold": Out(1),
                "last": Out(1),
                "valid": Out(1),
                "vector": Out(8 * config.vector_bytes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the bytes of the last beats, the counters of the row, and the next vector."""
        m = Module()
        config, shape = self.config, self.shape
        bus, kept = config.bus_bytes, config.vector_bytes + config.bus_bytes
        offset_bits = bus.bit_length() - 1

        # The last bytes that have come, the newest on top, and behind them a beat that comes. Whether it moves is known late,
        # and what is there a cycle later knows it.
        window = Signal(8 * kept, reset_less=True)
        fresh, entered = Signal(8 * bus, reset_less=True), Signal()
        m.d.sync += entered.eq(self.beat)
        with m.If(self.offered):
            m.d.sync += fresh.eq(self.data)
        with m.If(entered):
            m.d.sync += window.eq(Cat(window, fresh)[8 * bus :])

        # Of the next vector: place of its first byte in the window; bytes that it and the vector after it lack, less 1; bytes from
        # its first to the row, and to the row's end. Of the row: bytes to come, less 1; vectors. Of the PE: vectors, 0 at first
        # for more than a row's
        names = ("place", "lacks", "after_lacks", "before", "room", "left", "vectors", "pe_left")
        shapes = (signed(16), signed(16), signed(16), signed(22), signed(24), signed(24), 12, 12)
        kept_state = {n: Signal(s, name=n) for n, s in zip(names, shapes, strict=True)}
        begun = Signal()
        row_over = Signal()
        # Of the next row, from a row's first cycle on
        row_offset = Signal(max(1, offset_bits))
        row_lacks, row_after_lacks, row_left = (
            Signal.like(kept_state[name], name=f"row_{name}")
            for name in ("lacks", "after_lacks", "left")
        )
        offset, next_offset = Signal.like(row_offset), Signal.like(row_offset)
        if offset_bits:
            m.d.comb += [
                offset.eq(Mux(begun, row_offset, shape.address[:offset_bits])),
                next_offset.eq(offset + shape.row_stride[:offset_bits]),
            ]
        with m.If(row_over | (self.beat & ~begun)):
            m.d.sync += [
                row_offset.eq(next_offset),
                row_lacks.eq(next_offset + shape.lacks),
                row_after_lacks.eq(next_offset + shape.after_lacks),
                row_left.eq(next_offset + shape.row_bytes - 1),
            ]
        at_row = {
            "place": kept + offset - shape.lead,
            "lacks": Mux(begun, row_lacks, shape.first_lacks),
            "after_lacks": Mux(begun, row_after_lacks, shape.first_after_lacks),
            "before": shape.lead,
            "room": shape.row_bytes + shape.lead,
            "left": Mux(begun, row_left, shape.first_left),
            "vectors": shape.columns,
            "pe_left": shape.pe_vectors,
        }
        # Whether a vector is the last of its row, or one of the last two for its PE, is seen a cycle before it counts
        vectors, pe_left = kept_state["vectors"], kept_state["pe_left"]
        last_of_row, pe_over, after_over = (
            Signal(name=name) for name in ("last_of_row", "pe_over", "after_over")
        )
        single, double = shape.pe_vectors == 1, shape.pe_vectors == 2
        step, after_step = Signal(signed(13)), Signal(signed(13))
        m.d.comb += [
            step.eq(Mux(pe_over, shape.pe_step, shape.step)),
            after_step.eq(Mux(after_over, shape.pe_step, shape.step)),
        ]
        at_vector = {
            "place": kept_state["place"] + step,
            "lacks": kept_state["after_lacks"],
            "after_lacks": kept_state["after_lacks"] + after_step,
            "before": kept_state["before"] - step,
            "room": kept_state["room"] - step,
            "left": kept_state["left"],
            "vectors": vectors - 1,
            "pe_left": Mux(pe_over, shape.pe_vectors, pe_left - 1),
        }
        m.d.comb += row_over.eq(self.valid & last_of_row)
        present = _Choice(~begun | row_over, ~self.valid)
        values: dict[str, tuple[Signal, Signal, Signal]] = {}
        moved = Mux(self.beat, bus, 0)
        for name, shape_of in zip(names, shapes, strict=True):
            values[name] = (
                Signal(shape_of, name=f"{name}_at_row"),
                Signal(shape_of, name=f"{name}_at_vector"),
                kept_state[name],
            )
            m.d.comb += [values[name][0].eq(at_row[name]), values[name][1].eq(at_vector[name])]
            change = moved if name in ("place", "lacks", "after_lacks", "left") else 0
            m.d.sync += kept_state[name].eq(present(*values[name]) - change)

        # Whether that vector is complete, and the next one of the row too
        ended = Signal()
        complete, further = Signal(), Signal()
        came, opened = Signal(), Signal()  # whether a beat of the row has come
        # A beat takes B from a number: whether less than 0 is left is seen without the difference, and of each value before
        # it is known which of them counts. Not valid is a register of its own, as valid has the bits of a vector to drive
        idle = Signal(init=1)
        m.d.sync += idle.eq(~complete)
        early = _Choice(~begun | (~idle & last_of_row), idle)
        none_left = {
            name: early(*(value[-1] for value in values[name]))
            | (self.beat & early(*(~value[offset_bits:].any() for value in values[name])))
            for name in ("lacks", "after_lacks", "left")
        }
        final = early(shape.columns == 1, vectors == 2, last_of_row)
        over = self.last_beat | ended  # no beat is to come: the row's vectors are complete
        m.d.comb += [
            opened.eq(self.beat | (came & ~row_over)),
            complete.eq(self.enable & opened & (none_left["lacks"] | none_left["left"] | over)),
            further.eq(complete & ~final & (none_left["after_lacks"] | none_left["left"] | over)),
            self.last.eq(over & final),
        ]
        m.d.sync += [
            last_of_row.eq(final),
            pe_over.eq(early(single, Mux(pe_over, single, pe_left == 2), pe_over)),
            after_over.eq(
                early(
                    single | double,
                    Mux(pe_over, single | double, (pe_left == 3) | ((pe_left == 2) & single)),
                    after_over,
                )
            ),
            self.valid.eq(complete),
            self.hold.eq(further),
            came.eq(opened),
            ended.eq(over & ~final),
            begun.eq((begun | self.beat) & ~self.last),
        ]

        # The place without the last beat's move: so the window is in the next cycle
        bytes_at_hand = Cat(window, fresh)
        place = Signal(range(len(bytes_at_hand) // 8))
        m.d.sync += place.eq(present(*values["place"]))
        self._give(m, bytes_at_hand, place, kept_state)
        return m

    def _give(self, m: Module, chosen: Any, place: Signal, state: dict[str, Signal]) -> None:
        """Choose the vector's bytes from a place on; what lies outside of the row is padding."""
        size = self.config.vector_bytes
        length = Signal(8)
        pad_value = Signal(8)
        before = Signal(range(size + 1))
        m.d.comb += before.eq(
            Mux(state["before"] < 0, 0, Mux(state["before"] > size, size, state["before"]))
        )
        m.d.sync += [length.eq(self.shape.length), pad_value.eq(self.shape.pad_value)]
        for level in reversed(range(len(place))):
            # What is shifted out below is not looked at any more
            width = 8 * min(len(chosen) // 8, size + (1 << level) - 1)
            shifted = Signal(width, name=f"shifted_{level}")
            m.d.comb += shifted.eq(Mux(place[level], chosen >> (8 << level), chosen))
            chosen = shifted
        for byte in range(size):
            outside = (byte < before) | (byte >= state["room"])
            value = Mux(outside, pad_value, chosen.word_select(byte, 8))
            m.d.comb += self.vector.word_select(byte, 8).eq(Mux(byte < length, value, 0))
