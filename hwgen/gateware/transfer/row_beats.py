"""How many bus beats each row of a weight stream has."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.layout import field_shapes
from sim.spec.accelerator import RECORD_BYTES, AcceleratorConfig
from sim.spec.descriptor import Queue

__all__ = ["RowBeats", "parameter_beats", "row_beats", "stream_layout"]


def row_beats(config: AcceleratorConfig) -> int:
    """Bus beats of a whole register-file row."""
    return config.row_bytes // config.bus_bytes


def parameter_beats(config: AcceleratorConfig) -> int:
    """Bus beats of a parameter row that holds records."""
    return -(-RECORD_BYTES * config.requantizer_width // config.bus_bytes)


def stream_layout() -> data.StructLayout:
    """Layout of what a stream's beats depend on; the fields are those of the descriptor."""
    return data.StructLayout(
        field_shapes(
            Queue.LOAD,
            *("lanes", "column_lanes", "parameter_rows", "weight_rows", "tail_beats", "tail_rows"),
        )
    )


class RowBeats(wiring.Component):
    """Beats of the present row of a weight stream, row after row.

    The rows of every block but the last are whole. In the last block a register-file row has ``tail_beats``;
    the first ``tail_rows`` parameter rows are whole, and the others have a beat. With ``column_lanes`` the rows
    of several blocks take turns, as :class:`~hwgen.gateware.transfer.rows.RowWalker` says, and those of the last block
    are short between whole rows.

    Latency: none for the first row, which follows from the stream alone; `last` is that of the next row from the
    cycle after ``advance`` on. Throughput: 1 row per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of rows and of the bus.

    Members
    -------
    stream : In(stream_layout())
        The stream's shape; at least one row per block. It must hold until `restart`.
    advance : In(1)
        Go on to the next row.
    restart : In(1)
        Go on to the first row of the next stream, whatever `advance` is.
    index : In(10)
        Beats of the row that have come.
    last : Out(1)
        The row's last beat comes next.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create a component before the first row of a stream."""
        self.config = config
        super().__init__(
            {
                "stream": In(stream_layout()),
                "advance": In(1),
                "restart": In(1),
                "index": In(10),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the counters of rows and blocks, and the choice of the beats."""
        m = Module()
        stream = self.stream
        first_parameter = Signal()
        first_rows = Signal(16)
        without_records = Signal(3)
        m.d.comb += [
            first_parameter.eq(stream.parameter_rows != 0),
            first_rows.eq(Mux(first_parameter, stream.parameter_rows, stream.weight_rows)),
            without_records.eq(stream.parameter_rows - stream.tail_rows),
        ]

        # The row: of which kind, whether in the last block, and how many of its kind are left. Blocks
        # are counted from the present lane's on, and of these from the present PE column's on.
        begun = Signal()
        shapes = {
            "parameter": 1,
            "tail": 1,
            "rows_left": 16,
            "lane_blocks": 7,
            "column_blocks": 7,
            "empty": 1,
        }
        kept = {n: Signal(s, name=n, reset_less=True) for n, s in shapes.items()}
        first = {
            "parameter": first_parameter,
            "tail": stream.lanes == 1,
            "rows_left": first_rows,
            "lane_blocks": stream.lanes,
            "column_blocks": stream.lanes,
            "empty": (stream.lanes == 1) & (stream.tail_rows == 0),
        }
        row = {n: Signal(s, name=f"row_{n}") for n, s in shapes.items()}
        m.d.comb += [row[name].eq(Mux(begun, kept[name], first[name])) for name in shapes]

        # The next row: of the next PE column's block, or the next of the lane's, or a block's first. Whether it is of the last
        # block and has no records is known for each of them before it is known which it is
        following = {n: Signal(s, name=f"next_{n}") for n, s in shapes.items()}
        last_column = (stream.column_lanes == 0) | (row["column_blocks"] <= stream.column_lanes)
        few = row["rows_left"] <= without_records
        m.d.comb += [
            *(following[name].eq(row[name]) for name in ("parameter", "rows_left", "lane_blocks")),
            following["column_blocks"].eq(row["lane_blocks"]),
            following["tail"].eq(row["lane_blocks"] == 1),
            following["empty"].eq((row["lane_blocks"] == 1) & few),
        ]
        with m.If(~last_column):
            in_tail = row["column_blocks"] - 1 == stream.column_lanes
            m.d.comb += [
                following["column_blocks"].eq(row["column_blocks"] - stream.column_lanes),
                following["tail"].eq(in_tail),
                following["empty"].eq(in_tail & few),
            ]
        with m.Elif(row["rows_left"] != 1):
            fewer = row["rows_left"] <= without_records + 1
            m.d.comb += [
                following["rows_left"].eq(row["rows_left"] - 1),
                following["empty"].eq((row["lane_blocks"] == 1) & fewer),
            ]
        with m.Elif(row["parameter"] & (stream.weight_rows != 0)):
            m.d.comb += [
                following["parameter"].eq(0),
                following["rows_left"].eq(stream.weight_rows),
            ]
        with m.Else():
            m.d.comb += [
                following["parameter"].eq(first_parameter),
                following["rows_left"].eq(first_rows),
                following["lane_blocks"].eq(row["lane_blocks"] - 1),
                following["column_blocks"].eq(row["lane_blocks"] - 1),
                following["tail"].eq(row["lane_blocks"] == 2),
                following["empty"].eq((row["lane_blocks"] == 2) & (stream.tail_rows == 0)),
            ]
        with m.If(self.advance):
            m.d.sync += [begun.eq(1), *(kept[name].eq(following[name]) for name in shapes)]
        with m.If(self.restart):
            m.d.sync += begun.eq(0)

        records, whole = parameter_beats(self.config), row_beats(self.config)
        index = self.index
        m.d.comb += self.last.eq(
            Mux(
                row["parameter"],
                Mux(row["empty"], index == 0, index == records - 1),
                Mux(row["tail"], index == stream.tail_beats - 1, index == whole - 1),
            )
        )
        return m
