"""Weight streams: bus beats of the rows that bring a layer's parameters and weights.

A stream consists of blocks, each for one output channel group: parameter rows, then register-file rows.
Every row begins with a beat. The last block of a layer has as many bytes of a row as its channels need.
"""

from sim.arrays.geometry import ceil_div
from sim.arrays.kernel import in_place
from sim.arrays.tables import LayerColumn
from sim.spec.accelerator import (
    DOT_WIDTH,
    RECORD_BYTES,
    REQUANTIZER_PHASES,
    TABLE_ROW_ENTRIES,
)
from sim.spec.network import FACTOR_BYTES

__all__ = [
    "layer_beats",
    "layer_blocks",
    "parameter_beats",
    "stream_beats",
    "table_row_beats",
    "tail_beats",
    "tail_channels",
    "tail_rows",
]


@in_place
def parameter_beats(hw):
    """Beats of a parameter row that holds records."""
    return ceil_div(RECORD_BYTES * (hw.simd // REQUANTIZER_PHASES), hw.bus_bytes)


@in_place
def tail_beats(channels, hw):
    """Beats of a register-file row of a block of so many channels."""
    return ceil_div(DOT_WIDTH * channels, hw.bus_bytes)


@in_place
def tail_rows(channels, parameters, hw):
    """Parameter rows, of so many, that hold records in a block of so many channels."""
    return min(parameters, ceil_div(channels, hw.simd // REQUANTIZER_PHASES))


@in_place
def tail_channels(channels, hw):
    """Channels of the last group of a tensor: 1 … S."""
    return (channels - 1) % hw.simd + 1


@in_place
def table_row_beats(hw):
    """Beats of a row of the activation table."""
    return ceil_div(TABLE_ROW_ENTRIES, hw.bus_bytes)


@in_place
def stream_beats(blocks, parameters, rows, tail, hw):
    """Beats of ``blocks`` blocks, the last of which has ``tail`` channels.

    Parameters
    ----------
    blocks : int
        At least 1.
    parameters, rows : int
        Parameter rows and register-file rows of a block.
    tail : int
        1 … S. A parameter row without records takes a beat.
    hw : Hw
    """
    records = parameter_beats(hw)
    if tail == hw.simd:  # whole blocks, whose records fill REQUANTIZER_PHASES rows
        held = min(parameters, REQUANTIZER_PHASES)
        whole = parameters * records + rows * tail_beats(tail, hw)
        return blocks * whole - (parameters - held) * (records - 1)
    held = tail_rows(tail, parameters, hw)
    whole = parameters * records + rows * tail_beats(hw.simd, hw)
    return (blocks - 1) * whole + held * records + parameters - held + rows * tail_beats(tail, hw)


@in_place
def layer_blocks(layer, channels, simd):
    """Different weight blocks of a layer with ``channels`` output channels.

    Factors have those of a vector of their input, which are the same for all.
    """
    if layer[LayerColumn.SHARED]:
        return 1
    if layer[LayerColumn.INTERLEAVES]:
        return FACTOR_BYTES
    return ceil_div(channels, simd)


@in_place
def layer_beats(layer, channels, parameters, rows, hw):
    """Beats of all blocks of a layer with ``channels`` output channels, each once."""
    blocks = layer_blocks(layer, channels, hw.simd)
    if layer[LayerColumn.SHARED] or layer[LayerColumn.INTERLEAVES]:
        return stream_beats(blocks, parameters, rows, hw.simd, hw)
    return stream_beats(blocks, parameters, rows, tail_channels(channels, hw), hw)
