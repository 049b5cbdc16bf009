"""Lane: S SIMD units with their operands, weights, requantizer and output vector."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.grid.control import LaneControl, row_address_bits
from hwgen.gateware.grid.drain import Drain
from hwgen.gateware.grid.requantizer import RECORD_BITS, Requantizer, table_layout
from hwgen.gateware.grid.ring import Ring
from hwgen.gateware.grid.simd_unit import SimdUnit
from hwgen.gateware.primitives.ram import Ram
from hwgen.gateware.primitives.unique import unique
from sim.spec.accelerator import REQUANTIZER_PHASES, AcceleratorConfig

__all__ = ["Lane"]


class Lane(wiring.Component):
    """Computes one channel group of output vectors.

    Latency: see :class:`~hwgen.gateware.grid.control.LaneControl`. Throughput: 4·S products per cycle, and
    one output vector per 4 cycles, at the same time.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    control : In(LaneControl(config))
        What to do.
    incoming : In(8 * S)
        Vector for the window ring, for all units, or an ADD operand.
    weight_write, parameter_write : In(1)
        Write a row of the register file, or of the parameters, at `row_write_address`.
    weight_write_data, parameter_write_data : In
        4·S weights; R records.
    reads_row : In(1)
        With `weight_enable`: read a register-file row; else another lane reads it.
    row : Out(32 * S)
        Register-file row that was read last.
    shared_row : In(32 * S)
        Weights of the SIMD units: `row`, or that of another lane.
    neighbour : In(32 * R)
        Head of the drain register of the same lane in the PE that POOL adds.
    head : Out(32 * R)
        Head of this lane's drain register.
    output : Out(8 * S)
        The last output vector; valid from `commit` to the next `commit`.

    Notes
    -----
    With activation tables there is `fill`, In(table_layout()): write a row of the table.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create a lane of `config`."""
        self.config = config
        width = config.requantizer_width
        super().__init__(
            {
                "control": In(LaneControl(config)),
                "incoming": In(8 * config.vector_bytes),
                "weight_write": In(1),
                "parameter_write": In(1),
                "row_write_address": In(row_address_bits(config)),
                "weight_write_data": In(8 * config.row_bytes),
                "parameter_write_data": In(RECORD_BITS * width),
                **({"fill": In(table_layout())} if config.activation_table else {}),
                "reads_row": In(1),
                "row": Out(8 * config.row_bytes),
                "shared_row": In(8 * config.row_bytes),
                "neighbour": In(32 * width),
                "head": Out(32 * width),
                "output": Out(8 * config.vector_bytes),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        config, control = self.config, self.control
        width = config.requantizer_width
        m.submodules.register_file = weights = Ram(8 * config.row_bytes, 2 * config.weight_rows)
        m.submodules.parameters = parameters = Ram(RECORD_BITS * width, 2 * REQUANTIZER_PHASES)
        m.submodules.drain = drain = Drain(width)
        tables = bool(config.activation_table)
        m.submodules.requantizer = requantizer = Requantizer(width, tables=tables)
        if tables:
            m.d.comb += [requantizer.table.eq(control.table), requantizer.fill.eq(self.fill)]
        m.d.comb += [
            weights.write_enable.eq(self.weight_write),
            weights.write_address.eq(self.row_write_address),
            weights.write_data.eq(self.weight_write_data),
            weights.read_enable.eq(control.weight_enable & self.reads_row),
            weights.read_address.eq(control.weight_row),
            self.row.eq(weights.read_data),
            parameters.write_enable.eq(self.parameter_write),
            parameters.write_address.eq(self.row_write_address),
            parameters.write_data.eq(self.parameter_write_data),
            parameters.read_enable.eq(control.parameter_enable),
            parameters.read_address.eq(control.parameter_row),
        ]

        vector = self._add_units(m, drain)
        m.d.comb += [
            drain.capture.eq(control.capture),
            drain.shift.eq(control.reduce | (control.slot & ~control.operand)),
            drain.keep.eq(control.keep),
            drain.receive.eq(control.reduce & control.receive),
            drain.neighbour.eq(self.neighbour),
            self.head.eq(drain.head),
            requantizer.enable.eq(control.slot),
            requantizer.record.eq(parameters.read_data),
            requantizer.finish.eq(control.finish),
            requantizer.zero_point.eq(control.zero_point),
            requantizer.clamp_low.eq(control.clamp_low),
            requantizer.clamp_high.eq(control.clamp_high),
        ]
        operands = Signal(8 * width)
        m.d.comb += operands.eq(vector.word_select(control.phase, 8 * width))
        for index in range(width):
            operand = operands.word_select(index, 8).as_signed()
            drained = drain.head.word_select(index, 32).as_signed()
            first = Mux(control.operand, operand, drained)
            m.d.comb += [
                drain.result[index].eq(requantizer.result[index]),
                requantizer.accumulator[index].eq(first),
                requantizer.addend[index].eq(Mux(control.sum, requantizer.result[index], 0)),
            ]

        # Three quarters wait here, so that a stored vector stays whole while the next comes.
        waiting = Signal(8 * width * (REQUANTIZER_PHASES - 1), reset_less=True)
        output = Signal(8 * config.vector_bytes, reset_less=True)
        arrived = Cat(waiting, *requantizer.output)
        with m.If(control.assemble):
            m.d.sync += waiting.eq(arrived[8 * width :])
        with m.If(control.commit):
            m.d.sync += output.eq(arrived)
        m.d.comb += self.output.eq(output)
        return m

    def _add_units(self, m: Any, drain: Any) -> Any:
        """Add the SIMD units and what brings them activations; return the vector register."""
        config, control = self.config, self.control
        m.submodules.ring = ring = Ring(8 * config.vector_bytes)
        m.submodules.accumulators = saved = Ram(32 * config.simd_units, config.accumulator_rows)
        m.d.comb += [
            ring.write_enable.eq(control.ring_write),
            ring.write_position.eq(control.ring_write_position),
            ring.write_data.eq(self.incoming),
            ring.read_enable.eq(control.ring_read),
            ring.read_position.eq(control.ring_read_position),
            ring.beyond.eq(control.ring_beyond),
            ring.gap.eq(control.ring_gap),
            saved.write_enable.eq(control.save),
            saved.write_address.eq(control.save_row),
            saved.read_enable.eq(control.restore_enable),
            saved.read_address.eq(control.restore_row),
        ]

        # Cycle i + 4: the vector of this and the next steps
        vector = Signal(8 * config.vector_bytes, reset_less=True)
        with m.If(control.advance):
            m.d.sync += vector.eq(self.incoming)

        # Cycle i + 5: the step's 4 bytes; every step has weights
        operand = Signal(32, reset_less=True)
        with m.If(control.weight_enable):
            m.d.sync += operand.eq(vector.word_select(control.quad, 32))

        # Cycles i + 6 to i + 9: multiply and accumulate
        multiplied = Signal(SimdUnit.STEP_LATENCY - 2)
        compared = Signal.like(multiplied)
        stages, maximum = Cat(control.multiply, multiplied), Cat(control.maximum, compared)
        m.d.sync += [multiplied.eq(stages), compared.eq(maximum)]
        accumulators = []
        for index in range(config.simd_units):
            unit = SimdUnit()
            m.submodules[f"simd_{index}"] = unique(unit)
            m.d.comb += [
                unit.broadcast.eq(operand),
                unit.private.eq(Cat(read.word_select(index, 8) for read in ring.vectors)),
                unit.weights.eq(self.shared_row.word_select(index, 32)),
                unit.private_mode.eq(control.private),
                unit.tap.eq(control.tap),
                unit.maximum.eq(maximum),
                unit.stages.eq(stages),
                unit.accumulate.eq(control.accumulate),
                unit.restart.eq(control.restart),
                unit.restore.eq(control.restore),
                unit.compare.eq(control.compare),
                unit.saved.eq(saved.read_data.word_select(index, 32).as_signed()),
                drain.accumulator[index].eq(unit.accumulator),
            ]
            accumulators.append(unit.accumulator)
        m.d.comb += saved.write_data.eq(Cat(accumulators))
        return vector
