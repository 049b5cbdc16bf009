"""File formats of waveforms."""

from enum import StrEnum

__all__ = ["WaveFormat"]


class WaveFormat(StrEnum):
    """Format of a waveform file: text, or the compressed one of GTKWave."""

    VCD = "vcd"
    FST = "fst"

    @classmethod
    def _missing_(cls, value: object) -> None:
        raise ValueError(f"wave format must be one of {', '.join(cls)}, not {value!r}")
