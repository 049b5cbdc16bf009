"""Area proxy, in force while no fit to synthesis is shipped (:mod:`sim.cost.area`): silicon that a configuration asks for, summed from published 45 nm figures.

It ranks configurations; it does not promise square millimetres. Every count follows from what
the generator builds, every figure from a source that anyone can read:

* Arithmetic: synthesis results in TSMC 45 nm that W. Dally shows beside Horowitz's energies
  ("High-Performance Hardware for Machine Learning", NIPS 2015 tutorial; also in V. Sze et al.,
  "Efficient Processing of Deep Neural Networks", Proc. IEEE 105(12), 2017).
* Flip-flop and multiplexer: cells DFF_X1 and MUX2_X1 of the NanGate 45 nm Open Cell Library.
* SRAM bit: 0.346 µm² for six transistors (K. Mistry et al., IEDM 2007), a third more for the
  eight that one read and one write port take (L. Chang et al., VLSI Technology 2005). Local memories and the weight store
  have a single port.

Not counted: wires, clock tree, pads, DRAM controller, address generation, spare area for
placement, and what a higher clock costs. ``clock_mhz`` and ``io_bandwidth_gbps`` show through the
bus width alone.
"""

from sim.cost.area_parts import AreaBreakdown
from sim.cost.ram_shapes import RamShape, descriptor_bits, memories, store_banks
from sim.spec.accelerator import (
    DOT_WIDTH,
    REQUANTIZER_PHASES,
    TABLE_ROW_ENTRIES,
    TABLE_ROWS,
    WINDOW_VECTORS,
    AcceleratorConfig,
)
from sim.spec.bus import BURST_BEATS

__all__ = ["memory_um2", "proxy_area"]

INT8_MULTIPLIER_UM2 = 282.0
INT8_ADDER_UM2 = 36.0
INT16_ADDER_UM2 = 67.0
INT32_ADDER_UM2 = 137.0
INT32_MULTIPLIER_UM2 = 3495.0
FLIP_FLOP_UM2 = 4.522
MUX2_UM2 = 1.862
SRAM_BIT_UM2 = 0.346 * 1.33 / 0.6
"""Two-port bit in a macro; decoders and sense amplifiers take 40 % of it (assumed)."""

SINGLE_PORT_BIT_UM2 = 0.346 / 0.6
"""Bit of the six transistors that a single port takes, in a macro: an estimate, as are all figures here.

CACTI gives 0.436 µm² for large memories.
"""

MACRO_EXTRA_ROWS = 64
"""Rows by which every column of a macro is taller than its bits (assumed).

With them flip-flops are the smaller choice up to nine rows.
"""

ACCUMULATOR_BITS = 32
DOT_BITS = 18
"""Sum of four products of int8 values."""
SHIFT_STAGES = 5
"""Multiplexer levels of a barrel shifter by 0 … 31."""


def proxy_area(config: AcceleratorConfig) -> AreaBreakdown:
    """Area of an accelerator by part, mm² of the 45 nm proxy.

    Does not ask whether `config` can be built.
    """
    lanes = config.pes * config.compute_lanes
    units = lanes * config.simd_units
    stored = {
        part: sum(memory_um2(shape) for shape in shapes)
        for part, shapes in memories(config).items()
    }
    return AreaBreakdown(
        multiply_accumulate=_mm2(units * _simd_unit_um2()),
        accumulators=_mm2(units * 2 * ACCUMULATOR_BITS * FLIP_FLOP_UM2),
        requantizers=_mm2(
            stored["requantizers"] + lanes * config.requantizer_width * _requantizer_um2(config)
        ),
        parameter_memory=_mm2(stored["parameter_memory"]),
        register_files=_mm2(stored["register_files"]),
        window_rings=_mm2(stored["window_rings"] + lanes * _rotation_um2(config)),
        local_memory=_mm2(stored["local_memory"]),
        weight_store=_mm2(stored["weight_store"] + _row_choice_um2(config)),
        interconnect=_mm2(config.pes * _interconnect_um2(config)),
        bus=_mm2(stored["bus"] + _bus_um2(config)),
        control=_mm2(stored["control"] + _descriptors_um2(config)),
        external_interface=0.0,
    )


def memory_um2(shape: RamShape) -> float:
    """Area of memories of a shape, as macros or as flip-flops with a multiplexer, whichever is smaller."""
    bit = SINGLE_PORT_BIT_UM2 if shape.ports == 1 else SRAM_BIT_UM2
    macro = (shape.rows + MACRO_EXTRA_ROWS) * bit
    flip_flops = shape.rows * FLIP_FLOP_UM2 + (shape.rows - 1) * MUX2_UM2
    return shape.count * shape.width * min(macro, flip_flops)


def _simd_unit_um2() -> float:
    """Dot product of four int8 pairs, private or broadcast, or their maximum, and its accumulation."""
    products = DOT_WIDTH * INT8_MULTIPLIER_UM2 + (DOT_WIDTH - 1) * INT16_ADDER_UM2
    # its own 4 bytes or the lane's; the accumulator or what it restarts from
    choices = (8 * DOT_WIDTH + ACCUMULATOR_BITS) * MUX2_UM2
    # three maxima between the four taps, a fourth with the accumulator; the sum or the maximum, of both
    maxima = DOT_WIDTH * (INT8_ADDER_UM2 + 8 * MUX2_UM2)
    maxima += (DOT_BITS + ACCUMULATOR_BITS) * MUX2_UM2
    return products + INT32_ADDER_UM2 + choices + maxima + DOT_BITS * FLIP_FLOP_UM2


