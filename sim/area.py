"""Area proxy: silicon that a configuration asks for, summed from published 45 nm figures.

It ranks configurations; it does not promise square millimetres. Every count follows from what
the generator builds, every figure from a source that anyone can read:

* Arithmetic: synthesis results in TSMC 45 nm that W. Dally shows beside Horowitz's energies
  ("High-Performance Hardware for Machine Learning", NIPS 2015 tutorial; also in V. Sze et al.,
  "Efficient Processing of Deep Neural Networks", Proc. IEEE 105(12), 2017).
* Flip-flop and multiplexer: cells DFF_X1 and MUX2_X1 of the NanGate 45 nm Open Cell Library.
* SRAM bit: 0.346 µm² for six transistors (K. Mistry et al., IEDM 2007), a third more for the
  eight that one read and one write port take (L. Chang et al., VLSI Technology 2005).

Not counted: wires, clock tree, pads, DRAM controller, address generation, spare area for
placement, and what a higher clock costs. ``clock_mhz`` and ``io_bandwidth_gbps`` show through the
bus width alone.
"""

from dataclasses import dataclass, fields

from sim.spec.accelerator import DOT_WIDTH, REQUANTIZER_PHASES, AcceleratorConfig
from sim.spec.descriptor import DESCRIPTOR_BYTES, Queue

__all__ = ["AreaBreakdown", "area"]

INT8_MULTIPLIER_UM2 = 282.0
INT16_ADDER_UM2 = 67.0
INT32_ADDER_UM2 = 137.0
INT32_MULTIPLIER_UM2 = 3495.0
FLIP_FLOP_UM2 = 4.522
MUX2_UM2 = 1.862
SRAM_BIT_UM2 = 0.346 * 1.33 / 0.6
"""Two-port bit in a macro; decoders and sense amplifiers take 40 % of it (assumed)."""

ACCUMULATOR_BITS = 32
SHIFT_STAGES = 5
"""Multiplexer levels of a barrel shifter by 0 … 31."""
QUEUE_ENTRIES = 4
"""Descriptors that each queue holds (assumed)."""
BURST_BEATS = 256
"""Beats of the longest AXI4 burst; what the read and the write buffer of the bus hold each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaBreakdown:
    """Area by part, mm² of the 45 nm proxy.

    Parameters
    ----------
    multiply_accumulate : float
        int8 multipliers, adder trees and accumulating adders.
    accumulators : float
        Accumulators and drain registers.
    requantizers : float
        32-bit multipliers, both shifters, the adders and the pipeline registers.
    parameter_memory : float
        Requantization records: flip-flops, as eight rows are too few for a macro.
    register_files : float
        Weight memories of all lanes.
    local_memory : float
        Activation memories of all PEs.
    interconnect : float
        Inside a PE the read bus; between PEs halo links, row sums and multicast registers.
    bus : float
        AXI buffers and the gearbox between beats, vectors and rows.
    control : float
        Descriptor queues.
    """

    multiply_accumulate: float
    accumulators: float
    requantizers: float
    parameter_memory: float
    register_files: float
    local_memory: float
    interconnect: float
    bus: float
    control: float

    @property
    def total(self) -> float:
        """Sum of all parts, mm²."""
        return float(sum(getattr(self, part.name) for part in fields(self)))


def area(config: AcceleratorConfig) -> AreaBreakdown:
    """Area of an accelerator by part, mm² of the 45 nm proxy.

    Does not ask whether `config` can be built.
    """
    lanes = config.pes * config.compute_lanes
    units = lanes * config.simd_units
    requantizers = lanes * config.requantizer_width
    vector_bits, row_bits = 8 * config.vector_bytes, 8 * config.row_bytes
    dot_um2 = DOT_WIDTH * INT8_MULTIPLIER_UM2 + (DOT_WIDTH - 1) * INT16_ADDER_UM2
    bank_bits = config.bank_depth * vector_bits
    beat_bits = 8 * config.bus_bytes
    return AreaBreakdown(
        multiply_accumulate=_mm2(units * (dot_um2 + INT32_ADDER_UM2)),
        accumulators=_mm2(units * 2 * ACCUMULATOR_BITS * FLIP_FLOP_UM2),
        requantizers=_mm2(requantizers * _requantizer_um2()),
        parameter_memory=_mm2(lanes * 2 * REQUANTIZER_PHASES * row_bits * FLIP_FLOP_UM2),
        register_files=_mm2(lanes * 2 * config.weight_rows * row_bits * SRAM_BIT_UM2),
        local_memory=_mm2(lanes * bank_bits * SRAM_BIT_UM2),
        interconnect=_mm2(config.pes * _interconnect_um2(config)),
        # a burst buffer and a vector being assembled each way, and the row for the lanes
        bus=_mm2(
            2 * BURST_BEATS * beat_bits * SRAM_BIT_UM2
            + (2 * vector_bits + row_bits) * FLIP_FLOP_UM2
        ),
        control=_mm2(len(Queue) * QUEUE_ENTRIES * 8 * DESCRIPTOR_BYTES * FLIP_FLOP_UM2),
    )


def _requantizer_um2() -> float:
    """One requantized value per cycle: bias, shift left, multiply, shift right, zero point."""
    shifters = 2 * SHIFT_STAGES * ACCUMULATOR_BITS * MUX2_UM2
    # between the five steps: three 32-bit values and the 64-bit product
    registers = 5 * ACCUMULATOR_BITS * FLIP_FLOP_UM2
    return INT32_MULTIPLIER_UM2 + 2 * INT32_ADDER_UM2 + shifters + registers


def _interconnect_um2(config: AcceleratorConfig) -> float:
    """One PE: choice of bank and quad, the broadcast register, and its links to neighbours."""
    vector_bits = 8 * config.vector_bytes
    banks = (config.compute_lanes - 1) * vector_bits * MUX2_UM2
    quads = (config.requantizer_width - 1) * 8 * DOT_WIDTH * MUX2_UM2
    # a row on its way to the register files stops in every PE
    multicast = 8 * config.row_bytes * FLIP_FLOP_UM2
    links = 0.0
    for neighbours in (config.pes_x, config.pes_y):
        if neighbours > 1:
            # per lane: itself or one of two neighbours, a register, and POOL's sum over the PEs
            choice = vector_bits * (2 * MUX2_UM2 + FLIP_FLOP_UM2)
            links += config.compute_lanes * choice
    if config.pes > 1:
        links += config.compute_lanes * config.requantizer_width * INT32_ADDER_UM2
    return banks + quads + multicast + links


def _mm2(um2: float) -> float:
    return um2 * 1e-6
