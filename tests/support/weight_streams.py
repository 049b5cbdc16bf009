"""Weight streams by definition: the beats of every row, and the fields that say so."""

from sim.spec.accelerator import AcceleratorConfig

__all__ = ["beats_of_rows", "with_beats"]


def beats_of_rows(config: AcceleratorConfig, d: dict[str, int], channels: int) -> list[int]:
    """Beats of every row of a stream whose last block has so many channels, counted byte by byte."""
    simd, bus = config.simd_units, config.bus_bytes
    blocks = []
    for block in range(d["lanes"]):
        held = channels if block == d["lanes"] - 1 else simd
        beats = []
        for row in range(d.get("parameter_rows", 0)):
            records = range(row * simd // 4, (row + 1) * simd // 4)
            size = 10 * len(records) if any(channel < held for channel in records) else 1
            beats.append(-(-size // bus))
        blocks.append(beats + [-(-4 * held // bus)] * d["weight_rows"])
    if own := d.get("column_lanes", 0):
        # of a lane, rows of all columns' blocks by turns
        by_lane = [blocks[lane::own] for lane in range(own)]
        return [size for turns in by_lane for turn in zip(*turns, strict=True) for size in turn]
    return [size for beats in blocks for size in beats]


def with_beats(
    config: AcceleratorConfig, d: dict[str, int], channels: int | None = None
) -> dict[str, int]:
    """Complete a stream's fields for so many channels in the last block, all if not given."""
    channels = channels or config.simd_units
    held = -(-channels // (config.simd_units // 4))
    return d | {
        "stream_beats": sum(beats_of_rows(config, d, channels)),
        "tail_beats": -(-4 * channels // config.bus_bytes),
        "tail_rows": min(d.get("parameter_rows", 0), held),
    }