def _requantizer_um2(config: AcceleratorConfig) -> float:
    """One requantized value per cycle: bias, shift left, multiply, shift right, zero point, choice of its table's entry."""
    shifters = 2 * SHIFT_STAGES * ACCUMULATOR_BITS * MUX2_UM2
    # between the five steps: three 32-bit values and the 64-bit product
    registers = 5 * ACCUMULATOR_BITS * FLIP_FLOP_UM2
    # all quarters of the output vector, and all but the last of the next vector
    output = 8 * (2 * REQUANTIZER_PHASES - 1) * FLIP_FLOP_UM2
    table = 0.0
    if config.activation_table:
        # an address of two; an entry of a row, or the value itself, which is kept with whether it is chosen
        choices = (TABLE_ROWS - 1).bit_length() + 8 * TABLE_ROW_ENTRIES
        table = choices * MUX2_UM2 + FLIP_FLOP_UM2
    return INT32_MULTIPLIER_UM2 + 2 * INT32_ADDER_UM2 + shifters + registers + output + table


def _rotation_um2(config: AcceleratorConfig) -> float:
    """One lane's rotation of the four vectors that its ring's banks give, and a row for each bank."""
    stages = (DOT_WIDTH - 1).bit_length()
    row_bits = (WINDOW_VECTORS // DOT_WIDTH - 1).bit_length()
    rows = DOT_WIDTH * row_bits * (INT8_ADDER_UM2 / 8 + MUX2_UM2)
    return stages * DOT_WIDTH * 8 * config.vector_bytes * MUX2_UM2 + rows


def _interconnect_um2(config: AcceleratorConfig) -> float:
    """One PE: from banks to lanes, from lanes to banks, and its links to neighbours."""
    lanes, vector_bits = config.compute_lanes, 8 * config.vector_bytes
    stages = (lanes - 1).bit_length()
    # per lane: a bank or padding, the incoming vector and the vector in use, 4 bytes of it
    feed = (stages + 1) * vector_bits * MUX2_UM2 + 2 * vector_bits * FLIP_FLOP_UM2
    quad = 8 * DOT_WIDTH * ((config.simd_units // DOT_WIDTH - 1) * MUX2_UM2 + FLIP_FLOP_UM2)
    # per bank: a lane, and the vector to store
    stores = vector_bits * (stages * MUX2_UM2 + FLIP_FLOP_UM2)
    links = 0.0
    for neighbours in (config.pes_x, config.pes_y):
        if neighbours > 1:
            # per bank: itself or one of two neighbours
            links += 2 * vector_bits * MUX2_UM2
    if config.pes_x > 1:
        # per bank: onto the row's bus if it is its turn, joined with the others', and from the bus
        links += 3 * vector_bits * MUX2_UM2
    if config.pes > 1:
        # per lane: POOL's sum over the PEs
        links += config.requantizer_width * INT32_ADDER_UM2
    # one vector of the PE, shifted by any number of its bytes
    shift = (config.simd_units - 1).bit_length() * vector_bits * MUX2_UM2
    return lanes * (feed + quad + stores + links) + shift


def _row_choice_um2(config: AcceleratorConfig) -> float:
    """From the weight store or the bus to the lanes of each PE column.

    A column takes the row of any bank or the bus's, and has registers for it beside those of the first column.
    """
    if not config.store_rows:
        return 0.0
    row_bits = 8 * config.row_bytes
    choice = config.pes_x * store_banks(config) * row_bits * MUX2_UM2
    return choice + (config.pes_x - 1) * row_bits * FLIP_FLOP_UM2


def _bus_um2(config: AcceleratorConfig) -> float:
    """Memory port: a burst each way, its pace, and what passes between it and the grid."""
    vector_bits, row_bits = 8 * config.vector_bytes, 8 * config.row_bytes
    # outside of what is generated, but any port of this width needs it
    buffers = 2 * BURST_BEATS * 8 * config.bus_bytes * SRAM_BIT_UM2
    earn, cost = config.pacing
    # a bucket each way
    pace = 2 * (cost.bit_length() + 1) * FLIP_FLOP_UM2 if earn < cost else 0.0
    # a row being put together; on the way to the PEs a row and a vector; one vector back
    registers = (2 * row_bits + 2 * vector_bits) * FLIP_FLOP_UM2
    # the last bytes of a packed row; a vector that begins at any of them, with padding and zeros
    window = config.vector_bytes + config.bus_bytes
    gather = 8 * window * FLIP_FLOP_UM2
    gather += ((window - 1).bit_length() + 2) * vector_bits * MUX2_UM2
    return buffers + pace + registers + gather


def _descriptors_um2(config: AcceleratorConfig) -> float:
    """Registers with the descriptor that each engine works on."""
    return sum(descriptor_bits(config).values()) * FLIP_FLOP_UM2


def _mm2(um2: float) -> float:
    return um2 * 1e-6
